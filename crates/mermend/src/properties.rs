//! What holds for any text: no panic, spans on character boundaries, and repairs that never make anything worse.

use proptest::prelude::*;

use crate::{
    Finding,
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
    if checked.valid || !repaired.valid {
        assert!(repaired.code == text && !repaired.changed, "{text:?}");
    }
    if repaired.changed {
        assert!(checker().check(&repaired.code).valid, "{text:?} -> {:?}", repaired.code);
        assert!(!repaired.steps.is_empty() && !repaired.diff.is_empty());
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
