//! What can be wrong with a diagram of this kind.

use std::collections::{HashMap, HashSet};

use super::{
    model::{ActivityModel, ActivityNode, ActivityNodeKind},
    normalize::LONG_ID,
};
use crate::{
    lint::{self, EMPTY_DIAGRAM, Lint, Lints, NO_NAME},
    text::shorten,
};

/// Longest label that is not called long, in characters.
const LONG_LABEL: usize = 100;

rules! {
    /// ## What it finds
    /// An activity without a start node.
    ///
    /// ## Why it breaks
    /// A reader cannot tell which step is the first.
    ///
    /// ## Fix
    /// Add one node of kind `start`.
    NO_START, "BP030", "no-start", Error;

    /// ## What it finds
    /// An activity without an end node.
    ///
    /// ## Why it breaks
    /// A reader cannot tell when the activity is finished.
    ///
    /// ## Fix
    /// Add a node of kind `end`, unless the activity never stops.
    NO_END, "BP031", "no-end", Warning;

    /// ## What it finds
    /// An activity with more than one start node.
    ///
    /// ## Why it breaks
    /// It is open whether they are alternatives or happen at once.
    ///
    /// ## Fix
    /// Begin with one start. Then use a decision for alternatives, or a fork for what happens at once.
    SEVERAL_STARTS, "BP032", "several-starts", Warning;

    /// ## What it finds
    /// A decision with fewer than two ways out.
    ///
    /// ## Why it breaks
    /// Nothing is decided.
    ///
    /// ## Fix
    /// Add the other outcome, or make it an action.
    SINGLE_EXIT, "BP033", "single-exit", Warning;

    /// ## What it finds
    /// A way out of a decision without a guard.
    ///
    /// ## Why it breaks
    /// The diagram does not say when this way is taken.
    ///
    /// ## Fix
    /// Write the condition on the arrow, for example `in stock`.
    NO_GUARD, "BP034", "no-guard", Warning;

    /// ## What it finds
    /// Two ways out of one decision with the same guard.
    ///
    /// ## Why it breaks
    /// It is open which of them is taken.
    ///
    /// ## Fix
    /// Make the guards exclude each other.
    SAME_GUARD, "BP035", "same-guard", Warning;

    /// ## What it finds
    /// A step that no way from the start leads to.
    ///
    /// ## Why it breaks
    /// The step never happens.
    ///
    /// ## Fix
    /// Add the arrow that leads to it, or remove it.
    UNREACHABLE, "BP036", "unreachable", Warning;

    /// ## What it finds
    /// A step that nothing follows and that is not an end.
    ///
    /// ## Why it breaks
    /// The activity stops there without having finished.
    ///
    /// ## Fix
    /// Connect it to the next step or to an end.
    DEAD_END, "BP037", "dead-end", Warning;

    /// ## What it finds
    /// A fork with fewer than two ways out, or a join or merge with fewer than two ways in.
    ///
    /// ## Why it breaks
    /// It splits or joins nothing.
    ///
    /// ## Fix
    /// Remove it, or add the missing way.
    IDLE_BAR, "BP038", "idle-bar", Warning;

    /// ## What it finds
    /// An arrow that leads into a start or out of an end.
    ///
    /// ## Why it breaks
    /// Nothing happens before a start or after an end.
    ///
    /// ## Fix
    /// Use a merge to go back, and put an action before the end.
    PAST_THE_END, "BP039", "past-the-end", Error;

    /// ## What it finds
    /// Several ways out of a step that is neither a decision nor a fork.
    ///
    /// ## Why it breaks
    /// It is open whether one of them or all are taken.
    ///
    /// ## Fix
    /// Put a decision or a fork after the step.
    OPEN_SPLIT, "BP040", "open-split", Warning;
}

pub(super) fn lint(model: &ActivityModel) -> Vec<Lint> {
    let mut lints = Lints::default();
    if model.nodes.is_empty() {
        lints.add(
            &EMPTY_DIAGRAM,
            "nodes",
            None,
            "There are no steps.",
            "Say what happens, and in which order.",
        );
        return lints.finish();
    }
    let mut seen = HashSet::new();
    for (at, node) in model.nodes.iter().enumerate() {
        lints.name(&format!("nodes[{at}].id"), &node.id, LONG_ID, &mut seen);
        let element = Some(node.id.clone());
        let path = format!("nodes[{at}].label");
        if node.label.chars().count() > LONG_LABEL {
            let message =
                format!("The label `{}` has more than {LONG_LABEL} characters.", shorten(&node.label));
            lints.add(&lint::LONG_NAME, path, element, message, "Use a few words.");
        } else if node.label.trim().is_empty()
            && matches!(node.kind, ActivityNodeKind::Action | ActivityNodeKind::Decision)
        {
            let message = format!("The step `{}` has no label.", shorten(&node.id));
            lints.add(&NO_NAME, path, element, message, "Say what is done, or what is asked.");
        }
    }
    lint_flow(&mut lints, model);
    lints.finish()
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
        [] => lints.add(&NO_START, "nodes", None, "There is no start.", "Add a node of kind `start`."),
        [_] => {}
        [_, second, ..] => {
            let element = known.get(*second).map(|id| (*id).to_owned());
            let hint = "Begin with one start, then a decision or a fork.";
            lints.add(
                &SEVERAL_STARTS,
                format!("nodes[{second}]"),
                element,
                "There is more than one start.",
                hint,
            );
        }
    }
    if indexes(model, ActivityNodeKind::End).is_empty() {
        lints.add(&NO_END, "nodes", None, "There is no end.", "Add a node of kind `end`.");
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
                &UNREACHABLE,
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
                &PAST_THE_END,
                format!("An arrow leads into the start {name}."),
                "Lead it to a merge after the start.",
            );
        }
        ActivityNodeKind::End if !out.is_empty() => {
            add(
                &PAST_THE_END,
                format!("An arrow leads out of the end {name}."),
                "Put the step before the end.",
            );
        }
        ActivityNodeKind::Decision if out.len() == 1 => {
            add(&SINGLE_EXIT, format!("The decision {name} has one way out."), "Add the other outcome.");
        }
        ActivityNodeKind::Fork if out.len() == 1 => {
            add(
                &IDLE_BAR,
                format!("The fork {name} has one way out."),
                "Add the step that happens at the same time.",
            );
        }
        ActivityNodeKind::Join | ActivityNodeKind::Merge if into < 2 => {
            add(
                &IDLE_BAR,
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
            add(&OPEN_SPLIT, format!("Several ways leave {name}."), "Put a decision or a fork after it.");
        }
        _ => {}
    }
    if node.kind != ActivityNodeKind::End && out.is_empty() {
        add(&DEAD_END, format!("Nothing follows {name}."), "Lead on to the next step, or to an end.");
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
                lints.add(&NO_GUARD, path, element, message, "Write the condition, for example `in stock`.");
            } else if !seen.insert(guard) {
                let message = format!("Two ways out of {name} have the guard `{}`.", shorten(&edge.guard));
                lints.add(&SAME_GUARD, path, element, message, "Make the guards exclude each other.");
            }
        }
    }
}
