//! Where the ends of blocks are missing, by the indentation of what stands in them.

use std::ops::Range;

/// What a statement does to the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Open,
    Close,
    /// `else`: a part of the block, as deep as its beginning.
    Middle,
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) range: Range<usize>,
    pub(super) indent: usize,
    pub(super) role: Role,
}

/// A block without an end.
#[derive(Debug)]
pub(super) struct Missing {
    /// The statement that opens it.
    pub(super) opener: usize,
    /// Byte after the last statement that stands in it.
    pub(super) end: usize,
}

/// How far up the beginning of a block is looked for: no author nests deeper.
const MAX_DEPTH: usize = 64;

/// The blocks whose end is missing, and where it should be. `None` if the text does not show where.
///
/// A block ends before the first line that is no deeper than its beginning, or at the end of the text. Without
/// indentation only a block that is the only one can be closed: nothing in the text stands outside of it.
pub(super) fn missing_ends(entries: &[Entry]) -> Option<Vec<Missing>> {
    let count = |role: Role| entries.iter().filter(|entry| entry.role == role).count();
    let (opens, closes) = (count(Role::Open), count(Role::Close));
    if opens <= closes {
        return Some(Vec::new());
    }
    let mut missing = Vec::new();
    // The blocks that are open, and whether something in them stands deeper.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut end = 0;
    for (at, entry) in entries.iter().enumerate() {
        if entry.role == Role::Close {
            let from = open.len().saturating_sub(MAX_DEPTH);
            let own = open[from..].iter().rposition(|(opener, _)| entries[*opener].indent == entry.indent);
            let own = own.map_or(open.len().saturating_sub(1), |own| from + own);
            for (opener, deeper) in open.drain((own + 1).min(open.len())..).rev() {
                missing.push((Missing { opener, end }, deeper));
            }
            open.pop();
        } else {
            while let Some((opener, true)) = open.last().copied()
                && (entry.indent < entries[opener].indent
                    || (entry.indent == entries[opener].indent && entry.role != Role::Middle))
            {
                missing.push((Missing { opener, end }, true));
                open.pop();
            }
            if let Some((opener, deeper)) = open.last_mut() {
                *deeper |= entry.indent > entries[*opener].indent;
            }
            if entry.role == Role::Open {
                open.push((at, false));
            }
        }
        end = entry.range.end;
    }
    missing.extend(open.into_iter().rev().map(|(opener, deeper)| (Missing { opener, end }, deeper)));
    let shown = missing.len() == opens - closes && missing.iter().all(|(_, deeper)| *deeper);
    let only = opens == 1 && missing.len() == 1;
    (shown || only).then(|| missing.into_iter().map(|(missing, _)| missing).collect())
}
