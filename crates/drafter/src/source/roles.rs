//! What headings, columns and sentences are about.
//!
//! Never looks at more than the words it is given.

use crate::source::{Reason, Role};

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Requirements, stories, descriptions.
    Text,
    /// Who wants something.
    Actor,
    /// What is wanted.
    Goal,
    /// Names of properties.
    Property,
    Left(Reason),
}

/// Titles of sections: exact titles, then beginnings.
const EXACT: &[(Role, &[&str])] = &[
    (
        Role::Left(Reason::NonFunctional),
        &[
            "quality",
            "qualities",
            "performance",
            "security",
            "usability",
            "availability",
            "reliability",
            "scalability",
            "maintainability",
            "portability",
            "compatibility",
            "accessibility",
            "constraints",
            "technology",
            "tech stack",
        ],
    ),
    (Role::Left(Reason::OutOfScope), &["exclusions", "excluded", "limitations"]),
    (
        Role::Left(Reason::Question),
        &["questions", "todo", "todos", "to do", "to-do", "tbd", "follow-up", "follow-ups"],
    ),
    (
        Role::Left(Reason::Administrative),
        &[
            "references",
            "contact",
            "contacts",
            "contents",
            "approvals",
            "sign-off",
            "authors",
            "changelog",
            "history",
            "attendees",
            "agenda",
            "appendix",
        ],
    ),
    (
        Role::Context,
        &[
            "introduction",
            "overview",
            "purpose",
            "scope",
            "vision",
            "background",
            "about",
            "motivation",
            "goals",
            "summary",
            "context",
            "notes",
            "note",
            "remarks",
            "exceptions",
            "rules",
            "assumptions",
            "policy",
        ],
    ),
    (Role::Definition, &["glossary", "definitions", "terms", "terminology"]),
    (Role::Left(Reason::Example), &["example", "examples"]),
];

const BEGINNINGS: &[(Role, &[&str])] = &[
    (
        Role::Left(Reason::NonFunctional),
        &[
            "non-functional",
            "nonfunctional",
            "non functional",
            "quality requirements",
            "quality attributes",
            "technical requirements",
            "technical constraints",
            "performance requirements",
            "security requirements",
        ],
    ),
    (
        Role::Left(Reason::OutOfScope),
        &[
            "out of scope",
            "not in scope",
            "non-goals",
            "nongoals",
            "won't have",
            "not included",
            "future work",
        ],
    ),
    (
        Role::Left(Reason::Question),
        &[
            "open question",
            "open issue",
            "open point",
            "action item",
            "next step",
            "todo",
            "to be clarified",
            "to be decided",
        ],
    ),
    (Role::Left(Reason::Criterion), &["acceptance criteri", "definition of done"]),
    (
        Role::Left(Reason::Administrative),
        &[
            "change history",
            "revision history",
            "version history",
            "document history",
            "table of contents",
            "document information",
            "related documents",
        ],
    ),
    (Role::Left(Reason::Example), &["example", "sample"]),
    (Role::Context, &["business rule", "general remark", "introduction"]),
];

/// The role of the section under a title; none if the title is about the subject itself.
pub(super) fn section(title: &str) -> Option<Role> {
    let lower = title.to_lowercase();
    let plain = lower.trim_matches(|c: char| !c.is_alphabetic());
    let exact = EXACT.iter().find(|(_, titles)| titles.contains(&plain));
    let begins = || BEGINNINGS.iter().find(|(_, titles)| titles.iter().any(|t| plain.starts_with(t)));
    exact.or_else(begins).map(|(role, _)| *role)
}

/// What a column is about, by its title.
pub(super) fn column(title: &str) -> Column {
    let lower = title.to_lowercase();
    let plain = lower.trim_matches(|c: char| !c.is_alphanumeric() && c != '#');
    let any = |words: &[&str]| words.contains(&plain);
    if any(&[
        "",
        "#",
        "id",
        "no",
        "nr",
        "number",
        "ref",
        "reference",
        "key",
        "priority",
        "prio",
        "points",
        "story points",
        "estimate",
        "status",
        "version",
        "author",
        "date",
        "moscow",
        "owner",
        "sprint",
        "release",
        "epic",
        "risk",
        "effort",
        "category",
        "issue",
    ]) || plain.ends_with(" id")
    {
        return Column::Left(Reason::Heading);
    }
    if plain.contains("criteri") || any(&["acceptance", "fit criterion", "test", "tests"]) {
        return Column::Left(Reason::Criterion);
    }
    if any(&[
        "attribute",
        "attributes",
        "field",
        "fields",
        "field name",
        "property",
        "column",
        "column name",
        "data element",
    ]) {
        return Column::Property;
    }
    if any(&["comment", "comments", "note", "notes", "remark", "remarks", "rationale", "source", "reason"]) {
        return Column::Left(Reason::Administrative);
    }
    if any(&["as a", "as an", "as a/an", "as", "role", "actor", "persona", "user", "who", "user role"]) {
        return Column::Actor;
    }
    if any(&["i want", "i want to", "i need", "i need to", "goal", "want", "what", "action", "feature"]) {
        return Column::Goal;
    }
    Column::Text
}

/// What a sentence says about itself, if it is not about the system.
pub(super) fn sentence(text: &str) -> Option<Reason> {
    let trimmed = text.trim();
    let lower: String = trimmed.chars().take(80).flat_map(char::to_lowercase).collect();
    let starts = |list: &[&str]| list.iter().any(|begin| begins(&lower, begin));
    if starts(&[
        "todo",
        "tbd",
        "fixme",
        "open question",
        "open point",
        "action item",
        "question:",
        "to be decided",
        "to be clarified",
    ]) || trimmed.ends_with('?')
    {
        return Some(Reason::Question);
    }
    if starts(&[
        "this document",
        "this section",
        "this chapter",
        "this page",
        "this extract",
        "this specification",
        "this policy",
        "this table",
        "this list",
        "the following table",
        "the following section",
        "this is an extract",
        "this backlog",
    ]) {
        return Some(Reason::Administrative);
    }
    if starts(&["acceptance criteri"]) {
        return Some(Reason::Criterion);
    }
    if starts(&["example:", "for example:", "e.g.:"]) {
        return Some(Reason::Example);
    }
    if starts(&[
        "note:",
        "notes:",
        "remark:",
        "contact:",
        "see also",
        "author:",
        "authors:",
        "version:",
        "attendees:",
        "present:",
    ]) {
        return Some(Reason::Administrative);
    }
    let quoted = trimmed.starts_with(['"', '“', '„', '«']) && ends_quoted(trimmed);
    if quoted {
        return Some(Reason::Quotation);
    }
    is_quality(trimmed).then_some(Reason::NonFunctional)
}

/// Whether `begin` stands at the start of a text, as a whole word.
fn begins(text: &str, begin: &str) -> bool {
    text.strip_prefix(begin).is_some_and(|rest| {
        !begin.ends_with(char::is_alphabetic)
            || begin.ends_with("criteri")
            || rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
    })
}

/// Whether a quotation goes on to the end, or only who said it follows.
fn ends_quoted(text: &str) -> bool {
    let inner = text.trim_end_matches(['.', ' ']);
    inner.ends_with(['"', '”', '“', '»'])
        || text.rfind(['"', '”']).and_then(|at| text.get(at..)).is_some_and(|rest| {
            rest.chars().skip(1).collect::<String>().trim_start().starts_with(['(', '-', '–', '—'])
        })
}

/// Measures of quality: response times, availability, numbers of users at once.
fn is_quality(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '%').filter(|w| !w.is_empty()).collect();
    let has = |list: &[&str]| words.iter().any(|w| list.contains(w));
    let time = words.windows(2).any(|pair| {
        matches!(pair, [number, unit] if number.chars().all(|c| c.is_ascii_digit())
            && matches!(*unit, "second" | "seconds" | "ms" | "milliseconds" | "s"))
    });
    let bound = has(&["within", "under", "less", "than", "exceed", "faster", "maximum", "most", "below"]);
    let percent = lower.contains('%') && has(&["availability", "available", "uptime", "reliability"]);
    let once = has(&["concurrent", "simultaneous"])
        && has(&["user", "users", "requests", "sessions", "connections"]);
    let secret =
        has(&["encrypted", "hashed"]) && has(&["password", "passwords", "data", "traffic", "communication"]);
    let fit = has(&["responsive", "gdpr", "wcag", "browsers", "firefox", "chrome", "safari"])
        && has(&["must", "shall", "should", "support", "supports", "works", "is", "comply", "complies"]);
    time && bound || percent || once || secret || fit
}
