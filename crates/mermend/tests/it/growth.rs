//! Work grows with the text, not with its square: counted in steps on texts that are made to be slow, at a size and at
//! twice that size. No time is measured.

use std::{sync::OnceLock, time::Duration};

use mermend::{Checker, Deadline, Engine, Limits, Operation};

/// Steps that do not depend on the size.
const CONSTANT: u64 = 150_000;

/// A checker whose own time limits do not matter.
fn checker() -> &'static Checker {
    static CHECKER: OnceLock<Checker> = OnceLock::new();
    CHECKER.get_or_init(|| Checker::new(Limits { time: Duration::from_secs(3600), ..Limits::default() }))
}

/// The fast engine and the rules alone, which remember nothing.
fn check_fast(text: &str, deadline: &Deadline) {
    drop(Checker::default().check_within(text, Engine::Fast, deadline));
}

/// `unit` again and again up to `size` bytes, with the number of its repetition for each `{n}`.
fn repeated(unit: &str, size: usize) -> String {
    let mut out = String::new();
    let mut number = 0;
    while out.len() < size {
        out.push_str(&unit.replace("{n}", &number.to_string()));
        number += 1;
    }
    out
}

/// Asserts that the work on a text of twice the size is at most three times the work.
#[track_caller]
fn assert_linear(what: &str, size: usize, work: impl Fn(usize, &Deadline)) {
    let steps = |size| {
        let deadline = Deadline::none();
        work(size, &deadline);
        deadline.steps()
    };
    let (once, twice) = (steps(size), steps(2 * size));
    assert!(once > 0, "{what}: no work was recorded");
    assert!(twice <= 3 * once + CONSTANT, "{what}: {once} steps at {size}, {twice} at {}", 2 * size);
}

const HEADERS: [&str; 7] =
    ["flowchart TD", "classDiagram", "sequenceDiagram", "stateDiagram-v2", "erDiagram", "pie", ""];

/// What is repeated on one line.
const ON_ONE_LINE: [&str; 50] = [
    "A[",
    "A[[",
    "A(",
    "A((",
    "A{",
    "A([",
    "A>",
    "A@{",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "\"",
    "\"a\" ",
    "|",
    "-->|",
    "--> ",
    "-- ",
    "-.",
    "-.-.",
    "~~~",
    "==",
    "->",
    "A & ",
    "a ",
    "end ",
    "&amp;",
    "&amp;gt;",
    "A[&amp;&#",
    "#a;",
    "“",
    "” ",
    "\u{200b}",
    "a<",
    "a<b>",
    "a<b<",
    "A->>B,",
    "A-->",
    "class a b ",
    "A:::",
    "%%",
    " %% ",
    ";",
    "; ",
    ":",
    "A[ ] ; ",
    "A[) ] ; ",
    "é",
];

/// What is repeated line by line.
const ON_MANY_LINES: [&str; 50] = [
    "A {",
    "class A {",
    "class A{n} {",
    "namespace a {",
    "subgraph x",
    "subgraph x{n}",
    "end",
    "loop x",
    "alt",
    "opt a\nelse b",
    "A[",
    "A[x()]",
    "A{n}[x()] --> B{n}",
    "A{n}[\"one",
    "\"",
    "A -> B",
    "A{n} --> B{n}",
    "A --> B: x",
    "A --> yes| B",
    "A -- x",
    "Front desk{n} --> Back",
    "(a{n}) --> (b)",
    "end --> end_{n}",
    "graph --> graph_",
    "note over A",
    "note right of A x",
    "note right of A: x",
    "A->>B: a; b",
    "A<-B: x",
    "return x",
    "A->>A,B: x",
    "A ||--{o B : has",
    "A 1--* B : x y",
    "id: int,",
    "A --> B --> C",
    "class a b class c d class e f",
    "direction: LR",
    "click a https://a.example",
    "// x",
    "# x",
    "x %% y",
    "```",
    "```mermaid",
    "~~~mermaid",
    "> ```",
    "Here you are.",
    "<think>",
    "%%{init: {",
    "accDescr {",
    "---",
];

fn text(header: &str, unit: &str, size: usize) -> String {
    format!("{header}\n{}\n", repeated(unit, size))
}

fn families() -> impl Iterator<Item = (&'static str, String)> {
    HEADERS.into_iter().flat_map(|header| {
        let lines = ON_MANY_LINES.into_iter().map(|unit| format!("{unit}\n"));
        let indented = ON_MANY_LINES.into_iter().step_by(7).map(|unit| format!("          {unit}\n\n"));
        let units = ON_ONE_LINE.into_iter().map(str::to_owned).chain(lines).chain(indented);
        units.map(move |unit| (header, unit))
    })
}

/// Every rule, the fast parser, and the places of findings.
#[test]
fn a_check_with_its_causes_is_linear() {
    for (header, unit) in families() {
        assert_linear(&format!("{header} {unit:?}"), 16_000, |size, deadline| {
            // The last line is wrong in every kind, so that the rules are asked.
            let text = format!("{}]]) -->>> ((\n", text(header, &unit, size));
            check_fast(&text, deadline);
        });
    }
}

/// Texts whose size is in the lengths of their parts.
#[test]
fn long_parts_do_not_multiply() {
    let parts: [(&str, fn(usize) -> String); 8] = [
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

/// Bringing the lines that Mermaid names back to the lines of the text.
#[test]
fn the_place_of_a_rejection_is_found_in_linear_work() {
    for unit in
        ["  a{n} --> b{n}\n", "%% comment {n}\n  a --> b\n", "  a --> b %%{x{n}}%%\n", "\n", "  a --> b\n"]
    {
        assert_linear(unit, 6_000, |size, deadline| {
            let text = format!("{}  c[[[ -->\n", text("flowchart TD", unit, size));
            drop(checker().check_within(&text, Engine::Mermaid, deadline));
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
        assert_linear(&format!("{header} {unit:?}"), 8_000, |size, deadline| {
            let text = text(header, &unit, size);
            mermend::outline_within(&text, deadline).unwrap();
            mermend::diagrams_in_markdown_within(&text, deadline).unwrap();
        });
    }
}

#[test]
fn every_operation_of_a_patch_is_linear() {
    let operation = |json: &str| serde_json::from_str::<Operation>(json).unwrap();
    let star = "x --> a{n}[A{n}]\n";
    let pairs = "a{n} --> b{n}\n";
    for (header, unit, json) in [
        ("flowchart TD\nx\n", pairs, r#"{"op":"add_node","id":"new"}"#),
        ("flowchart TD\nx\n", pairs, r#"{"op":"remove_node","id":"x"}"#),
        ("flowchart TD\n", star, r#"{"op":"remove_node","id":"x"}"#),
        ("flowchart TD\n", star, r#"{"op":"rename_node","id":"x","to":"y"}"#),
        ("flowchart TD\n", star, r#"{"op":"set_label","id":"x","label":"y"}"#),
        ("flowchart TD\n", "x>", r#"{"op":"set_label","id":"x","label":"y"}"#),
        ("flowchart TD\n", star, r#"{"op":"add_edge","from":"a1","to":"a2"}"#),
        ("flowchart TD\n", star, r#"{"op":"remove_edge","from":"x","to":"a2"}"#),
        ("flowchart TD\n", star, r#"{"op":"set_edge_label","from":"x","to":"a2","label":"y"}"#),
        ("flowchart TD\n", "a --> b\n", r#"{"op":"remove_edge","from":"a","to":"b"}"#),
        (
            "classDiagram\nclass X\n",
            "class A{n} {\n+x\n}\n",
            r#"{"op":"remove_member","id":"A30","member":"+x"}"#,
        ),
        ("classDiagram\nclass X\n", "class A{n} {\n+x\n}\n", r#"{"op":"remove_node","id":"A30"}"#),
        ("classDiagram\nclass X\n", "X : +x{n}\n", r#"{"op":"remove_member","id":"X","member":"+x30"}"#),
        ("classDiagram\n", "X --> A{n}\n", r#"{"op":"remove_node","id":"X"}"#),
    ] {
        assert_linear(&format!("{header}{unit:?} {json}"), 6_000, |size, deadline| {
            let text = format!("{header}{}\n", repeated(unit, size));
            drop(checker().patch_within(&text, &[operation(json)], deadline));
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
