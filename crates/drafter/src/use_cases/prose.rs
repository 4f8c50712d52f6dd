//! Use cases in running text: `The clerk can register a parcel`, `The system sends a receipt to the customer`.
//!
//! Never makes a goal of what a person only has or is.

use blueprint::UseCaseLinkKind;

use crate::clauses::Clause;
use crate::labels;
use crate::lexicon;
use crate::phrases::Parsed;
use crate::tag::Tag;
use crate::use_cases::sketch::Sketch;

/// Verbs of states and wishes, not of goals.
const STATES: &[&str] = &[
    "be",
    "have",
    "belong",
    "consist",
    "contain",
    "own",
    "know",
    "want",
    "need",
    "like",
    "wish",
    "exist",
    "possess",
    "represent",
    "mean",
    "live",
    "seem",
    "remain",
    "become",
    "include",
    "require",
    "let",
    "allow",
    "enable",
    "permit",
    "depend",
    "expect",
    "hope",
    "think",
    "prefer",
    "involve",
    "can",
    "do",
    "happen",
    "work",
];

/// Verbs by which the system gives an actor a goal.
const ALLOWING: &[&str] = &["allow", "enable", "let", "permit", "help", "support"];

/// Verbs by which one use case always does another.
const INCLUDING: &[&str] = &["include", "require", "involve"];

/// Reads one sentence.
pub(super) fn read(sketch: &mut Sketch<'_>, sentence: usize) {
    let analysis = sketch.analysis;
    let (Some(parsed), Some(row)) = (analysis.parsed.get(sentence), analysis.clauses.get(sentence)) else {
        return;
    };
    if parsed.parenthetical_of.is_some() {
        return;
    }
    let mut last: Option<String> = None;
    let mut place = 0;
    while let Some(clause) = row.get(place) {
        let before = place.checked_sub(1).and_then(|p| row.get(p));
        let used = if INCLUDING.contains(&clause.lemma.as_str()) {
            included(sketch, sentence, place, last.as_deref())
        } else {
            goal(sketch, sentence, place, before, parsed, clause)
        };
        match used {
            Some((name, clauses)) => {
                if let Some(name) = name {
                    extended(sketch, sentence, place, &name);
                    last = Some(name);
                }
                place += clauses.max(1);
            }
            None => place += 1,
        }
    }
}

/// The actors and the goal of a clause.
fn goal(
    sketch: &mut Sketch<'_>,
    sentence: usize,
    place: usize,
    before: Option<&Clause>,
    parsed: &Parsed,
    clause: &Clause,
) -> Option<(Option<String>, usize)> {
    if clause.negated
        || (clause.relative && !clause.passive)
        || STATES.contains(&clause.lemma.as_str())
        || matches!(
            clause.marker.as_str(),
            "if" | "when"
                | "because"
                | "since"
                | "although"
                | "whether"
                | "whenever"
                | "once"
                | "after"
                | "before"
        )
    {
        return None;
    }
    let allowed =
        before.is_some_and(|b| ALLOWING.contains(&b.lemma.as_str()) && !b.objects.is_empty() && !b.passive);
    let wished = before.is_some_and(|b| {
        matches!(b.lemma.as_str(), "want" | "need" | "wish" | "like" | "be" | "have")
            || b.passive && ALLOWING.contains(&b.lemma.as_str())
    });
    let coordinated = before.is_some_and(|b| b.infinitive && clause.infinitive);
    if clause.gerund || clause.infinitive && !(allowed || wished || coordinated) {
        return None;
    }
    let doers: Vec<usize> = if clause.passive {
        clause
            .complements
            .iter()
            .filter(|(word, _)| word == "by")
            .flat_map(|(_, list)| list.iter().copied())
            .collect()
    } else if allowed && clause.infinitive {
        before.map(|b| b.objects.clone()).unwrap_or_default()
    } else {
        clause.subjects.clone()
    };
    let system = !clause.passive
        && clause
            .subjects
            .iter()
            .any(|s| parsed.phrases.get(*s).is_some_and(|p| lexicon::is_system_head(parsed.head(p))));
    let mut actors: Vec<String> = doers.iter().filter_map(|p| sketch.actor_of(sentence, *p)).collect();
    if actors.is_empty() && system {
        // What the system does for a person is a use case of that person.
        let receivers = clause
            .complements
            .iter()
            .filter(|(word, _)| matches!(word.as_str(), "to" | "for" | "from" | "via" | "through" | "with"))
            .flat_map(|(_, list)| list.iter().copied());
        let receivers: Vec<usize> = receivers.chain(clause.objects.iter().copied().take(1)).collect();
        actors = receivers.iter().filter_map(|p| sketch.actor_of(sentence, *p)).collect();
    }
    if actors.is_empty() {
        return None;
    }
    let label = labels::clause_label(sketch.text, sketch.analysis, sentence, place)?;
    let name = sketch.use_case(&label.text, label.span)?;
    for actor in &actors {
        sketch.link(actor, &name, UseCaseLinkKind::Association, label.span);
    }
    // Other systems that help: `through the payment gateway`.
    for phrase in clause.complements.iter().flat_map(|(_, list)| list.iter().copied()) {
        let external = parsed.phrases.get(phrase).is_some_and(|p| lexicon::is_external_head(parsed.head(p)));
        if external && let Some(helper) = sketch.actor_of(sentence, phrase) {
            sketch.link(&helper, &name, UseCaseLinkKind::Association, label.span);
        }
    }
    Some((Some(name), label.clauses))
}

/// `…, which always requires logging in`; `Placing an order includes paying for it`.
fn included(
    sketch: &mut Sketch<'_>,
    sentence: usize,
    place: usize,
    last: Option<&str>,
) -> Option<(Option<String>, usize)> {
    let analysis = sketch.analysis;
    let row = analysis.clauses.get(sentence)?;
    let clause = row.get(place)?;
    // Only a doing can be part of a doing: `includes paying`, not `includes a discount`.
    row.get(place + 1).filter(|next| next.gerund && next.start <= clause.end + 1)?;
    let opening = row.first().filter(|first| first.gerund && first.start == 0 && place > 0);
    let base = match opening {
        Some(_) => {
            let label = labels::clause_label(sketch.text, analysis, sentence, 0)?;
            sketch.use_case(&label.text, label.span)?
        }
        None => last?.to_owned(),
    };
    let label = labels::clause_label(sketch.text, analysis, sentence, place + 1)?;
    let part = sketch.use_case(&label.text, label.span)?;
    sketch.link(&base, &part, UseCaseLinkKind::Include, label.span);
    Some((None, 1 + label.clauses))
}

/// `While ordering a book, the customer may optionally add a note`.
fn extended(sketch: &mut Sketch<'_>, sentence: usize, place: usize, name: &str) {
    let analysis = sketch.analysis;
    let (Some(parsed), Some(row)) = (analysis.parsed.get(sentence), analysis.clauses.get(sentence)) else {
        return;
    };
    let Some(clause) = row.get(place) else { return };
    let optional = matches!(clause.modal.as_str(), "may" | "can")
        && (clause.start..clause.end).any(|at| matches!(parsed.word(at), "optionally" | "also"));
    let frame = row.first().filter(|first| {
        first.gerund
            && place > 0
            && first.start > 0
            && matches!(parsed.word(first.start - 1), "while" | "when" | "during")
    });
    if !optional || frame.is_none() || parsed.tag(0) == Some(Tag::Mark) {
        return;
    }
    let Some(label) = labels::clause_label(sketch.text, analysis, sentence, 0) else {
        return;
    };
    if let Some(base) = sketch.use_case(&label.text, label.span) {
        sketch.link(name, &base, UseCaseLinkKind::Extend, label.span);
    }
}
