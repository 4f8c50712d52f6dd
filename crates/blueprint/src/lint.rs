//! What can be wrong with a blueprint: the table of rules, and what a rule says.
//!
//! The rules are checked in `kinds/*/rules.rs`. An error means that the diagram says something that cannot be; a warning
//! that it says less, or something else, than its author most likely meant.

use serde::{Deserialize, Serialize};

use crate::Kind;

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The diagram is wrong.
    #[default]
    Error,
    /// The diagram is likely not what was meant.
    Warning,
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lint {
    /// Code of the rule, for example `BP001`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where in the blueprint, for example `relationships[3].to`; empty for the whole.
    pub path: String,
    /// Id of the element that it is about, as the compiler gives it, if there is one.
    pub element: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// A rule.
#[derive(Debug, Clone, Copy)]
pub struct LintRow {
    /// `BP` and three digits; never used again for another rule.
    pub code: &'static str,
    /// In a few words, for example `dangling-end`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The only kind it is about; `None` for all kinds.
    pub kind: Option<Kind>,
    /// Why it matters and how to mend it; Markdown.
    pub doc: &'static str,
}

/// Every rule, by code.
pub static LINTS: &[LintRow] = &[
    row(
        "BP001",
        "dangling-end",
        Severity::Error,
        None,
        "A line ends at something that is not in the diagram, so it cannot be drawn and is left out of the picture. Name an existing element at both ends, or add the missing one.",
    ),
    row(
        "BP002",
        "duplicate-name",
        Severity::Error,
        None,
        "Two elements have the same name, so a line that names them could mean either. Rename one, or merge them.",
    ),
    row(
        "BP003",
        "empty-diagram",
        Severity::Error,
        None,
        "There is nothing to draw. The requirements may not say anything of this kind; choose another kind of diagram, or say more.",
    ),
    row(
        "BP004",
        "no-name",
        Severity::Error,
        None,
        "An element has no name. A nameless box cannot be talked about: name it with a word of the requirements.",
    ),
    row(
        "BP005",
        "long-name",
        Severity::Warning,
        None,
        "A name is so long that it is a sentence. Keep names to a few words and put the rest into the requirements.",
    ),
    row(
        "BP010",
        "inheritance-cycle",
        Severity::Error,
        Some(Kind::Class),
        "Classes inherit from one another in a circle, so each would be a special case of itself. Remove the inheritance that is the wrong way round: the arrow points from the special to the general.",
    ),
    row(
        "BP011",
        "self-inheritance",
        Severity::Error,
        Some(Kind::Class),
        "A class inherits from itself, or implements itself. If objects of the class refer to each other, use an association.",
    ),
    row(
        "BP012",
        "lonely-class",
        Severity::Warning,
        Some(Kind::Class),
        "A class has no attributes, no methods and no relationships. Either it is an attribute of another class, or the requirements say more about it than the diagram does.",
    ),
    row(
        "BP013",
        "empty-enumeration",
        Severity::Warning,
        Some(Kind::Class),
        "An enumeration lists no values. List them, or make it an attribute of type `String`.",
    ),
    row(
        "BP014",
        "values-outside-enumeration",
        Severity::Warning,
        Some(Kind::Class),
        "Only an enumeration has values. Change its kind to `enum`, or make the values attributes.",
    ),
    row(
        "BP015",
        "odd-multiplicity",
        Severity::Warning,
        Some(Kind::Class),
        "A multiplicity is a number, `*`, or a range such as `0..1` and `1..*`, the lower bound first.",
    ),
    row(
        "BP016",
        "duplicate-member",
        Severity::Warning,
        Some(Kind::Class),
        "A class has two attributes, or two values, of the same name. Remove one.",
    ),
    row(
        "BP017",
        "part-of-itself",
        Severity::Error,
        Some(Kind::Class),
        "Classes are composed of one another in a circle: a part that contains its whole cannot die with it. Make one of them an aggregation or an association.",
    ),
    row(
        "BP020",
        "idle-actor",
        Severity::Warning,
        Some(Kind::UseCase),
        "An actor takes part in no use case. Connect it to what it wants from the system, or remove it.",
    ),
    row(
        "BP021",
        "unused-use-case",
        Severity::Warning,
        Some(Kind::UseCase),
        "No actor takes part in a use case, and no other use case includes it, is extended by it, or is a general form of it. Connect the actor who wants it.",
    ),
    row(
        "BP022",
        "talking-actors",
        Severity::Warning,
        Some(Kind::UseCase),
        "Two actors are associated with each other. What happens between people outside the system is not a use case; if one is a special form of the other, use a generalization.",
    ),
    row(
        "BP023",
        "wrong-ends",
        Severity::Error,
        Some(Kind::UseCase),
        "Include and extend connect two use cases; a generalization connects two actors or two use cases; an association connects an actor with a use case.",
    ),
    row(
        "BP024",
        "use-case-cycle",
        Severity::Error,
        Some(Kind::UseCase),
        "Use cases include, or actors and use cases generalize, one another in a circle, so none of them could come first.",
    ),
    row(
        "BP030",
        "no-start",
        Severity::Error,
        Some(Kind::Activity),
        "An activity begins somewhere: add one start node.",
    ),
    row(
        "BP031",
        "no-end",
        Severity::Warning,
        Some(Kind::Activity),
        "No way leads to an end. Unless the activity never stops, add an end node.",
    ),
    row(
        "BP032",
        "several-starts",
        Severity::Warning,
        Some(Kind::Activity),
        "There is more than one start. If they are alternatives, begin with a decision; if they happen at once, with a fork.",
    ),
    row(
        "BP033",
        "single-exit",
        Severity::Warning,
        Some(Kind::Activity),
        "A decision has fewer than two ways out, so nothing is decided. Add the other outcome, or make it an action.",
    ),
    row(
        "BP034",
        "no-guard",
        Severity::Warning,
        Some(Kind::Activity),
        "A way out of a decision does not say when it is taken. Write the condition on the arrow, for example `in stock`.",
    ),
    row(
        "BP035",
        "same-guard",
        Severity::Warning,
        Some(Kind::Activity),
        "Two ways out of one decision have the same guard, so it is open which is taken.",
    ),
    row("BP036", "unreachable", Severity::Warning, Some(Kind::Activity), "No way leads here from the start."),
    row(
        "BP037",
        "dead-end",
        Severity::Warning,
        Some(Kind::Activity),
        "Nothing follows this step, and it is not an end. Connect it to the next step or to an end.",
    ),
    row(
        "BP038",
        "idle-bar",
        Severity::Warning,
        Some(Kind::Activity),
        "A fork has fewer than two ways out, or a join or merge fewer than two ways in. Remove it, or add the missing way.",
    ),
    row(
        "BP039",
        "past-the-end",
        Severity::Error,
        Some(Kind::Activity),
        "An arrow leads into a start or out of an end. Use a merge to go back, and an action before the end.",
    ),
    row(
        "BP040",
        "open-split",
        Severity::Warning,
        Some(Kind::Activity),
        "Several ways leave a step that is neither a decision nor a fork, so it is open whether one or all are taken.",
    ),
];

const fn row(
    code: &'static str,
    name: &'static str,
    severity: Severity,
    kind: Option<Kind>,
    doc: &'static str,
) -> LintRow {
    LintRow { code, name, severity, kind, doc }
}

impl LintRow {
    /// The rule of this code, in any case.
    pub fn find(code: &str) -> Option<&'static LintRow> {
        LINTS.iter().find(|row| row.code.eq_ignore_ascii_case(code))
    }
}

/// Collects what the rules find.
#[derive(Default)]
pub(crate) struct Lints(Vec<Lint>);

impl Lints {
    /// Adds one. The severity is the rule's.
    pub(crate) fn add(
        &mut self,
        code: &'static str,
        path: impl Into<String>,
        element: Option<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let severity = LintRow::find(code).map_or(Severity::Error, |row| row.severity);
        self.0.push(Lint {
            code: code.to_owned(),
            severity,
            path: path.into(),
            element,
            message: message.into(),
            hint: hint.into(),
        });
    }

    /// A name that is missing, too long, or there already. `seen` holds the names before it, in lower case.
    pub(crate) fn name(
        &mut self,
        path: &str,
        name: &str,
        most: usize,
        seen: &mut std::collections::HashSet<String>,
    ) {
        let trimmed = name.trim();
        if trimmed.is_empty() {
            self.add("BP004", path, None, "It has no name.", "Name it with a word of the requirements.");
            return;
        }
        if trimmed.chars().count() > most {
            let message = format!("The name `{}` has more than {most} characters.", shorten(trimmed));
            self.add("BP005", path, Some(trimmed.to_owned()), message, "Use a few words.");
        }
        if !seen.insert(trimmed.to_lowercase()) {
            let message = format!("The name `{}` is used twice.", shorten(trimmed));
            self.add("BP002", path, Some(trimmed.to_owned()), message, "Rename one of them, or merge them.");
        }
    }

    /// A line that ends at nothing.
    pub(crate) fn dangling(&mut self, path: String, element: String, end: &str, known: &[&str]) {
        let hint = match nearest(end, known) {
            Some(name) => format!("Did you mean `{name}`?"),
            None => "Add it to the diagram, or end the line elsewhere.".to_owned(),
        };
        let message = format!("It ends at `{}`, which is not in the diagram.", shorten(end));
        self.add("BP001", path, Some(element), message, hint);
    }

    /// In the order of the blueprint, errors and warnings mixed.
    pub(crate) fn finish(self) -> Vec<Lint> {
        self.0
    }
}

/// A text short enough for a message.
pub(crate) fn shorten(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    let head: String = text.chars().take(59).collect();
    format!("{head}…")
}

/// The known name that differs least; `None` if none is near.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(60).collect();
    let most = (name.len() / 3).clamp(1, 4);
    known
        .iter()
        .map(|other| (distance(&name, other), *other))
        .filter(|(d, _)| *d <= most)
        .min()
        .map(|(_, other)| other)
}

/// How many characters differ (Levenshtein).
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, c) in b.to_lowercase().chars().take(60).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (&other, &above) in a.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(other != c)).min(left + 1).min(above + 1);
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        for pair in LINTS.windows(2) {
            assert!(pair[0].code < pair[1].code, "{}", pair[1].code);
            assert_ne!(pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn finds_the_nearest() {
        assert_eq!(nearest("custmer", &["Order", "Customer"]), Some("Customer"));
        assert_eq!(nearest("Invoice", &["Order", "Customer"]), None);
        assert_eq!(nearest("", &[]), None);
    }
}
