//! What ends work early, and what an answer lists at most.

use std::{num::NonZeroUsize, thread, time::Duration};

use mermend::{Checker, Deadline, Engine, Failure, Limits, Operation, PatchErrorKind};

fn ended() -> [Deadline; 2] {
    let cancelled = Deadline::none();
    cancelled.cancel();
    [cancelled, Deadline::after(Duration::ZERO)]
}

fn codes(findings: &[mermend::Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

const BROKEN: &str = "flowchart TD\n  A[run()] -> B\n";
const VALID: &str = "flowchart TD\n  A --> B\n";

#[test]
fn an_exceeded_deadline_is_a_failure_of_its_own_and_is_not_remembered() {
    let checker = Checker::default();
    let operation = Operation::RenameNode { id: "A".into(), to: "C".into() };
    for deadline in ended() {
        for engine in [Engine::Mermaid, Engine::Fast] {
            for text in [BROKEN, VALID] {
                let checked = checker.check_within(text, engine, &deadline);
                assert_eq!((checked.valid, checked.failure()), (false, Some(Failure::TooSlow)));
                assert_eq!(codes(&checked.findings), ["MMD005"]);
                assert!(!checked.lasts() && !checked.validated());
                assert!(checker.known(text, engine).is_none());
            }
        }
        let repaired = checker.repair_within(BROKEN, &deadline);
        assert_eq!((repaired.code.as_str(), repaired.valid, repaired.changed), (BROKEN, false, false));
        assert_eq!((repaired.failure, repaired.steps.len()), (Some(Failure::TooSlow), 0));
        assert_eq!(codes(&repaired.findings), ["MMD005"]);
        assert_eq!(mermend::compare_within(VALID, BROKEN, &deadline), Err(mermend::DeadlineExceeded));
        assert_eq!(mermend::outline_within(VALID, &deadline), Err(mermend::DeadlineExceeded));
        assert_eq!(mermend::diagrams_in_markdown_within(VALID, &deadline), Err(mermend::DeadlineExceeded));
        let patched = checker.patch_within(VALID, std::slice::from_ref(&operation), &deadline);
        let error = patched.expect_err("a patch");
        assert_eq!(error.kind, PatchErrorKind::Failed(Failure::TooSlow));
        assert!(!error.message.is_empty());
    }
    // Afterwards everything is answered as if nothing had been.
    assert!(checker.check(VALID).validated());
    assert!(checker.repair(BROKEN).changed);
    let refused = checker.patch(VALID, &[Operation::RemoveNode { id: "Z".into() }]).expect_err("no such box");
    assert_eq!(refused.kind, PatchErrorKind::Refused);
}

/// A deadline that is cancelled while the rules work ends the repair with the text as it came.
#[test]
fn a_repair_that_is_cancelled_midway_changes_nothing() {
    let checker = Checker::default();
    let text = format!("flowchart TD\n{}", "  A[x()] -> B\n".repeat(60_000));
    assert!(text.len() < checker.limits().size_bytes);
    let deadline = Deadline::none();
    let repaired = thread::scope(|scope| {
        let running = scope.spawn(|| checker.repair_within(&text, &deadline));
        while deadline.steps() < text.len() as u64 / 2 {
            thread::yield_now();
        }
        deadline.cancel();
        running.join().expect("a repair")
    });
    assert_eq!((repaired.changed, repaired.failure), (false, Some(Failure::TooSlow)));
    assert_eq!((repaired.code == text, repaired.findings[0].code.as_str()), (true, "MMD005"));
}

/// Cancels also when the test fails, because the scope waits for its threads.
struct CancelOnDrop<'a>([&'a Deadline; 2]);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|deadline| deadline.cancel());
    }
}

/// One thread, one place in the queue, and no time limit but the callers' own.
#[test]
fn a_full_queue_refuses_and_a_cancelled_text_frees_its_place() {
    let checker = Checker::new(Limits {
        threads: NonZeroUsize::MIN,
        queue_entries: NonZeroUsize::MIN,
        time: Duration::from_secs(3600),
        memory_bytes: 4 << 30,
        ..Limits::default()
    });
    let large: String = (0..20_000).map(|n| format!("  n{n}[\"x\"] --> n{}\n", n + 1)).collect();
    let deadlines = [Deadline::none(), Deadline::none()];
    // Asks again and again, until the deadline ends a check.
    let until_cancelled = |body: &str, deadline: &Deadline| {
        (0..)
            .map(|n| {
                checker.check_within(
                    &format!("flowchart LR\n  a --> b{n}\n{body}"),
                    Engine::Mermaid,
                    deadline,
                )
            })
            .find(|checked| checked.failure() == Some(Failure::TooSlow))
    };
    thread::scope(|scope| {
        let cancel = CancelOnDrop([&deadlines[0], &deadlines[1]]);
        let running = scope.spawn(|| until_cancelled(&large, &deadlines[0]));
        let waiting = scope.spawn(|| until_cancelled("  waits\n", &deadlines[1]));
        let busy = (0..)
            .map(|n| {
                let text = format!("flowchart LR\n  x --> y{n}");
                let deadline = Deadline::after(Duration::from_millis(20));
                let checked = checker.check_within(&text, Engine::Mermaid, &deadline);
                (checker.known(&text, Engine::Mermaid).is_some(), checked)
            })
            .find(|(_, checked)| checked.failure() == Some(Failure::Busy));
        let (remembered, busy) = busy.expect("a full queue");
        assert!(!remembered && !busy.lasts());
        assert_eq!(codes(&busy.findings), ["MMD010"]);
        assert!(busy.findings[0].hint.as_ref().is_some_and(|hint| hint.contains("again")));
        drop(cancel);
        for check in [running, waiting] {
            assert!(check.join().expect("a check").is_some());
        }
    });
    assert!(checker.check("flowchart LR\n  a --> b").validated());
}

#[test]
fn findings_are_bounded_and_the_rest_is_counted() {
    let checker = Checker::default();
    for text in [
        format!("flowchart TD\n  A --> B\n{}", "  A[x()]\n".repeat(500)),
        format!("erDiagram\n{}", "A {\n".repeat(500)),
        format!("classDiagram\n{}", "class A {\n".repeat(500)),
        format!("flowchart TD\n  {}((\n", "A[&amp;gt; “x” ".repeat(500)),
    ] {
        for findings in [checker.check(&text).findings, checker.repair(&text).findings] {
            if checker.repair(&text).changed {
                continue;
            }
            assert!(findings.len() <= 200, "{} findings", findings.len());
            let bytes: usize = findings.iter().map(|finding| format!("{finding:?}").len()).sum();
            assert!(bytes < 400_000, "{bytes} bytes");
        }
    }
    let broken = format!("flowchart TD\n{}", "  A <-- B <-- C\n".repeat(500));
    let findings = checker.repair(&broken).findings;
    let last = findings.last().expect("a finding");
    assert_eq!((findings.len(), last.code.as_str()), (200, "MMD011"));
    assert!(last.message.contains("more findings are not listed"), "{}", last.message);
}

#[test]
fn messages_hints_and_fixes_are_bounded() {
    let checker = Checker::default();
    let long = "x".repeat(50_000);
    for text in [
        format!("flowchart TD\n  {long} -> B[x()]\n  {long}\n  note right of A: {long}\n"),
        format!("classDiagram\n  A{long} -> B{long}\n"),
        format!("stateDiagram-v2\n  A{long} --> B --> C\n"),
        format!("erDiagram\n  A {{\n  {long}: int\n  }}\n"),
        format!("sequenceDiagram\n  A->>B: {long}; {long}\n  activate {long}\n  deactivate Z{long}\n"),
        format!("pie title {long}: x\n"),
        format!("classDiagram\n  class {}{}\n  ??\n", "a<".repeat(9_000), ">".repeat(9_000)),
        format!("{long}\n"),
    ] {
        for findings in [checker.check(&text).findings, checker.repair(&text).findings] {
            for finding in findings {
                let hint = finding.hint.unwrap_or_default();
                assert!(
                    finding.message.chars().count() <= 501 && hint.chars().count() <= 501,
                    "{}",
                    finding.code
                );
                let fix = finding.fix.map_or(0, |fix| fix.edits.iter().map(|edit| edit.text.len() + 1).sum());
                assert!(fix <= 66_000, "{}: {fix}", finding.code);
            }
        }
        assert!(checker.repair(&text).steps.iter().all(|step| step.message.chars().count() < 500));
    }
}

#[test]
fn a_comparison_is_bounded_and_the_rest_is_counted() {
    let label = "label ".repeat(500);
    let text = |id: char| {
        let lines: String = (0..1500).map(|n| format!("{id}{n}[{id}{n}]\n")).collect();
        format!("flowchart TD\n{id}[{label}{id}]\n{lines}")
    };
    let found = mermend::compare(&text('a'), &text('b'));
    assert_eq!((found.same, found.changes.len(), found.more_changes), (false, 1000, 2002));
    assert!(found.changes.iter().all(|change| change.message.chars().count() < 600));
    assert!(found.changes.iter().all(|change| change.after.as_ref().is_none_or(|text| text.len() <= 1003)));
    let lines = |mark: &str| format!("{mark} a line of some length\n").repeat(20_000);
    let found = mermend::compare(&lines("-"), &lines("+"));
    assert!(found.diff.len() < 201_000 && found.diff.ends_with("more lines of the diff are not listed\n"));
    let value = serde_json::to_value(mermend::compare(VALID, VALID)).expect("JSON");
    assert!(value.get("more_changes").is_none(), "only said where there are some");
}

/// What is nested deeper than merman can read in time is not given to it, and Mermaid's own verdict counts.
#[test]
fn deep_nesting_is_not_given_to_the_fast_engine() {
    let checker = Checker::default();
    let nested = format!("classDiagram\n{}class A\n{}", "namespace a {\n".repeat(4_000), "}\n".repeat(4_000));
    let fast = checker.check_within(&nested, Engine::Fast, &Deadline::none());
    assert_eq!((fast.valid, fast.failure()), (false, Some(Failure::TooDeep)));
    assert_eq!(codes(&fast.findings), ["MMD006"]);
    assert_eq!(mermend::outline(&nested), None);
    let shallow = "classDiagram\nnamespace a {\nnamespace b {\nclass A\n}\n}\n";
    assert!(checker.check_with(shallow, Engine::Fast).valid);
}
