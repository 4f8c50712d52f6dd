//! The checker from outside: both engines on every kind, its bounds, and its agreement with mermaid.js in a browser.

mod bounds;
mod families;
mod growth;
mod markdown;

use std::{num::NonZeroUsize, time::Duration};

use mermend::{Checker, Engine, Limits, kinds::KINDS};
use test_support::corpus;

/// One thread, so that every text meets what the one before it left behind.
fn single() -> Checker {
    Checker::new(Limits { threads: NonZeroUsize::MIN, ..Limits::default() })
}

#[test]
fn every_sample_is_valid_and_its_kind_is_told() {
    let checker = single();
    for kind in KINDS {
        let checked = checker.check(kind.sample);
        assert!(checked.validated() && checked.findings.is_empty(), "{}: {:?}", kind.id, checked.findings);
        assert_eq!(checked.kind.map(|found| found.id), Some(kind.id));
        assert!(checker.check_with(kind.sample, Engine::Fast).valid, "{}", kind.id);
    }
}

#[test]
fn the_order_of_texts_does_not_matter() {
    let settings = [
        "---\nconfig:\n  theme: dark\n  flowchart:\n    defaultRenderer: elk\n---\n",
        "%%{init: {\"theme\": \"forest\", \"sequence\": {\"wrap\": true}}}%%\n",
        "",
    ];
    let mut texts: Vec<String> = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        texts.push(format!("{}{}", settings[number % settings.len()], kind.sample));
        // Half a diagram leaves a parser in the middle of its work.
        let half =
            kind.sample.char_indices().nth(kind.sample.chars().count() * 2 / 3).map_or(0, |(at, _)| at);
        texts.push(kind.sample[..half].to_owned());
    }
    let verdicts = |texts: &[String]| -> Vec<bool> {
        let checker = single();
        texts.iter().map(|text| checker.check(text).validated()).collect()
    };
    let forward = verdicts(&texts);
    let mut backward_texts = texts.clone();
    backward_texts.reverse();
    let mut backward = verdicts(&backward_texts);
    backward.reverse();
    let alone: Vec<bool> = texts.iter().step_by(7).map(|text| single().check(text).validated()).collect();
    assert_eq!(forward, backward);
    assert_eq!(forward.iter().step_by(7).copied().collect::<Vec<_>>(), alone);
}

#[test]
fn limits_end_a_check_and_the_next_one_works() {
    let large: String = (0..3_000).map(|n| format!("  n{n}[\"x\"] --> n{}\n", n + 1)).collect();
    let large = format!("flowchart LR\n{large}");
    let codes = |checker: &Checker, text: &str| -> Vec<String> {
        checker.check(text).findings.into_iter().map(|finding| finding.code).collect()
    };
    let slow = Checker::new(Limits {
        time: Duration::from_millis(1),
        threads: NonZeroUsize::MIN,
        ..Limits::default()
    });
    assert_eq!(codes(&slow, &large)[0], "MMD005");
    let small = Checker::new(Limits {
        memory_bytes: 32 << 20,
        time: Duration::from_secs(5),
        threads: NonZeroUsize::MIN,
        ..Limits::default()
    });
    let larger: String = (0..36_000).map(|n| format!("  n{n}[\"x\"] --> n{}\n", n + 1)).collect();
    // With hardly any room left, the collector may run until the time is over.
    let ended = small.check(&format!("flowchart LR\n{larger}")).findings;
    assert!(["MMD005", "MMD006"].contains(&ended[0].code.as_str()), "{ended:?}");
    assert!(small.check("flowchart LR\n  a --> b").validated());
    let short = Checker::new(Limits { size_bytes: 100, ..Limits::default() });
    assert_eq!(codes(&short, &large), ["MMD004"]);
    let text = "flowchart LR\n  a --> b";
    let checker = single();
    assert!(!checker.check(text).mermaid.is_some_and(|verdict| verdict.cached));
    assert!(checker.check(text).mermaid.is_some_and(|verdict| verdict.cached));
}

#[test]
fn findings_point_at_the_place() {
    // The place, drawn under the line it is on.
    let cases = [
        "flowchart LR\n  a --> b\n  c --> \n",
        "sequenceDiagram\n  A->>B: hi\n  B=>>A: no\n",
        "%% a comment\n\nclassDiagram\n  class A {\n    +x\n  }\n  A ->>> B\n",
        "---\ntitle: x\n---\nerDiagram\n  A ||--o{ B\n",
        "pie\n  \"a\" : 1\n  \"b\" : x\n",
    ];
    let lines = [3, 3, 7, 5, 3];
    let checker = single();
    for (text, line) in cases.iter().zip(lines) {
        let checked = checker.check(text);
        let finding = checked.findings.first().expect("a finding");
        assert!(!checked.valid);
        assert!(finding.span.line == line || finding.span.line == line + 1, "{text}: {finding:?}");
        assert!(text.get(finding.span.start..finding.span.end).is_some(), "{finding:?}");
        assert!(
            finding.message.ends_with('.') && !finding.message.contains("Expecting"),
            "{}",
            finding.message
        );
    }
}

/// Compares with verdicts of mermaid.js in Chromium.
#[test]
fn verdicts_agree_with_mermaid_in_a_browser() {
    let checker = single();
    for file in ["diagrams.jsonl", "mutated.jsonl"] {
        let Some(rows) = corpus(file) else { return };
        let mut compared = 0;
        for row in rows.lines() {
            let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
            let (Some(code), Some(valid)) = (row["code"].as_str(), row["valid"].as_bool()) else { continue };
            // Mermaid draws ZenUML with a plugin only.
            if !code.trim_start().starts_with("zenuml") {
                assert_eq!(checker.check(code).validated(), valid, "{}: {code}", row["id"]);
                compared += 1;
            }
        }
        assert!(compared > 100, "{file}: only {compared} verdicts were compared");
    }
}
