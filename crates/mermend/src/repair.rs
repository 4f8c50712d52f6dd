//! Repairs: rule after rule, until Mermaid accepts the text, or none at all.
//!
//! A text that is valid is never touched, and a text that cannot be repaired is returned unchanged. A step that would
//! lose a word is not taken, unless the rule says that it drops something. The number of steps is bounded,
//! and a repair ends when an engine reaches a limit. The rules are in `rules/mod.rs`.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    check::{Checker, Engine},
    deadline::{Deadline, DeadlineExceeded},
    diff::unified_diff_within,
    document::Document,
    engines::{self, Failure, fast::Share},
    finding::{Edit, Finding, FixClass, apply_edits},
    finding_list::FindingList,
    rules::{self, RepairRule},
    text::{LineIndex, shortened},
};

/// How often all rules are tried: a repair may uncover what another rule can repair.
const PASSES: usize = 3;
/// The most characters of the message of a step.
const MAX_MESSAGE: usize = 400;

/// The result of a repair.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The repaired text; the text as it came if it was valid or could not be repaired.
    pub code: String,
    /// Whether `code` is valid.
    pub valid: bool,
    /// Whether `code` is another text than what came.
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

/// What of a diagram is still there after a repair, as far as the text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// No word outside of labels was lost.
    pub nodes: bool,
    /// There are as many arrows as before.
    pub edges: bool,
    /// No word of a label was lost.
    pub labels: bool,
}

impl Kept {
    const ALL: Kept = Kept { nodes: true, edges: true, labels: true };
}

/// A text with the repairs made so far.
#[derive(Clone)]
struct Candidate {
    text: Arc<str>,
    steps: Vec<RepairStep>,
    kept: Kept,
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
            None => self.first_valid(text, deadline),
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

    /// The first valid text of the steps; `None` if there is none.
    fn first_valid(&self, text: &str, deadline: &Deadline) -> Result<Option<Candidate>, Failure> {
        let mut candidates = Vec::new();
        let mut current = Candidate { text: text.into(), steps: Vec::new(), kept: Kept::ALL };
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
                    let applied = apply(rule, &document, &current, self.limits().size_bytes);
                    let Some(next) = applied.map_err(|DeadlineExceeded| Failure::TooSlow)? else {
                        continue;
                    };
                    current = next;
                    let fast = engines::fast::verdict(&current.text, deadline, Share::Part);
                    if fast.valid() && self.accepts_finally(&current.text, deadline)? == Some(true) {
                        return Ok(Some(current));
                    }
                    candidates.push(current.clone());
                    break;
                }
            }
            if current.text == before {
                break;
            }
        }
        // The fast engine may have rejected what Mermaid accepts, so Mermaid sees every stage.
        for candidate in candidates {
            match self.accepts_finally(&candidate.text, deadline)? {
                Some(true) => return Ok(Some(candidate)),
                Some(false) => {}
                None => break,
            }
        }
        Ok(None)
    }

    /// The verdict that counts; `None` if the text is beyond a limit that it will always be beyond.
    fn accepts_finally(&self, text: &str, deadline: &Deadline) -> Result<Option<bool>, Failure> {
        match self.accepts(text, deadline) {
            Ok(valid) => Ok(Some(valid)),
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
        let diff = unified_diff_within(original, &candidate.text, deadline)
            .map_err(|DeadlineExceeded| Failure::TooSlow)?;
        Ok(Repaired {
            valid: true,
            changed: *candidate.text != *original,
            class: candidate.steps.iter().map(|step| step.class).max(),
            diff,
            kept: candidate.kept,
            code: candidate.text.as_ref().to_owned(),
            steps: candidate.steps,
            findings: checked.findings,
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

/// The text after one rule; `None` if the rule finds nothing or its result may not be kept.
fn apply(
    rule: &'static RepairRule,
    document: &Document<'_>,
    current: &Candidate,
    size_bytes: usize,
) -> Result<Option<Candidate>, DeadlineExceeded> {
    let (hits, class, code) = (rule.hits(document)?, rule.class, rule.rule.code);
    let Some(first) = hits.first().map(|hit| shortened(&hit.message, MAX_MESSAGE)) else {
        return Ok(None);
    };
    let count = hits.len();
    let allowed = |edit: &Edit| rule.unwraps || !document.is_closed(&(edit.start..edit.end));
    let edits: Vec<Edit> = hits.into_iter().flat_map(|hit| hit.edits).filter(allowed).collect();
    document.deadline().spend(edits.len() + document.text.len())?;
    let text = apply_edits(document.text, &edits);
    if text == document.text || text.len() > size_bytes || text.trim().is_empty() {
        return Ok(None);
    }
    let kept = match rule.unwraps {
        true => Kept::ALL,
        false => {
            document.deadline().spend(document.text.len() + text.len())?;
            compare(document.text, &text, rule)
        }
    };
    if class == FixClass::Safe && !(kept.labels && kept.nodes) {
        return Ok(None);
    }
    let mut steps = current.steps.clone();
    let message = match count {
        1 => first,
        more => format!("{first} The same in {} other places.", more - 1),
    };
    match steps.last_mut().filter(|step| step.rule == code) {
        Some(step) => step.edits += edits.len(),
        None => steps.push(RepairStep { rule: code.to_owned(), class, message, edits: edits.len() }),
    }
    let kept = Kept {
        nodes: current.kept.nodes && kept.nodes,
        edges: current.kept.edges && kept.edges,
        labels: current.kept.labels && kept.labels,
    };
    Ok(Some(Candidate { text: text.into(), steps, kept }))
}

/// Applies each repair rule to `text` by itself.
#[cfg(test)]
pub(crate) fn apply_each(text: &str, deadline: &Deadline) -> Result<(), DeadlineExceeded> {
    let start = Candidate { text: text.into(), steps: Vec::new(), kept: Kept::ALL };
    let document = Document::new(text, deadline);
    applicable().try_for_each(|rule| apply(rule, &document, &start, usize::MAX).map(drop))
}

/// What of `before` is still in `after`. Words that are grammar to the rule may go; a rule that renames may say a word
/// fewer times, but not never.
fn compare(before: &str, after: &str, rule: &RepairRule) -> Kept {
    let left = |text: &str| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        words(text).for_each(|word| *counts.entry(word).or_default() += 1);
        counts
    };
    let (was, is) = (left(before), left(after));
    let lost = |word: &String, count: usize| {
        let wanted = if rule.renames { 1 } else { count };
        is.get(word).copied().unwrap_or(0) < wanted && !rule.grammar.contains(&word.as_str())
    };
    let kept = !was.iter().any(|(word, count)| lost(word, *count));
    Kept { nodes: kept, labels: kept, edges: arrows(after) >= arrows(before) }
}

/// The words of a text, in lower case. Entities and escaped line breaks are signs, not words.
fn words(text: &str) -> impl Iterator<Item = String> {
    let visible: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}'))
        .collect();
    let plain = without_entities(&visible.replace("\\n", " ").replace("\\t", " ").replace("\\r", " "));
    let words: Vec<String> = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.into_iter()
}

/// Entities such as `&gt;` and `#59;` become a space.
fn without_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '#']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let body = tail.strip_prefix('#').unwrap_or(tail);
        let length = body.bytes().take(9).take_while(u8::is_ascii_alphanumeric).count();
        let ends = length > 0 && body[length..].starts_with(';');
        out.push(' ');
        rest = if ends { &body[length + 1..] } else { tail };
    }
    out.push_str(rest);
    out
}

/// How many runs of arrow signs there are.
fn arrows(text: &str) -> usize {
    let mut count = 0;
    let mut run = 0;
    for character in text.chars() {
        match character {
            '-' | '=' | '>' | '<' | '.' | '~' | '→' | '—' | '–' => run += 1,
            _ => {
                count += usize::from(run >= 2);
                run = 0;
            }
        }
    }
    count + usize::from(run >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{checker, repair};

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

    #[test]
    fn a_lost_word_is_noticed() {
        assert!(compare("a -- b &gt; c\\nd", "A --- b > c\n d", repair("FLOW003")).labels);
        assert!(!compare("a b b", "a b", repair("FLOW003")).labels);
        assert!(compare("enum a", "a", repair("CLASS002")).nodes);
    }
}
