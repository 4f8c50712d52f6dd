//! What operations do to a text, and what they refuse.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    families::{assert_linear, repeated},
    rules::testing::checker,
};

fn operations(operations: &Value) -> Vec<Operation> {
    serde_json::from_value(operations.clone()).expect("operations")
}

fn check(text: &str, ops: Value, want: &str) {
    match checker().patch(text, &operations(&ops)) {
        Ok(patched) => {
            assert_eq!(patched.code, want, "{text}\n{ops}");
            assert!(
                patched.checked.valid && !patched.changes.is_empty() && !patched.diff.is_empty(),
                "{text}\n{ops}"
            );
        }
        Err(error) => panic!("{error}\n{text}\n{ops}"),
    }
}

const FLOW: &str = "---\ntitle: a b\n---\nflowchart TD\n  %% a to b\n  a[One] -->|yes| b{\"Two a\"}:::hot --> c & \
d\n  b -.-> a\n  classDef hot fill:#f00\n  style c fill:#0f0\n";
const CLASS: &str = "classDiagram\n  class Order {\n    +date Date\n    +total() Money\n  }\n  note for \
Order \"Order it\"\n  Order \"1\" *-- \"1..*\" Line : has\n  Order : +number String\n  Customer --> Order : places \
Order\n";

#[test]
fn does_what_was_asked_and_nothing_else() {
    for (text, ops, old, new) in [
        (
            FLOW,
            json!([{"op": "add_node", "id": "e", "label": "Say \"hi\" #1", "shape": "stadium"}]),
            "",
            "  e([\"Say #quot;hi#quot; #35;1\"])\n",
        ),
        (FLOW, json!([{"op": "add_node", "id": "e"}]), "", "  e[\"e\"]\n"),
        (
            FLOW,
            json!([{"op": "add_edge", "from": "c", "to": "a", "label": "back | again", "kind": "thick"}]),
            "",
            "  c ==>|\"back | again\"| a\n",
        ),
        (FLOW, json!([{"op": "set_label", "id": "a", "label": "Eins"}]), "a[One]", "a[\"Eins\"]"),
        (
            FLOW,
            json!([{"op": "set_label", "id": "a", "label": " Eins \t und  zwei "}]),
            "a[One]",
            "a[\"Eins und zwei\"]",
        ),
        (
            CLASS,
            json!([{"op": "set_edge_label", "from": "Customer", "to": "Order", "label": "sends   an"}]),
            "places Order",
            "sends an",
        ),
        (FLOW, json!([{"op": "set_label", "id": "b", "label": "Zwei"}]), "b{\"Two a\"}", "b{\"Zwei\"}"),
        (FLOW, json!([{"op": "set_label", "id": "c", "label": "Drei"}]), "c & d", "c[\"Drei\"] & d"),
        (
            FLOW,
            json!([{"op": "rename_node", "id": "a", "to": "first"}]),
            "  a[One] -->|yes| b{\"Two a\"}:::hot --> c & d\n  b -.-> a\n",
            "  first[One] -->|yes| b{\"Two a\"}:::hot --> c & d\n  b -.-> first\n",
        ),
        (FLOW, json!([{"op": "remove_edge", "from": "b", "to": "a"}]), "  b -.-> a\n", ""),
        (
            FLOW,
            json!([{"op": "remove_edge", "from": "b", "to": "c"}]),
            "  a[One] -->|yes| b{\"Two a\"}:::hot --> c & d\n",
            "  a[One]\n  b{\"Two a\"}:::hot\n  a -->|\"yes\"| b\n  b --> d\n",
        ),
        (
            FLOW,
            json!([{"op": "set_edge_label", "from": "a", "to": "b", "label": "no"}]),
            "  a[One] -->|yes| b{\"Two a\"}:::hot --> c & d\n",
            "  a[One]\n  b{\"Two a\"}:::hot\n  a -->|\"no\"| b\n  b --> c\n  b --> d\n",
        ),
        (
            FLOW,
            json!([{"op": "remove_node", "id": "d"}]),
            "  a[One] -->|yes| b{\"Two a\"}:::hot --> c & d\n",
            "  a[One]\n  b{\"Two a\"}:::hot\n  a -->|\"yes\"| b\n  b --> c\n",
        ),
        (
            CLASS,
            json!([{"op": "add_node", "id": "Payment", "label": "Payment (card)"}]),
            "",
            "  class Payment[\"Payment (card)\"]\n",
        ),
        (
            CLASS,
            json!([{"op": "add_edge", "from": "Line", "to": "Customer", "kind": "inheritance"}]),
            "",
            "  Line --|> Customer\n",
        ),
        (
            CLASS,
            json!([{"op": "add_member", "id": "Line", "member": "+quantity Integer"}]),
            "",
            "  Line : +quantity Integer\n",
        ),
        (
            CLASS,
            json!([{"op": "remove_member", "id": "Order", "member": "+date Date"}]),
            "    +date Date\n",
            "",
        ),
        (
            CLASS,
            json!([{"op": "remove_member", "id": "Order", "member": "+number String"}]),
            "  Order : +number String\n",
            "",
        ),
        (
            CLASS,
            json!([{"op": "remove_edge", "from": "Customer", "to": "Order"}]),
            "  Customer --> Order : places Order\n",
            "  class Customer\n",
        ),
        (
            CLASS,
            json!([{"op": "set_edge_label", "from": "Order", "to": "Line", "label": "is made of"}]),
            "  Order \"1\" *-- \"1..*\" Line : has\n",
            "  Order \"1\" *-- \"1..*\" Line : is made of\n",
        ),
        (CLASS, json!([{"op": "remove_node", "id": "Line"}]), "  Order \"1\" *-- \"1..*\" Line : has\n", ""),
        (
            CLASS,
            json!([{"op": "rename_node", "id": "Line", "to": "OrderLine"}]),
            "Line : has",
            "OrderLine : has",
        ),
    ] {
        let want = if old.is_empty() { format!("{text}{new}") } else { text.replacen(old, new, 1) };
        assert_ne!(text, want, "{ops}");
        check(text, ops, &want);
    }
}

#[test]
fn operations_build_on_each_other() {
    check(
        "flowchart LR\n  a --> b\n",
        json!([
            {"op": "add_node", "id": "c", "label": "C"}, {"op": "add_edge", "from": "b", "to": "c"},
            {"op": "remove_edge", "from": "a", "to": "b"}, {"op": "remove_node", "id": "a"},
        ]),
        "flowchart LR\n  c[\"C\"]\n  b --> c\n",
    );
}

#[test]
fn refuses_what_it_cannot_do() {
    for (text, ops, number, words) in [
        ("pie\n\"a\": 1\n", json!([{"op": "remove_node", "id": "a"}]), 0, "Only flowcharts"),
        ("flowchart LR\n a[x(]\n", json!([{"op": "remove_node", "id": "a"}]), 0, "repair it first"),
        (FLOW, json!([{"op": "remove_node", "id": "zz"}]), 0, "no box `zz`"),
        (FLOW, json!([{"op": "add_node", "id": "end"}]), 0, "grammar"),
        (FLOW, json!([{"op": "add_node", "id": "a b"}]), 0, "cannot be an id"),
        (FLOW, json!([{"op": "add_node", "id": "a"}]), 0, "there already"),
        (FLOW, json!([{"op": "add_node", "id": "e"}, {"op": "add_node", "id": "e"}]), 1, "there already"),
        (FLOW, json!([{"op": "add_node", "id": "e", "shape": "banana"}]), 0, "no shape"),
        (FLOW, json!([{"op": "add_edge", "from": "a", "to": "c", "kind": "aggregation"}]), 0, "arrow, open"),
        (FLOW, json!([{"op": "add_member", "id": "a", "member": "+x"}]), 0, "no members"),
        (FLOW, json!([{"op": "remove_edge", "from": "c", "to": "d"}]), 0, "no such line"),
        (
            "flowchart LR\n a -->|x| b\n a -->|y| b\n",
            json!([{"op": "remove_edge", "from": "a", "to": "b"}]),
            0,
            "2 such lines",
        ),
        (
            "flowchart LR\n a --x b --> c\n",
            json!([{"op": "remove_edge", "from": "b", "to": "c"}]),
            0,
            "more than was asked",
        ),
        (CLASS, json!([{"op": "remove_member", "id": "Order", "member": "nope"}]), 0, "no line `nope`"),
        (CLASS, json!([{"op": "set_label", "id": "Order", "label": "  "}]), 0, "empty"),
    ] {
        let error = checker().patch(text, &operations(&ops)).expect_err("a refusal");
        assert_eq!(error.operation, number, "{ops}: {error}");
        assert!(error.message.contains(words), "{ops}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_words_become_a_label_or_are_refused(label in "\\PC{1,30}", class in any::<bool>()) {
        let text = if class { "classDiagram\n  class a\n  a --> b\n" } else { "flowchart TD\n  a --> b\n" };
        for ops in [
            json!([{"op": "set_label", "id": "a", "label": label}]),
            json!([{"op": "add_edge", "from": "b", "to": "a", "label": label}]),
            json!([{"op": "add_node", "id": "c", "label": label}]),
        ] {
            // Either it means exactly what was asked, or nothing was changed; the check is inside.
            if let Ok(patched) = checker().patch(text, &operations(&ops)) {
                prop_assert!(patched.checked.valid);
            }
        }
    }

    #[test]
    fn plain_words_always_become_a_label(label in "[A-Za-zäöü0-9 \"#;:&<>()\\[\\]{}|,.?!'/%-]{0,20}[a-z]") {
        for text in ["classDiagram\n  class a\n  a --> b\n", "flowchart TD\n  a --> b\n"] {
            let ops = operations(&json!([
                {"op": "set_label", "id": "a", "label": label},
                {"op": "add_edge", "from": "b", "to": "a", "label": label},
            ]));
            let patched = checker().patch(text, &ops);
            prop_assert!(patched.is_ok(), "{:?} {:?}", label, patched.err());
        }
    }
}

/// Without the verdict of Mermaid's own parser, which takes long for texts of this size.
#[test]
fn every_operation_is_linear() {
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
        assert_linear(&format!("{header}{unit:?} {json}"), 10_000, |size, deadline| {
            let text = format!("{header}{}\n", repeated(unit, size));
            let Some(outline) = outline_within(&text, deadline).unwrap() else { return };
            let family = if header.starts_with("flow") { Family::Flow } else { Family::Class };
            let patch = Patch { family, size_bytes: usize::MAX, deadline };
            drop(patch.apply(&State { text, outline }, &operation(json)));
        });
    }
}
