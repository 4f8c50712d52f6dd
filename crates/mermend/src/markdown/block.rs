//! One block of a Markdown text that is not prose, and where each line of its code stands in the text.

use std::ops::Range;

/// A fence, an element with a diagram, or what is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub(super) info: String,
    /// The content as it is checked: without the marks of quotes and lists, and without the indentation of the block.
    pub(super) code: String,
    /// Where each part of the code stands in the text, in order.
    pub(super) pieces: Vec<Piece>,
    pub(super) problem: Option<BlockProblem>,
    /// The opening mark or tag.
    pub(super) opening: Range<usize>,
    /// One past the last byte of the closing mark or tag.
    pub(super) outer_end: usize,
    /// Whether other code may be written in place of this.
    pub(super) writable: bool,
}

/// What is to say of a block before its code is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockProblem {
    /// The closing mark is missing.
    Unclosed,
    /// Its diagram cannot be read from the text: the reason.
    Skipped(&'static str),
}

/// A line of the code, or a part of one if a character of it is written as a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Offset in the code.
    pub(super) code: usize,
    /// Where the marks and the indentation before it begin in the text.
    pub(super) prefix: usize,
    /// What stands in the text.
    pub(super) text: Range<usize>,
}

impl Block {
    pub(super) fn new(info: &str, opening: Range<usize>) -> Self {
        Block {
            info: info.to_owned(),
            code: String::new(),
            pieces: Vec::new(),
            problem: None,
            outer_end: opening.end,
            opening,
            writable: true,
        }
    }

    /// A text that is one diagram: all but a byte order mark.
    pub(super) fn from_whole(text: &str) -> Self {
        let start = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut block = Block::new("mermaid", start..start);
        block.outer_end = text.len();
        let mut at = start;
        for line in text[start..].split_inclusive('\n') {
            block.push(at, at..at + line.len(), line);
            at += line.len();
        }
        block
    }

    /// Adds `code`, which stands in the text at `range` with its marks before it from `prefix` on.
    pub(super) fn push(&mut self, prefix: usize, range: Range<usize>, code: &str) {
        self.pieces.push(Piece { code: self.code.len(), prefix, text: range });
        self.code.push_str(code);
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    pub fn problem(&self) -> Option<BlockProblem> {
        self.problem
    }

    /// Whether its info string names Mermaid: `mermaid`, `{mermaid}`, `{#id .mermaid}`, `mmd`, with anything behind it.
    pub fn is_mermaid(&self) -> bool {
        is_mermaid(&self.info)
    }

    /// The opening mark or tag, in the text.
    pub(crate) fn opening(&self) -> Range<usize> {
        self.opening.clone()
    }

    /// Whether other code may be written in its place.
    pub(crate) fn writable(&self) -> bool {
        self.writable
    }

    /// What stands in a text of `length` bytes and is not code of this block.
    pub(crate) fn surroundings(&self, length: usize) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut done = 0;
        for piece in &self.pieces {
            ranges.push(done..piece.text.start);
            done = piece.text.end;
        }
        ranges.push(done..length);
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Where byte `offset` of the code stands in the text.
    pub(crate) fn start_in_text(&self, offset: usize) -> usize {
        let Some(piece) = self.pieces[..self.pieces_until(offset)].last() else {
            return self.opening.end;
        };
        piece.text.start + (offset - piece.code).min(piece.text.len())
    }

    /// Where what ends before byte `offset` of the code ends in the text.
    pub(crate) fn end_in_text(&self, offset: usize) -> usize {
        let until = self.pieces_until(offset);
        match self.pieces[..until] {
            [.., ref before, ref piece] if piece.code == offset => before.text.end,
            _ => self.start_in_text(offset),
        }
    }

    /// The marks that a line has on which byte `offset` of the code stands.
    pub(super) fn prefix_at<'a>(&self, offset: usize, text: &'a str) -> &'a str {
        let piece = self.pieces[..self.pieces_until(offset)].last();
        piece.and_then(|piece| text.get(piece.prefix..piece.text.start)).unwrap_or_default()
    }

    fn pieces_until(&self, offset: usize) -> usize {
        self.pieces.partition_point(|piece| piece.code <= offset)
    }
}

pub(super) fn is_mermaid(info: &str) -> bool {
    let named = |word: &str| {
        let word = word.trim_start_matches(['{', '.']);
        let word = word.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        word.eq_ignore_ascii_case("mermaid") || word.eq_ignore_ascii_case("mmd")
    };
    match info.strip_prefix('{') {
        // Attributes in the manner of Pandoc: the class says the language, in any place.
        Some(attributes) if attributes.trim_start().starts_with(['#', '.']) => {
            attributes.split_whitespace().filter(|word| word.starts_with('.')).any(named)
        }
        _ => info.split_whitespace().find(|word| *word != "{").is_some_and(named),
    }
}
