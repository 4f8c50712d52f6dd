//! Tests of one check.

use diagram::Severity;

use crate::{finding::FixClass, rules::testing::checker};

fn codes(text: &str) -> Vec<String> {
    checker().check(text).findings.into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_rejection_comes_with_its_cause_and_the_repair() {
    let findings = checker().check("flowchart LR\n  A --> B\n  B --> C[run()]\n").findings;
    assert_eq!(findings[0].code, "MMD001");
    let cause = &findings[1];
    assert_eq!((cause.code.as_str(), cause.span.line, cause.engine.as_str()), ("FLOW003", 3, "rules"));
    assert_eq!(cause.fix.as_ref().map(|fix| (fix.class, fix.edits.len())), Some((FixClass::Safe, 1)));
    assert!(cause.hint.as_ref().is_some_and(|hint| hint.contains("quotes")));
}

#[test]
fn causes_far_from_the_rejected_line_are_not_listed() {
    assert_eq!(codes("flowchart LR\n  A[x()]\n  B\n  C\n  D[y()]\n"), ["MMD001", "FLOW003"]);
}

#[test]
fn wrappers_are_listed_wherever_they_are() {
    assert_eq!(codes("Sure!\n```mermaid\npie\n```\n")[1], "MMD101");
}

#[test]
fn a_valid_text_has_no_causes() {
    let findings = checker().check("flowchart LR\n  A[\"run()\"] --> B\n").findings;
    assert!(findings.iter().all(|finding| finding.severity == Severity::Info), "{findings:?}");
}
