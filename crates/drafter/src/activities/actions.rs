//! One clause to one step: what is done, and by whom.
//!
//! Never makes a step of a state, a purpose or a remark.

use crate::activities::reader::Reader;
use crate::activities::step::{Action, Choice, Step};
use crate::clauses::Clause;
use crate::labels;
use crate::lexicon;
use crate::names;
use crate::phrases::Parsed;
use crate::quantity::Quantity;
use crate::tag::Tag;

/// Verbs of states.
const STATES: &[&str] = &[
    "be",
    "have",
    "consist",
    "contain",
    "include",
    "belong",
    "own",
    "know",
    "exist",
    "depend",
    "mean",
    "represent",
    "remain",
    "seem",
    "involve",
    "want",
    "like",
    "wish",
    "expect",
    "consider",
    "base",
    "concern",
    "require",
    "need",
    "can",
    "do",
    "last",
    "ensure",
    "allow",
    "enable",
    "let",
    "happen",
    "occur",
    "follow",
];

/// Verbs of values that change by themselves.
const EVENTS: &[&str] =
    &["reach", "hit", "exceed", "drop", "fall", "rise", "become", "elapse", "expire", "pass"];

/// Gerunds after a comma that are not steps.
const REMARKS: &[&str] = &[
    "include", "consider", "ensure", "use", "base", "allow", "depend", "follow", "regard", "involve",
    "contain", "accord", "make", "conclude", "extend", "concern", "spend",
];

/// Words for the process itself.
const PROCESS: &[&str] = &["process", "workflow", "procedure", "flow", "case", "activity"];

impl Reader<'_> {
    /// `The process concludes with the handover of the keys`: a noun names the step.
    pub(super) fn outcome(&self, parsed: &Parsed, row: &[Clause]) -> Option<Step> {
        let clause = row.iter().find(|c| {
            matches!(c.lemma.as_str(), "conclude" | "end" | "finish" | "start" | "begin")
                && c.complements.iter().any(|(w, _)| w == "with")
        })?;
        let phrase = clause
            .complements
            .iter()
            .find(|(w, _)| w == "with")
            .and_then(|(_, l)| l.first())
            .and_then(|p| parsed.phrases.get(*p))?;
        let end = labels::extent(parsed, phrase.start);
        let core = phrase.core.first().copied().unwrap_or(phrase.start);
        let label = names::shortened(&names::capitalised(&labels::join(self.text, parsed, core, end)), 90);
        Some(Step::Action(Action {
            label,
            lane: String::new(),
            span: parsed.span(core, end),
            verb: clause.lemma.clone(),
        }))
    }

    /// The word that puts a clause in time or condition.
    pub(super) fn marker<'p>(&self, parsed: &'p Parsed, clause: &'p Clause) -> &'p str {
        if !clause.marker.is_empty() {
            return clause.marker.as_str();
        }
        let before = clause.start.checked_sub(1).map_or("", |at| parsed.word(at));
        if clause.gerund
            && matches!(before, "after" | "before" | "upon" | "when" | "while" | "on" | "once" | "until")
        {
            before
        } else {
            ""
        }
    }

    /// Whether a time clause only speaks again of a step that is there.
    pub(super) fn is_repeated(&self, step: &Step, marker: &str, clause: &Clause) -> bool {
        let Step::Action(action) = step else { return false };
        if !matches!(marker, "when" | "once" | "after" | "upon" | "as" | "whenever" | "since") {
            return false;
        }
        // `once the order is placed` names a state; a step of its own only if the text has not named it before.
        let known = all_actions(&self.steps).iter().any(|old| old.verb == action.verb);
        known || clause.relative
    }

    /// The step of one clause, and how many clauses it has used.
    pub(super) fn step(
        &self,
        sentence: usize,
        parsed: &Parsed,
        row: &[Clause],
        place: usize,
        clause: &Clause,
        before: Option<&Clause>,
    ) -> (Option<Step>, usize) {
        let lemma = clause.lemma.as_str();
        let head_of = |p: &usize| parsed.phrases.get(*p).map_or("", |phrase| parsed.head(phrase));
        let about_process =
            !clause.gerund && clause.subjects.first().is_some_and(|s| PROCESS.contains(&head_of(s)));
        if about_process
            && matches!(lemma, "end" | "finish" | "terminate" | "stop" | "conclude" | "complete" | "close")
        {
            // `concludes when …`, `ends with …`: more is to come.
            let more = row.get(place + 1).is_some() || !clause.complements.is_empty();
            let alone = clause.marker.is_empty() && !more;
            return (alone.then_some(Step::End), 1);
        }
        if about_process && !clause.passive {
            return (None, 1);
        }
        let again = (clause.start..clause.end + 2).any(|at| matches!(parsed.word(at), "back" | "again"));
        if lemma == "repeat" || (matches!(lemma, "go" | "return" | "jump" | "start" | "loop") && again) {
            let objects = clause
                .objects
                .iter()
                .chain(clause.complements.iter().flat_map(|(_, l)| l))
                .chain(clause.subjects.iter().filter(|_| clause.passive));
            let words: Vec<String> = objects
                .filter_map(|p| parsed.phrases.get(*p))
                .flat_map(|p| parsed.name_words(p))
                .chain(row.get(place + 1).filter(|n| n.gerund).map(|n| n.lemma.clone()))
                .collect();
            let next = row.get(place + 1).filter(|n| n.infinitive && n.start <= clause.end + 2);
            let next_words = next
                .into_iter()
                .flat_map(|n| n.objects.iter())
                .filter_map(|p| parsed.phrases.get(*p))
                .flat_map(|p| parsed.name_words(p))
                .chain(next.map(|n| n.lemma.clone()));
            let used = 1 + usize::from(next.is_some());
            let words: Vec<String> = words.into_iter().chain(next_words).collect();
            if !words.is_empty() {
                return (Some(Step::Back(words)), used);
            }
        }
        // `once the money has arrived`: a state that is waited for.
        let perfect = (clause.start..clause.verb).any(|at| parsed.tag(at) == Some(Tag::Have));
        if perfect && matches!(self.marker(parsed, clause), "once" | "when" | "after" | "as" | "until") {
            return (None, 1);
        }
        // `when stock falls below a level`: an event that is waited for.
        if EVENTS.contains(&lemma)
            && matches!(self.marker(parsed, clause), "when" | "once" | "whenever" | "as")
        {
            return (None, 1);
        }
        if clause.negated
            || STATES.contains(&lemma)
            || matches!(
                clause.marker.as_str(),
                "because" | "although" | "whether" | "since" | "where" | "so" | "than"
            )
        {
            return (None, 1);
        }
        // A restrictive relative clause describes; `…, which is sent` goes on telling.
        if clause.relative && !clause.passive {
            let comma = clause.start >= 2 && parsed.word(clause.start - 2) == ",";
            if !comma {
                return (None, 1);
            }
        }
        let bare_participle = clause.passive
            && clause.start == clause.verb
            && parsed.tag(clause.verb.wrapping_sub(1)) != Some(Tag::And)
            && !(clause.verb > 0 && parsed.word(clause.verb - 1) == "," && before.is_some_and(|b| b.passive));
        if bare_participle {
            return (None, 1);
        }
        if clause.infinitive {
            // `must be able to check`, `needs to check`, `has to check`: the infinitive is the step.
            let duty = before.is_some_and(|b| {
                matches!(
                    b.lemma.as_str(),
                    "need"
                        | "have"
                        | "be"
                        | "require"
                        | "want"
                        | "start"
                        | "begin"
                        | "decide"
                        | "ask"
                        | "instruct"
                )
            });
            let joined = before.is_some_and(|b| b.infinitive)
                && parsed.tag(clause.start.wrapping_sub(1)) == Some(Tag::And)
                && parsed.tag(clause.start) == Some(Tag::Verb);
            if !duty && !joined {
                return (None, 1);
            }
        }
        if clause.gerund {
            let before_word = clause.start.checked_sub(1).map_or("", |at| parsed.word(at));
            let doer = clause
                .subjects
                .first()
                .and_then(|p| parsed.phrases.get(*p))
                .is_some_and(|p| p.end == clause.start && parsed.word(p.start.wrapping_sub(1)) == "with");
            let starts = before.is_some_and(|b| {
                matches!(b.lemma.as_str(), "start" | "begin" | "conclude" | "end")
                    && (doer || matches!(before_word, "with" | "by"))
            });
            let timed = matches!(before_word, "after" | "before" | "upon");
            let list =
                matches!(before_word, "," | "and") && !REMARKS.contains(&lemma) && !clause.objects.is_empty();
            let opening = clause.start == 0 && parsed.tokens.len() < 12;
            if !(starts || timed || list || opening) || REMARKS.contains(&lemma) {
                return (None, 1);
            }
        }
        let Some(label) = labels::clause_label(self.text, self.analysis, sentence, place) else {
            return (None, 1);
        };
        let lane = self.lane(sentence, parsed, clause);
        let keeps_subject = lane.is_empty() && !clause.passive && !clause.infinitive && !clause.gerund;
        let text = if keeps_subject { self.whole(parsed, clause, &label) } else { label.text };
        if text.split(' ').count() < 2
            && clause.subjects.is_empty()
            && clause.objects.is_empty()
            && clause.gerund
        {
            return (None, label.clauses);
        }
        // `submits it again` is done after a correction.
        let once_more = again && matches!(lemma, "submit" | "send" | "hand")
            || (clause.end..clause.end + 4).any(|at| parsed.word(at) == "again") && lemma == "submit";
        let verb = if once_more { "resubmit".to_owned() } else { clause.lemma.clone() };
        let action = Action { label: text.clone(), lane, span: label.span, verb };
        // What may happen is a choice.
        if matches!(clause.modal.as_str(), "may" | "might" | "could") {
            let choice = Choice {
                question: format!("{}?", names::shortened(&text, 80)),
                span: label.span,
                ways: vec![("yes".to_owned(), vec![Step::Action(action)]), ("no".to_owned(), Vec::new())],
                open: false,
            };
            return (Some(Step::Choice(choice)), label.clauses);
        }
        (Some(Step::Action(action)), label.clauses)
    }

    /// `procures, installs and tests the solution`: how many verbs share what stands after the last one.
    pub(super) fn sharing(parsed: &Parsed, row: &[Clause], place: usize) -> usize {
        let joined = |pair: &[Clause]| match pair {
            [one, two] => {
                one.objects.is_empty()
                    && one.complements.is_empty()
                    && !one.passive
                    && !two.passive
                    && !one.negated
                    && two.marker == one.marker
                    && two.start > one.end
                    && two.start <= one.end + 2
                    && (one.end..two.start).all(|at| matches!(parsed.word(at), "," | "and" | "then"))
            }
            _ => false,
        };
        1 + row.get(place..).unwrap_or(&[]).windows(2).take_while(|pair| joined(pair)).count()
    }

    /// The actor of a clause, if it has one.
    fn lane(&self, sentence: usize, parsed: &Parsed, clause: &Clause) -> String {
        let doer = if clause.passive {
            clause
                .complements
                .iter()
                .find(|(word, _)| word == "by")
                .and_then(|(_, list)| list.first().copied())
        } else {
            clause.subjects.first().copied()
        };
        let Some(doer) = doer else { return String::new() };
        let Some(phrase) = parsed.phrases.get(doer) else {
            return String::new();
        };
        if phrase.pronoun {
            let term = self.analysis.term(sentence, doer).and_then(|id| self.analysis.terms.get(id));
            return term
                .filter(|t| acts(t.head(), false, clause))
                .map(|t| names::capitalised(&t.words.join(" ")))
                .unwrap_or_default();
        }
        let shouted =
            phrase.core.last().and_then(|at| parsed.tokens.get(*at)).is_some_and(|t| t.token.shouted);
        // `Service desk sets up the access`: items name roles without an article.
        let role = parsed.sentence.item
            && phrase.start == 0
            && !phrase.plural
            && phrase.quantity == Quantity::Unsaid
            && !clause.passive
            && (!clause.objects.is_empty()
                || matches!(parsed.word(clause.end), "up" | "out" | "off" | "down"));
        if role || acts(parsed.head(phrase), shouted, clause) {
            labels::role_name(self.text, parsed, doer)
        } else {
            String::new()
        }
    }

    /// `Season ends`: without a doer the subject stays in the label.
    fn whole(&self, parsed: &Parsed, clause: &Clause, label: &labels::Label) -> String {
        let Some(first) = clause.subjects.first().and_then(|p| parsed.phrases.get(*p)) else {
            return label.text.clone();
        };
        if first.pronoun || clause.relative {
            return label.text.clone();
        }
        let from = first.core.first().copied().unwrap_or(first.start);
        let end = labels::extent(parsed, clause.end).max(clause.end);
        names::shortened(&names::capitalised(&labels::join(self.text, parsed, from, end)), 90)
    }
}

/// Whether a noun can do what the clause says: persons, systems and names in capitals (`IT`).
fn acts(head: &str, shouted: bool, clause: &Clause) -> bool {
    lexicon::is_person(head)
        || lexicon::is_system_head(head)
        || lexicon::is_external_head(head)
        || (shouted && !clause.objects.is_empty())
}

/// All actions of nested steps.
fn all_actions(steps: &[Step]) -> Vec<&Action> {
    let mut out = Vec::new();
    for step in steps {
        match step {
            Step::Action(action) => out.push(action),
            Step::Choice(choice) => out.extend(choice.ways.iter().flat_map(|(_, way)| all_actions(way))),
            Step::Parallel(ways) => out.extend(ways.iter().flat_map(|way| all_actions(way))),
            Step::End | Step::Back(_) | Step::Return(_) | Step::Recheck => {}
        }
    }
    out
}
