//! What holds for every text: no panic, spans in the text, the same answer twice, a well-formed diagram.

mod hostile;

use std::collections::BTreeSet;

use blueprint::{
    ActivityModel, ActivityNodeKind, Blueprint, ClassKind, ClassModel, Kind, RelationshipKind, Span,
    UseCaseLinkKind, UseCaseModel,
};
use proptest::prelude::*;

const KINDS: [Kind; 3] = [Kind::Class, Kind::UseCase, Kind::Activity];

/// Words that the rules react to, so that random texts reach them.
const WORDS: &[&str] = &[
    "the",
    "a",
    "each",
    "customer",
    "customers",
    "order",
    "orders",
    "clerk",
    "has",
    "have",
    "can",
    "may",
    "must",
    "is",
    "are",
    "checked",
    "stored",
    "places",
    "name",
    "date",
    "price",
    "status",
    "of",
    "for",
    "with",
    "by",
    "and",
    "or",
    ",",
    ".",
    ";",
    ":",
    "(",
    ")",
    "if",
    "otherwise",
    "unless",
    "until",
    "while",
    "when",
    "whether",
    "how",
    "many",
    "which",
    "who",
    "whose",
    "that",
    "their",
    "its",
    "it",
    "they",
    "types",
    "kinds",
    "either",
    "at",
    "least",
    "one",
    "up",
    "to",
    "5",
    "As",
    "I",
    "want",
    "so",
    "system",
    "gateway",
    "process",
    "ends",
    "starts",
    "goes",
    "back",
    "repeat",
    "in",
    "parallel",
    "includes",
    "paying",
    "not",
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "'s",
    "e.g.",
    "Überweisung",
    "数据",
    "🦀",
    "consists",
    "part",
    "user",
];

fn texts() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..120).prop_map(|words| words.join(" "));
    prop_oneof![any::<String>(), words, "\\PC{0,200}"]
}

/// Ranges are in the text, on character boundaries, and not empty.
fn spans_hold(text: &str, spans: &[Span]) {
    for span in spans {
        assert!(span.start < span.end, "empty range {span:?} in {text:?}");
        assert!(text.get(span.start..span.end).is_some(), "range {span:?} not in {text:?}");
    }
}

/// A source exists, and is shorter than the text unless that is short.
fn sourced(text: &str, what: &str, spans: &[Span]) {
    assert!(!spans.is_empty(), "{what} has no source in {text:?}");
    spans_hold(text, spans);
}

fn class_holds(text: &str, model: &ClassModel) {
    let names: BTreeSet<&str> = model.classes.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), model.classes.len(), "class names are unique in {text:?}");
    assert!(model.classes.len() <= 80 && model.relationships.len() <= 200);
    for class in &model.classes {
        assert!(!class.name.is_empty() && class.name.chars().count() <= 120);
        assert!(
            class.name.chars().all(char::is_alphanumeric) && !class.name.starts_with(char::is_lowercase),
            "{}",
            class.name
        );
        assert!(class.attributes.len() <= 60 && class.literals.len() <= 60);
        assert!(class.kind != ClassKind::Enum || class.literals.len() > 1);
        sourced(text, &class.name, &class.sources);
        let attributes: BTreeSet<&str> = class.attributes.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(attributes.len(), class.attributes.len(), "attributes of {} in {text:?}", class.name);
        for attribute in &class.attributes {
            assert!(!attribute.name.is_empty());
            sourced(text, &attribute.name, &attribute.sources);
        }
    }
    for line in &model.relationships {
        assert!(names.contains(line.from.as_str()) && names.contains(line.to.as_str()));
        assert!(line.kind != RelationshipKind::Inheritance || line.from != line.to);
        sourced(text, &line.label, &line.sources);
    }
}

fn use_case_holds(text: &str, model: &UseCaseModel) {
    let all = model
        .actors
        .iter()
        .map(|a| a.name.to_lowercase())
        .chain(model.use_cases.iter().map(|u| u.name.to_lowercase()));
    let names: BTreeSet<String> = all.collect();
    assert_eq!(names.len(), model.actors.len() + model.use_cases.len(), "names are unique in {text:?}");
    assert!(model.actors.len() <= 60 && model.use_cases.len() <= 120 && model.links.len() <= 300);
    for actor in &model.actors {
        assert!(!actor.name.trim().is_empty() && actor.name.chars().count() <= 120);
        sourced(text, &actor.name, &actor.sources);
    }
    for goal in &model.use_cases {
        assert!(!goal.name.trim().is_empty() && goal.name.chars().count() <= 160);
        sourced(text, &goal.name, &goal.sources);
    }
    for link in &model.links {
        let actor = |name: &str| model.actors.iter().any(|a| a.name == name);
        let goal = |name: &str| model.use_cases.iter().any(|u| u.name == name);
        match link.kind {
            UseCaseLinkKind::Association => assert!(actor(&link.from) && goal(&link.to)),
            UseCaseLinkKind::Include | UseCaseLinkKind::Extend => assert!(goal(&link.from) && goal(&link.to)),
            UseCaseLinkKind::Generalization => assert!(actor(&link.from) && actor(&link.to)),
        }
        sourced(text, &link.to, &link.sources);
    }
}

fn activity_holds(text: &str, model: &ActivityModel) {
    if model.nodes.is_empty() {
        assert!(model.edges.is_empty());
        return;
    }
    let count = |kind: ActivityNodeKind| model.nodes.iter().filter(|n| n.kind == kind).count();
    assert_eq!(count(ActivityNodeKind::Start), 1);
    assert!(count(ActivityNodeKind::End) >= 1 && model.nodes.len() <= 200 && model.edges.len() <= 400);
    let ids: BTreeSet<&str> = model.nodes.iter().map(|n| n.id.as_str()).collect();
    assert_eq!(ids.len(), model.nodes.len());
    for node in &model.nodes {
        let first = node.id.chars().next().unwrap_or(' ');
        assert!(
            (first.is_ascii_alphabetic() || first == '_')
                && node.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && node.id.len() <= 60
        );
        assert!(node.label.chars().count() <= 160 && node.lane.chars().count() <= 120);
        let ins = model.edges.iter().filter(|e| e.to == node.id).count();
        let outs: Vec<_> = model.edges.iter().filter(|e| e.from == node.id).collect();
        assert!(ins > 0 || node.kind == ActivityNodeKind::Start, "no way to {} in {text:?}", node.id);
        assert!(
            !outs.is_empty() || node.kind == ActivityNodeKind::End,
            "no way from {} in {text:?}",
            node.id
        );
        match node.kind {
            ActivityNodeKind::Action => sourced(text, &node.label, &node.sources),
            ActivityNodeKind::Decision => {
                sourced(text, &node.label, &node.sources);
                assert!(outs.len() >= 2, "{text:?}");
                let guards: BTreeSet<&str> = outs.iter().map(|e| e.guard.as_str()).collect();
                assert!(guards.len() == outs.len() && !guards.contains(""), "{text:?}");
                for edge in outs {
                    sourced(text, &edge.guard, &edge.sources);
                }
            }
            ActivityNodeKind::Fork => assert!(outs.len() >= 2, "{text:?}"),
            _ => {}
        }
    }
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> =
        model.nodes.iter().filter(|n| n.kind == ActivityNodeKind::Start).map(|n| n.id.as_str()).collect();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(model.edges.iter().filter(|e| e.from == id).map(|e| e.to.as_str()));
        }
    }
    assert_eq!(reached.len(), model.nodes.len(), "unreachable nodes in {text:?}");
    assert!(model.edges.iter().all(|e| ids.contains(e.from.as_str()) && ids.contains(e.to.as_str())));
}

fn all_hold(text: &str) {
    spans_hold(text, &drafter::sentences(text));
    for term in drafter::terms(text) {
        assert!(!term.text.is_empty() && term.text.ends_with(&term.head));
        sourced(text, &term.text, &term.spans);
    }
    for kind in KINDS {
        let draft = drafter::draft(kind, text);
        match &draft.blueprint {
            Blueprint::Class(model) => class_holds(text, model),
            Blueprint::UseCase(model) => use_case_holds(text, model),
            Blueprint::Activity(model) => activity_holds(text, model),
        }
        assert_eq!(draft, drafter::draft(kind, text), "the same text gives the same draft");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_text_gives_a_well_formed_draft(text in texts()) {
        all_hold(&text);
    }

    #[test]
    fn what_is_located_is_there(text in texts(), from in 0_usize..60, len in 0_usize..30) {
        let piece: String = text.chars().skip(from).take(len).collect();
        let found = drafter::locate(&text, &piece);
        spans_hold(&text, &found);
        prop_assert!(piece.trim().is_empty() || !found.is_empty());
        spans_hold(&text, &drafter::locate(&text, &piece.to_uppercase()));
    }
}

#[test]
fn sources_are_the_words_and_not_the_whole_text() {
    let text = "A museum lends paintings to collectors. Each painting has a title and an insured value. The price of \
    the ticket is stored. A curator restores several paintings.";
    let Blueprint::Class(model) = drafter::draft(Kind::Class, text).blueprint else { unreachable!() };
    assert!(model.classes.len() >= 3);
    for class in &model.classes {
        let head: String = class
            .name
            .chars()
            .rev()
            .take_while(|c| c.is_lowercase())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        for span in &class.sources {
            let words = text[span.start..span.end].to_lowercase();
            assert!(words.contains(&head) && words.len() < 20, "{} from {words:?}", class.name);
        }
        for attribute in &class.attributes {
            let words = text[attribute.sources[0].start..attribute.sources[0].end].to_lowercase();
            let head = attribute.name.rsplit(char::is_uppercase).next().unwrap().to_lowercase();
            assert!(words.contains(&head) && words.len() < 30, "{} from {words:?}", attribute.name);
        }
    }
}

#[test]
fn long_and_hostile_texts_give_well_formed_drafts() {
    hostile::texts(50_000).iter().for_each(|text| all_hold(text));
}
