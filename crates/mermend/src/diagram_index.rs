//! Findings of the diagrams of a text, where they are in the whole text.

use diagram::Location;

use crate::{
    deadline::Deadline,
    finding::Finding,
    markdown::{Block, BlockProblem},
    rules::verdicts::{SKIPPED_ELEMENT, UNCLOSED_FENCE},
    text::LineIndex,
};

/// The lines of a text, to move findings of its diagrams to where they are in the whole text.
pub struct DiagramIndex<'a> {
    text: &'a str,
    lines: LineIndex<'a>,
}

impl<'a> DiagramIndex<'a> {
    /// Reads the text once, for all of its diagrams.
    pub fn new(text: &'a str) -> Self {
        DiagramIndex { text, lines: LineIndex::within(text, &Deadline::none()) }
    }

    /// A finding of the code of `block`, moved to where it is in the whole text.
    pub fn place(&self, block: &Block, finding: Finding) -> Finding {
        let span = self.location(
            block.start_in_text(finding.span.start),
            block.end_in_text(finding.span.end.max(finding.span.start)),
        );
        let fix = finding.fix.filter(|_| block.writable()).map(|mut fix| {
            for edit in &mut fix.edits {
                block.move_edit(edit, self.text);
            }
            fix
        });
        Finding { span, fix, ..finding }
    }

    /// What is to say of the block itself: that it is not closed, or that it is not read.
    pub fn problem(&self, block: &Block) -> Option<Finding> {
        let (rule, message, hint) = match block.problem()? {
            BlockProblem::Unclosed => (
                &UNCLOSED_FENCE,
                "This block is never closed, so everything behind it belongs to it.".to_owned(),
                "Add the closing mark below the diagram, indented as the opening one.",
            ),
            BlockProblem::Skipped(reason) => (
                &SKIPPED_ELEMENT,
                format!("This diagram is not checked: {reason}."),
                "Write the diagram as a fence, or check it in a file of its own.",
            ),
        };
        let span = self.location(block.opening().start, block.opening().end);
        Some(Finding::new(rule, "rules", span, message).with_hint(hint))
    }

    fn location(&self, start: usize, end: usize) -> Location {
        let mut span = self.lines.location(start, end);
        // No editor counts a byte order mark as a column.
        if self.text.starts_with('\u{feff}') {
            span.column -= usize::from(span.line == 1 && span.column > 1);
            span.end_column -= usize::from(span.end_line == 1 && span.end_column > 1);
        }
        span
    }
}
