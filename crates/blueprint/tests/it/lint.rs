//! What the rules find: every rule has a diagram that breaks it, and none is broken by the samples.

use blueprint::*;
use serde_json::{Value, json};

/// A diagram of this kind breaks exactly these rules, at these places.
fn check(kind: Kind, model: &Value, want: &[(&str, &str)]) {
    let found = lint(&parse(kind, &model.to_string()).unwrap());
    let got: Vec<(&str, &str)> = found.iter().map(|lint| (lint.code, lint.path.as_str())).collect();
    assert_eq!(got, want, "{model}\n{found:#?}");
    for lint in &found {
        assert!(lint.message.ends_with(['.', '`']) && !lint.hint.is_empty(), "{lint:?}");
    }
}

fn class_cases() -> Vec<(Value, Vec<(&'static str, &'static str)>)> {
    let two = json!([{"name": "Car", "attributes": ["x"]}, {"name": "Owner", "attributes": ["x"]}]);
    let with = |relationships: Value| json!({"classes": two, "relationships": relationships});
    vec![
        (json!({"classes": []}), vec![("BP003", "classes")]),
        (with(json!([{"from": "Car", "to": "Ownr"}])), vec![("BP001", "relationships[0].to")]),
        (
            json!({"classes": [{"name": "A", "attributes": ["x"]}, {"name": "a", "attributes": ["x"]}]}),
            vec![("BP002", "classes[1].name")],
        ),
        (json!({"classes": [{"name": "", "attributes": ["x"]}]}), vec![("BP004", "classes[0].name")]),
        (
            json!({"classes": [{"name": "A".repeat(61), "attributes": ["x"]}]}),
            vec![("BP005", "classes[0].name")],
        ),
        (
            with(json!([
                {"from": "Car", "to": "Owner", "kind": "inheritance"},
                {"from": "Owner", "to": "Car", "kind": "realization"}])),
            vec![("BP010", "relationships")],
        ),
        (
            with(json!([{"from": "Car", "to": "Car", "kind": "inheritance"}])),
            vec![("BP011", "relationships[0]")],
        ),
        (json!({"classes": ["A"]}), vec![("BP012", "classes[0]")]),
        (json!({"classes": [{"name": "A", "kind": "enum"}]}), vec![("BP013", "classes[0].literals")]),
        (json!({"classes": [{"name": "A", "literals": ["x"]}]}), vec![("BP014", "classes[0].literals")]),
        (
            with(
                json!([{"from": "Car", "to": "Owner", "multiplicity_to": "3..1", "multiplicity_from": "2..4"}]),
            ),
            vec![("BP015", "relationships[0].multiplicity_to")],
        ),
        (
            json!({"classes": [{"name": "A", "attributes": ["x", {"name": "X", "type": "Int"}]}]}),
            vec![("BP016", "classes[0].attributes[1]")],
        ),
        (
            with(json!([
                {"from": "Car", "to": "Owner", "kind": "composition"},
                {"from": "Owner", "to": "Car", "kind": "composition"}])),
            vec![("BP017", "relationships")],
        ),
        (with(json!([{"from": "Car", "to": "Car", "kind": "composition"}])), vec![]),
    ]
}

fn use_case_cases() -> Vec<(Value, Vec<(&'static str, &'static str)>)> {
    let with = |links: Value| json!({"actors": ["Ann", "Bob"], "use_cases": ["Pay", "Buy"], "links": links});
    let sound = json!([{"from": "Ann", "to": "Pay"}, {"from": "Bob", "to": "Buy"}]);
    let plus = |more: Value| {
        let links: Vec<Value> =
            [sound.as_array().unwrap().as_slice(), more.as_array().unwrap().as_slice()].concat();
        with(json!(links))
    };
    vec![
        (json!({"actors": []}), vec![("BP003", "use_cases")]),
        (plus(json!([])), vec![]),
        (plus(json!([{"from": "Ann", "to": "Sell"}])), vec![("BP001", "links[2].to")]),
        (
            json!({"actors": ["A"], "use_cases": ["a"], "links": [{"from": "A", "to": "a"}]}),
            vec![("BP002", "use_cases[0].name")],
        ),
        (
            with(json!([{"from": "Ann", "to": "Pay"}, {"from": "Ann", "to": "Buy"}])),
            vec![("BP020", "actors[1]")],
        ),
        (
            with(json!([{"from": "Ann", "to": "Pay"}, {"from": "Bob", "to": "Pay"}])),
            vec![("BP021", "use_cases[1]")],
        ),
        (
            with(json!([{"from": "Ann", "to": "Pay"}, {"from": "Bob", "to": "Pay"},
                    {"from": "Buy", "to": "Pay", "kind": "include"}])),
            vec![("BP021", "use_cases[1]")],
        ),
        (
            with(json!([{"from": "Ann", "to": "Pay"}, {"from": "Bob", "to": "Pay"},
                    {"from": "Pay", "to": "Buy", "kind": "include"}])),
            vec![],
        ),
        (plus(json!([{"from": "Ann", "to": "Bob"}])), vec![("BP022", "links[2]")]),
        (plus(json!([{"from": "Ann", "to": "Buy", "kind": "include"}])), vec![("BP023", "links[2]")]),
        (plus(json!([{"from": "Ann", "to": "Buy", "kind": "generalization"}])), vec![("BP023", "links[2]")]),
        (plus(json!([{"from": "Ann", "to": "Bob", "kind": "generalization"}])), vec![]),
        (
            plus(json!([
                {"from": "Pay", "to": "Buy", "kind": "include"}, {"from": "Buy", "to": "Pay", "kind": "include"}])),
            vec![("BP024", "links")],
        ),
    ]
}

fn activity_cases() -> Vec<(Value, Vec<(&'static str, &'static str)>)> {
    let nodes = |more: Value| {
        let mut nodes = vec![
            json!({"id": "s", "kind": "start"}),
            json!({"id": "a", "label": "Act"}),
            json!({"id": "e", "kind": "end"}),
        ];
        nodes.extend(more.as_array().unwrap().iter().cloned());
        nodes
    };
    let line = |ends: &str| {
        let mut words = ends.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        json!({"from": word(), "to": word(), "guard": word()})
    };
    let with = |more: Value, lines: &[&str]| {
        let edges: Vec<Value> = lines.iter().map(|ends| line(ends)).collect();
        json!({"nodes": nodes(more), "edges": edges})
    };
    let decision = || json!([{"id": "d", "kind": "decision", "label": "Well?"}]);
    vec![
        (json!({"nodes": []}), vec![("BP003", "nodes")]),
        (with(json!([]), &["s a", "a e"]), vec![]),
        (with(json!([]), &["s a", "a e", "a x"]), vec![("BP001", "edges[2].to")]),
        (with(json!([{"id": "b"}]), &["s a", "a b", "b e"]), vec![("BP004", "nodes[3].label")]),
        (
            json!({"nodes": [{"id": "a", "label": "Act"}, {"id": "e", "kind": "end"}], "edges": [line("a e")]}),
            vec![("BP030", "nodes")],
        ),
        (
            json!({"nodes": [{"id": "s", "kind": "start"}, {"id": "a", "label": "Act"}], "edges": [line("s \
            a"), line("a a")]}),
            vec![("BP031", "nodes")],
        ),
        (with(json!([{"id": "t", "kind": "start"}]), &["s a", "t a", "a e"]), vec![("BP032", "nodes[3]")]),
        (with(decision(), &["s d", "d a yes", "a e"]), vec![("BP033", "nodes[3]")]),
        (with(decision(), &["s d", "d a yes", "d e", "a e"]), vec![("BP034", "edges[2].guard")]),
        (with(decision(), &["s d", "d a yes", "d e Yes", "a e"]), vec![("BP035", "edges[2].guard")]),
        (with(json!([{"id": "b", "label": "B"}]), &["s a", "a e", "b e"]), vec![("BP036", "nodes[3]")]),
        (
            with(
                json!([{"id": "f", "kind": "fork"}, {"id": "b", "label": "B"}]),
                &["s f", "f a", "f b", "a e"],
            ),
            vec![("BP037", "nodes[4]")],
        ),
        (with(json!([{"id": "f", "kind": "fork"}]), &["s f", "f a", "a e"]), vec![("BP038", "nodes[3]")]),
        (with(json!([{"id": "m", "kind": "merge"}]), &["s m", "m a", "a e"]), vec![("BP038", "nodes[3]")]),
        (with(json!([]), &["s a", "a e", "e a"]), vec![("BP039", "nodes[2]")]),
        (with(json!([]), &["s a", "a e", "a s"]), vec![("BP039", "nodes[0]"), ("BP040", "nodes[1]")]),
    ]
}

#[test]
fn every_rule_is_broken_once_and_none_by_a_sample() {
    let mut broken = std::collections::BTreeSet::new();
    for (kind, cases) in
        [(Kind::Class, class_cases()), (Kind::UseCase, use_case_cases()), (Kind::Activity, activity_cases())]
    {
        check(kind, &serde_json::to_value((kind.row().sample)()).unwrap(), &[]);
        for (model, want) in cases {
            check(kind, &model, &want);
            broken.extend(want.iter().map(|(code, _)| *code));
        }
    }
    let all: Vec<&str> = LINTS.iter().map(|row| row.code).collect();
    assert_eq!(broken.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn points_at_elements_of_the_picture() {
    let model = json!({"classes": ["Car", "Owner"], "relationships": [{"from": "Car", "to": "Ownr"}]});
    let blueprint = parse(Kind::Class, &model.to_string()).unwrap();
    let found = lint(&blueprint);
    assert_eq!(found[0].element.as_deref(), Some("Owner"));
    assert!(compile(&blueprint, Target::Portable).elements.iter().any(|element| element.id == "Owner"));
    assert_eq!(found[1].hint, "Did you mean `Owner`?");
}
