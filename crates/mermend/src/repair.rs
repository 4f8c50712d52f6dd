//! Repairs: rule after rule, until Mermaid accepts the text or no rule can do more.
//!
//! A text that is valid is never touched, and of another one only the statements that are at fault (`faults.rs`). A
//! step that would lose a part of the diagram is not taken (`kept.rs`), unless the rule says that it drops something.
//! Where something is left that only the author can decide, the rest is repaired all the same, if nothing is lost. The
//! number of steps is bounded, and a repair ends when an engine reaches a limit. The rules are in `rules/mod.rs`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    check::{Checker, Engine},
    deadline::{Deadline, DeadlineExceeded},
    diff::unified_diff_within,
    document::Document,
    engines::{self, Failure, fast::Share},
    faults::Faults,
    finding::{Edit, Finding, FixClass, apply_edits},
    finding_list::FindingList,
    kept::{self, Kept},
    reading::Reading,
    rules::{self, Hit, RepairRule},
    text::{LineIndex, shortened},
};

/// How often all rules are tried: a repair may uncover what another rule can repair.
const PASSES: usize = 3;
/// How often what is left after a repair is repaired again.
const ROUNDS: usize = 3;
/// The most characters of the message of a step.
const MAX_MESSAGE: usize = 400;

/// The result of a repair.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The repaired text; the text as it came if it was valid or nothing of it could be repaired.
    pub code: String,
    /// Whether `code` is valid.
    pub valid: bool,
    /// Whether `code` is another text than what came. Also with `valid` false: a part could be repaired.
    pub changed: bool,
    /// The least trustworthy of the steps; `None` if nothing had to be done, `NeedsAuthor` if nothing could be.
    pub class: Option<FixClass>,
    /// What was done, in order.
    pub steps: Vec<RepairStep>,
    /// The change as a unified diff; empty if there is none.
    pub diff: String,
    /// Whether everything of the diagram is still there.
    pub kept: Kept,
    /// What is to know about `code`.
    pub findings: Vec<Finding>,
    /// Why the text could not be examined: a limit was reached, or the engine did not run. `None` if it was.
    pub failure: Option<Failure>,
}

/// What one rule did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepairStep {
    /// Code of the rule.
    pub rule: String,
    /// How far it may be trusted.
    pub class: FixClass,
    /// What was wrong, in a sentence.
    pub message: String,
    /// In how many places the text was changed.
    pub edits: usize,
}

/// A text with the repairs made so far.
#[derive(Clone)]
struct Candidate {
    text: Arc<str>,
    steps: Vec<RepairStep>,
    kept: Kept,
}

/// Where the rules lead.
enum Climbed {
    Valid(Candidate),
    /// The last text, and all texts on the way.
    Stages(Candidate, Vec<Candidate>),
}

/// What the rules made of a text.
enum Attempt {
    Valid(Candidate),
    /// Fewer statements are at fault, and nothing is lost.
    Better(Candidate),
    Nothing,
}

impl Checker {
    /// Repairs `text` if it is broken in a way that the rules know.
    ///
    /// Never panics; asks Mermaid at most once for each step and not again once it reached a limit.
    pub fn repair(&self, text: &str) -> Repaired {
        self.repair_within(text, &self.deadline())
    }

    /// [`Checker::repair`] with a time limit.
    ///
    /// When the deadline is exceeded, the text comes back unchanged, with the finding `MMD005` before those of the
    /// check; see [`Repaired::failure`].
    pub fn repair_within(&self, text: &str, deadline: &Deadline) -> Repaired {
        let checked = self.check_within(text, Engine::Mermaid, deadline);
        let failure = checked.failure();
        if checked.valid
            || failure.is_some_and(|failure| failure.is_temporary() || failure == Failure::TooLarge)
        {
            return unchanged(text, checked.valid, checked.findings, failure);
        }
        // Only the verdict of a parser can show that a text is repaired.
        let candidate = match failure {
            None => self.best(text, deadline),
            Some(_) => Ok(None),
        };
        let answer = match candidate {
            Ok(Some(candidate)) => self.repaired(text, candidate, deadline),
            Ok(None) => all_findings(text, checked.findings.clone(), deadline)
                .map(|findings| unchanged(text, false, findings, failure))
                .map_err(|DeadlineExceeded| Failure::TooSlow),
            Err(failure) => Err(failure),
        };
        answer.unwrap_or_else(|failure| {
            let index = LineIndex::within(text, deadline);
            let mut list = FindingList::new(vec![self.failure_finding(failure, &index)]);
            checked.findings.into_iter().for_each(|finding| list.push(finding));
            unchanged(text, false, list.finish(), Some(failure))
        })
    }

    /// A valid text, or else the one with the fewest faults; `None` if no rule makes it better.
    fn best(&self, text: &str, deadline: &Deadline) -> Result<Option<Candidate>, Failure> {
        let mut faults = Faults::new(self, deadline);
        let mut current = Candidate { text: text.into(), steps: Vec::new(), kept: Kept::ALL };
        for _ in 0..ROUNDS {
            match self.attempt(&current, &mut faults, deadline)? {
                Attempt::Valid(candidate) => return Ok(Some(candidate)),
                Attempt::Better(candidate) => current = candidate,
                Attempt::Nothing => return Ok(Some(current).filter(|current| !current.steps.is_empty())),
            }
        }
        // It would change again: a repair has to be the same when it is repeated.
        Ok(None)
    }

    fn attempt(
        &self,
        start: &Candidate,
        faults: &mut Faults<'_>,
        deadline: &Deadline,
    ) -> Result<Attempt, Failure> {
        let (mut last, stages) = match self.climb(start, FixClass::Lossy, faults, deadline)? {
            Climbed::Valid(candidate) => return Ok(Attempt::Valid(candidate)),
            Climbed::Stages(last, stages) => (last, stages),
        };
        // The fast engine may have rejected what Mermaid accepts, so Mermaid sees every stage.
        for stage in stages {
            match self.accepts_finally(&stage.text, deadline)? {
                Some(true) => return Ok(Attempt::Valid(stage)),
                Some(false) => {}
                None => break,
            }
        }
        // Nothing is dropped for a text that stays invalid.
        if last.steps[start.steps.len().min(last.steps.len())..]
            .iter()
            .any(|step| step.class != FixClass::Safe)
        {
            last = match self.climb(start, FixClass::Safe, faults, deadline)? {
                Climbed::Valid(candidate) => return Ok(Attempt::Valid(candidate)),
                Climbed::Stages(last, _) => last,
            };
        }
        // A line that stays wrong is better left as its author wrote it.
        for _ in 0..ROUNDS {
            if last.text == start.text || !faults.freeze_hopeless(&start.text, &last.text)? {
                break;
            }
            last = match self.climb(start, FixClass::Safe, faults, deadline)? {
                Climbed::Valid(candidate) => return Ok(Attempt::Valid(candidate)),
                Climbed::Stages(last, _) => last,
            };
        }
        let better = last.text != start.text
            && last.kept.everything()
            && faults.count(&last.text)? < faults.count(&start.text)?;
        Ok(if better { Attempt::Better(last) } else { Attempt::Nothing })
    }

    /// Applies the rules up to a class, one after the other, until the text is valid or none applies.
    fn climb(
        &self,
        start: &Candidate,
        most: FixClass,
        faults: &mut Faults<'_>,
        deadline: &Deadline,
    ) -> Result<Climbed, Failure> {
        let mut stages = Vec::new();
        let mut current = start.clone();
        for _ in 0..PASSES {
            let before = Arc::clone(&current.text);
            let mut rules = applicable();
            let mut next_rule = rules.next();
            while next_rule.is_some() {
                // One reading serves all rules until the text is another.
                let read = Arc::clone(&current.text);
                let document = Document::new(&read, deadline);
                while let Some(rule) = next_rule {
                    next_rule = rules.next();
                    let mut hits = rule.hits(&document).map_err(|DeadlineExceeded| Failure::TooSlow)?;
                    hits.retain(|hit| rule.class_of(hit) <= most);
                    if !rule.unwraps && !rule.structural {
                        faults.retain_at_fault(&document, &mut hits)?;
                    }
                    let applied = apply(rule, hits, &document, &current, self.limits().size_bytes);
                    let Some(next) = applied.map_err(|DeadlineExceeded| Failure::TooSlow)? else {
                        continue;
                    };
                    current = next;
                    let fast = engines::fast::verdict(&current.text, deadline, Share::Part);
                    if fast.valid() && self.accepts_finally(&current.text, deadline)? == Some(true) {
                        return Ok(Climbed::Valid(current));
                    }
                    stages.push(current.clone());
                    break;
                }
            }
            if current.text == before {
                break;
            }
        }
        Ok(Climbed::Stages(current, stages))
    }

    /// The verdict that counts; `None` if the text is beyond a limit that it will always be beyond. What Mermaid
    /// accepts and cannot draw is no repair.
    fn accepts_finally(&self, text: &str, deadline: &Deadline) -> Result<Option<bool>, Failure> {
        match self.accepts(text, deadline) {
            Ok(valid) => Ok(Some(valid && !cannot_be_drawn(text, deadline)?)),
            Err(failure) if failure.is_temporary() => Err(failure),
            Err(_) => Ok(None),
        }
    }

    fn repaired(
        &self,
        original: &str,
        candidate: Candidate,
        deadline: &Deadline,
    ) -> Result<Repaired, Failure> {
        let checked = self.check_within(&candidate.text, Engine::Mermaid, deadline);
        if let Some(failure) = checked.failure() {
            return Err(failure);
        }
        let findings = match checked.valid {
            true => checked.findings,
            false => all_findings(&candidate.text, checked.findings, deadline)
                .map_err(|DeadlineExceeded| Failure::TooSlow)?,
        };
        let diff = unified_diff_within(original, &candidate.text, deadline)
            .map_err(|DeadlineExceeded| Failure::TooSlow)?;
        Ok(Repaired {
            valid: checked.valid,
            changed: *candidate.text != *original,
            class: candidate.steps.iter().map(|step| step.class).max(),
            diff,
            kept: candidate.kept,
            code: candidate.text.as_ref().to_owned(),
            steps: candidate.steps,
            findings,
            failure: None,
        })
    }
}

/// The rules that a repair may apply, in their order.
fn applicable() -> impl Iterator<Item = &'static RepairRule> {
    rules::repairs().filter(|rule| rule.class != FixClass::NeedsAuthor)
}

/// The text as it came.
fn unchanged(text: &str, valid: bool, findings: Vec<Finding>, failure: Option<Failure>) -> Repaired {
    Repaired {
        code: text.to_owned(),
        valid,
        changed: false,
        class: (!valid).then_some(FixClass::NeedsAuthor),
        steps: Vec::new(),
        diff: String::new(),
        kept: Kept::ALL,
        findings,
        failure,
    }
}

/// The findings of a check, and everything else that the rules see in the text.
fn all_findings(
    text: &str,
    findings: Vec<Finding>,
    deadline: &Deadline,
) -> Result<Vec<Finding>, DeadlineExceeded> {
    let index = LineIndex::within(text, deadline);
    let mut list = FindingList::new(findings);
    for (rule, hit) in rules::hits(&Document::new(text, deadline))? {
        deadline.spend(1)?;
        list.push_hit(rule, hit, &index);
    }
    Ok(list.finish())
}

/// Whether a diagram that Mermaid accepts has an error all the same.
fn cannot_be_drawn(text: &str, deadline: &Deadline) -> Result<bool, Failure> {
    let warnings =
        rules::warnings(&Document::new(text, deadline)).map_err(|DeadlineExceeded| Failure::TooSlow)?;
    Ok(warnings.iter().any(|(rule, _)| rule.rule.severity == diagram::Severity::Error))
}

/// The text after one rule; `None` if the rule finds nothing or its result may not be kept.
fn apply(
    rule: &'static RepairRule,
    hits: Vec<Hit>,
    document: &Document<'_>,
    current: &Candidate,
    size_bytes: usize,
) -> Result<Option<Candidate>, DeadlineExceeded> {
    let code = rule.rule.code;
    let Some(first) = hits.first().map(|hit| shortened(&hit.message, MAX_MESSAGE)) else {
        return Ok(None);
    };
    let (count, class) = (hits.len(), hits.iter().map(|hit| rule.class_of(hit)).max().unwrap_or(rule.class));
    let allowed = |edit: &Edit| rule.unwraps || !document.is_closed(&(edit.start..edit.end));
    let edits: Vec<Edit> = hits.into_iter().flat_map(|hit| hit.edits).filter(allowed).collect();
    document.deadline().spend(edits.len() + document.text.len())?;
    let text = apply_edits(document.text, &edits);
    if text == document.text || text.len() > size_bytes || text.trim().is_empty() {
        return Ok(None);
    }
    let kept = match rule.unwraps {
        true => Kept { nodes: class == FixClass::Safe, labels: class == FixClass::Safe, ..Kept::ALL },
        false => {
            document.deadline().spend(document.text.len() + text.len())?;
            let after = Document::new(&text, document.deadline());
            kept::compare(&Reading::of(document), &Reading::of(&after), rule.droppable())
        }
    };
    if class == FixClass::Safe && !kept.everything() {
        return Ok(None);
    }
    let mut steps = current.steps.clone();
    let message = match count {
        1 => first,
        2 => format!("{first} The same in one other place."),
        more => format!("{first} The same in {} other places.", more - 1),
    };
    match steps.last_mut().filter(|step| step.rule == code && step.class == class) {
        Some(step) => step.edits += edits.len(),
        None => steps.push(RepairStep { rule: code.to_owned(), class, message, edits: edits.len() }),
    }
    Ok(Some(Candidate { text: text.into(), steps, kept: current.kept.and(kept) }))
}

/// Applies each repair rule to `text` by itself.
#[cfg(test)]
pub(crate) fn apply_each(text: &str, deadline: &Deadline) -> Result<(), DeadlineExceeded> {
    let start = Candidate { text: text.into(), steps: Vec::new(), kept: Kept::ALL };
    let document = Document::new(text, deadline);
    applicable()
        .try_for_each(|rule| apply(rule, rule.hits(&document)?, &document, &start, usize::MAX).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::checker;

    #[test]
    fn a_valid_text_is_left_alone() {
        let text = "```not a fence in a label\n"
            .replace("```not a fence in a label\n", "flowchart TD\n  A[\"x ; \"] --> B\n");
        let repaired = checker().repair(&text);
        assert_eq!((repaired.code, repaired.changed, repaired.class), (text, false, None));
    }

    #[test]
    fn what_cannot_be_mended_comes_back_as_it_was() {
        let text = "flowchart TD\n  A[run()] ]]] [[[ ((\n  ??? --> }{\n";
        let repaired = checker().repair(text);
        assert_eq!(
            (repaired.code.as_str(), repaired.valid, repaired.class),
            (text, false, Some(FixClass::NeedsAuthor))
        );
        assert!(repaired.steps.is_empty() && repaired.diff.is_empty() && !repaired.findings.is_empty());
    }

    #[test]
    fn steps_and_diff_tell_what_was_done() {
        let repaired = checker().repair("```mermaid\nFlowchart TD\n  A[run()] --> B\n```");
        assert_eq!(repaired.code, "flowchart TD\n  A[\"run()\"] --> B\n");
        let rules: Vec<_> = repaired.steps.iter().map(|step| step.rule.as_str()).collect();
        assert_eq!(rules, ["MMD101", "MMD106", "FLOW003"]);
        assert_eq!((repaired.class, repaired.kept), (Some(FixClass::Safe), Kept::ALL));
        assert!(repaired.diff.contains("+  A[\"run()\"] --> B\n"), "{}", repaired.diff);
    }
}
