//! Texts that are made to be slow, and how the growth of work on them is measured: in steps, at a size and at twice
//! that size. No time is measured.

use mermend::Deadline;

/// Steps that do not depend on the size.
const CONSTANT: u64 = 50_000;

/// `unit` again and again up to `size` bytes, with the number of its repetition for each `{n}`.
pub(crate) fn repeated(unit: &str, size: usize) -> String {
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
pub(crate) fn assert_linear(what: &str, size: usize, work: impl Fn(usize, &Deadline)) {
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

pub(crate) fn text(header: &str, unit: &str, size: usize) -> String {
    format!("{header}\n{}\n", repeated(unit, size))
}

pub(crate) fn families() -> impl Iterator<Item = (&'static str, String)> {
    HEADERS.into_iter().flat_map(|header| {
        let lines = ON_MANY_LINES.into_iter().map(|unit| format!("{unit}\n"));
        let indented = ON_MANY_LINES.into_iter().step_by(7).map(|unit| format!("          {unit}\n\n"));
        let units = ON_ONE_LINE.into_iter().map(str::to_owned).chain(lines).chain(indented);
        units.map(move |unit| (header, unit))
    })
}
