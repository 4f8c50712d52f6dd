//! A position in a line of Markdown, in bytes and in columns: a tab reaches to the next multiple of four.

/// Reads the marks and the indentation that a line begins with.
pub(super) struct Cursor<'a> {
    /// Without its line break.
    line: &'a str,
    /// Offset of the next byte. A tab of which only some columns were skipped is still the next byte.
    pub(super) at: usize,
    column: usize,
    /// Offset behind the last byte that is no blank.
    end: usize,
}

impl<'a> Cursor<'a> {
    /// At byte `at` of `line`, which is column 0.
    pub(super) fn new(line: &'a str, at: usize) -> Self {
        let line = line.trim_end_matches(['\n', '\r']);
        Cursor { line, at, column: 0, end: line.trim_end_matches([' ', '\t']).len() }
    }

    /// Whether only blanks follow.
    pub(super) fn blank(&self) -> bool {
        self.at >= self.end
    }

    /// What follows, without the blanks around it.
    pub(super) fn rest(&self) -> &'a str {
        self.line.get(self.at..self.end).unwrap_or_default().trim_start_matches([' ', '\t'])
    }

    /// Offset of the first byte of [`Cursor::rest`].
    pub(super) fn rest_at(&self) -> usize {
        self.end - self.rest().len()
    }

    /// The columns of the blanks that follow; counts no further than `most`.
    pub(super) fn indent(&self, most: usize) -> usize {
        let mut column = self.column;
        for byte in self.line.bytes().skip(self.at) {
            match byte {
                b' ' => column += 1,
                b'\t' => column = next_stop(column),
                _ => break,
            }
            if column - self.column >= most {
                return most;
            }
        }
        column - self.column
    }

    /// Skips up to so many columns of blanks.
    pub(super) fn skip_blanks(&mut self, columns: usize) {
        let target = self.column.saturating_add(columns);
        while self.column < target {
            match self.line.as_bytes().get(self.at) {
                Some(b' ') => self.column += 1,
                Some(b'\t') if next_stop(self.column) > target => {
                    self.column = target;
                    return;
                }
                Some(b'\t') => self.column = next_stop(self.column),
                _ => return,
            }
            self.at += 1;
        }
    }

    /// Skips the blanks that follow, and `bytes` of marks in ASCII behind them.
    pub(super) fn skip_mark(&mut self, bytes: usize) {
        self.skip_blanks(usize::MAX);
        self.at += bytes;
        self.column += bytes;
    }
}

fn next_stop(column: usize) -> usize {
    column / 4 * 4 + 4
}
