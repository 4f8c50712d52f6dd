//! Any text in any place of a blueprint: Mermaid accepts the diagram and shows the same words.

use blueprint::*;
use proptest::prelude::*;

use crate::check_accepted;

/// Texts that have a meaning somewhere in Mermaid, Markdown, HTML or Unicode.
const NASTY: [&str; 96] = [
    "",
    " ",
    "\n",
    "\0",
    "\t\r\n",
    "\"",
    "\"\"\"",
    "'",
    "`",
    "``",
    "`a`",
    "\"`bold`\"",
    "#",
    "#quot;",
    "#35;",
    "&lt;",
    "&",
    ";",
    "a;b",
    "|",
    "|x|",
    "||",
    "(",
    ")",
    "((x))",
    "[",
    "]",
    "]]",
    "[[x]]",
    "{",
    "}",
    "{{x}}",
    "@{",
    "@{ shape: fork }",
    "<",
    ">",
    "<script>alert(1)</script>",
    "<br/>",
    "<b>x</b>",
    "<<enumeration>>",
    "<|--",
    "-->",
    "---",
    "--- x",
    "-.->",
    "==>",
    "o--",
    "x--x",
    "--o",
    ":::",
    ":::big",
    ":",
    "a:b",
    "a : b",
    "style: #quot;x#quot;",
    "style x fill:#fff;",
    "classDef a:#b;",
    "%%",
    "%% comment",
    "%%{init: {}}%%",
    "}%%",
    "end",
    "End",
    "class",
    "style",
    "subgraph",
    "graph TD",
    "flowchart LR",
    "default",
    "note",
    "note for A",
    "direction LR",
    "pick direction TB now",
    "namespace X {",
    "click",
    "call f()",
    "href",
    "link",
    "callback",
    "accTitle: x",
    "accDescr { x }",
    "linkStyle 0",
    "1. one",
    "2) two",
    "- item",
    "+ item",
    "* item",
    "# head",
    "**bold** _it_ ~~no~~",
    "$$x^2$$",
    "fa:fa-car",
    "a\\nb \\",
    "~T~ List<Order<Map<K, V>>>",
    "ﬂ°°35¶ß ¶ß ﬂ°",
    "שלום עולם \u{202e}abc",
    "👩‍👩‍👧‍👦 e\u{301}\u{0327} ﷽ \u{feff}\u{fffe}\u{85}\u{2028}x",
];

fn text() -> impl Strategy<Value = String> {
    let nasty = || prop::sample::select(NASTY.to_vec());
    prop_oneof![
        3 => nasty().prop_map(str::to_owned),
        3 => prop::collection::vec(nasty(), 1..4).prop_map(|parts| parts.concat()),
        2 => (nasty(), "[a-z ]{0,8}", nasty()).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        2 => any::<String>(),
        2 => "[ -~]{0,40}",
        1 => "[#;:&a-z0-9\" ]{0,30}",
        1 => Just("long ".repeat(300)),
    ]
}

/// Takes a text for each place.
fn next(texts: &[String], at: &mut usize) -> String {
    *at += 1;
    texts[*at % texts.len()].clone()
}

fn class_of(texts: &[String]) -> Blueprint {
    let mut at = 0;
    let mut classes: Vec<Class> = Vec::new();
    for kind in [ClassKind::Class, ClassKind::Enum, ClassKind::Interface, ClassKind::Abstract] {
        let mut text = || next(texts, &mut at);
        classes.push(Class {
            name: text(),
            kind,
            attributes: vec![
                Attribute { name: text(), type_name: text(), ..Attribute::default() },
                Attribute { name: text(), visibility: Visibility::Protected, ..Attribute::default() },
                Attribute {
                    name: "x".into(),
                    type_name: text(),
                    visibility: Visibility::Package,
                    ..Attribute::default()
                },
            ],
            methods: vec![Method {
                name: text(),
                parameters: vec![text(), text()],
                returns: text(),
                ..Method::default()
            }],
            literals: vec![text(), text()],
            ..Class::default()
        });
    }
    classes.push(Class { name: next(texts, &mut at), ..Class::default() });
    let kinds = [
        RelationshipKind::Association,
        RelationshipKind::Aggregation,
        RelationshipKind::Composition,
        RelationshipKind::Inheritance,
        RelationshipKind::Realization,
        RelationshipKind::Dependency,
    ];
    let relationships = kinds.iter().enumerate().map(|(n, kind)| Relationship {
        from: classes[n % classes.len()].name.clone(),
        to: classes[(n + 1) % classes.len()].name.clone(),
        kind: *kind,
        label: next(texts, &mut at),
        multiplicity_from: Some(next(texts, &mut at)),
        multiplicity_to: Some(next(texts, &mut at)),
        ..Relationship::default()
    });
    let relationships = relationships.collect();
    Blueprint::Class(ClassModel { classes, relationships })
}

fn use_case_of(texts: &[String]) -> Blueprint {
    let mut at = 0;
    let mut text = || next(texts, &mut at);
    let actors: Vec<Actor> = [false, true, false]
        .map(|external_system| Actor { name: text(), external_system, ..Actor::default() })
        .into();
    let use_cases: Vec<UseCase> = [(); 3].map(|()| UseCase { name: text(), ..UseCase::default() }).into();
    let link = |from: &str, to: &str, kind| UseCaseLink {
        from: from.into(),
        to: to.into(),
        kind,
        ..UseCaseLink::default()
    };
    let links = vec![
        link(&actors[0].name, &use_cases[0].name, UseCaseLinkKind::Association),
        link(&actors[1].name, &use_cases[1].name, UseCaseLinkKind::Association),
        link(&use_cases[0].name, &use_cases[1].name, UseCaseLinkKind::Include),
        link(&use_cases[2].name, &use_cases[1].name, UseCaseLinkKind::Extend),
        link(&actors[2].name, &actors[0].name, UseCaseLinkKind::Generalization),
        link(&use_cases[2].name, &use_cases[2].name, UseCaseLinkKind::Generalization),
    ];
    Blueprint::UseCase(UseCaseModel { system: text(), actors, use_cases, links })
}

fn activity_of(texts: &[String]) -> Blueprint {
    let mut at = 0;
    let mut text = || next(texts, &mut at);
    let kinds = [
        ActivityNodeKind::Start,
        ActivityNodeKind::Action,
        ActivityNodeKind::Decision,
        ActivityNodeKind::Merge,
        ActivityNodeKind::Fork,
        ActivityNodeKind::Join,
        ActivityNodeKind::End,
    ];
    let nodes: Vec<ActivityNode> = kinds
        .iter()
        .map(|kind| ActivityNode {
            id: text(),
            kind: *kind,
            label: text(),
            lane: text(),
            ..ActivityNode::default()
        })
        .collect();
    let edges = nodes
        .windows(2)
        .map(|pair| ActivityEdge {
            from: pair[0].id.clone(),
            to: pair[1].id.clone(),
            guard: text(),
            ..ActivityEdge::default()
        })
        .collect();
    Blueprint::Activity(ActivityModel { nodes, edges })
}

const MAKERS: [fn(&[String]) -> Blueprint; 3] = [class_of, use_case_of, activity_of];

/// Accepted by both engines, every element on its line, every label the same text again.
fn check(blueprint: &Blueprint) {
    for target in [Target::Portable, Target::Mermaid12] {
        let made = compile(blueprint, target);
        check_accepted(&made.text);
        check_elements(&made);
        check_words(&made);
    }
    // A tidied blueprint is no worse, and has no end that only a stray blank keeps from its class.
    let mut tidy = blueprint.clone();
    normalize(&mut tidy);
    let mut twice = tidy.clone();
    assert_eq!(normalize(&mut twice), Vec::<String>::new(), "{tidy:#?}");
    assert_eq!(twice, tidy);
    let found = lint(&tidy);
    assert!(
        found
            .iter()
            .all(|lint| LINTS.iter().any(|rule| rule.code == lint.code && rule.severity == lint.severity))
    );
    assert!(!describe(&tidy).contains('\n'));
}

fn check_elements(made: &Compiled) {
    let mut ids = std::collections::HashSet::new();
    let lines: Vec<&str> = made.text.lines().collect();
    for element in &made.elements {
        assert!(ids.insert(&element.id), "{} is there twice", element.id);
        let line = lines[element.line - 1];
        for word in element.mermaid_id.split(' ').filter(|word| word.parse::<usize>().is_err()) {
            let member =
                matches!(element.kind, ElementKind::Attribute | ElementKind::Method | ElementKind::Literal);
            assert!(member || line.contains(word), "`{line}` does not draw {element:?}");
        }
    }
}

/// What the fast parser saw is what was meant.
fn check_words(made: &Compiled) {
    let outline = mermend::outline(&made.text).unwrap_or_default();
    let seen =
        |id: &str| outline.nodes.iter().find(|node| node.id == id).map(|node| node.label.trim().to_owned());
    let mut relationship = 0;
    for element in &made.elements {
        let want = element.label.as_str();
        match element.kind {
            ElementKind::Class | ElementKind::UseCase | ElementKind::Node => {
                let seen = seen(&element.mermaid_id).unwrap_or_default();
                assert!(seen == want || want.is_empty(), "{seen:?} is not {want:?} in\n{}", made.text);
            }
            ElementKind::Actor => {
                let seen = seen(&element.mermaid_id).unwrap_or_default();
                let seen = seen.split_once("»<br>").map_or(seen.as_str(), |(_, name)| name);
                // An invisible joiner may stand in it.
                let bare = |text: &str| text.trim().replace('\u{2060}', "");
                assert_eq!(bare(seen), bare(want), "{}", made.text);
            }
            ElementKind::Relationship | ElementKind::Edge => {
                let edge = &outline.edges[relationship];
                assert_eq!(edge.label.trim(), want, "{}", made.text);
                relationship += 1;
            }
            _ => {}
        }
    }
}

#[test]
fn nasty_texts_in_every_place() {
    for text in NASTY {
        for make in MAKERS {
            // Alone in every place, and with an ordinary neighbour.
            check(&make(&[text.to_owned()]));
            check(&make(&[text.to_owned(), "Order".to_owned(), format!("{text} and more")]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_in_a_class_diagram(texts in prop::collection::vec(text(), 1..12)) {
        check(&class_of(&texts));
    }

    #[test]
    fn any_text_in_a_use_case_diagram(texts in prop::collection::vec(text(), 1..12)) {
        check(&use_case_of(&texts));
    }

    #[test]
    fn any_text_in_an_activity_diagram(texts in prop::collection::vec(text(), 1..12)) {
        check(&activity_of(&texts));
    }
}
