//! What can be wrong with a blueprint: findings, and the rules that every kind of diagram has.
//!
//! The other rules are in `kinds/*/lint.rs`, each beside the code that checks it. An error means that the diagram says
//! something that cannot be; a warning that it says less, or something else, than its author most likely meant.

use std::collections::HashSet;

use diagram::{Rule, Severity};

use crate::text::shorten;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Code of the rule, for example `BP001`.
    pub code: &'static str,
    pub severity: Severity,
    /// Where in the blueprint, for example `relationships[3].to`; empty for the whole.
    pub path: String,
    /// Id of the element, as the compiler writes it, if there is one.
    pub element: Option<String>,
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Declares the rules of a kind of diagram and their table `RULES`. The doc comments are the documentation.
macro_rules! rules {
    ($($(#[doc = $docs:literal])* $ident:ident, $code:literal, $name:literal, $severity:ident;)*) => {
        $(pub(crate) static $ident: diagram::Rule = diagram::Rule {
            code: $code,
            name: $name,
            severity: diagram::Severity::$severity,
            raw_docs: concat!($($docs, "\n"),*),
        };)*

        /// In the order of their codes.
        pub(crate) const RULES: &[&diagram::Rule] = &[$(&$ident),*];
    };
}

rules! {
    /// ## What it finds
    /// A line whose end is not in the diagram.
    ///
    /// ## Why it breaks
    /// The line cannot be drawn and is left out of the picture.
    ///
    /// ## Fix
    /// Name an existing element at both ends, or add the missing one.
    DANGLING_END, "BP001", "dangling-end", Error;

    /// ## What it finds
    /// Two elements with the same name.
    ///
    /// ## Why it breaks
    /// A line that names them could mean either.
    ///
    /// ## Fix
    /// Rename one, or merge them.
    DUPLICATE_NAME, "BP002", "duplicate-name", Error;

    /// ## What it finds
    /// A diagram without elements.
    ///
    /// ## Why it breaks
    /// There is nothing to draw. The requirements may not say anything of this kind.
    ///
    /// ## Fix
    /// Choose another kind of diagram, or add requirements.
    EMPTY_DIAGRAM, "BP003", "empty-diagram", Error;

    /// ## What it finds
    /// An element without a name.
    ///
    /// ## Why it breaks
    /// Neither a reader nor a line of the diagram can refer to it.
    ///
    /// ## Fix
    /// Name it with a word of the requirements.
    NO_NAME, "BP004", "no-name", Error;

    /// ## What it finds
    /// A name that is as long as a sentence.
    ///
    /// ## Why it breaks
    /// It does not fit into a box, and the diagram becomes hard to read.
    ///
    /// ## Fix
    /// Keep names to a few words and put the rest into the requirements.
    LONG_NAME, "BP005", "long-name", Warning;
}

/// Collects findings.
#[derive(Default)]
pub(crate) struct Lints(Vec<Lint>);

impl Lints {
    /// Adds a finding of `rule`.
    pub(crate) fn add(
        &mut self,
        rule: &'static Rule,
        path: impl Into<String>,
        element: Option<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Lint {
            code: rule.code,
            severity: rule.severity,
            path: path.into(),
            element,
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// A name that is missing, too long, or there already. `seen` holds the names before it, in lower case.
    pub(crate) fn name(&mut self, path: &str, name: &str, most: usize, seen: &mut HashSet<String>) {
        let trimmed = name.trim();
        if trimmed.is_empty() {
            self.add(&NO_NAME, path, None, "It has no name.", "Name it with a word of the requirements.");
            return;
        }
        if trimmed.chars().count() > most {
            let message = format!("The name `{}` has more than {most} characters.", shorten(trimmed));
            self.add(&LONG_NAME, path, Some(trimmed.to_owned()), message, "Use a few words.");
        }
        if !seen.insert(trimmed.to_lowercase()) {
            let message = format!("The name `{}` is used twice.", shorten(trimmed));
            self.add(
                &DUPLICATE_NAME,
                path,
                Some(trimmed.to_owned()),
                message,
                "Rename one of them, or merge them.",
            );
        }
    }

    /// A line that ends at nothing.
    pub(crate) fn dangling(&mut self, path: String, element: String, end: &str, known: &[&str]) {
        let hint = match nearest(end, known) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => "Add it to the diagram, or end the line elsewhere.".to_owned(),
        };
        let message = format!("It ends at `{}`, which is not in the diagram.", shorten(end));
        self.add(&DANGLING_END, path, Some(element), message, hint);
    }

    /// In the order of the blueprint, errors and warnings mixed.
    pub(crate) fn finish(self) -> Vec<Lint> {
        self.0
    }
}

/// The known name that differs least; `None` if none is near.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Each comparison takes time in proportion to both lengths.
    let compared = |name: &str| name.to_lowercase().chars().take(60).collect::<String>();
    let name = compared(name);
    let most = (name.chars().count() / 3).clamp(1, 4);
    known
        .iter()
        .map(|other| (strsim::levenshtein(&name, &compared(other)), *other))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest() {
        assert_eq!(nearest("custmer", &["Order", "Customer"]), Some("Customer"));
        assert_eq!(nearest("Invoice", &["Order", "Customer"]), None);
        assert_eq!(nearest("", &[]), None);
    }
}
