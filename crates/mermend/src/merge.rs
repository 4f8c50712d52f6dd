//! What two people changed in one diagram, put together.

use std::{collections::BTreeSet, ops::Range};

use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};

use crate::{
    compare::{Change, compare_within},
    deadline::{Deadline, DeadlineExceeded},
};

/// The result of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The text with both changes.
    Text(String),
    /// Both changed the same: the elements, or none if only lines could be compared.
    Conflict(Vec<String>),
}

/// Merges `mine` and `theirs`, which were both made from `base`.
///
/// The merged text has exactly the changes of both, by element where the kind of diagram has elements.
///
/// # Errors
/// When the deadline is exceeded.
pub fn merge_within(
    base: &str,
    mine: &str,
    theirs: &str,
    deadline: &Deadline,
) -> Result<Merged, DeadlineExceeded> {
    let (my_changes, their_changes) =
        (compare_within(base, mine, deadline)?, compare_within(base, theirs, deadline)?);
    let by_element = my_changes.by_element && their_changes.by_element;
    let same: Vec<String> = match by_element {
        true => {
            let mine: BTreeSet<&str> = apart(&my_changes.changes, &their_changes.changes).collect();
            let theirs: BTreeSet<&str> = apart(&their_changes.changes, &my_changes.changes).collect();
            mine.intersection(&theirs).map(|&id| id.to_owned()).collect()
        }
        false => Vec::new(),
    };
    if !same.is_empty() {
        return Ok(Merged::Conflict(same));
    }
    let Some(text) = merge_lines(base, mine, theirs, deadline)? else {
        return Ok(Merged::Conflict(Vec::new()));
    };
    if by_element {
        // Lines say less than elements: what the merge did to the diagram of each is what the other did.
        let added = compare_within(theirs, &text, deadline)?;
        let ids = |changes: &[Change]| changes.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>();
        let wanted: BTreeSet<String> =
            apart(&my_changes.changes, &their_changes.changes).map(str::to_owned).collect();
        if !added.by_element || ids(&added.changes) != wanted {
            return Ok(Merged::Conflict(Vec::new()));
        }
    }
    Ok(Merged::Text(text))
}

/// The ids of changes that the others do not have in the same way.
fn apart<'a>(changes: &'a [Change], others: &'a [Change]) -> impl Iterator<Item = &'a str> {
    changes.iter().filter(|change| !others.contains(change)).map(|change| change.id.as_str())
}

/// Lines of the base that are replaced by other lines.
#[derive(Debug, PartialEq, Eq)]
struct Hunk<'a> {
    at: Range<usize>,
    lines: Vec<&'a str>,
}

fn hunks<'a>(base: &[&str], text: &'a str, deadline: &Deadline) -> Result<Vec<Hunk<'a>>, DeadlineExceeded> {
    let lines: Vec<&str> = lines(text);
    deadline.spend(base.len() + lines.len())?;
    let until = deadline.remaining().map(|left| std::time::Instant::now() + left);
    let diff = capture_diff_slices_deadline(Algorithm::Myers, base, &lines, until);
    // The diff that a timeout leaves is coarse, and no answer.
    if deadline.exceeded() {
        return Err(DeadlineExceeded);
    }
    let changed = diff.iter().filter(|op| op.tag() != DiffTag::Equal);
    Ok(changed.map(|op| Hunk { at: op.old_range(), lines: lines[op.new_range()].to_vec() }).collect())
}

/// The lines without their ends, so that a missing last line end is no change.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

/// Both changes of the lines of `base`; `None` if they touch the same lines differently.
fn merge_lines(
    base: &str,
    mine: &str,
    theirs: &str,
    deadline: &Deadline,
) -> Result<Option<String>, DeadlineExceeded> {
    let base = lines(base);
    let (mine, theirs) = (hunks(&base, mine, deadline)?, hunks(&base, theirs, deadline)?);
    let (mut mine, mut theirs) = (mine.into_iter().peekable(), theirs.into_iter().peekable());
    let mut out: Vec<&str> = Vec::new();
    let mut done = 0;
    loop {
        let next = match (mine.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(my), Some(their)) if my == their => {
                theirs.next();
                mine.next()
            }
            (Some(my), Some(their)) => {
                let inserted = my.at.is_empty() && their.at.is_empty();
                let touch = my.at.start < their.at.end && their.at.start < my.at.end
                    || my.at.start == their.at.start && !inserted;
                match touch {
                    true => return Ok(None),
                    // What both insert at one place: theirs is there already.
                    false if their.at.start <= my.at.start => theirs.next(),
                    false => mine.next(),
                }
            }
            (Some(_), None) => mine.next(),
            (None, Some(_)) => theirs.next(),
        };
        let Some(hunk) = next else { break };
        out.extend(&base[done.min(hunk.at.start)..hunk.at.start]);
        out.extend(hunk.lines);
        done = hunk.at.end;
    }
    out.extend(&base[done..]);
    Ok(Some(out.join("\n") + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, mine: &str, theirs: &str, want: Result<&str, &[&str]>) {
        let merge = |mine, theirs| merge_within(base, mine, theirs, &Deadline::none()).unwrap();
        let merged = merge(mine, theirs);
        match (&merged, want) {
            (Merged::Text(text), Ok(want)) => assert_eq!(text, want),
            (Merged::Conflict(elements), Err(want)) => assert_eq!(elements, want, "{mine} and {theirs}"),
            (other, want) => panic!("{other:?} instead of {want:?}"),
        }
        // Whoever comes second, what both did is the same.
        let text = |merged| match merged {
            Merged::Text(text) => Some(text.lines().map(str::to_owned).collect::<BTreeSet<_>>()),
            Merged::Conflict(_) => None,
        };
        assert_eq!(text(merged), text(merge(theirs, mine)));
    }

    #[test]
    fn changes_of_two_people_are_put_together() {
        let base = "classDiagram\n  class Order {\n    number\n  }\n  class Customer\n  Customer --> Order\n";
        let with = |from: &str, to: &str| base.replacen(from, to, 1);
        let both = |changes: &[(&str, &str)]| {
            changes.iter().fold(base.to_owned(), |text, (from, to)| text.replacen(from, to, 1))
        };
        let number = ("    number\n", "    number\n    status\n");
        let shop = ("  Customer -->", "  class Shop\n  Customer -->");
        check(base, &with(number.0, number.1), &with(shop.0, shop.1), Ok(&both(&[number, shop])));
        // Both add something at one place.
        let mine = format!("{base}  class Invoice\n");
        let theirs = format!("{base}  class Parcel\n");
        check(base, &mine, &theirs, Ok(&format!("{base}  class Parcel\n  class Invoice\n")));
        // Both did the same, and only one did anything.
        check(base, &mine, &mine, Ok(&mine));
        check(base, base, &theirs, Ok(&theirs));
        check(base, &mine, base, Ok(&mine));
    }

    #[test]
    fn the_same_element_changed_twice_is_a_conflict() {
        let base = "classDiagram\n  class Order {\n    number\n  }\n";
        let mine = base.replace("number", "number int");
        let theirs = base.replace("number", "number String");
        check(base, &mine, &theirs, Err(&["Order"]));
        let base = "flowchart LR\n  a[Order] --> b[Ship]\n";
        check(
            base,
            "flowchart LR\n  a[Buy] --> b[Ship]\n",
            "flowchart LR\n  a[Order] --> b[Send]\n",
            Err(&[]),
        );
        check(
            base,
            "flowchart LR\n  a[Buy] --> b[Ship]\n",
            "flowchart LR\n  a[Sell] --> b[Ship]\n",
            Err(&["a"]),
        );
    }

    #[test]
    fn kinds_without_elements_are_merged_by_line() {
        let base = "sequenceDiagram\n  A->>B: one\n  B->>A: two\n";
        let both = "sequenceDiagram\n  A->>B: 1\n  B->>A: 2\n";
        check(base, &base.replace("one", "1"), &base.replace("two", "2"), Ok(both));
        // One removes what the other changes.
        check(base, &base.replace("  A->>B: one\n", ""), &base.replace("one", "uno"), Err(&[]));
        check(base, &base.replace("one", "1"), &base.replace("one", "uno"), Err(&[]));
    }
}
