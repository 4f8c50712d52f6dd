//! The kinds of diagrams that have a blueprint: one folder each, and THE table, [`kinds!`].
//!
//! A folder has `model.rs` (the types), `compile.rs` (to Mermaid), `read.rs` (back from it), `normalize.rs`, `lint.rs`
//! (with its rules) and `guide.rs` (advice for a model, a sample). To add a kind: a folder and one row.

pub mod activity;
pub mod class;
mod model;
mod names;
pub mod use_case;

use diagram::{Outline, Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{lint, schema};
use model::Model;

/// A row of the table of kinds.
pub struct KindRow {
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
    /// Instructions for a model: how to make a good diagram of requirements.
    pub instructions: &'static str,
    /// Requirements to try it with.
    pub sample_text: &'static str,
    /// A good blueprint of the sample text.
    pub sample: fn() -> Blueprint,
    pub(crate) bounded_schema: fn() -> Value,
    pub(crate) from_value: fn(Value) -> Result<Blueprint, serde_json::Error>,
    pub(crate) read: fn(&Outline) -> Option<Blueprint>,
}

macro_rules! kinds {
    ($($(#[$docs:meta])* $kind:ident: $folder:ident::$model:ident;)*) => {
        /// A kind of diagram that has a blueprint.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$docs])* $kind,)*
        }

        /// What a diagram means, whatever it looks like.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Blueprint {
            $($(#[$docs])* $kind($folder::$model),)*
        }

        /// Every kind, in the order in which they are shown.
        pub static KINDS: &[KindRow] = &[$(KindRow {
            kind: Kind::$kind,
            id: $folder::ABOUT.id,
            contract_type: $folder::ABOUT.contract_type,
            slug: $folder::ABOUT.slug,
            name: $folder::ABOUT.name,
            cli_names: $folder::ABOUT.cli_names,
            instructions: $folder::ABOUT.instructions,
            sample_text: $folder::ABOUT.sample_text,
            sample: || Blueprint::$kind($folder::$model::sample()),
            bounded_schema: schema::bounded::<$folder::$model>,
            from_value: |value| serde_json::from_value(value).map(Blueprint::$kind),
            read: |outline| $folder::$model::read(outline).map(Blueprint::$kind),
        }),*];

        /// Every rule, in the order of the codes.
        pub static LINTS: &[&Rule] =
            &diagram::concat::<{ lint::RULES.len() $(+ $folder::RULES.len())* }>(&[
                lint::RULES, $($folder::RULES),*
            ]);

        impl Blueprint {
            pub fn kind(&self) -> Kind {
                match self {
                    $(Blueprint::$kind(_) => Kind::$kind,)*
                }
            }

            pub(crate) fn model(&self) -> &dyn Model {
                match self {
                    $(Blueprint::$kind(model) => model,)*
                }
            }

            pub(crate) fn model_mut(&mut self) -> &mut dyn Model {
                match self {
                    $(Blueprint::$kind(model) => model,)*
                }
            }
        }
    };
}

kinds! {
    /// UML class diagram.
    Class: class::ClassModel;
    /// UML use-case diagram.
    UseCase: use_case::UseCaseModel;
    /// UML activity diagram.
    Activity: activity::ActivityModel;
}

impl Kind {
    /// Its row in the table.
    pub fn row(self) -> &'static KindRow {
        &KINDS[self as usize]
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

    #[test]
    fn rules_are_in_order_and_documented() {
        for pair in LINTS.windows(2) {
            assert!(pair[0].code < pair[1].code, "{}", pair[1].code);
        }
        for rule in LINTS {
            assert_eq!(LINTS.iter().filter(|other| other.name == rule.name).count(), 1, "{rule:?}");
            for heading in ["What it finds", "Why it breaks", "Fix"] {
                assert!(!rule.section(heading).is_empty(), "{rule:?} has no section {heading}");
            }
        }
    }
}
