//! What every kind of diagram with a blueprint has.

use diagram::Outline;

use crate::{
    compile::{Compiled, Target},
    lint::Lint,
};

/// Names and texts of a kind.
pub(crate) struct About {
    pub(crate) id: &'static str,
    pub(crate) contract_type: &'static str,
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    pub(crate) cli_names: &'static [&'static str],
    pub(crate) instructions: &'static str,
    pub(crate) sample_text: &'static str,
}

/// The type of a kind's blueprints.
pub(crate) trait Model {
    /// A good blueprint of the kind's sample text.
    fn sample() -> Self
    where
        Self: Sized;

    /// The blueprint of an outline; `None` if there is nothing of this kind in it.
    fn read(outline: &Outline) -> Option<Self>
    where
        Self: Sized;

    fn compile(&self, target: Target) -> Compiled;

    /// Corrects what does not change the meaning; says what was corrected.
    fn normalize(&mut self) -> Vec<String>;

    fn lint(&self) -> Vec<Lint>;

    /// One line for people.
    fn describe(&self) -> String;
}
