//! What holds for any text: no panic, spans on character boundaries, and repairs that never make anything worse.

use proptest::prelude::*;

use crate::{
    Finding, FixClass,
    document::Document,
    families,
    finding_list::{FindingList, MAX_FINDINGS},
    kinds::KINDS,
    rules::testing::checker,
    text::LineIndex,
};

fn assert_on_boundaries(text: &str, findings: &[Finding]) {
    for finding in findings {
        let edits = finding.fix.iter().flat_map(|fix| fix.edits.iter().map(|edit| (edit.start, edit.end)));
        for (start, end) in edits.chain([(finding.span.start, finding.span.end)]) {
            assert!(text.get(start..end).is_some(), "{} {start}..{end} of {text:?}", finding.code);
        }
    }
}

fn assert_repair_holds(text: &str) {
    let checked = checker().check(text);
    assert_on_boundaries(text, &checked.findings);
    let repaired = checker().repair(text);
    assert_on_boundaries(&repaired.code, &repaired.findings);
    assert_eq!(repaired.changed, repaired.code != text, "{text:?}");
    assert_eq!(checker().check(&repaired.code).valid, repaired.valid, "{text:?} -> {:?}", repaired.code);
    if checked.valid {
        assert!(!repaired.changed, "{text:?}");
    }
    if repaired.changed {
        assert!(!repaired.steps.is_empty() && !repaired.diff.is_empty());
    }
    if repaired.class == Some(FixClass::Safe) {
        assert!(repaired.kept.everything(), "{text:?} -> {:?}", repaired.code);
    } else if !repaired.valid {
        assert!(!repaired.changed, "{text:?} -> {:?}", repaired.code);
    }
    let again = checker().repair(&repaired.code);
    assert_eq!(again.code, repaired.code, "not idempotent: {text:?}");
}

/// A sample with mistakes such as authors and models make.
fn harmed() -> impl Strategy<Value = String> {
    const SIGNS: [&str; 28] = [
        "(", ")", "[", "]", "{", "}", "\"", ";", ":", "|", "<", ">", "->", "-->", "=>", "→", "end", "```",
        "&gt;", "\u{a0}", "“", "ü", "\\n", "#", "@{", "%%", "<think>", "~~~",
    ];
    let harm = (0_usize..4, any::<prop::sample::Index>(), prop::sample::select(&SIGNS[..]));
    (0..KINDS.len(), prop::collection::vec(harm, 1..4)).prop_map(|(kind, harms)| {
        let mut text = KINDS[kind].sample.to_owned();
        for (what, at, sign) in harms {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let Some(at) = (!boundaries.is_empty()).then(|| boundaries[at.index(boundaries.len())]) else {
                continue;
            };
            match what {
                0 => drop(text.remove(at)),
                1 => text.insert_str(at, sign),
                2 => text.truncate(at),
                _ => {
                    let line = text[at..].lines().next().unwrap_or_default().to_owned();
                    text.insert_str(at, &format!("{line}\n"));
                }
            }
        }
        text
    })
}

/// What an author wants to draw: the words of each node, and the edges with the words of their labels.
#[derive(Debug, Clone)]
struct Wanted {
    nodes: Vec<String>,
    edges: Vec<(usize, usize, String)>,
}

/// A flowchart with signs in its labels and arrows of other notations, and what is meant by it.
fn flowchart_with_mistakes() -> impl Strategy<Value = (String, Wanted)> {
    const SIGNS: [&str; 16] =
        ["", "", "(", ")", "()", "[x]", "\"", "{", "}", "|", "/", ";", "(a) b", "\\\"", "#", "&gt;"];
    const ARROWS: [&str; 9] = ["-->", "---", "->", "=>", "==>", "-.->", "-->>", "→", "-->"];
    const WORDS: [&str; 8] = ["order", "xray", "only if", "paid", "once", "box", "pay now", "ship it"];
    let node = (prop::sample::select(&WORDS[..]), prop::sample::select(&SIGNS[..]), any::<bool>());
    let edge = (0_usize..4, 0_usize..4, prop::sample::select(&ARROWS[..]), 0_usize..5, 0..WORDS.len());
    (prop::collection::vec(node, 4), prop::collection::vec(edge, 1..5)).prop_map(|(nodes, edges)| {
        let mut text = "flowchart LR\n".to_owned();
        for (at, (words, sign, before)) in nodes.iter().enumerate() {
            let label = if *before { format!("{sign}{words}") } else { format!("{words}{sign}") };
            text.push_str(&format!("  N{at}[{label}]\n"));
        }
        let mut wanted = Vec::new();
        for (from, to, arrow, form, word) in edges {
            let word = WORDS[word];
            // Mermaid takes the first letter of `--once-->` for a circle: that is valid, and left as it is.
            let loses_letter = word.starts_with(['o', 'x']) && !word.contains(' ');
            let (line, label) = match form {
                0 if !loses_letter => (format!("N{from}--{word}-->N{to}"), word),
                1 => (format!("N{from} -->|{word}| N{to}"), word),
                2 => (format!("N{from} {arrow} N{to}: {word}"), word),
                _ => (format!("N{from} {arrow} N{to}"), ""),
            };
            text.push_str(&format!("  {line}\n"));
            wanted.push((from, to, label.to_owned()));
        }
        (text, Wanted { nodes: nodes.iter().map(|(words, ..)| (*words).to_owned()).collect(), edges: wanted })
    })
}

/// A safe repair draws what is meant.
fn assert_as_wanted(text: &str, wanted: &Wanted) {
    let repaired = checker().repair(text);
    if !repaired.changed || !repaired.valid || repaired.class != Some(FixClass::Safe) {
        return;
    }
    let outline = crate::outline(&repaired.code).expect("an outline");
    let words = |text: &str| crate::reading::words(text).join(" ");
    for (at, label) in wanted.nodes.iter().enumerate() {
        let node = outline.nodes.iter().find(|node| node.id == format!("N{at}"));
        let seen = node.map(|node| words(&node.label)).unwrap_or_default();
        assert!(seen.contains(label.as_str()), "{label:?} is not in {seen:?} of\n{}", repaired.code);
    }
    let edges: Vec<_> =
        outline.edges.iter().map(|edge| (edge.from.clone(), edge.to.clone(), words(&edge.label))).collect();
    let expected: Vec<_> = wanted
        .edges
        .iter()
        .map(|(from, to, label)| (format!("N{from}"), format!("N{to}"), words(label)))
        .collect();
    assert_eq!(edges, expected, "{text}\n->\n{}", repaired.code);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "\\PC{0,60}(\n\\PC{0,40}){0,3}") {
        assert_repair_holds(&text);
    }

    #[test]
    fn any_flowchart_is_survived(body in "([A-C]|end|subgraph \
    |-->|->|--|-\\.|==|\\||[\\[\\](){}\"<>;:&@ \n]|é|\\\\n){0,40}") {
        assert_repair_holds(&format!("flowchart TD\n{body}"));
    }

    #[test]
    fn any_other_diagram_is_survived(kind in 1_usize..5, body in "([A-C]|end|class |note \
    |->>|-->|--|<\\||\\*|[\\[\\](){}\"<>;:, \n]|é|1|loop ){0,40}") {
        assert_repair_holds(&format!("{}\n{body}", KINDS[kind].header));
    }

    #[test]
    fn a_safe_repair_draws_what_is_meant((text, wanted) in flowchart_with_mistakes()) {
        assert_as_wanted(&text, &wanted);
    }

    #[test]
    fn a_harmed_diagram_is_never_made_worse(text in harmed()) {
        assert_repair_holds(&text);
    }
}

/// Every rule by itself, and the findings of all of them: what they scan, and what they write.
#[test]
fn rules_and_repairs_take_work_in_proportion_to_the_text() {
    for (header, unit) in families::families() {
        families::assert_linear(&format!("{header} {unit:?}"), 16_000, |size, deadline| {
            let text = families::text(header, &unit, size);
            let document = Document::new(&text, deadline);
            let index = LineIndex::within(&text, deadline);
            let mut list = FindingList::new(Vec::new());
            for (rule, hit) in crate::rules::hits(&document).unwrap() {
                list.push_hit(rule, hit, &index);
            }
            assert!(list.finish().len() <= MAX_FINDINGS);
            crate::repair::apply_each(&text, deadline).unwrap();
        });
    }
}
