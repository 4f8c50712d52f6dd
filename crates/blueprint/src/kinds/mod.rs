//! The kinds of diagrams that have a blueprint: one folder each, and the table.
//!
//! A folder has `model.rs` (the types), `compile.rs` (to Mermaid), `read.rs` (back from it), `rules.rs` (normalize and
//! lint) and `guide.rs` (advice for a model, a sample). Outside this module nothing asks which kind a blueprint is of.

pub mod activity;
pub mod class;
mod names;
pub mod use_case;

use serde_json::Value;

use crate::{Blueprint, Compiled, Kind, Lint, Outline, Target, schema};

/// What is known of a kind.
pub struct KindRow {
    /// The kind.
    pub kind: Kind,
    /// As in JSON and in tables, for example `use_case`.
    pub id: &'static str,
    /// As in the answers of the HTTP interface, for example `usecase_diagram`.
    pub contract_type: &'static str,
    /// As in addresses, for example `usecase-diagram`.
    pub slug: &'static str,
    /// For people, for example `Use-case diagram`.
    pub name: &'static str,
    /// What may be written on the command line; the first is preferred.
    pub cli_names: &'static [&'static str],
    /// How to make a good one out of requirements; told to a model.
    pub instructions: &'static str,
    /// Requirements to try it with.
    pub sample_text: &'static str,
    /// A good blueprint of the sample text.
    pub sample: fn() -> Blueprint,
    pub(crate) bounded_schema: fn() -> Value,
    pub(crate) from_value: fn(Value) -> Result<Blueprint, serde_json::Error>,
    pub(crate) read: fn(&Outline) -> Option<Blueprint>,
}

/// Every kind, in the order in which they are shown.
pub static KINDS: &[KindRow] = &[
    KindRow {
        kind: Kind::Class,
        id: "class",
        contract_type: "class_diagram",
        slug: "class-diagram",
        name: "Class diagram",
        cli_names: &["class", "class-diagram", "class_diagram"],
        instructions: class::guide::INSTRUCTIONS,
        sample_text: class::guide::SAMPLE_TEXT,
        sample: || Blueprint::Class(class::guide::sample()),
        bounded_schema: schema::bounded::<class::ClassModel>,
        from_value: |value| serde_json::from_value(value).map(Blueprint::Class),
        read: |outline| class::read::read(outline).map(Blueprint::Class),
    },
    KindRow {
        kind: Kind::UseCase,
        id: "use_case",
        contract_type: "usecase_diagram",
        slug: "usecase-diagram",
        name: "Use-case diagram",
        cli_names: &["usecase", "use-case", "use_case", "usecase-diagram", "usecase_diagram"],
        instructions: use_case::guide::INSTRUCTIONS,
        sample_text: use_case::guide::SAMPLE_TEXT,
        sample: || Blueprint::UseCase(use_case::guide::sample()),
        bounded_schema: schema::bounded::<use_case::UseCaseModel>,
        from_value: |value| serde_json::from_value(value).map(Blueprint::UseCase),
        read: |outline| use_case::read::read(outline).map(Blueprint::UseCase),
    },
    KindRow {
        kind: Kind::Activity,
        id: "activity",
        contract_type: "activity_diagram",
        slug: "activity-diagram",
        name: "Activity diagram",
        cli_names: &["activity", "activity-diagram", "activity_diagram"],
        instructions: activity::guide::INSTRUCTIONS,
        sample_text: activity::guide::SAMPLE_TEXT,
        sample: || Blueprint::Activity(activity::guide::sample()),
        bounded_schema: schema::bounded::<activity::ActivityModel>,
        from_value: |value| serde_json::from_value(value).map(Blueprint::Activity),
        read: |outline| activity::read::read(outline).map(Blueprint::Activity),
    },
];

impl Kind {
    /// Its row in the table.
    pub fn row(self) -> &'static KindRow {
        let at = match self {
            Kind::Class => 0,
            Kind::UseCase => 1,
            Kind::Activity => 2,
        };
        &KINDS[at]
    }

    /// The kind of this id, slug, contract type or command-line name, in any case.
    pub fn parse(name: &str) -> Option<Kind> {
        let name = name.trim();
        KINDS
            .iter()
            .find(|row| {
                [row.id, row.contract_type, row.slug]
                    .iter()
                    .chain(row.cli_names)
                    .any(|known| known.eq_ignore_ascii_case(name))
            })
            .map(|row| row.kind)
    }
}

/// What every kind's model can do.
pub(crate) trait Model {
    fn compile(&self, target: Target) -> Compiled;
    fn normalize(&mut self) -> Vec<String>;
    fn lint(&self) -> Vec<Lint>;
    fn describe(&self) -> String;
}

impl Blueprint {
    /// Which kind of diagram it is.
    pub fn kind(&self) -> Kind {
        match self {
            Blueprint::Class(_) => Kind::Class,
            Blueprint::UseCase(_) => Kind::UseCase,
            Blueprint::Activity(_) => Kind::Activity,
        }
    }

    pub(crate) fn model(&self) -> &dyn Model {
        match self {
            Blueprint::Class(model) => model,
            Blueprint::UseCase(model) => model,
            Blueprint::Activity(model) => model,
        }
    }

    pub(crate) fn model_mut(&mut self) -> &mut dyn Model {
        match self {
            Blueprint::Class(model) => model,
            Blueprint::UseCase(model) => model,
            Blueprint::Activity(model) => model,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_kind() {
        for row in KINDS {
            assert!(std::ptr::eq(row.kind.row(), row), "{}", row.id);
            assert_eq!((row.sample)().kind(), row.kind);
            assert_eq!(serde_json::to_value(row.kind).unwrap(), row.id);
            for name in [row.id, row.contract_type, row.slug].iter().chain(row.cli_names) {
                assert_eq!(Kind::parse(name), Some(row.kind), "{name}");
                assert_eq!(Kind::parse(&name.to_uppercase()), Some(row.kind), "{name}");
            }
        }
        assert_eq!(Kind::parse("pie"), None);
    }
}
