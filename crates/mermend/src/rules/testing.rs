//! How rules are tested: findings drawn under the source, and repairs that Mermaid itself must accept.

use std::sync::OnceLock;

use crate::{
    check::Checker,
    deadline::Deadline,
    document::Document,
    rules::{RepairRule, repairs},
    text::LineIndex,
};

/// One checker for all tests: its engine takes a second to start.
pub(crate) fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(Checker::default)
}

/// The repair rule of a code.
pub(crate) fn repair(code: &str) -> &'static RepairRule {
    repairs().find(|rule| rule.rule.code == code).unwrap_or_else(|| panic!("no rule {code}"))
}

/// Finds with one rule and compares with what is drawn: a comment line whose `^^^` stand under the place, followed by
/// the message. Without such a line the rule must find something, wherever.
#[track_caller]
pub(crate) fn check_rule(code: &str, drawn: &str) {
    let rule = repair(code);
    let is_drawing = |line: &str| line.trim_start().starts_with("%%") && line.contains('^');
    let text: String = drawn.split_inclusive('\n').filter(|line| !is_drawing(line)).collect();
    let deadline = Deadline::none();
    let hits = rule.hits(&Document::new(&text, &deadline)).unwrap();
    assert!(!hits.is_empty(), "{code} finds nothing in\n{text}");
    let mut line_number = 0;
    let index = LineIndex::new(&text);
    for line in drawn.lines() {
        if !is_drawing(line) {
            line_number += 1;
            continue;
        }
        let from = line.chars().take_while(|c| *c != '^').count();
        let length = line.chars().skip(from).take_while(|c| *c == '^').count();
        let message: String = line.chars().skip(from + length).collect();
        let seen: Vec<_> = hits
            .iter()
            .map(|hit| {
                (index.position(hit.start), hit.message.as_ref(), text[hit.start..hit.end].chars().count())
            })
            .collect();
        let fits = |((at, column), said, size): &((usize, usize), &str, usize)| {
            // The first two columns are taken by `%%`, so a place that begins there is drawn shorter.
            let column = *column - 1;
            let shift = from.saturating_sub(column);
            *at == line_number
                && (column == from || (column < 2 && from == 2))
                && *size == length + shift
                && message.trim() == *said
        };
        assert!(seen.iter().any(fits), "{code}: not as drawn:\n{drawn}\n{seen:?}");
    }
}

/// Repairs `before`, compares, and asks Mermaid; a second repair changes nothing.
#[track_caller]
pub(crate) fn check_fix(before: &str, after: &str) {
    let checker = checker();
    assert!(!checker.check(before).valid, "Mermaid accepts it as it is:\n{before}");
    let repaired = checker.repair(before);
    assert_eq!(repaired.code, after, "steps {:?}\n{:?}", repaired.steps, checker.check(after).findings);
    assert!(repaired.valid && repaired.changed);
    assert!(checker.check(after).validated(), "Mermaid rejects the repair:\n{after}");
    let again = checker.repair(after);
    assert_eq!((again.code.as_str(), again.changed), (after, false));
}

/// Nothing of `text` is repaired: only its author knows what was meant.
#[track_caller]
pub(crate) fn check_refused(text: &str) {
    let repaired = checker().repair(text);
    assert_eq!(repaired.code, text, "steps {:?}", repaired.steps);
    assert_eq!(
        (repaired.valid, repaired.class),
        (false, Some(crate::finding::FixClass::NeedsAuthor)),
        "{text}"
    );
}
