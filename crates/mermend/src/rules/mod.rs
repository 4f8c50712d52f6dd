//! The rules: what can be wrong with a Mermaid text, and what repairs it.
//!
//! One file for each repair rule. A rule only looks at the text ([`Document`]) and proposes edits; `repair.rs` decides
//! whether they are kept. It may be wrong about a statement that Mermaid accepts, because it is only applied to those
//! that Mermaid rejects. What would lose a part of the diagram is left to the author (`rule.rs`). It never edits what
//! the document calls closed. Its time and memory grow in proportion to the text:
//! what it scans beyond the lines of [`Document::body`] it records with [`Document::spend`].
//!
//! To add one: a file with `rule!`, and in the `mod.rs` of its folder its `mod` line and its line of the table.

#[macro_use]
mod rule;
mod any;
mod block;
mod class;
mod er;
pub(crate) mod flowchart;
mod gantt;
mod open_blocks;
mod sequence;
mod state;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod verdicts;
mod xychart;

use diagram::Rule;

use crate::{deadline::DeadlineExceeded, document::Document};

pub(crate) use rule::{Hit, RepairRule};

/// The repair rules, in the order in which repairs are tried.
const REPAIRS: [&[&RepairRule]; 8] = [
    any::RULES,
    flowchart::RULES,
    sequence::RULES,
    class::RULES,
    er::RULES,
    state::RULES,
    xychart::RULES,
    block::RULES,
];

/// The rules for diagrams that Mermaid accepts.
const WARNINGS: [&[&RepairRule]; 3] = [flowchart::WARNINGS, class::WARNINGS, gantt::WARNINGS];

/// The folders of rules, first those of repairs.
const FOLDERS: [&[&[&RepairRule]]; 2] = [&REPAIRS, &WARNINGS];

/// Every rule: the verdicts of the engines, then the repair rules in their order, then the warnings.
pub static RULES: &[&Rule] = &all::<{ count() }>();

const fn count() -> usize {
    let (mut count, mut group) = (verdicts::RULES.len(), 0);
    while group < FOLDERS.len() {
        let mut folder = 0;
        while folder < FOLDERS[group].len() {
            count += FOLDERS[group][folder].len();
            folder += 1;
        }
        group += 1;
    }
    count
}

const fn all<const N: usize>() -> [&'static Rule; N] {
    let mut out = [verdicts::RULES[0]; N];
    let (mut filled, mut group) = (0, 0);
    while filled < verdicts::RULES.len() {
        out[filled] = verdicts::RULES[filled];
        filled += 1;
    }
    while group < FOLDERS.len() {
        let mut folder = 0;
        while folder < FOLDERS[group].len() {
            let mut row = 0;
            while row < FOLDERS[group][folder].len() {
                out[filled] = &FOLDERS[group][folder][row].rule;
                (filled, row) = (filled + 1, row + 1);
            }
            folder += 1;
        }
        group += 1;
    }
    out
}

/// The repair rules, in the order in which repairs are tried.
pub(crate) fn repairs() -> impl Iterator<Item = &'static RepairRule> {
    REPAIRS.into_iter().flatten().copied()
}

/// What is to know about a diagram that Mermaid accepts.
///
/// # Errors
/// When the deadline of the document is exceeded.
pub(crate) fn warnings(document: &Document<'_>) -> Result<Vec<(&'static RepairRule, Hit)>, DeadlineExceeded> {
    let mut found = Vec::new();
    for rule in WARNINGS.into_iter().flatten().copied() {
        found.extend(rule.hits(document)?.into_iter().map(|hit| (rule, hit)));
    }
    Ok(found)
}

/// Every hit of every repair rule.
///
/// # Errors
/// When the deadline of the document is exceeded.
pub(crate) fn hits(document: &Document<'_>) -> Result<Vec<(&'static RepairRule, Hit)>, DeadlineExceeded> {
    let mut found = Vec::new();
    for rule in repairs() {
        found.extend(rule.hits(document)?.into_iter().map(|hit| (rule, hit)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{markdown, rules::testing::checker};

    #[test]
    fn codes_and_names_are_unique() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(
                RULES[..at].iter().all(|other| other.code != rule.code && other.name != rule.name),
                "{rule:?}"
            );
        }
    }

    /// What the docs promise is done: the bad example is rejected, and its repair by this rule is the good one.
    #[test]
    fn docs_are_complete_and_true() {
        for rule in RULES {
            for heading in ["What it finds", "Why it breaks", "Fix"] {
                assert!(!rule.section(heading).is_empty(), "{rule:?} has no section {heading}");
            }
        }
        for rule in repairs().map(|repair| &repair.rule) {
            let (bad, good) = example(rule);
            let repaired = checker().repair(&bad);
            assert!(!checker().check(&bad).valid, "{rule:?}: Mermaid accepts the bad example");
            assert!(
                repaired.steps.iter().any(|step| step.rule == rule.code),
                "{rule:?} is not among {:?}\n{bad}",
                repaired.steps
            );
            assert_eq!(repaired.code.trim_end(), good.trim_end(), "{rule:?}");
        }
    }

    fn example(rule: &Rule) -> (String, String) {
        let docs = rule.docs();
        let fences = markdown::fences(&docs);
        assert!(fences.len() >= 2, "{rule:?} has no example");
        (fences[0].code(&docs).trim_end_matches('\n').to_owned(), fences[1].code(&docs).to_owned())
    }
}
