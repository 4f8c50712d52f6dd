//! Activity diagrams.

mod compile;
mod guide;
mod lint;
mod model;
mod normalize;
mod read;

use std::collections::HashSet;

use diagram::Outline;

use crate::{
    compile::{Compiled, Target},
    kinds::{
        model::{About, Model},
        names,
    },
    lint::Lint,
};

pub use model::{ActivityEdge, ActivityModel, ActivityNode, ActivityNodeKind};

pub(super) use lint::RULES;

pub(super) const ABOUT: About = About {
    id: "activity",
    contract_type: "activity_diagram",
    slug: "activity-diagram",
    name: "Activity diagram",
    cli_names: &["activity", "activity-diagram", "activity_diagram"],
    instructions: guide::INSTRUCTIONS,
    sample_text: guide::SAMPLE_TEXT,
};

impl Model for ActivityModel {
    fn sample() -> Self {
        guide::sample()
    }

    fn read(outline: &Outline) -> Option<Self> {
        read::read(outline)
    }

    fn compile(&self, target: Target) -> Compiled {
        compile::compile(self, target)
    }

    fn normalize(&mut self) -> Vec<String> {
        normalize::normalize(self)
    }

    fn lint(&self) -> Vec<Lint> {
        lint::lint(self)
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
