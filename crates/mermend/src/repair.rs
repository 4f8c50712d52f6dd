//! The repair ladder: rule after rule, until Mermaid accepts the text, or not at all.
//!
//! A text that is valid is never touched, and a text that cannot be mended is given back as it came. A step that would
//! lose a word is not taken, unless the rule says that it drops something. The ladder has a bounded number of steps and
//! stops when an engine reaches a limit. The rules are in `rules/mod.rs`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    check::{Checked, Checker, Engine},
    deadline::Deadline,
    document::Document,
    engines::{Failure, Outcome, Verdict},
    finding::{Edit, Finding, FixClass, apply_edits},
    rules::{Hit, RULES, Rule},
    text::LineIndex,
};

/// How often the whole ladder is climbed: a repair may lay bare what another rule can mend.
const PASSES: usize = 3;

/// What came out of a repair.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The mended text; the text as it came if it was valid or could not be mended.
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

/// What of a diagram is still there after a repair, as far as the text tells.
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

/// A text on its way up the ladder.
#[derive(Clone)]
struct Candidate {
    text: String,
    steps: Vec<RepairStep>,
    kept: Kept,
}

impl Checker {
    /// Mends `text` if it is broken in a way that the rules know.
    ///
    /// Never panics; asks Mermaid at most once for each step and not again once it reached a limit.
    pub fn repair(&self, text: &str) -> Repaired {
        self.repair_within(text, &self.deadline())
    }

    /// [`Checker::repair`] with a time limit.
    ///
    /// When the deadline is exceeded, the text comes back unchanged, with the finding `MMD005` alone; see
    /// [`Repaired::failure`].
    pub fn repair_within(&self, text: &str, deadline: &Deadline) -> Repaired {
        let checked = self.check_within(text, Engine::Mermaid, deadline);
        let failed = |checked: &Checked| {
            checked
                .mermaid
                .as_ref()
                .or(checked.fast.as_ref())
                .is_none_or(|verdict| matches!(verdict.outcome, Outcome::Failed(_)))
        };
        if checked.valid || failed(&checked) {
            return unchanged(text, checked);
        }
        let mut candidates = Vec::new();
        let mut current = Candidate { text: text.to_owned(), steps: Vec::new(), kept: Kept::ALL };
        for _ in 0..PASSES {
            let before = current.text.clone();
            for rule in
                RULES.iter().filter(|rule| rule.class.is_some_and(|class| class != FixClass::NeedsAuthor))
            {
                let Some(next) = climb(&current, rule, self.limits().size_bytes) else {
                    continue;
                };
                current = next;
                if self.fast_accepts(&current.text) && self.accepts(&current.text) == Some(true) {
                    return self.mended(text, current);
                }
                candidates.push(current.clone());
            }
            if current.text == before {
                break;
            }
        }
        // The fast engine may have rejected what Mermaid accepts, so Mermaid sees every stage.
        for candidate in candidates {
            match self.accepts(&candidate.text) {
                Some(true) => return self.mended(text, candidate),
                Some(false) => {}
                None => break,
            }
        }
        unchanged(text, checked)
    }

    fn fast_accepts(&self, text: &str) -> bool {
        self.check_with(text, Engine::Fast).valid
    }

    /// The verdict that counts; `None` if there is none.
    fn accepts(&self, text: &str) -> Option<bool> {
        let verdict = self.deciding(text)?;
        (!matches!(verdict.outcome, Outcome::Failed(_))).then(|| Verdict::valid(&verdict))
    }

    fn mended(&self, original: &str, candidate: Candidate) -> Repaired {
        let findings = self.check(&candidate.text).findings;
        Repaired {
            valid: true,
            changed: candidate.text != original,
            class: candidate.steps.iter().map(|step| step.class).max(),
            diff: unified_diff(original, &candidate.text),
            kept: candidate.kept,
            code: candidate.text,
            steps: candidate.steps,
            findings,
            failure: None,
        }
    }
}

/// The text as it came. If it is not valid, everything that the rules see in it is said.
fn unchanged(text: &str, checked: Checked) -> Repaired {
    let failure = checked.mermaid.as_ref().or(checked.fast.as_ref()).and_then(Verdict::failure);
    let mut findings = checked.findings;
    if !checked.valid {
        let index = LineIndex::new(text);
        let seen = hits(text).into_iter().map(|(rule, hit)| rule.finding(hit, &index));
        let new: Vec<Finding> = seen
            .filter(|finding| {
                !findings.iter().any(|other| other.code == finding.code && other.span == finding.span)
            })
            .collect();
        findings.extend(new);
    }
    Repaired {
        code: text.to_owned(),
        valid: checked.valid,
        changed: false,
        class: (!checked.valid).then_some(FixClass::NeedsAuthor),
        steps: Vec::new(),
        diff: String::new(),
        kept: Kept::ALL,
        findings,
        failure,
    }
}

/// Everything that the rules see in a text.
pub(crate) fn hits(text: &str) -> Vec<(&'static Rule, Hit)> {
    let document = Document::new(text);
    RULES
        .iter()
        .filter(|rule| rule.class.is_some())
        .flat_map(|rule| (rule.find)(&document).into_iter().map(move |hit| (*rule, hit)))
        .collect()
}

/// The text after one rule; `None` if the rule finds nothing or its result may not be kept.
fn climb(current: &Candidate, rule: &'static Rule, size_bytes: usize) -> Option<Candidate> {
    let document = Document::new(&current.text);
    let hits = (rule.find)(&document);
    let first = hits.first()?.message.clone();
    let allowed = |edit: &&Edit| rule.unwraps || !document.is_closed(&(edit.start..edit.end));
    let edits: Vec<Edit> = hits.iter().flat_map(|hit| &hit.edits).filter(allowed).cloned().collect();
    let text = apply_edits(&current.text, &edits);
    if text == current.text || text.len() > size_bytes || text.trim().is_empty() {
        return None;
    }
    let kept = if rule.unwraps { Kept::ALL } else { compare(&current.text, &text, rule) };
    let class = rule.class?;
    if class == FixClass::Safe && !(kept.labels && kept.nodes) {
        return None;
    }
    let mut steps = current.steps.clone();
    let message = match hits.len() {
        1 => first,
        more => format!("{first} The same in {} other places.", more - 1),
    };
    match steps.last_mut().filter(|step| step.rule == rule.code) {
        Some(step) => step.edits += edits.len(),
        None => steps.push(RepairStep { rule: rule.code.to_owned(), class, message, edits: edits.len() }),
    }
    let kept = Kept {
        nodes: current.kept.nodes && kept.nodes,
        edges: current.kept.edges && kept.edges,
        labels: current.kept.labels && kept.labels,
    };
    Some(Candidate { text, steps, kept })
}

/// What of `before` is still in `after`. Words that are grammar to the rule may go; a rule that renames may say a word
/// fewer times, but not never.
fn compare(before: &str, after: &str, rule: &Rule) -> Kept {
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

/// `&gt;`, `#59;` and their kin become a space.
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

/// The change from `before` to `after` as a unified diff; empty if there is none.
pub fn unified_diff(before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header("before", "after")
        .to_string()
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

    #[test]
    fn a_lost_word_is_noticed() {
        let rule = |code: &str| crate::explain(code).unwrap();
        assert!(compare("a -- b &gt; c\\nd", "A --- b > c\n d", rule("FLOW003")).labels);
        assert!(!compare("a b b", "a b", rule("FLOW003")).labels);
        assert!(compare("enum a", "a", rule("CLASS002")).nodes);
    }
}
