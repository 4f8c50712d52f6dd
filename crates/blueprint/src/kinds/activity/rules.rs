//! What makes an activity diagram tidy, and what makes it wrong.

use std::collections::{HashMap, HashSet};

use super::{ActivityModel, ActivityNode, ActivityNodeKind};
use crate::{
    Compiled, Lint, Target,
    compile::ascii_word,
    kinds::{
        Model,
        names::{self, Done, Names},
    },
    lint::{Lints, shorten},
};

/// Longest label that is not called long, in characters.
const LONG_LABEL: usize = 100;

/// Longest id, in characters; as in the schema.
const LONG_ID: usize = 60;

impl Model for ActivityModel {
    fn compile(&self, target: Target) -> Compiled {
        super::compile::compile(self, target)
    }

    fn normalize(&mut self) -> Vec<String> {
        let mut done = Done::default();
        for node in &mut self.nodes {
            for text in [&mut node.id, &mut node.label, &mut node.lane] {
                done.tidy(text);
            }
            done.tidy_option(&mut node.evidence);
        }
        done.retain(&mut self.nodes, "step without a name", |node| {
            let wordless = !matches!(node.kind, ActivityNodeKind::Action | ActivityNodeKind::Decision);
            !node.label.is_empty() || (wordless && !node.id.is_empty()) || is_id(&node.id)
        });
        for edge in &mut self.edges {
            for text in [&mut edge.from, &mut edge.to, &mut edge.guard] {
                done.tidy(text);
            }
            while let Some(inner) = edge.guard.strip_prefix('[').and_then(|guard| guard.strip_suffix(']')) {
                edge.guard = inner.trim().to_owned();
            }
        }
        let mut seen = HashSet::new();
        done.retain(&mut self.nodes, "repeated step", |node| {
            seen.insert((node.id.clone(), node.kind as u8, node.label.clone(), node.lane.clone()))
        });
        name_lanes_alike(self, &mut done);
        mend_ids(self, &mut done);
        done.retain(&mut self.edges, "arrow without ends", |edge| {
            !edge.from.is_empty() && !edge.to.is_empty()
        });
        let mut seen = HashSet::new();
        done.retain(&mut self.edges, "repeated arrow", |edge| {
            seen.insert((edge.from.clone(), edge.to.clone(), edge.guard.clone()))
        });
        done.finish()
    }

    fn lint(&self) -> Vec<Lint> {
        let mut lints = Lints::default();
        if self.nodes.is_empty() {
            lints.add("BP003", "nodes", None, "There are no steps.", "Say what happens, and in which order.");
            return lints.finish();
        }
        let mut seen = HashSet::new();
        for (at, node) in self.nodes.iter().enumerate() {
            lints.name(&format!("nodes[{at}].id"), &node.id, LONG_ID, &mut seen);
            let element = Some(node.id.clone());
            let path = format!("nodes[{at}].label");
            if node.label.chars().count() > LONG_LABEL {
                let message =
                    format!("The label `{}` has more than {LONG_LABEL} characters.", shorten(&node.label));
                lints.add("BP005", path, element, message, "Use a few words.");
            } else if node.label.trim().is_empty()
                && matches!(node.kind, ActivityNodeKind::Action | ActivityNodeKind::Decision)
            {
                let message = format!("The step `{}` has no label.", shorten(&node.id));
                lints.add("BP004", path, element, message, "Say what is done, or what is asked.");
            }
        }
        lint_flow(&mut lints, self);
        lints.finish()
    }

    fn describe(&self) -> String {
        let of = |kind| self.nodes.iter().filter(|node| node.kind == kind).count();
        let actions: Vec<&str> = self
            .nodes
            .iter()
            .filter(|node| node.kind == ActivityNodeKind::Action)
            .map(|node| node.label.as_str())
            .collect();
        let lanes: HashSet<&str> =
            self.nodes.iter().map(|node| node.lane.as_str()).filter(|l| !l.is_empty()).collect();
        let mut counts = vec![
            names::count(actions.len(), "action", "actions"),
            names::count(of(ActivityNodeKind::Decision), "decision", "decisions"),
            names::count(self.edges.len(), "arrow", "arrows"),
        ];
        if !lanes.is_empty() {
            counts.push(names::count(lanes.len(), "lane", "lanes"));
        }
        format!("{}: {}", counts.join(", "), names::list(actions.into_iter()))
    }
}

/// Lanes that differ in case at most are one.
fn name_lanes_alike(model: &mut ActivityModel, done: &mut Done) {
    let mut first: HashMap<String, String> = HashMap::new();
    for node in &mut model.nodes {
        let name = first.entry(node.lane.to_lowercase()).or_insert_with(|| node.lane.clone());
        if *name != node.lane {
            done.note(format!("Read the lane `{}` as `{}`.", shorten(&node.lane), shorten(name)));
            node.lane = name.clone();
        }
    }
}

fn is_id(id: &str) -> bool {
    id.len() <= LONG_ID
        && id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Every id becomes valid and unique; arrows follow, also those that name a node by its label.
fn mend_ids(model: &mut ActivityModel, done: &mut Done) {
    // Valid ids that stand first keep their names, so that the others get out of their way.
    let mut taken: HashSet<String> = HashSet::new();
    let keeps: Vec<bool> =
        model.nodes.iter().map(|node| is_id(&node.id) && taken.insert(node.id.clone())).collect();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for (node, keeps) in model.nodes.iter_mut().zip(keeps) {
        if keeps {
            continue;
        }
        let source = if is_id(&node.id) || !node.id.is_empty() { &node.id } else { &node.label };
        let mut word: String = ascii_word(source).to_lowercase().chars().take(LONG_ID - 6).collect();
        if !is_id(&word) {
            word = format!("step_{word}").trim_end_matches('_').to_owned();
        }
        let mut id = word.clone();
        let mut number = 2;
        while !taken.insert(id.clone()) {
            id = format!("{word}_{number}");
            number += 1;
        }
        done.note(format!("Gave the step `{}` the id `{id}`.", shorten(&node.id)));
        renamed.entry(std::mem::replace(&mut node.id, id.clone())).or_insert(id);
    }
    let ids: HashSet<&str> = model.nodes.iter().map(|node| node.id.as_str()).collect();
    let by_id = Names::new(ids.iter().copied());
    let mut by_label: HashMap<String, Option<&str>> = HashMap::new();
    for node in model.nodes.iter().filter(|node| !node.label.is_empty()) {
        by_label.entry(names::fold(&node.label)).and_modify(|id| *id = None).or_insert(Some(&node.id));
    }
    for edge in &mut model.edges {
        for end in [&mut edge.from, &mut edge.to] {
            if ids.contains(end.as_str()) {
                continue;
            }
            if let Some(id) = renamed.get(end) {
                *end = id.clone();
            } else if let Some(Some(id)) = by_label.get(&names::fold(end)) {
                done.note(format!("Read `{}` as `{id}`.", shorten(end)));
                *end = (*id).to_owned();
            } else {
                by_id.resolve(end, done);
            }
        }
    }
}

fn lint_flow(lints: &mut Lints, model: &ActivityModel) {
    let known: Vec<&str> = model.nodes.iter().map(|node| node.id.as_str()).collect();
    let mut place: HashMap<&str, usize> = HashMap::new();
    for (at, id) in known.iter().enumerate() {
        place.entry(id).or_insert(at);
    }
    // For each node: the arrows out of it, and how many come in.
    let mut out: Vec<Vec<(usize, usize)>> = vec![Vec::new(); known.len()];
    let mut into = vec![0_usize; known.len()];
    for (at, edge) in model.edges.iter().enumerate() {
        for (end, id) in [("from", &edge.from), ("to", &edge.to)] {
            if !place.contains_key(id.as_str()) {
                let element = format!("{}--{}", edge.from, edge.to);
                lints.dangling(format!("edges[{at}].{end}"), element, id, &known);
            }
        }
        if let (Some(&from), Some(&to)) = (place.get(edge.from.as_str()), place.get(edge.to.as_str())) {
            out[from].push((at, to));
            into[to] += 1;
        }
    }
    let starts: Vec<usize> = indexes(model, ActivityNodeKind::Start);
    match starts.as_slice() {
        [] => lints.add("BP030", "nodes", None, "There is no start.", "Add a node of kind `start`."),
        [_] => {}
        [_, second, ..] => {
            let element = known.get(*second).map(|id| (*id).to_owned());
            let hint = "Begin with one start, then a decision or a fork.";
            lints.add("BP032", format!("nodes[{second}]"), element, "There is more than one start.", hint);
        }
    }
    if indexes(model, ActivityNodeKind::End).is_empty() {
        lints.add("BP031", "nodes", None, "There is no end.", "Add a node of kind `end`.");
    }
    let mut reached = vec![starts.is_empty(); known.len()];
    let mut open = starts;
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            open.extend(out[at].iter().map(|(_, to)| *to));
        }
    }
    for (at, node) in model.nodes.iter().enumerate() {
        lint_node(lints, model, at, node, &out[at], into[at]);
        if !reached[at] {
            let message = format!("No way leads from the start to {}.", name(node));
            lints.add(
                "BP036",
                format!("nodes[{at}]"),
                Some(node.id.clone()),
                message,
                "Add the arrow that leads here.",
            );
        }
    }
}

fn indexes(model: &ActivityModel, kind: ActivityNodeKind) -> Vec<usize> {
    model.nodes.iter().enumerate().filter(|(_, node)| node.kind == kind).map(|(at, _)| at).collect()
}

fn name(node: &ActivityNode) -> String {
    format!("`{}`", shorten(if node.label.trim().is_empty() { &node.id } else { &node.label }))
}

fn lint_node(
    lints: &mut Lints,
    model: &ActivityModel,
    at: usize,
    node: &ActivityNode,
    out: &[(usize, usize)],
    into: usize,
) {
    let mut add = |code, message: String, hint: &str| {
        lints.add(code, format!("nodes[{at}]"), Some(node.id.clone()), message, hint);
    };
    let name = name(node);
    match node.kind {
        ActivityNodeKind::Start if into > 0 => {
            add(
                "BP039",
                format!("An arrow leads into the start {name}."),
                "Lead it to a merge after the start.",
            );
        }
        ActivityNodeKind::End if !out.is_empty() => {
            add("BP039", format!("An arrow leads out of the end {name}."), "Put the step before the end.");
        }
        ActivityNodeKind::Decision if out.len() == 1 => {
            add("BP033", format!("The decision {name} has one way out."), "Add the other outcome.");
        }
        ActivityNodeKind::Fork if out.len() == 1 => {
            add(
                "BP038",
                format!("The fork {name} has one way out."),
                "Add the step that happens at the same time.",
            );
        }
        ActivityNodeKind::Join | ActivityNodeKind::Merge if into < 2 => {
            add(
                "BP038",
                format!("Fewer than two ways lead into {name}."),
                "Remove it, or add the missing way.",
            );
        }
        ActivityNodeKind::Action
        | ActivityNodeKind::Start
        | ActivityNodeKind::Join
        | ActivityNodeKind::Merge
            if out.len() > 1 =>
        {
            add("BP040", format!("Several ways leave {name}."), "Put a decision or a fork after it.");
        }
        _ => {}
    }
    if node.kind != ActivityNodeKind::End && out.is_empty() {
        add("BP037", format!("Nothing follows {name}."), "Lead on to the next step, or to an end.");
    }
    if node.kind == ActivityNodeKind::Decision && out.len() > 1 {
        let mut seen = HashSet::new();
        for (edge_at, _) in out {
            let Some(edge) = model.edges.get(*edge_at) else {
                continue;
            };
            let element = Some(format!("{}--{}", edge.from, edge.to));
            let path = format!("edges[{edge_at}].guard");
            let guard = edge.guard.trim().to_lowercase();
            if guard.is_empty() {
                let message = format!("A way out of {name} does not say when it is taken.");
                lints.add("BP034", path, element, message, "Write the condition, for example `in stock`.");
            } else if !seen.insert(guard) {
                let message = format!("Two ways out of {name} have the guard `{}`.", shorten(&edge.guard));
                lints.add("BP035", path, element, message, "Make the guards exclude each other.");
            }
        }
    }
}
