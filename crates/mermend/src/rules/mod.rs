//! The rules: what can be wrong with a Mermaid text, and what repairs it.
//!
//! One file for each repair rule. A rule only looks at the text ([`Document`]) and proposes edits; `repair.rs` decides
//! whether they are kept. It may be wrong about a text that Mermaid accepts, because it is only applied to texts that
//! Mermaid rejects. It never edits what the document calls closed. Its time and memory grow in proportion to the text:
//! what it scans beyond the lines of [`Document::body`] it records with [`Document::spend`].
//!
//! To add one: a file with `rule!`, and in the `mod.rs` of its folder its `mod` line and its line of the table.

#[macro_use]
mod rule;
mod any;
mod class;
mod er;
pub(crate) mod flowchart;
mod sequence;
mod state;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod verdicts;

use diagram::Rule;

use crate::{deadline::DeadlineExceeded, document::Document};

pub(crate) use rule::{Hit, RepairRule};

/// The repair rules, in the order in which repairs are tried.
const REPAIRS: [&[&RepairRule]; 6] =
    [any::RULES, flowchart::RULES, sequence::RULES, class::RULES, er::RULES, state::RULES];

/// Every rule: the verdicts of the engines, then the repair rules in their order.
pub static RULES: &[&Rule] = &all::<{ count() }>();

const fn count() -> usize {
    let (mut count, mut folder) = (verdicts::RULES.len(), 0);
    while folder < REPAIRS.len() {
        count += REPAIRS[folder].len();
        folder += 1;
    }
    count
}

const fn all<const N: usize>() -> [&'static Rule; N] {
    let mut out = [verdicts::RULES[0]; N];
    let (mut filled, mut row, mut folder) = (0, 0, 0);
    while row < verdicts::RULES.len() {
        out[filled] = verdicts::RULES[row];
        (filled, row) = (filled + 1, row + 1);
    }
    while folder < REPAIRS.len() {
        row = 0;
        while row < REPAIRS[folder].len() {
            out[filled] = &REPAIRS[folder][row].rule;
            (filled, row) = (filled + 1, row + 1);
        }
        folder += 1;
    }
    out
}

/// The repair rules, in the order in which repairs are tried.
pub(crate) fn repairs() -> impl Iterator<Item = &'static RepairRule> {
    REPAIRS.into_iter().flatten().copied()
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
    use crate::{deadline::Deadline, markdown, rules::testing::checker};

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
        let fences = markdown::fences(&docs, &Deadline::none());
        assert!(fences.len() >= 2, "{rule:?} has no example");
        (fences[0].code().trim_end_matches('\n').to_owned(), fences[1].code().to_owned())
    }
}
