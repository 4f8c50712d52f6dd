//! Writes other code into the diagrams of a text, with the marks, the indentation and the line ends that it has there.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{TextFormat, block::Block, diagrams};
use crate::finding::Edit;

/// `text` with other code in some of its diagrams, which are given in their order.
///
/// `None` if the code cannot be written there, for example because a line of it would close the fence: the result is
/// read again, and every diagram must be the wanted one.
pub fn replace_diagrams(text: &str, format: TextFormat, changes: &[(Block, String)]) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (block, code) in changes {
        let (first, last) = (block.pieces.first()?, block.pieces.last()?);
        if !block.writable || first.prefix < done {
            return None;
        }
        out.push_str(&text[done..first.prefix]);
        block.write(code, text, &mut out);
        done = last.text.end;
    }
    out.push_str(&text[done..]);
    let mut wanted = diagrams(text, format);
    for (block, code) in changes {
        let old = wanted.iter_mut().find(|old| old.opening == block.opening)?;
        old.code.clone_from(code);
    }
    let written = diagrams(&out, format);
    let same = |(a, b): (&Block, &Block)| a.problem == b.problem && a.code.lines().eq(b.code.lines());
    (written.len() == wanted.len() && written.iter().zip(&wanted).all(same)).then_some(out)
}

impl Block {
    /// Writes `code` with what stands before and behind each line in the text.
    fn write(&self, code: &str, text: &str, out: &mut String) {
        let content = |line: &str| line.trim_end_matches(['\n', '\r']).to_owned();
        let old: Vec<String> = self.pieces.iter().map(|piece| content(&text[piece.text.clone()])).collect();
        let new: Vec<String> = code.lines().map(content).collect();
        let ending =
            |at: usize| text.get(self.pieces.get(at)?.text.clone()).map(|line| &line[content(line).len()..]);
        let usual = (0..old.len()).filter_map(ending).find(|ending| !ending.is_empty()).unwrap_or("\n");
        let last = ending(old.len().saturating_sub(1)).unwrap_or(usual);
        let prefix = |at: usize| self.pieces.get(at).map(|piece| &text[piece.prefix..piece.text.start]);
        let usual_prefix =
            old.iter().position(|line| !line.trim().is_empty()).and_then(prefix).unwrap_or_default();
        for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
            let before = op.old_range();
            for (number, at) in op.new_range().enumerate() {
                let line = new.get(at).map(String::as_str).unwrap_or_default();
                let from = before.start + number;
                let known = from < before.end;
                let kept = matches!(op, DiffOp::Equal { .. });
                // The marks of an empty line may be shortened, and those of a line of text must not be.
                let usable = known && (kept || !old[from].trim().is_empty());
                let marks = if usable { prefix(from).unwrap_or_default() } else { usual_prefix };
                out.push_str(if line.is_empty() && !kept { marks.trim_end() } else { marks });
                out.push_str(line);
                out.push_str(match at + 1 == new.len() {
                    true => last,
                    false if known => ending(from).filter(|ending| !ending.is_empty()).unwrap_or(usual),
                    false => usual,
                });
            }
        }
    }

    /// Moves an edit of the code to the whole text: each new line gets the marks of the one that it begins on.
    pub(crate) fn move_edit(&self, edit: &mut Edit, text: &str) {
        let marks = self.prefix_at(edit.start, text);
        let at_end = edit.end == self.code.len();
        if !marks.is_empty() {
            let last = edit.text.strip_suffix('\n').filter(|_| at_end);
            let with_marks = last.unwrap_or(&edit.text).replace('\n', &format!("\n{marks}"));
            edit.text = with_marks + if last.is_some() { "\n" } else { "" };
        }
        edit.start = self.start_in_text(edit.start);
        edit.end = if at_end { self.end_in_text(edit.end) } else { self.start_in_text(edit.end) };
    }
}
