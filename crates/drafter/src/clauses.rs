//! Clauses: who does what to whom.
//!
//! Finds the verb groups of a sentence and the noun phrases that are their subject, objects and complements. Never
//! guesses a missing subject: it is empty then.

use crate::phrases::{Parsed, Phrase};
use crate::quantity::Quantity;
use crate::tag::Tag;

/// A verb with what stands around it. Phrases are places in [`Parsed::phrases`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Clause {
    /// First token of the verb group, auxiliaries included.
    pub(crate) start: usize,
    /// One past the main verb.
    pub(crate) end: usize,
    /// The main verb.
    pub(crate) verb: usize,
    /// Its base form.
    pub(crate) lemma: String,
    /// `is stored`.
    pub(crate) passive: bool,
    /// `not` stands in the group.
    pub(crate) negated: bool,
    /// `can`, `may`, `must`; empty if none.
    pub(crate) modal: String,
    /// `to store`.
    pub(crate) infinitive: bool,
    /// `storing`.
    pub(crate) gerund: bool,
    /// `if`, `when`, … before the subject; empty if none.
    pub(crate) marker: String,
    /// Whether the subject is the noun before `which` or `who`.
    pub(crate) relative: bool,
    /// Who does it.
    pub(crate) subjects: Vec<usize>,
    /// To whom or what it is done.
    pub(crate) objects: Vec<usize>,
    /// Preposition and phrases, in order.
    pub(crate) complements: Vec<(String, Vec<usize>)>,
}

impl Clause {
    /// Whether the verb stands alone as the copula: `is a`.
    pub(crate) fn is_copula(&self) -> bool {
        self.lemma == "be" && !self.passive
    }
}

/// Finds the clauses of a sentence, in the order of their verbs.
pub(crate) fn clauses(parsed: &Parsed) -> Vec<Clause> {
    let mut out: Vec<Clause> = Vec::new();
    let mut at = 0;
    while at < parsed.tokens.len() {
        // Verbs inside of noun phrases are modifiers.
        if let Some(phrase) = parsed.phrase_at(at).and_then(|p| parsed.phrases.get(p)) {
            at = phrase.end.max(at + 1);
            continue;
        }
        let Some(mut clause) = verb_group(parsed, at) else {
            at += 1;
            continue;
        };
        find_subject(parsed, &mut clause, &out);
        find_objects(parsed, &mut clause);
        at = clause.end.max(at + 1);
        out.push(clause);
    }
    out
}

/// Reads the verb group that starts at `from`.
fn verb_group(parsed: &Parsed, from: usize) -> Option<Clause> {
    let mut clause = Clause { start: from, ..Clause::default() };
    let mut at = from;
    let mut main: Option<usize> = None;
    let mut be = false;
    while let Some(token) = parsed.tokens.get(at) {
        match token.tag {
            Tag::Modal => {
                clause.modal = token.lower().to_owned();
                clause.negated |= token.lower().ends_with("n't") || token.lower() == "cannot";
            }
            Tag::Not => clause.negated = true,
            Tag::Adverb if at > from => {}
            Tag::Do => {
                clause.negated |= token.lower().ends_with("n't");
                main = main.or(Some(at));
            }
            Tag::Be => {
                clause.negated |= token.lower().ends_with("n't");
                (main, be) = (Some(at), true);
            }
            Tag::Have => {
                // `has been`, `has paid`; else `has` is the verb itself.
                if be {
                    break;
                }
                main = Some(at);
            }
            Tag::To if main.is_none() && at == from => clause.infinitive = true,
            Tag::Verb | Tag::VerbS | Tag::VerbPast | Tag::VerbIng => {
                if parsed.phrase_at(at).is_some() {
                    break;
                }
                clause.passive = be && token.tag == Tag::VerbPast;
                clause.gerund = token.tag == Tag::VerbIng && !be;
                main = Some(at);
                at += 1;
                break;
            }
            _ => break,
        }
        at += 1;
    }
    let verb = main?;
    let token = parsed.tokens.get(verb)?;
    clause.verb = verb;
    clause.end = at.max(verb + 1);
    // Adverbs after an auxiliary that turned out to be the verb are not part of the group.
    while clause.end > verb + 1 && matches!(parsed.tag(clause.end - 1), Some(Tag::Adverb)) {
        clause.end -= 1;
    }
    clause.lemma.clone_from(&token.lemma);
    // A bare participle after its noun: `parcels handled by a porter`.
    let bare = token.tag == Tag::VerbPast && clause.start == verb;
    let active_past = bare && parsed.phrases.iter().any(|p| p.start == clause.end);
    if bare && !active_past {
        clause.passive = true;
        clause.relative = true;
    }
    Some(clause)
}

/// The phrase that ends right before `at`, skipping adverbs.
fn phrase_before(parsed: &Parsed, at: usize) -> Option<usize> {
    let mut end = at;
    while end > 0 && matches!(parsed.tag(end - 1), Some(Tag::Adverb)) && parsed.phrase_at(end - 1).is_none() {
        end -= 1;
    }
    parsed.phrases.iter().rposition(|p| p.end == end)
}

/// Fills in the subjects, the marker and whether it is a relative clause.
fn find_subject(parsed: &Parsed, clause: &mut Clause, earlier: &[Clause]) {
    let mut at = clause.start;
    while at > 0 && matches!(parsed.tag(at - 1), Some(Tag::Adverb)) && parsed.phrase_at(at - 1).is_none() {
        at -= 1;
    }
    let previous = at.checked_sub(1).and_then(|i| parsed.tag(i));
    if clause.infinitive || clause.gerund {
        // The doer of an infinitive is the doer of the verb before it; callers who need the object look there.
        if let Some(before) = earlier.last() {
            clause.subjects.clone_from(&before.subjects);
        }
        // `starts with a customer searching for a ticket`: the customer searches.
        let doer = phrase_before(parsed, at).filter(|p| {
            clause.gerund
                && parsed.phrases.get(*p).is_some_and(|p| parsed.word(p.start.wrapping_sub(1)) == "with")
        });
        if let Some(doer) = doer {
            clause.subjects = vec![doer];
        }
        return;
    }
    if let Some(subject) = before_apposition(parsed, at, earlier) {
        clause.subjects = coordinated_before(parsed, subject, earlier.last().map_or(0, |c| c.end));
        return;
    }
    match previous {
        Some(Tag::Relative) => {
            clause.relative = true;
            let mut end = at - 1;
            // `the size and name of which are stored`.
            let of_which = end > 0 && parsed.word(end - 1) == "of";
            while end > 0 && matches!(parsed.tag(end - 1), Some(Tag::Mark | Tag::Preposition)) {
                end -= 1;
            }
            if let Some(phrase) = parsed.phrases.iter().rposition(|p| p.end == end) {
                // `A chef is an employee who has a speciality`: it is the chef who has it.
                let defined = earlier.last().filter(|before| {
                    before.is_copula()
                        && !before.negated
                        && before.objects == [phrase]
                        && parsed.phrases.get(phrase).is_some_and(|p| p.quantity == Quantity::A)
                });
                clause.subjects = match defined {
                    _ if of_which => since_comma(parsed, coordinated_before(parsed, phrase, 0)),
                    Some(before) => before.subjects.clone(),
                    None => vec![phrase],
                };
            }
            return;
        }
        Some(Tag::And) | Some(Tag::Mark) => {
            let mut back = at - 1;
            while back > 0 && matches!(parsed.tag(back), Some(Tag::And | Tag::Mark | Tag::Adverb)) {
                back -= 1;
            }
            if let Some(before) = earlier.last() {
                clause.subjects.clone_from(&before.subjects);
                if clause.modal.is_empty() && !clause.passive {
                    clause.modal.clone_from(&before.modal);
                }
                clause.marker.clone_from(&before.marker);
                clause.infinitive = before.infinitive && matches!(parsed.tag(clause.verb), Some(Tag::Verb));
                // `if it is late, reject it`: an order has no subject.
                let one = clause
                    .subjects
                    .first()
                    .and_then(|p| parsed.phrases.get(*p))
                    .is_some_and(|p| !p.plural && !p.pronoun);
                if one
                    && clause.subjects.len() == 1
                    && clause.modal.is_empty()
                    && !clause.infinitive
                    && parsed.tag(clause.start) == Some(Tag::Verb)
                {
                    clause.subjects.clear();
                    clause.marker.clear();
                }
                // `is checked and approved`.
                if parsed.tag(clause.verb) == Some(Tag::VerbPast)
                    && before.passive
                    && clause.start == clause.verb
                {
                    clause.passive = true;
                    clause.relative = before.relative;
                }
            }
            return;
        }
        Some(Tag::There) => return,
        _ => {}
    }
    let Some(mut subject) = phrase_before(parsed, at) else {
        return;
    };
    // `the date of the concert is`: the subject is what stands before `of`; likewise for other prepositions.
    for _ in 0..4 {
        let Some(phrase) = parsed.phrases.get(subject) else {
            break;
        };
        let Some(before) = phrase.start.checked_sub(1) else {
            break;
        };
        if parsed.tag(before) != Some(Tag::Preposition) {
            break;
        }
        // `goods taken from the shelf are`: over the participle to its noun.
        let participle = before
            .checked_sub(1)
            .is_some_and(|b| parsed.tag(b) == Some(Tag::VerbPast) && parsed.phrase_at(b).is_none());
        let end = if participle { before - 1 } else { before };
        let Some(up) = parsed.phrases.iter().rposition(|p| p.end == end) else {
            break;
        };
        if participle {
            subject = up;
            continue;
        }
        let crosses_verb = earlier
            .iter()
            .any(|c| c.verb >= parsed.phrases.get(up).map_or(0, |p| p.start) && c.verb < phrase.start);
        if crosses_verb {
            break;
        }
        subject = up;
    }
    let floor = earlier.last().map_or(0, |c| c.end);
    clause.subjects = coordinated_before(parsed, subject, floor);
    let first = clause.subjects.first().and_then(|s| parsed.phrases.get(*s)).map_or(0, |p| p.start);
    if let Some(before) = first.checked_sub(1) {
        let skip = usize::from(parsed.tag(before) == Some(Tag::Adverb));
        let place = before.saturating_sub(skip);
        match parsed.tag(place) {
            Some(Tag::Subordinator) => clause.marker = parsed.word(place).to_owned(),
            Some(Tag::Preposition) if matches!(parsed.word(place), "upon" | "until") => {
                clause.marker = parsed.word(place).to_owned()
            }
            _ => {}
        }
    }
}

/// The phrase before an example between commas: `a report, such as a scan, is logged`.
fn before_apposition(parsed: &Parsed, at: usize, earlier: &[Clause]) -> Option<usize> {
    let close = at.checked_sub(1).filter(|close| matches!(parsed.word(*close), "," | "–" | "—"))?;
    let floor = earlier.last().map_or(0, |c| c.end).max(close.saturating_sub(40));
    let open = (floor..close).rev().find(|open| {
        matches!(parsed.word(*open), "," | "–" | "—")
            && matches!(parsed.word(open + 1), "such" | "like" | "including" | "namely" | "e.g." | "whether")
    })?;
    parsed.phrases.iter().position(|p| p.end == open)
}

/// The list that ends with `last`: `A, B and C`. A list needs a conjunction.
fn coordinated_before(parsed: &Parsed, last: usize, floor: usize) -> Vec<usize> {
    let mut list = vec![last];
    let mut at = parsed.phrases.get(last).map_or(0, |p| p.start);
    let mut conjunction = false;
    for _ in 0..24 {
        let mut back = at;
        while back > floor {
            match (parsed.tag(back - 1), parsed.word(back - 1)) {
                (Some(Tag::And), "but") => return list,
                (Some(Tag::And), _) => conjunction = true,
                (Some(Tag::Mark), ",") => {}
                (Some(Tag::Adverb), "also" | "both") => {}
                _ => break,
            }
            back -= 1;
        }
        if back == at || !conjunction {
            break;
        }
        // Step over `of the concert` to the head of the item.
        let Some(mut item) = parsed.phrases.iter().rposition(|p| p.end == back) else {
            break;
        };
        while let Some(up) =
            item.checked_sub(1).filter(|up| parsed.phrases.get(*up).is_some_and(|p| p.of == Some(item)))
        {
            item = up;
        }
        let start = parsed.phrases.get(item).map_or(0, |p| p.start);
        if start < floor
            || start.checked_sub(1).is_some_and(|b| {
                b >= floor && matches!(parsed.tag(b), Some(Tag::Preposition)) && parsed.word(b) != "of"
            })
        {
            break;
        }
        // `packs the goods and the clerk ships them`: what follows the verb before is its object.
        if floor > 0 && start <= floor + 1 {
            let comma = (0..list.len()).rev().find(|place| {
                list.get(*place)
                    .and_then(|p| parsed.phrases.get(*p))
                    .is_some_and(|p| parsed.word(p.start.wrapping_sub(1)) == ",")
            });
            return list.split_off(comma.unwrap_or(list.len() - 1));
        }
        list.insert(0, item);
        at = start;
    }
    list
}

/// The end of a list from the last item that a comma without conjunction sets off.
fn since_comma(parsed: &Parsed, list: Vec<usize>) -> Vec<usize> {
    let from = (1..list.len())
        .find(|place| {
            list.get(*place)
                .and_then(|p| parsed.phrases.get(*p))
                .is_some_and(|p| parsed.word(p.start.wrapping_sub(1)) == ",")
        })
        .unwrap_or(0);
    list.get(from..).unwrap_or(&[]).to_vec()
}

/// Fills in the objects and complements.
fn find_objects(parsed: &Parsed, clause: &mut Clause) {
    let mut at = clause.end;
    let mut preposition: Option<String> = None;
    let mut seen_any = false;
    for _ in 0..64 {
        while matches!(parsed.tag(at), Some(Tag::Adverb)) && parsed.phrase_at(at).is_none() {
            at += 1;
        }
        // `up to 5 parcels` and `at least one page` start like complements and are phrases.
        let starts_phrase = parsed.phrases.iter().any(|p| p.start == at);
        match parsed.tag(at) {
            _ if starts_phrase => {}
            Some(Tag::Preposition) => {
                preposition = Some(parsed.word(at).to_owned());
                at += 1;
                continue;
            }
            Some(Tag::To) if !matches!(parsed.tag(at + 1), Some(Tag::Verb)) => {
                preposition = Some("to".to_owned());
                at += 1;
                continue;
            }
            // `stored for X as Y`.
            Some(Tag::Subordinator) if parsed.word(at) == "as" => {
                preposition = Some("as".to_owned());
                at += 1;
                continue;
            }
            _ => {}
        }
        let Some(first) = parsed.phrases.iter().position(|p| p.start == at) else {
            break;
        };
        let first = owned_by(parsed, first);
        let (list, end) = coordinated_after(parsed, first);
        match preposition.take() {
            None if !seen_any => clause.objects = list,
            None if clause.complements.is_empty() && clause.objects.len() == 1 => {
                // `gives the guest a key`.
                let receiver = std::mem::replace(&mut clause.objects, list);
                clause.complements.push(("to".to_owned(), receiver));
            }
            None => break,
            Some(word) => clause.complements.push((word, list)),
        }
        seen_any = true;
        at = end;
    }
}

/// From the possessor of a genitive to what is possessed: `the customer's name` is about the name.
fn owned_by(parsed: &Parsed, mut phrase: usize) -> usize {
    while let Some(next) = (phrase + 1..parsed.phrases.len())
        .take(1)
        .find(|n| parsed.phrases.get(*n).is_some_and(|p| p.owner == Some(phrase)))
    {
        phrase = next;
    }
    phrase
}

/// The list that starts with `first`, and the token after it.
pub(crate) fn coordinated_after(parsed: &Parsed, first: usize) -> (Vec<usize>, usize) {
    let mut list = vec![first];
    let mut end = end_with_of(parsed, first);
    // Where `, and` stood: what follows may be the subject of the next clause.
    let mut break_at: Option<(usize, usize)> = None;
    for _ in 0..40 {
        let mut at = end;
        let mut separated = false;
        loop {
            match (parsed.tag(at), parsed.word(at)) {
                (Some(Tag::Mark), ",") => {}
                (Some(Tag::And), word) if word != "but" => {}
                (Some(Tag::Adverb), "also" | "optionally" | "possibly" | "additionally" | "finally")
                    if separated => {}
                (Some(Tag::Subordinator), "as")
                    if parsed.word(at + 1) == "well" && parsed.word(at + 2) == "as" =>
                {
                    at += 2
                }
                (Some(Tag::Adverb), "together") if parsed.word(at + 1) == "with" => at += 1,
                _ => break,
            }
            separated = true;
            at += 1;
        }
        // Shared heads stand side by side.
        let shared = at == end
            && list
                .last()
                .and_then(|l| parsed.phrases.get(*l))
                .is_some_and(|p| p.core.last().is_some_and(|head| *head >= p.end));
        if !separated && !shared {
            break;
        }
        let Some(next) = parsed.phrases.iter().position(|p| p.start == at) else {
            break;
        };
        let next = owned_by(parsed, next);
        let next_end = end_with_of(parsed, next);
        // A phrase with its own verb starts the next clause.
        if starts_verb(parsed, next_end) {
            if let Some((kept, kept_end)) = break_at {
                list.truncate(kept);
                end = kept_end;
            }
            break;
        }
        let comma = parsed.word(end) == ",";
        let comma_and = comma && (end..at).any(|i| parsed.tag(i) == Some(Tag::And));
        // After `when …` the comma ends the first clause.
        if comma_and || comma && break_at.is_none() && parsed.tag(0) == Some(Tag::Subordinator) {
            break_at = Some((list.len(), end));
        }
        list.push(next);
        end = next_end;
    }
    // `a cellar, the size and name of which …`: what comes after the comma is about what comes before.
    if parsed.word(end) == "of" && matches!(parsed.word(end + 1), "which" | "whom") {
        let about = (1..list.len()).find(|place| {
            list.get(*place)
                .and_then(|p| parsed.phrases.get(*p))
                .is_some_and(|p| parsed.word(p.start.wrapping_sub(1)) == ",")
        });
        if let Some(about) = about {
            list.truncate(about);
            end = list.last().map_or(end, |l| end_with_of(parsed, *l));
        }
    }
    (list, end)
}

/// Whether a finite verb follows at `at`.
fn starts_verb(parsed: &Parsed, at: usize) -> bool {
    let mut at = at;
    while matches!(parsed.tag(at), Some(Tag::Adverb)) {
        at += 1;
    }
    if parsed.phrase_at(at).is_some() {
        return false;
    }
    match parsed.tag(at) {
        Some(Tag::Modal | Tag::Be | Tag::Have | Tag::Do | Tag::VerbS) => true,
        Some(Tag::Verb) => !matches!(parsed.tag(at.wrapping_sub(1)), Some(Tag::To)),
        _ => false,
    }
}

/// One past a phrase with what `of` adds to it.
pub(crate) fn end_with_of(parsed: &Parsed, phrase: usize) -> usize {
    let mut current = phrase;
    let mut end = parsed.phrases.get(phrase).map_or(0, |p: &Phrase| p.end);
    while let Some(of) = parsed.phrases.get(current).and_then(|p| p.of) {
        let inner = owned_by(parsed, of);
        end = parsed.phrases.get(inner).map_or(end, |p| p.end);
        current = inner;
    }
    end
}
