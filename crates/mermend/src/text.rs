//! Byte offsets, lines and columns of a text. Never panics on an offset that is out of range or inside a character.

use diagram::Location;

use crate::deadline::Deadline;

/// Bytes between two counts of characters: a column is found by counting at most so many bytes.
const BLOCK: usize = 256;

/// Where the lines of a text begin.
pub(crate) struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// How many characters stand before each block of [`BLOCK`] bytes.
    characters: Vec<usize>,
    deadline: Deadline,
}

impl<'a> LineIndex<'a> {
    #[cfg(test)]
    pub(crate) fn new(text: &'a str) -> Self {
        LineIndex::within(text, &Deadline::none())
    }

    /// An index that records its work at `deadline`.
    pub(crate) fn within(text: &'a str, deadline: &Deadline) -> Self {
        deadline.record(text.len());
        let mut starts = vec![0];
        let mut characters = Vec::with_capacity(text.len() / BLOCK + 1);
        let mut count = 0;
        for (at, byte) in text.bytes().enumerate() {
            if at % BLOCK == 0 {
                characters.push(count);
            }
            if byte == b'\n' {
                starts.push(at + 1);
            }
            count += usize::from(begins_character(byte));
        }
        if text.len().is_multiple_of(BLOCK) {
            characters.push(count);
        }
        LineIndex { text, starts, characters, deadline: deadline.clone() }
    }

    /// The nearest character boundary at or before `offset`.
    pub(crate) fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// Line and column, both 1-based, the column in characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.floor(offset);
        let line = self.line_of(offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        (line, self.characters_before(offset) - self.characters_before(start) + 1)
    }

    /// The location of bytes `start..end`, moved onto character boundaries and into the text.
    pub(crate) fn location(&self, start: usize, end: usize) -> Location {
        let start = self.floor(start);
        let end = self.floor(end.max(start));
        let (line, column) = self.position(start);
        let (end_line, end_column) = self.position(end);
        Location { start, end, line, column, end_line, end_column }
    }

    /// The 1-based line of a byte.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset.min(self.text.len()))
    }

    /// How many characters stand before a character boundary.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let rest = &self.text.as_bytes()[block * BLOCK..offset];
        self.deadline.record(rest.len());
        let known = self.characters.get(block).copied().unwrap_or_default();
        known + rest.iter().filter(|byte| begins_character(**byte)).count()
    }

    /// The text of a 1-based line without its line break, and where it begins.
    pub(crate) fn line(&self, line: usize) -> Option<(usize, &'a str)> {
        let start = *self.starts.get(line.checked_sub(1)?)?;
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        Some((start, self.text[start..end].trim_end_matches('\r')))
    }

    pub(crate) fn line_count(&self) -> usize {
        self.starts.len()
    }

    /// The byte offset of a 0-based column, in UTF-16 units as JavaScript counts, of a 1-based line.
    #[cfg(feature = "mermaid")]
    pub(crate) fn utf16_offset(&self, line: usize, column: usize) -> usize {
        let Some((start, text)) = self.line(line) else {
            return self.text.len();
        };
        let mut units = 0;
        for (at, character) in text.char_indices() {
            if units >= column {
                self.deadline.record(at);
                return start + at;
            }
            units += character.len_utf16();
        }
        self.deadline.record(text.len());
        start + text.len()
    }
}

/// Not a continuation byte of UTF-8.
fn begins_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

/// The first `most` characters, with a mark where something is missing.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_in_every_block() {
        let line = "aü€🎉".repeat(400);
        let text = format!("é\n{line}\n\n{line}");
        let index = LineIndex::new(&text);
        for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let before = &text[..offset];
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            let expected = (before.matches('\n').count() + 1, text[start..offset].chars().count() + 1);
            assert_eq!(index.position(offset), expected, "at byte {offset}");
        }
        for length in [0, 255, 256, 257, 512] {
            let text = "x".repeat(length);
            assert_eq!(LineIndex::new(&text).position(length + 9), (1, length + 1));
        }
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        assert_eq!(
            (shortened("äöü", 3), shortened("äöü", 2), shortened("", 0)),
            ("äöü".into(), "äö…".into(), "".into())
        );
    }
}
