//! Class diagrams.

mod compile;
mod guide;
mod lint;
mod model;
mod multiplicity;
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
};

pub use model::{
    Attribute, Class, ClassKind, ClassModel, Method, Relationship, RelationshipKind, Visibility,
};

pub(super) use lint::RULES;

pub(super) const ABOUT: About = About {
    id: "class",
    contract_type: "class_diagram",
    slug: "class-diagram",
    name: "Class diagram",
    cli_names: &["class", "class-diagram", "class_diagram"],
    instructions: guide::INSTRUCTIONS,
    sample_text: guide::SAMPLE_TEXT,
};

impl Model for ClassModel {
    fn sample() -> Self {
        guide::sample()
    }

    fn read(outline: &Outline) -> Option<Self> {
        read::read(outline)
    }

    fn compile(&self, _target: Target) -> Compiled {
        compile::compile(self)
    }

    fn normalize(&mut self) -> Vec<String> {
        normalize::normalize(self)
    }

    fn lint(&self) -> Vec<Lint> {
        lint::lint(self)
    }

    fn describe(&self) -> String {
        format!(
            "{}, {}: {}",
            names::count(self.classes.len(), "class", "classes"),
            names::count(self.relationships.len(), "relationship", "relationships"),
            names::list(self.classes.iter().map(|class| class.name.as_str())),
        )
    }
}
