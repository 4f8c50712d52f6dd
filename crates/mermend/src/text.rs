//! Byte offsets, lines and columns of a text. Never panics on an offset that is out of range or inside a character.

/// Where the lines of a text begin.
pub(crate) struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        LineIndex { text, starts }
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
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        (line, self.text[start..offset].chars().count() + 1)
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
                return start + at;
            }
            units += character.len_utf16();
        }
        start + text.len()
    }
}
