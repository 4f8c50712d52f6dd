//! Which statements of a diagram are at fault: those that Mermaid rejects also when they stand alone.

use std::collections::{HashMap, HashSet};

use similar::{DiffTag, TextDiff};

use crate::{
    check::Checker,
    deadline::Deadline,
    document::Document,
    engines::{self, Failure, fast::Share},
    rules::Hit,
    statements::{Placed, Statements},
};

/// How many statements Mermaid's own parser is asked about in one repair; the fast parser answers for the others.
const MAX_ASKED: usize = 64;

/// Asks about statements, about each once.
pub(crate) struct Faults<'a> {
    checker: &'a Checker,
    deadline: &'a Deadline,
    known: HashMap<String, bool>,
    asked: usize,
    /// Lines that no rule can mend: they are left as they are.
    frozen: HashSet<String>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(checker: &'a Checker, deadline: &'a Deadline) -> Self {
        Faults { checker, deadline, known: HashMap::new(), asked: 0, frozen: HashSet::new() }
    }

    /// Keeps the hits on statements that are at fault, and those that are repaired together with one of them.
    pub(crate) fn retain_at_fault(
        &mut self,
        document: &Document<'_>,
        hits: &mut Vec<Hit>,
    ) -> Result<(), Failure> {
        if hits.is_empty() {
            return Ok(());
        }
        let statements = Statements::read(document);
        let (mut verdicts, mut groups) = (Vec::new(), HashSet::new());
        for hit in hits.iter() {
            let mut touched =
                hit.edits.iter().flat_map(|edit| statements.touched(&(edit.start..edit.end))).peekable();
            let mut at_fault = touched.peek().is_none();
            for placed in touched {
                if self.frozen.contains(&document.text[placed.range.clone()]) {
                    at_fault = false;
                    break;
                }
                at_fault = at_fault || !self.is_valid(document, &statements, placed)?;
            }
            if at_fault && let Some(group) = &hit.group {
                groups.insert(group.clone());
            }
            verdicts.push(at_fault);
        }
        let mut verdicts = verdicts.into_iter();
        hits.retain(|hit| {
            verdicts.next().unwrap_or(true) || hit.group.as_ref().is_some_and(|group| groups.contains(group))
        });
        Ok(())
    }

    /// How many statements of a text are at fault; all of them if its kind is not known.
    pub(crate) fn count(&mut self, text: &str) -> Result<usize, Failure> {
        let document = Document::new(text, self.deadline);
        if document.kind.is_none() {
            return Ok(usize::MAX);
        }
        let statements = Statements::read(&document);
        // Where no statement can be read alone, no part of a repair can be judged.
        if statements.placed.is_empty() {
            return Ok(usize::MAX);
        }
        let mut count = statements.unbalanced() + usize::from(!self.header_is_valid(&document)?);
        for placed in &statements.placed {
            count += usize::from(!self.is_valid(&document, &statements, placed)?);
        }
        Ok(count)
    }

    /// Leaves the lines of `before` as they are whose repair in `after` is still at fault. `true` if there are some.
    pub(crate) fn freeze_hopeless(&mut self, before: &str, after: &str) -> Result<bool, Failure> {
        let document = Document::new(after, self.deadline);
        let statements = Statements::read(&document);
        self.deadline.spend(before.len() + after.len()).map_err(|_| Failure::TooSlow)?;
        let mut config = TextDiff::configure();
        if let Some(remaining) = self.deadline.remaining() {
            config.timeout(remaining);
        }
        let diff = config.diff_lines(before, after);
        let (old, new) = (line_starts(before), line_starts(after));
        let frozen = self.frozen.len();
        for operation in diff.ops().iter().filter(|operation| operation.tag() != DiffTag::Equal) {
            let (was, changed) = (operation.old_range(), operation.new_range());
            // Each line by itself where they can be paired.
            let pairs: Vec<_> = match was.len() == changed.len() {
                true => was.zip(changed).map(|(was, is)| (was..was + 1, is..is + 1)).collect(),
                false => vec![(was, changed)],
            };
            for (was, changed) in pairs {
                let range = new[changed.start]..new[changed.end];
                let mut hopeless = false;
                for placed in
                    statements.touched(&range).iter().filter(|placed| placed.range.start < range.end)
                {
                    hopeless = hopeless || !self.is_valid(&document, &statements, placed)?;
                }
                if hopeless {
                    let lines = before[old[was.start]..old[was.end]].lines();
                    self.frozen.extend(lines.map(|line| line.trim().to_owned()));
                }
            }
        }
        Ok(self.frozen.len() > frozen)
    }

    /// Whether Mermaid accepts a statement that stands alone. One that cannot is at fault for no one.
    fn is_valid(
        &mut self,
        document: &Document<'_>,
        statements: &Statements,
        placed: &Placed,
    ) -> Result<bool, Failure> {
        if !placed.stands_alone {
            return Ok(false);
        }
        self.accepts(statements.alone(document.text, placed))
    }

    fn header_is_valid(&mut self, document: &Document<'_>) -> Result<bool, Failure> {
        let header = document.header().map_or("", |line| line.content().1);
        let statement = match document.kind.map(|kind| kind.id) {
            Some("sequence") => "A->>B: x",
            Some("class") => "class A",
            Some("er") => "A ||--|| B : x",
            Some("pie") => "\"a\" : 1",
            Some("xychart") => "bar [1]",
            Some("quadrant") => "a: [0.1, 0.1]",
            Some("journey") => "a: 1: b",
            Some("timeline") => "a : b",
            _ => "A --> B",
        };
        self.accepts(format!("{header}\n{statement}\n"))
    }

    fn accepts(&mut self, text: String) -> Result<bool, Failure> {
        if let Some(known) = self.known.get(&text) {
            return Ok(*known);
        }
        self.deadline.spend(text.len()).map_err(|_| Failure::TooSlow)?;
        self.asked += 1;
        let valid = match self.asked <= MAX_ASKED {
            true => match self.checker.accepts(&text, self.deadline) {
                Err(failure) if failure.is_temporary() => return Err(failure),
                answer => answer.unwrap_or(false),
            },
            false => engines::fast::verdict(&text, self.deadline, Share::Part).valid(),
        };
        self.known.insert(text, valid);
        Ok(valid)
    }
}

/// Where each line begins, and the end of the text.
fn line_starts(text: &str) -> Vec<usize> {
    let mut at = 0;
    let starts = text.split_inclusive('\n').map(|line| {
        at += line.len();
        at
    });
    std::iter::once(0).chain(starts).collect()
}
