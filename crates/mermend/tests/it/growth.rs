//! Work grows with the text, not with its square.

use std::{sync::OnceLock, time::Duration};

use mermend::{Checker, Deadline, Engine, Limits, Operation, TextFormat};

use crate::families::{assert_linear, families, repeated, text};

/// A checker whose own time limits do not matter.
fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(|| Checker::new(Limits { time: Duration::from_secs(3600), ..Limits::default() }))
}

/// The fast engine and the rules alone, which remember nothing.
fn check_fast(text: &str, deadline: &Deadline) {
    drop(Checker::default().check_within(text, Engine::Fast, deadline));
}

/// Every rule, the fast parser, and the places of findings.
#[test]
fn a_check_with_its_causes_is_linear() {
    for (header, unit) in families() {
        assert_linear(&format!("{header} {unit:?}"), 5_000, |size, deadline| {
            // The last line is wrong in every kind, so that the rules are asked.
            let text = format!("{}]]) -->>> ((\n", text(header, &unit, size));
            check_fast(&text, deadline);
        });
    }
}

/// Texts whose size is in the lengths of their parts.
#[test]
fn long_parts_do_not_multiply() {
    type Make = fn(usize) -> String;
    let parts: [(&str, Make); 8] = [
        ("a line with a long indent and many transitions", |n| {
            format!("stateDiagram-v2\n{}{}", " ".repeat(n / 2), "A-->".repeat(n / 8))
        }),
        ("a line with a long indent and many statements", |n| {
            format!("flowchart TD\n{}{}", " ".repeat(n / 2), "class a b ".repeat(n / 20))
        }),
        ("a long message to many receivers", |n| {
            format!("sequenceDiagram\nA->>{}B: {}", "B,".repeat(n / 4), "x ".repeat(n / 4))
        }),
        ("many nodes and many ids that are taken", |n| {
            let ids: String =
                (1..((n as f64).sqrt() as usize)).map(|n| format!("end{} --> x\n", "_".repeat(n))).collect();
            format!("flowchart TD\n{ids}{}", "end --> x\n".repeat(n / 20))
        }),
        ("many openers before a long run of spaces", |n| {
            format!("flowchart TD\n{}]{}x", "A[".repeat(200), " ".repeat(n))
        }),
        ("many openers before a long run of dashes", |n| {
            format!("flowchart TD\n{}] {}", "A[".repeat(200), "-".repeat(n))
        }),
        ("quotes between spaces", |n| format!("flowchart TD\n{}", "“          ".repeat(n / 13))),
        ("one generic in another", |n| {
            format!("classDiagram\nclass {}{}", "a<".repeat(n / 3), ">".repeat(n / 3))
        }),
    ];
    for (what, make) in parts {
        assert_linear(what, 20_000, |size, deadline| {
            check_fast(&format!("{}\n]]) ((\n", make(size)), deadline);
        });
    }
}

/// The whole ladder, with Mermaid's own parser.
#[test]
fn a_repair_is_linear() {
    for (header, unit) in [
        ("flowchart TD", "A[&amp;&#"),
        ("flowchart TD", "A["),
        ("flowchart TD", "A[x()] -> B\n"),
        ("flowchart TD", "subgraph x\n"),
        ("flowchart TD", "“a” "),
        ("flowchart TD", "Front desk{n} --> (b{n}) -> end\n"),
        ("erDiagram", "A {\n"),
        ("erDiagram", "A {\nid: int,\n"),
        ("classDiagram", "class A {\n"),
        ("classDiagram", "class A<B> {\n"),
        ("classDiagram", "A -> B{n}\n"),
        ("sequenceDiagram", "A->>B: a; b\n"),
        ("sequenceDiagram", "loop x\n"),
        ("stateDiagram-v2", "A --> B --> C\n"),
        ("", "```\nx\n"),
    ] {
        assert_linear(&format!("{header} {unit:?}"), 2_000, |size, deadline| {
            let repaired = checker().repair_within(&text(header, unit, size), deadline);
            assert_eq!(repaired.failure, None, "{header} {unit:?}");
        });
    }
}

#[test]
fn a_comparison_is_linear() {
    let flow = "flowchart TD\n";
    let class = "classDiagram\n";
    for (header, old, new) in [
        (flow, "a{n}[x{n}]\n", "b{n}[y{n}]\n"),
        (flow, "a{n}[same]\n", "b{n}[same]\n"),
        (flow, "a{n}[x{n}]\n", "b{n}[x{n}]\n"),
        (flow, "a{n} --> b{n}\n", "b{n} --> a{n}\n"),
        (flow, "a --> b\n", "b --> a\n"),
        (flow, "a -->|x{n}| b\n", "a -->|y{n}| b\n"),
        (flow, "subgraph s{n}\na{n}\nend\n", "subgraph t{n}\na{n}\nend\n"),
        (class, "A : +x{n}\n", "A : +y{n}\n"),
        (class, "A : +x\n", "B : +x\n"),
        (class, "class A{n} {\n+x\n}\n", "class B{n} {\n+x\n}\n"),
        (class, "A{n} <|-- B : x\n", "A <|-- B{n} : x\n"),
        ("pie\n", "\"a{n}\" : 1\n", "\"b{n}\" : 1\n"),
        ("", "x\n", "y\n"),
        ("", "x {n}\ny\n", "y {n}\nx\n"),
    ] {
        assert_linear(&format!("{header}{old:?} {new:?}"), 12_000, |size, deadline| {
            let (old, new) = (repeated(old, size), repeated(new, size));
            mermend::compare_within(&format!("{header}{old}"), &format!("{header}{new}"), deadline).unwrap();
        });
    }
}

#[test]
fn an_outline_and_reading_markdown_are_linear() {
    for (header, unit) in families() {
        assert_linear(&format!("{header} {unit:?}"), 5_000, |size, deadline| {
            let text = text(header, &unit, size);
            mermend::outline_within(&text, deadline).unwrap();
            for format in [TextFormat::Markdown, TextFormat::Mdx] {
                mermend::diagrams_within(&text, format, deadline).unwrap();
            }
        });
    }
}

/// Many operations that only need their first edit cost one reading of the text, not one for each.
#[test]
fn many_renames_cost_little_more_than_one() {
    let text = format!("flowchart TD\n{}", repeated("a{n} --> b{n}\n", 6_000));
    let steps = |count: usize| {
        let operations: Vec<Operation> =
            (0..count).map(|n| Operation::RenameNode { id: format!("a{n}"), to: format!("c{n}") }).collect();
        let deadline = Deadline::none();
        let patched = checker().patch_within(&text, &operations, &deadline).unwrap();
        assert_eq!(patched.code.matches('c').count(), count + 1, "the header has one more");
        deadline.steps()
    };
    let (one, many) = (steps(1), steps(100));
    assert!(many < one + 100 * 2 * text.len() as u64, "{one} for one, {many} for 100");
}
