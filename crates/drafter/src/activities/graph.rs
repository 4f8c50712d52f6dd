//! Nodes and edges from nested steps.
//!
//! Never makes an edge to a node that does not exist: nodes are made while walking the steps.

use blueprint::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind, Span};

use crate::activities::step::{Action, Choice, Step};
use crate::names;

const MAX_NODES: usize = 200;
const MAX_GUARD: usize = 80;
const MAX_ID: usize = 40;

/// A way out that leads nowhere yet.
#[derive(Debug, Clone)]
struct Loose {
    from: String,
    guard: String,
    sources: Vec<Span>,
}

#[derive(Default)]
struct Graph {
    model: ActivityModel,
    end: Option<String>,
    cut: bool,
}

/// Builds the model.
pub(super) fn build(steps: Vec<Step>, notes: &mut Vec<String>) -> ActivityModel {
    if !steps.iter().any(has_action) {
        return ActivityModel::default();
    }
    let mut graph = Graph::default();
    let start = graph.node(ActivityNodeKind::Start, "start", "", "", Vec::new());
    let mut open = graph.walk(&steps, vec![Loose { from: start, guard: String::new(), sources: Vec::new() }]);
    if open.is_empty() && graph.end.is_none() {
        // Every way goes back; the process must be able to end.
        let decision = graph.model.nodes.iter().rev().find(|n| n.kind == ActivityNodeKind::Decision);
        if let Some(decision) = decision {
            open.push(Loose {
                from: decision.id.clone(),
                guard: "otherwise".to_owned(),
                sources: decision.sources.clone(),
            });
        }
    }
    if !open.is_empty() {
        graph.finish(open);
    }
    if graph.cut {
        notes
            .push("The text has more steps than a diagram can show; the last ones were left out.".to_owned());
    }
    graph.model
}

/// Whether a step does anything.
fn has_action(step: &Step) -> bool {
    match step {
        Step::Action(_) => true,
        Step::Choice(choice) => choice.ways.iter().any(|(_, steps)| steps.iter().any(has_action)),
        Step::Parallel(ways) => ways.iter().flatten().any(has_action),
        Step::End | Step::Back(_) | Step::Return(_) | Step::Recheck => false,
    }
}

impl Graph {
    /// Adds a node with an id that is not taken.
    fn node(
        &mut self,
        kind: ActivityNodeKind,
        wish: &str,
        label: &str,
        lane: &str,
        sources: Vec<Span>,
    ) -> String {
        let mut base: String = wish
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(MAX_ID)
            .collect();
        while base.contains("__") {
            base = base.replace("__", "_");
        }
        let base = base.trim_matches('_');
        let base = if base.is_empty() || base.starts_with(|c: char| c.is_ascii_digit()) {
            format!("step_{base}")
        } else {
            base.to_owned()
        };
        let mut id = base.clone();
        let mut number = 2;
        while self.model.nodes.iter().any(|n| n.id == id) {
            id = format!("{base}_{number}");
            number += 1;
        }
        self.model.nodes.push(ActivityNode {
            id: id.clone(),
            kind,
            label: label.to_owned(),
            lane: lane.to_owned(),
            sources,
            ..ActivityNode::default()
        });
        id
    }

    /// Leads loose ends to a node, through a merge if there are several.
    fn lead(&mut self, open: Vec<Loose>, to: &str) {
        for end in open {
            self.model.edges.push(ActivityEdge {
                from: end.from,
                to: to.to_owned(),
                guard: end.guard,
                sources: end.sources,
            });
        }
    }

    /// One loose end from several.
    fn merged(&mut self, open: Vec<Loose>) -> Vec<Loose> {
        if open.len() < 2 {
            return open;
        }
        let merge = self.node(ActivityNodeKind::Merge, "merge", "", "", Vec::new());
        self.lead(open, &merge);
        vec![Loose { from: merge, guard: String::new(), sources: Vec::new() }]
    }

    /// Leads loose ends to the end.
    fn finish(&mut self, open: Vec<Loose>) {
        let end = match self.end.clone() {
            Some(end) => end,
            None => self.node(ActivityNodeKind::End, "end", "", "", Vec::new()),
        };
        self.lead(open, &end);
        self.end = Some(end);
    }

    /// Walks a sequence; answers with the loose ends after it.
    fn walk(&mut self, steps: &[Step], mut open: Vec<Loose>) -> Vec<Loose> {
        for step in steps {
            if open.is_empty() {
                break;
            }
            // Room for what a step can add at once: itself, a merge, and the end.
            if self.model.nodes.len() + 12 > MAX_NODES {
                self.cut = true;
                break;
            }
            open = match step {
                Step::Action(action) => self.action(action, open),
                Step::Choice(choice) => self.choice(choice, open),
                Step::Parallel(ways) => self.parallel(ways, open),
                Step::End => {
                    self.finish(open);
                    Vec::new()
                }
                Step::Back(words) => self.back(words, open),
                Step::Return(lane) => self.jump(self.last_of_lane(lane), open),
                Step::Recheck => {
                    let target = open.first().and_then(|end| self.before_decision(&end.from));
                    self.jump(target, open)
                }
            };
        }
        open
    }

    fn action(&mut self, action: &Action, open: Vec<Loose>) -> Vec<Loose> {
        let open = self.merged(open);
        let id = self.node(
            ActivityNodeKind::Action,
            &action.label,
            &action.label,
            &action.lane,
            vec![action.span],
        );
        self.lead(open, &id);
        vec![Loose { from: id, guard: String::new(), sources: Vec::new() }]
    }

    fn choice(&mut self, choice: &Choice, open: Vec<Loose>) -> Vec<Loose> {
        let open = self.merged(open);
        let id =
            self.node(ActivityNodeKind::Decision, &choice.question, &choice.question, "", vec![choice.span]);
        self.lead(open, &id);
        let mut out = Vec::new();
        for (guard, steps) in &choice.ways {
            let way = Loose {
                from: id.clone(),
                guard: names::shortened(guard, MAX_GUARD),
                sources: vec![choice.span],
            };
            out.extend(self.walk(steps, vec![way]));
        }
        out
    }

    fn parallel(&mut self, ways: &[Vec<Step>], open: Vec<Loose>) -> Vec<Loose> {
        let open = self.merged(open);
        let fork = self.node(ActivityNodeKind::Fork, "fork", "", "", Vec::new());
        self.lead(open, &fork);
        let mut ends = Vec::new();
        for steps in ways {
            let way = Loose { from: fork.clone(), guard: String::new(), sources: Vec::new() };
            let way_ends = self.walk(steps, vec![way]);
            ends.extend(self.merged(way_ends));
        }
        if ends.is_empty() {
            return ends;
        }
        let join = self.node(ActivityNodeKind::Join, "join", "", "", Vec::new());
        self.lead(ends, &join);
        vec![Loose { from: join, guard: String::new(), sources: Vec::new() }]
    }

    /// Leads loose ends to an earlier action; goes on if there is none.
    fn jump(&mut self, target: Option<String>, open: Vec<Loose>) -> Vec<Loose> {
        let Some(target) = target else { return open };
        self.lead(open, &target);
        Vec::new()
    }

    /// The last action of the lane that has these words.
    fn last_of_lane(&self, words: &[String]) -> Option<String> {
        let fits = |lane: &str| {
            let lane = lane.to_lowercase();
            !words.is_empty() && lane.split(' ').eq(words.iter().map(String::as_str))
        };
        self.model
            .nodes
            .iter()
            .rev()
            .find(|n| n.kind == ActivityNodeKind::Action && fits(&n.lane))
            .map(|n| n.id.clone())
    }

    /// The last action before the decision on whose way a node lies.
    fn before_decision(&self, from: &str) -> Option<String> {
        let mut current = from;
        let mut decided = false;
        for _ in 0..self.model.nodes.len() {
            let edge = self.model.edges.iter().find(|e| e.to == current)?;
            current = &edge.from;
            let node = self.model.nodes.iter().find(|n| n.id == current)?;
            match node.kind {
                ActivityNodeKind::Action if decided => return Some(node.id.clone()),
                ActivityNodeKind::Decision => decided = true,
                ActivityNodeKind::Action | ActivityNodeKind::Merge => {}
                _ => return None,
            }
        }
        None
    }

    /// Leads back to the earlier action that shares most words; goes on if there is none.
    fn back(&mut self, words: &[String], open: Vec<Loose>) -> Vec<Loose> {
        let shared =
            |label: &str| label.to_lowercase().split(' ').filter(|w| words.iter().any(|x| x == w)).count();
        let best = self
            .model
            .nodes
            .iter()
            .filter(|n| n.kind == ActivityNodeKind::Action)
            .map(|n| (shared(&n.label), n.id.clone()))
            .filter(|(n, _)| *n > 0);
        // Of equals, the latest one.
        let Some((_, target)) = best.max_by_key(|(count, _)| *count) else {
            return open;
        };
        // Without a question in front there would be no way on.
        if open.iter().all(|end| end.guard.is_empty())
            && !open.iter().any(|end| {
                self.model.nodes.iter().any(|n| n.id == end.from && n.kind == ActivityNodeKind::Action)
                    && self.in_branch(&end.from)
            })
        {
            let label = "Again?";
            let sources = open.first().map(|o| o.sources.clone()).unwrap_or_default();
            let open = self.merged(open);
            let target_sources = self
                .model
                .nodes
                .iter()
                .find(|n| n.id == target)
                .map(|n| n.sources.clone())
                .unwrap_or_default();
            let sources = if sources.is_empty() { target_sources } else { sources };
            let id = self.node(ActivityNodeKind::Decision, "again", label, "", sources.clone());
            self.lead(open, &id);
            self.lead(
                vec![Loose { from: id.clone(), guard: "yes".to_owned(), sources: sources.clone() }],
                &target,
            );
            return vec![Loose { from: id, guard: "no".to_owned(), sources }];
        }
        self.lead(open, &target);
        Vec::new()
    }

    /// Whether a decision lies on the way from the start to a node.
    fn in_branch(&self, id: &str) -> bool {
        let mut current = id.to_owned();
        for _ in 0..self.model.nodes.len() {
            let Some(edge) = self.model.edges.iter().find(|e| e.to == current) else {
                return false;
            };
            if !edge.guard.is_empty() {
                return true;
            }
            let merge =
                self.model.nodes.iter().any(|n| n.id == edge.from && n.kind == ActivityNodeKind::Merge);
            if merge {
                return false;
            }
            current.clone_from(&edge.from);
        }
        false
    }
}
