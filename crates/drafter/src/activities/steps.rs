//! Sentences to steps: actions in the order of the text, choices, things at the same time, ways back.
//!
//! Never makes a step of a state, a purpose or a remark.

use crate::activities::conditions;
use crate::activities::reader::Reader;
use crate::activities::step::{Action, Choice, Step};
use crate::analysis::Analysis;
use crate::clauses::Clause;
use crate::labels;
use crate::lexicon;
use crate::names;
use crate::phrases::Parsed;
use crate::tag::Tag;

/// Verbs of refusing; what is refused does not go on.
const REFUSALS: &[&str] = &["reject", "deny", "decline", "refuse", "disapprove", "dismiss"];

/// Verbs after which a way does not go on.
const CLOSING: &[&str] = &["close", "cancel", "terminate", "abort", "discard"];

/// Words for doing things at the same time.
const AT_ONCE: &[&[&str]] = &[
    &["in", "parallel"],
    &["at", "the", "same", "time"],
    &["simultaneously"],
    &["meanwhile"],
    &["concurrently"],
    &["in", "the", "meantime"],
];

/// Reads a whole text.
pub(super) fn read(text: &str, analysis: &Analysis, notes: &mut Vec<String>) -> Vec<Step> {
    let mut reader = Reader { text, analysis, steps: Vec::new(), skipped: 0 };
    let mut sentence = 0;
    while sentence < analysis.parsed.len() {
        sentence = match reader.lead_in(sentence) {
            Some(next) => next,
            None => {
                reader.sentence(sentence);
                sentence + 1
            }
        };
    }
    if reader.skipped > 0 {
        notes.push(format!("{} sentence(s) contain no step and were left out.", reader.skipped));
    }
    reader.steps
}

/// Where the parts of a conditional sentence are, as token ranges.
struct Condition {
    from: usize,
    to: usize,
    /// `unless`: the steps belong to `no`.
    negative: bool,
}

impl Reader<'_> {
    /// `For amounts over 500 EUR:` above a list is the condition of its items; answers with what comes after them.
    fn lead_in(&mut self, sentence: usize) -> Option<usize> {
        let parsed = self.analysis.parsed.get(sentence)?;
        let size = parsed.tokens.len();
        if parsed.word(size.checked_sub(1)?) != ":" || parsed.sentence.item {
            return None;
        }
        let opening =
            (0..size.min(3)).find(|at| matches!(parsed.word(*at), "for" | "if" | "when" | "unless"))?;
        let section = parsed.sentence.section;
        let inside = |at: &usize| {
            self.analysis.parsed.get(*at).is_some_and(|p| {
                p.sentence.section == section && (p.sentence.item || p.parenthetical_of.is_some())
            })
        };
        let end = (sentence + 1..self.analysis.parsed.len()).take_while(inside).last()? + 1;
        let row = self.analysis.clauses.get(sentence)?;
        let question = conditions::question(self.text, parsed, row, opening + 1, size - 1);
        let span = parsed.span(opening + 1, size - 1);
        let before = std::mem::take(&mut self.steps);
        (sentence + 1..end).for_each(|at| self.sentence(at));
        let inner = std::mem::replace(&mut self.steps, before);
        if !inner.is_empty() {
            let negative = parsed.word(opening) == "unless";
            let (first, second) = if negative { ("no", "yes") } else { ("yes", "no") };
            let ways = vec![(first.to_owned(), inner), (second.to_owned(), Vec::new())];
            self.push(Step::Choice(Choice { question, span, ways, open: true }));
        }
        Some(end)
    }

    /// Reads one sentence and adds its steps.
    fn sentence(&mut self, sentence: usize) {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return;
        };
        if parsed.parenthetical_of.is_some() {
            return;
        }
        let size = parsed.tokens.len();
        let otherwise = (0..size).find(|at| {
            matches!(parsed.word(*at), "otherwise" | "else")
                || (parsed.word(*at) == "if"
                    && parsed.word(at + 1) == "not"
                    && matches!(parsed.word(at + 2), "," | "then"))
        });
        if let Some(at) = otherwise.filter(|at| *at <= 1) {
            let steps = self.actions(sentence, at + 1, size);
            self.otherwise(steps);
            return;
        }
        let main_end = otherwise.unwrap_or(size);
        let steps = match self.condition(parsed, main_end) {
            Some(condition) => self.choice(sentence, &condition, main_end, otherwise),
            None => self.plain(sentence, main_end),
        };
        if steps.is_empty() {
            self.skipped += 1;
        }
        for step in steps {
            self.push(step);
        }
    }

    /// Adds a step, unless the text only repeats the one before.
    fn push(&mut self, step: Step) {
        if let (Step::Action(new), Some(Step::Action(old))) = (&step, self.steps.last())
            && new.label.eq_ignore_ascii_case(&old.label)
        {
            return;
        }
        // Only the choice right before can still get an `otherwise`.
        for old in &mut self.steps {
            if let Step::Choice(choice) = old {
                choice.open = false;
            }
        }
        self.steps.push(step);
    }

    /// Adds steps to the empty way of the choice before.
    fn otherwise(&mut self, mut steps: Vec<Step>) {
        if let Some(Step::Choice(choice)) = self.steps.last_mut()
            && choice.open
            && let Some((_, way)) = choice.ways.iter_mut().find(|(_, way)| way.is_empty())
        {
            way.append(&mut steps);
            choice.open = false;
            return;
        }
        for step in steps {
            self.push(step);
        }
    }

    /// Finds `if …`, `unless …`, `in case of …`.
    fn condition(&self, parsed: &Parsed, end: usize) -> Option<Condition> {
        let at = (0..end).find(|at| {
            matches!(parsed.word(*at), "if" | "unless")
                || (parsed.word(*at) == "in"
                    && matches!(parsed.word(at + 1), "case" | "the")
                    && matches!(
                        (parsed.word(at + 1), parsed.word(at + 2)),
                        ("case", _) | ("the", "event" | "case")
                    ))
                || (parsed.word(*at) == "depending"
                    && parsed.word(at + 1) == "on"
                    && parsed.word(at + 2) == "whether")
                || (parsed.word(*at) == "whenever" && *at == 0)
                // `After three failed attempts, the account is locked`
                || (parsed.word(*at) == "after" && *at == 0 && parsed.tag(1) == Some(Tag::Number))
        })?;
        let mut from = at + 1;
        while matches!(parsed.word(from), "case" | "the" | "event" | "of" | "that" | "on" | "whether")
            && parsed.word(at) != "if"
            && parsed.word(at) != "unless"
        {
            from += 1;
        }
        // The condition ends at the comma or `then`; a comma inside of a list does not count.
        let mut to = from;
        let has_then = (from..end).find(|i| parsed.word(*i) == "then");
        while to < end {
            let comma = parsed.word(to) == "," && !self.list_comma(parsed, to);
            if comma || Some(to) == has_then || matches!(parsed.word(to), "." | ";" | ":") {
                break;
            }
            to += 1;
        }
        (to > from).then_some(Condition { from, to, negative: parsed.word(at) == "unless" })
    }

    /// Whether a comma stands inside of a list of nouns: another noun phrase ends before `and` soon after.
    fn list_comma(&self, parsed: &Parsed, at: usize) -> bool {
        let Some(next) = parsed.phrases.iter().find(|p| p.start == at + 1) else {
            return false;
        };
        let after = parsed.word(next.end);
        matches!(after, "and" | "or" | ",")
            && parsed.phrases.iter().any(|p| p.start > next.end && p.start <= next.end + 2)
            && !matches!(parsed.tag(next.end), Some(Tag::Be | Tag::Modal | Tag::VerbS))
            && parsed.phrases.iter().any(|p| p.end == at)
            && !(next.end..next.end + 6)
                .any(|i| matches!(parsed.tag(i), Some(Tag::Be | Tag::Modal | Tag::VerbS)))
    }

    /// A conditional sentence.
    fn choice(
        &mut self,
        sentence: usize,
        condition: &Condition,
        main_end: usize,
        otherwise: Option<usize>,
    ) -> Vec<Step> {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return Vec::new();
        };
        let Some(row) = self.analysis.clauses.get(sentence) else {
            return Vec::new();
        };
        let mut yes: Vec<Step> =
            self.actions(sentence, condition.to, main_end).into_iter().map(certain).collect();
        let before = self.actions(sentence, 0, condition.from.saturating_sub(1));
        // `The clerk rejects the order if it is late`: what stands before `if` depends on it.
        if yes.is_empty() {
            yes = before.into_iter().map(certain).collect();
        } else if condition.from > 3 {
            // `The clerk checks the order and if it is complete, he ships it`.
            for step in before {
                self.push(step);
            }
        }
        let no = otherwise.map(|at| self.actions(sentence, at + 1, parsed.tokens.len())).unwrap_or_default();
        if yes.is_empty() && no.is_empty() {
            return Vec::new();
        }
        let question = conditions::question(self.text, parsed, row, condition.from, condition.to);
        let (first, second) = if condition.negative { ("no", "yes") } else { ("yes", "no") };
        let open = no.is_empty();
        let refused = (condition.from..condition.to).any(|at| {
            REFUSALS.contains(&parsed.tokens.get(at).map_or("", |t| t.lemma.as_str())) && !condition.negative
        });
        let yes = continued(yes, refused);
        let ways = vec![(first.to_owned(), yes), (second.to_owned(), no)];
        vec![Step::Choice(Choice { question, span: parsed.span(condition.from, condition.to), ways, open })]
    }

    /// A sentence without condition.
    fn plain(&mut self, sentence: usize, end: usize) -> Vec<Step> {
        let Some(parsed) = self.analysis.parsed.get(sentence) else {
            return Vec::new();
        };
        let mut steps = self.actions(sentence, 0, end);
        if let Some(choice) = self.alternatives(sentence, parsed) {
            steps.push(choice);
        }
        let at_once = AT_ONCE.iter().any(|words| {
            (0..end).any(|at| words.iter().enumerate().all(|(step, word)| parsed.word(at + step) == *word))
        });
        let during = (0..end.min(2)).any(|at| parsed.word(at) == "while");
        if (at_once || during) && !steps.is_empty() {
            if steps.len() > 1 {
                return vec![Step::Parallel(steps.drain(..).map(|step| vec![step]).collect())];
            }
            // `Meanwhile, …` goes along with the step before.
            let joins = matches!(self.steps.last(), Some(Step::Action(_) | Step::Parallel(_)));
            if let Some(previous) = self.steps.pop_if(|_| joins) {
                let mut ways = match previous {
                    Step::Parallel(ways) => ways,
                    other => vec![vec![other]],
                };
                ways.push(steps);
                return vec![Step::Parallel(ways)];
            }
        }
        if let Some(until) = (1..end).find(|at| parsed.word(*at) == "until")
            && let Some(row) = self.analysis.clauses.get(sentence)
            && let Some(Step::Action(last)) = steps.last().cloned()
        {
            // `… until it is right`: a question that leads back.
            let question = conditions::question(
                self.text,
                parsed,
                row,
                until + 1,
                end.saturating_sub(usize::from(parsed.word(end.saturating_sub(1)) == ".")),
            );
            let span = parsed.span(until, end);
            let words = last.label.to_lowercase().split(' ').map(str::to_owned).collect();
            steps.push(Step::Choice(Choice {
                question,
                span,
                ways: vec![("yes".to_owned(), Vec::new()), ("no".to_owned(), vec![Step::Back(words)])],
                open: false,
            }));
        }
        steps
    }

    /// `procures, installs and tests the solution`: one step for each verb, and how many clauses they are.
    fn shared(
        &self,
        sentence: usize,
        parsed: &Parsed,
        row: &[Clause],
        place: usize,
        before: Option<&Clause>,
    ) -> Option<(Vec<Step>, usize)> {
        let verbs = Self::sharing(parsed, row, place);
        let last = row.get(place + verbs - 1).filter(|c| verbs > 1 && !c.objects.is_empty())?;
        let (step, used) = self.step(sentence, parsed, row, place + verbs - 1, last, before);
        let Some(Step::Action(action)) = step else { return None };
        if self.is_repeated(&Step::Action(action.clone()), self.marker(parsed, last), last) {
            return None;
        }
        let (first, rest) = action.label.split_once(' ')?;
        if first != names::capitalised(&last.lemma) {
            return None;
        }
        let each = row.get(place..place + verbs)?.iter().map(|clause| {
            Step::Action(Action {
                label: format!("{} {rest}", names::capitalised(&clause.lemma)),
                lane: action.lane.clone(),
                span: parsed.span(clause.verb, clause.end),
                verb: clause.lemma.clone(),
            })
        });
        Some((each.collect(), verbs - 1 + used))
    }

    /// `approves or rejects the request`: a decision, unless the next sentences say what follows from each.
    fn alternatives(&self, sentence: usize, parsed: &Parsed) -> Option<Step> {
        let row = self.analysis.clauses.get(sentence)?;
        let pair = row.windows(2).find_map(|pair| match pair {
            [one, two]
                if two.start == one.end + 1
                    && parsed.word(one.end) == "or"
                    && REFUSALS.contains(&two.lemma.as_str())
                    && !REFUSALS.contains(&one.lemma.as_str()) =>
            {
                Some((one, two))
            }
            _ => None,
        })?;
        let answered = self.analysis.parsed.iter().skip(sentence + 1).take(4).any(|later| {
            let conditional =
                (0..later.tokens.len()).any(|at| matches!(later.word(at), "if" | "once" | "when" | "unless"));
            conditional
                && later
                    .tokens
                    .iter()
                    .any(|t| t.lemma == pair.0.lemma || REFUSALS.contains(&t.lemma.as_str()))
        });
        let subject = pair.1.objects.first().and_then(|p| parsed.phrases.get(*p)).filter(|p| !p.pronoun);
        let thing = subject.map(|p| {
            let from = p.core.first().copied().unwrap_or(p.start);
            labels::join(self.text, parsed, from, p.end) + " "
        });
        let question = format!("{}{}?", thing.unwrap_or_default(), lexicon::past(&pair.0.lemma));
        (!answered).then(|| {
            Step::Choice(Choice {
                question: names::capitalised(&question),
                span: parsed.span(pair.0.verb, pair.1.verb + 1),
                ways: vec![("yes".to_owned(), Vec::new()), ("no".to_owned(), vec![Step::End])],
                open: false,
            })
        })
    }

    /// The steps of the clauses between two tokens.
    fn actions(&self, sentence: usize, from: usize, to: usize) -> Vec<Step> {
        let (Some(parsed), Some(row)) =
            (self.analysis.parsed.get(sentence), self.analysis.clauses.get(sentence))
        else {
            return Vec::new();
        };
        let mut out: Vec<Step> = Vec::new();
        let mut later: Vec<Step> = Vec::new();
        let mut place = 0;
        while let Some(clause) = row.get(place) {
            if clause.start < from || clause.start >= to || clause.verb >= to {
                place += 1;
                continue;
            }
            let before = place.checked_sub(1).and_then(|p| row.get(p));
            if let Some((mut steps, used)) = self.shared(sentence, parsed, row, place, before) {
                out.append(&mut steps);
                place += used;
                continue;
            }
            let (step, used) = self.step(sentence, parsed, row, place, clause, before);
            if let Some(step) = step {
                let marker = self.marker(parsed, clause);
                if marker == "before" {
                    later.push(step);
                } else if matches!(marker, "until") {
                    // Read with the main clause.
                } else if !self.is_repeated(&step, marker, clause) {
                    out.push(step);
                }
            }
            place += used.max(1);
        }
        out.append(&mut later);
        if out.is_empty() && from == 0 {
            out.extend(self.outcome(parsed, row));
        }
        out
    }
}

/// Where a way of a choice leads if its last step says so: to the end, or back.
fn continued(mut way: Vec<Step>, refused: bool) -> Vec<Step> {
    let Some(Step::Action(last)) = way.last() else { return way };
    let label = last.label.to_lowercase();
    let back = label.split_once(" back to ").map(|(_, to)| to);
    let next = if last.verb == "resubmit" {
        Some(Step::Recheck)
    } else if let Some(to) =
        back.filter(|_| matches!(last.verb.as_str(), "send" | "return" | "give" | "hand" | "pass"))
    {
        let words = to.split(' ').filter(|w| !matches!(*w, "the" | "a" | "an" | "his" | "her" | "their"));
        Some(Step::Return(words.map(lexicon::singular).collect()))
    } else {
        let closes = CLOSING.contains(&last.verb.as_str());
        let informs = matches!(
            last.verb.as_str(),
            "inform" | "notify" | "tell" | "reject" | "decline" | "deny" | "refuse"
        );
        (closes || refused && informs).then_some(Step::End)
    };
    way.extend(next);
    way
}

/// What may be done under a condition is done when the condition holds.
fn certain(step: Step) -> Step {
    match step {
        Step::Choice(mut choice)
            if choice.ways.iter().filter(|(_, way)| !way.is_empty()).count() == 1
                && choice.question.ends_with('?') =>
        {
            let way = choice.ways.iter_mut().find(|(_, way)| way.len() == 1).and_then(|(_, way)| way.pop());
            way.unwrap_or(Step::Choice(choice))
        }
        other => other,
    }
}
