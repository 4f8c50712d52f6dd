//! User stories: `As a <role>, I want to <goal> so that <benefit>`.
//!
//! Never turns the benefit into a goal.

use blueprint::UseCaseLinkKind;

use crate::labels;
use crate::names;
use crate::tag::Tag;
use crate::use_cases::sketch::Sketch;

/// Verbs in front of the goal.
const WISHING: &[&str] = &[
    "want", "need", "like", "wish", "be", "have", "would", "allow", "enable", "expect", "require", "love",
    "prefer", "let",
];

/// Reads a story; answers whether the sentence is one.
pub(super) fn read(sketch: &mut Sketch<'_>, sentence: usize) -> bool {
    let analysis = sketch.analysis;
    let Some(parsed) = analysis.parsed.get(sentence) else {
        return false;
    };
    if parsed.word(0) != "as" || parsed.parenthetical_of.is_some() {
        return false;
    }
    let Some(role) = parsed.phrases.iter().position(|p| p.start == 1 && !p.pronoun) else {
        return false;
    };
    let Some(speaker) =
        parsed.tokens.iter().position(|t| t.tag == Tag::Pronoun && matches!(t.lower(), "i" | "we" | "i'd"))
    else {
        return false;
    };
    let end = parsed.benefit_start().unwrap_or(parsed.tokens.len());
    let span = parsed.phrases.get(role).map(|p| parsed.name_span(p)).unwrap_or_default();
    let name = labels::role_name(sketch.text, parsed, role);
    let Some(actor) = sketch.actor(&name, false, span) else {
        return true;
    };
    let Some(row) = analysis.clauses.get(sentence) else {
        return true;
    };
    let mut found = false;
    let mut place = 0;
    let mut goals_end = None;
    while let Some(clause) = row.get(place) {
        let inside =
            clause.start > speaker && clause.start < end && !clause.relative && clause.marker.is_empty();
        // `I can pay`, `want to pay`, `want the system to pay`; what follows the goal only describes it.
        let wishing = WISHING.contains(&clause.lemma.as_str())
            && (clause.lemma != "have" || ability(parsed, clause.end));
        let next_to_goal = goals_end.is_none_or(|at: usize| {
            clause.start <= at + 2 && matches!(parsed.tag(clause.start.saturating_sub(1)), Some(Tag::And))
        });
        if !inside || wishing || clause.passive || !next_to_goal {
            place += 1;
            continue;
        }
        let Some(label) = labels::clause_label(sketch.text, analysis, sentence, place) else {
            break;
        };
        place += label.clauses;
        if let Some(goal) = sketch.use_case(&label.text, label.span) {
            sketch.link(&actor, &goal, UseCaseLinkKind::Association, label.span);
            found = true;
        }
        goals_end = Some(labels::extent(parsed, row.get(place.saturating_sub(1)).map_or(0, |c| c.end)));
    }
    if !found {
        wanted_thing(sketch, sentence, &actor, speaker, end);
    }
    true
}

/// `have the ability to`: the goal comes later.
fn ability(parsed: &crate::phrases::Parsed, from: usize) -> bool {
    (from..from + 3)
        .any(|at| matches!(parsed.word(at), "ability" | "option" | "possibility" | "chance" | "opportunity"))
}

/// `I want a separate mailbox`: a thing instead of a goal.
fn wanted_thing(sketch: &mut Sketch<'_>, sentence: usize, actor: &str, speaker: usize, end: usize) {
    let analysis = sketch.analysis;
    let (Some(parsed), Some(row)) = (analysis.parsed.get(sentence), analysis.clauses.get(sentence)) else {
        return;
    };
    let Some(clause) = row.iter().find(|c| c.start > speaker && c.start < end && !c.objects.is_empty())
    else {
        return;
    };
    let Some(first) = clause.objects.first().and_then(|p| parsed.phrases.get(*p)) else {
        return;
    };
    let stop = labels::extent(parsed, first.start).min(end);
    let thing = labels::join(sketch.text, parsed, first.start, stop);
    if thing.is_empty() {
        return;
    }
    let name = names::shortened(&format!("Get {thing}"), names::MAX_NAME);
    let span = parsed.span(first.start, stop);
    if let Some(goal) = sketch.use_case(&name, span) {
        sketch.notes.push(format!("“{thing}” is a thing, not a goal: it became the goal “{name}”."));
        sketch.link(actor, &goal, UseCaseLinkKind::Association, span);
    }
}
