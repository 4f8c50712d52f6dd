//! Labels of steps and goals: a verb in its base form and what belongs to it.
//!
//! Never changes the words of the text, except the form of the first verb.

use blueprint::Span;

use crate::analysis::Analysis;
use crate::clauses::{Clause, coordinated_after, end_with_of};
use crate::names;
use crate::phrases::Parsed;
use crate::tag::Tag;

/// The longest label in characters.
const MAX_LABEL: usize = 90;

/// A label, where its words stand, and how many clauses it has used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    /// For example `Check the order`.
    pub(crate) text: String,
    /// The words in the text.
    pub(crate) span: Span,
    /// How many clauses are in it: more than one for `create and edit orders`.
    pub(crate) clauses: usize,
}

/// Words that belong to the verb before them: `log in`, `sign up`.
const PARTICLES: &[&str] = &["in", "out", "up", "off", "down", "back", "on", "over", "away"];

/// The label of a clause: base verb, objects, complements.
pub(crate) fn clause_label(text: &str, analysis: &Analysis, sentence: usize, place: usize) -> Option<Label> {
    let parsed = analysis.parsed.get(sentence)?;
    let row = analysis.clauses.get(sentence)?;
    let clause = row.get(place)?;
    let base = clause.lemma.clone();
    if clause.passive {
        return passive(text, analysis, sentence, clause, &base);
    }
    // `see and edit the preferences`: one goal with two verbs.
    let joined = row.get(place + 1).filter(|next| {
        clause.objects.is_empty()
            && clause.complements.is_empty()
            && next.start <= clause.end + 2
            && next.start > clause.end
            && !next.passive
            && (clause.end..next.start)
                .all(|at| matches!(parsed.tag(at), Some(Tag::And)) || parsed.word(at) == ",")
    });
    if let Some(next) = joined
        && let Some(rest) = clause_label(text, analysis, sentence, place + 1)
    {
        let glue: String = (clause.end..next.start)
            .map(|at| if parsed.word(at) == "," { ", ".to_owned() } else { format!(" {} ", parsed.word(at)) })
            .collect();
        let mut chars = rest.text.chars();
        let tail: String = chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default();
        let text = names::shortened(&format!("{}{glue}{tail}", names::capitalised(&base)), MAX_LABEL);
        return Some(Label {
            text,
            span: Span { start: parsed.span(clause.verb, clause.end).start, end: rest.span.end },
            clauses: rest.clauses + 1,
        });
    }
    let end = extent(parsed, clause.end);
    let mut rest = join(text, parsed, clause.end, end);
    let object = clause.objects.first().and_then(|p| parsed.phrases.get(*p));
    let which = clause
        .subjects
        .first()
        .and_then(|p| parsed.phrases.get(*p))
        .and_then(|p| p.start.checked_sub(1))
        .filter(|at| parsed.tag(*at) == Some(Tag::Relative));
    // `rate it` says what only with the sentence before; so does `which the team processes`.
    let named = match (object, which) {
        (Some(object), _) if object.pronoun && matches!(parsed.word(object.start), "it" | "them") => {
            antecedent(text, analysis, sentence, clause.start)
        }
        (None, Some(_)) => antecedent(text, analysis, sentence, clause.start),
        _ => None,
    };
    if let Some(named) = named {
        let tail = if object.is_some() {
            rest.split_once(' ').map(|(_, tail)| format!(" {tail}")).unwrap_or_default()
        } else {
            format!(" {rest}")
        };
        rest = format!("{named}{tail}").trim().to_owned();
    }
    let text = if rest.is_empty() {
        names::capitalised(&base)
    } else {
        format!("{} {rest}", names::capitalised(&base))
    };
    Some(Label {
        text: names::shortened(&text, MAX_LABEL),
        span: parsed.span(clause.verb, end.max(clause.end)),
        clauses: 1,
    })
}

/// What `it` and `them` as an object stand for: the last thing to which something was done.
fn antecedent(text: &str, analysis: &Analysis, sentence: usize, before: usize) -> Option<String> {
    for back in 0..4 {
        let at = sentence.checked_sub(back)?;
        let (parsed, row) = (analysis.parsed.get(at)?, analysis.clauses.get(at)?);
        if back > 0 && parsed.parenthetical_of.is_some() {
            continue;
        }
        let earlier = row.iter().rev().filter(|c| back > 0 || c.start < before);
        for clause in earlier {
            let things =
                if clause.passive && clause.objects.is_empty() { &clause.subjects } else { &clause.objects };
            let thing = things
                .iter()
                .filter_map(|p| parsed.phrases.get(*p))
                .find(|p| !p.pronoun && !crate::lexicon::is_person(parsed.head(p)));
            if let Some(thing) = thing {
                let from = thing.core.first().copied().unwrap_or(thing.start);
                return Some(format!("the {}", join(text, parsed, from, thing.end)));
            }
        }
    }
    None
}

/// `The order is checked for errors` -> `Check the order for errors`.
fn passive(text: &str, analysis: &Analysis, sentence: usize, clause: &Clause, base: &str) -> Option<Label> {
    let parsed = analysis.parsed.get(sentence)?;
    let first = parsed.phrases.get(*clause.subjects.first()?)?;
    let last = *clause.subjects.last()?;
    let subject_end = end_with_of(parsed, last);
    let mut subject = join(text, parsed, first.start, subject_end);
    if first.pronoun
        && let Some(named) = antecedent(text, analysis, sentence, clause.start)
    {
        subject = named;
    }
    let mut tail = String::new();
    let mut end = clause.end;
    // The doer after `by` is the lane, not part of the label.
    if parsed.word(clause.end) != "by" {
        end = extent(parsed, clause.end);
        let by = (clause.end..end).find(|at| parsed.word(*at) == "by").unwrap_or(end);
        end = by;
        tail = join(text, parsed, clause.end, end);
    }
    let mut label = format!("{} {}", names::capitalised(base), lower_article(&subject));
    // `the guest is given a key` -> `Give a key to the guest`.
    if !clause.objects.is_empty() && !tail.is_empty() {
        label = format!("{} {tail} to {}", names::capitalised(base), lower_article(&subject));
        tail.clear();
    }
    if !tail.is_empty() {
        label = format!("{label} {tail}");
    }
    let from = parsed.span(first.start, first.end).start;
    let to = parsed.span(clause.verb, end.max(clause.end)).end;
    Some(Label {
        text: names::shortened(&label, MAX_LABEL),
        span: Span { start: from.min(to), end: to.max(from) },
        clauses: 1,
    })
}

/// `The order` at the start of a sentence -> `the order`.
fn lower_article(phrase: &str) -> String {
    let (first, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
    let lower = first.to_lowercase();
    let function_word = matches!(
        lower.as_str(),
        "the"
            | "a"
            | "an"
            | "each"
            | "every"
            | "all"
            | "its"
            | "their"
            | "his"
            | "her"
            | "this"
            | "these"
            | "it"
            | "they"
            | "any"
            | "some"
            | "both"
    );
    match (function_word, rest.is_empty()) {
        (true, true) => lower,
        (true, false) => format!("{lower} {rest}"),
        _ => phrase.to_owned(),
    }
}

/// Where what belongs to a verb ends: objects, at most two complements, particles.
pub(crate) fn extent(parsed: &Parsed, from: usize) -> usize {
    let mut end = from;
    let mut at = from;
    let mut complements = 0;
    for _ in 0..24 {
        while matches!(parsed.tag(at), Some(Tag::Adverb)) && parsed.phrase_at(at).is_none() {
            at += 1;
        }
        let phrase = |start: usize| parsed.phrases.iter().position(|p| p.start == start);
        if let Some(first) = phrase(at) {
            let (_, list_end) = coordinated_after(parsed, owned(parsed, first));
            (at, end) = (list_end, list_end);
            continue;
        }
        let word = parsed.word(at);
        let link = matches!(parsed.tag(at), Some(Tag::Preposition | Tag::To)) || word == "as";
        if link && phrase(at + 1).is_some() && complements < 2 {
            complements += 1;
            at += 1;
            continue;
        }
        let alone = matches!(
            parsed.tag(at + 1),
            None | Some(
                Tag::Mark
                    | Tag::And
                    | Tag::Preposition
                    | Tag::To
                    | Tag::Determiner
                    | Tag::Subordinator
                    | Tag::Adverb
            )
        );
        if PARTICLES.contains(&word)
            && end == from
            && alone
            && matches!(parsed.tag(at), Some(Tag::Preposition))
        {
            at += 1;
            end = at;
            continue;
        }
        // `using a form`, `to the form`: gerunds and adjectives right after the verb.
        if end == from && matches!(parsed.tag(at), Some(Tag::Adjective | Tag::VerbIng)) {
            at += 1;
            end = at;
            continue;
        }
        break;
    }
    end
}

/// From a possessor to what it possesses.
fn owned(parsed: &Parsed, phrase: usize) -> usize {
    let mut place = phrase;
    while parsed.phrases.get(place + 1).is_some_and(|p| p.owner == Some(place)) {
        place += 1;
    }
    place
}

/// The words `from..to` as they are written, without `my` and `our`.
pub(crate) fn join(text: &str, parsed: &Parsed, from: usize, to: usize) -> String {
    let mut out = String::new();
    for token in parsed.tokens.iter().take(to).skip(from) {
        if matches!(token.lower(), "my" | "our" | "also" | "then" | "me" | "us") {
            continue;
        }
        let raw = text.get(token.token.span.start..token.token.span.end).unwrap_or("");
        // The capital of the first word of a sentence is not part of the word.
        let opening = token.token.span.start == parsed.sentence.span.start
            && raw.chars().skip(1).all(|c| !c.is_uppercase());
        let raw = if opening { token.lower() } else { raw };
        let tight = token.tag == Tag::Genitive || matches!(raw, "," | "." | ")" | "%" | "/");
        if !out.is_empty() && !tight && !out.ends_with('/') {
            out.push(' ');
        }
        out.push_str(raw);
    }
    out.trim_matches([',', ' ']).to_owned()
}

/// The name of a phrase as it is written, singular, without articles: `Store manager`.
pub(crate) fn role_name(text: &str, parsed: &Parsed, phrase: usize) -> String {
    let Some(mine) = parsed.phrases.get(phrase) else {
        return String::new();
    };
    let words: Vec<String> = mine
        .core
        .iter()
        .enumerate()
        .filter_map(|(place, at)| {
            let token = parsed.tokens.get(*at)?;
            let raw = text.get(token.token.span.start..token.token.span.end)?;
            let last = place + 1 == mine.core.len();
            if !last && crate::lexicon::is_generic_modifier(token.lower()) {
                return None;
            }
            let shouted = raw.chars().count() > 1 && raw.chars().all(|c| !c.is_lowercase());
            Some(if shouted {
                raw.to_owned()
            } else if last {
                token.lemma.clone()
            } else {
                token.lower().to_owned()
            })
        })
        .collect();
    names::shortened(&names::capitalised(&words.join(" ")), MAX_LABEL)
}
