//! Use-case diagrams.

mod compile;
mod guide;
mod lint;
mod model;
mod normalize;
mod read;

use diagram::Outline;

use crate::{
    compile::{Compiled, Target},
    kinds::{
        model::{About, Model},
        names,
    },
    lint::Lint,
    text::shorten,
};

pub use model::{Actor, UseCase, UseCaseLink, UseCaseLinkKind, UseCaseModel};

pub(super) use lint::RULES;

pub(super) const ABOUT: About = About {
    id: "use_case",
    contract_type: "usecase_diagram",
    slug: "usecase-diagram",
    name: "Use-case diagram",
    cli_names: &["usecase", "use-case", "use_case", "usecase-diagram", "usecase_diagram"],
    instructions: guide::INSTRUCTIONS,
    sample_text: guide::SAMPLE_TEXT,
};

impl Model for UseCaseModel {
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
        let counts = [
            names::count(self.actors.len(), "actor", "actors"),
            names::count(self.use_cases.len(), "use case", "use cases"),
            names::count(self.links.len(), "relationship", "relationships"),
        ];
        let system = match self.system.trim() {
            "" => String::new(),
            system => format!("{}: ", shorten(system)),
        };
        let actors = names::list(self.actors.iter().map(|actor| actor.name.as_str()));
        let use_cases = names::list(self.use_cases.iter().map(|use_case| use_case.name.as_str()));
        format!("{system}{}: {actors}; {use_cases}", counts.join(", "))
    }
}
