//! The change of a text as a unified diff.
//!
//! Short texts get the smallest diff. Of long ones, lines that stand once on both sides are matched first, and only what
//! lies between them is compared line by line, so that the time grows with the text and not with its square: the diff is
//! still right, but may be longer than it must be.

use std::collections::HashMap;

use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices, group_diff_ops, udiff::UnifiedHunkHeader};

use crate::deadline::{Deadline, DeadlineExceeded};

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// The most lines of both texts together of which the smallest diff is looked for.
const SHORT: usize = 2000;
/// The same for what lies between two matched lines of long texts.
const SHORT_GAP: usize = 400;
/// How often lines are matched anew inside of what lies between matched lines.
const MAX_DEPTH: usize = 6;
/// The largest diff of an answer, in bytes.
const MAX_BYTES: usize = 200_000;

/// The change from `before` to `after` as a unified diff; empty if there is none.
pub fn unified_diff(before: &str, after: &str) -> String {
    whole_diff(before, after, &Deadline::none()).unwrap_or_default()
}

/// The same for an answer: within a deadline and of bounded size. The last line counts what is left out.
///
/// # Errors
/// When the deadline is exceeded.
pub(crate) fn unified_diff_within(
    before: &str,
    after: &str,
    deadline: &Deadline,
) -> Result<String, DeadlineExceeded> {
    whole_diff(before, after, deadline).map(cut)
}

fn whole_diff(before: &str, after: &str, deadline: &Deadline) -> Result<String, DeadlineExceeded> {
    if deadline.exceeded() {
        return Err(DeadlineExceeded);
    }
    deadline.spend(before.len() + after.len())?;
    if before == after {
        return Ok(String::new());
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    if old.len() + new.len() <= SHORT {
        deadline.spend(old.len() + new.len())?;
        let diff = TextDiff::from_lines(before, after);
        return Ok(diff.unified_diff().context_radius(CONTEXT).header("before", "after").to_string());
    }
    let mut numbers = HashMap::new();
    let mut number = |line| {
        let next = numbers.len();
        *numbers.entry(line).or_insert(next)
    };
    let (old_ids, new_ids): (Vec<usize>, Vec<usize>) =
        (old.iter().map(|line| number(*line)).collect(), new.iter().map(|line| number(*line)).collect());
    let mut ops = Ops::default();
    compare(&old_ids, &new_ids, MAX_DEPTH, &mut ops, deadline)?;
    let mut out = String::from("--- before\n+++ after\n");
    for group in group_diff_ops(ops.list, CONTEXT) {
        let written = out.len();
        out.push_str(&format!("{}\n", UnifiedHunkHeader::new(&group)));
        for op in &group {
            let (removed, added) = (op.old_range(), op.new_range());
            match op {
                DiffOp::Equal { .. } => old[removed].iter().for_each(|line| write(&mut out, ' ', line)),
                _ => {
                    old[removed].iter().for_each(|line| write(&mut out, '-', line));
                    new[added].iter().for_each(|line| write(&mut out, '+', line));
                }
            }
        }
        deadline.spend(out.len() - written)?;
    }
    Ok(out)
}

fn write(out: &mut String, mark: char, line: &str) {
    out.push(mark);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

/// The beginning of a diff that is too large, and how many lines follow.
fn cut(diff: String) -> String {
    if diff.len() <= MAX_BYTES {
        return diff;
    }
    let end = diff.floor_char_boundary(MAX_BYTES);
    let kept = &diff[..diff[..end].rfind('\n').map_or(end, |at| at + 1)];
    let rest = diff[kept.len()..].lines().count();
    let separator = if kept.ends_with('\n') { "" } else { "\n" };
    format!("{kept}{separator}\\ {rest} more lines of the diff are not listed\n")
}

/// Operations in their order, neighbours of the same sort as one.
#[derive(Default)]
struct Ops {
    list: Vec<DiffOp>,
    old: usize,
    new: usize,
}

impl Ops {
    fn equal(&mut self, len: usize) {
        if let Some(DiffOp::Equal { len: known, .. }) = self.list.last_mut() {
            *known += len;
        } else if len > 0 {
            self.list.push(DiffOp::Equal { old_index: self.old, new_index: self.new, len });
        }
        self.old += len;
        self.new += len;
    }

    fn replace(&mut self, old_len: usize, new_len: usize) {
        let (old_index, new_index) = (self.old, self.new);
        match (old_len, new_len) {
            (0, 0) => {}
            (0, _) => self.list.push(DiffOp::Insert { old_index, new_index, new_len }),
            (_, 0) => self.list.push(DiffOp::Delete { old_index, old_len, new_index }),
            _ => self.list.push(DiffOp::Replace { old_index, old_len, new_index, new_len }),
        }
        self.old += old_len;
        self.new += new_len;
    }
}

fn compare(
    old: &[usize],
    new: &[usize],
    depth: usize,
    ops: &mut Ops,
    deadline: &Deadline,
) -> Result<(), DeadlineExceeded> {
    deadline.spend(old.len() + new.len())?;
    let first = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    ops.equal(first);
    let (old, new) = (&old[first..], &new[first..]);
    let last = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - last], &new[..new.len() - last]);
    if old.is_empty() || new.is_empty() {
        ops.replace(old.len(), new.len());
    } else if old.len() + new.len() <= SHORT_GAP {
        for op in capture_diff_slices(Algorithm::Myers, old, new) {
            match op {
                DiffOp::Equal { len, .. } => ops.equal(len),
                other => ops.replace(other.old_range().len(), other.new_range().len()),
            }
        }
    } else {
        let matched = if depth == 0 { Vec::new() } else { matches(old, new) };
        let (mut old_at, mut new_at) = (0, 0);
        for (a, b) in matched {
            compare(&old[old_at..a], &new[new_at..b], depth - 1, ops, deadline)?;
            ops.equal(1);
            (old_at, new_at) = (a + 1, b + 1);
        }
        match old_at == 0 && new_at == 0 {
            true => ops.replace(old.len(), new.len()),
            false => compare(&old[old_at..], &new[new_at..], depth - 1, ops, deadline)?,
        }
    }
    ops.equal(last);
    Ok(())
}

/// Places of lines that stand once in each text, rising in both.
fn matches(old: &[usize], new: &[usize]) -> Vec<(usize, usize)> {
    let once = |lines: &[usize]| {
        let mut places: HashMap<usize, Option<usize>> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            places.entry(*line).and_modify(|place| *place = None).or_insert(Some(at));
        }
        places
    };
    let new_places = once(new);
    let mut pairs: Vec<(usize, usize)> = once(old)
        .into_iter()
        .filter_map(|(line, place)| Some((place?, new_places.get(&line).copied().flatten()?)))
        .collect();
    pairs.sort_unstable();
    // The longest rising sequence: `ends` holds the pair that ends the best sequence of each length.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (_, b)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *b);
        before.push(length.checked_sub(1).map(|length| ends[length]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut sequence = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(at) = next {
        sequence.push(pairs[at]);
        next = before[at];
    }
    sequence.reverse();
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a diff leads to, read as `patch` reads it.
    fn patched(before: &str, diff: &str) -> String {
        let old: Vec<&str> = before.split_inclusive('\n').collect();
        let (mut out, mut done) = (String::new(), 0);
        let lines: Vec<&str> = diff.split_inclusive('\n').skip(2).collect();
        for (at, line) in lines.iter().enumerate() {
            let content = match lines.get(at + 1) {
                Some(next) if next.starts_with('\\') => line[1..].trim_end_matches('\n'),
                _ => &line[1..],
            };
            match &line[..1] {
                "@" => {
                    let from: usize =
                        line.split(['-', ',', ' ']).filter_map(|word| word.parse().ok()).next().unwrap();
                    let from = from.saturating_sub(1);
                    out.extend(old[done..from].iter().copied());
                    done = from;
                }
                " " => {
                    assert_eq!(old[done], content);
                    out.push_str(content);
                    done += 1;
                }
                "-" => {
                    assert_eq!(old[done], content);
                    done += 1;
                }
                "+" => out.push_str(content),
                _ => {}
            }
        }
        out.extend(old[done..].iter().copied());
        out
    }

    #[test]
    fn the_diff_of_long_texts_leads_from_one_to_the_other() {
        let numbered = |n: usize| (0..n).map(|n| format!("line {n}\n")).collect::<Vec<_>>();
        let base = numbered(3000);
        let reversed: Vec<String> = base.iter().rev().cloned().collect();
        let other: Vec<String> = base.iter().map(|line| format!("other {line}")).collect();
        let mut few = base.clone();
        few[1000] = "changed\n".into();
        few.remove(2000);
        few.insert(0, "new\n".into());
        let equal_lines = vec!["same\n".to_owned(); 3000];
        let mixed: Vec<String> =
            (0..3000).map(|n| format!("{}\n", (n * 7919) % 1500)).chain(["no end".into()]).collect();
        let cases = [&base, &reversed, &other, &few, &equal_lines, &mixed, &base[..1].to_vec(), &Vec::new()]
            .map(|lines| lines.concat());
        for before in &cases {
            for after in &cases {
                assert_eq!(patched(before, &unified_diff(before, after)), *after);
            }
        }
        let small = unified_diff(&cases[0], &cases[3]);
        assert_eq!(small.lines().filter(|line| line.starts_with(['+', '-'])).count(), 2 + 4, "{small}");
    }

    #[test]
    fn a_large_diff_of_an_answer_is_cut() {
        let after = "a line of some length\n".repeat(20_000);
        let diff = unified_diff_within("", &after, &Deadline::none()).unwrap();
        assert!(diff.len() < MAX_BYTES + 100);
        let listed = diff.lines().filter(|line| line.starts_with("+a")).count();
        let last = format!("\\ {} more lines of the diff are not listed", 20_000 - listed);
        assert_eq!(diff.lines().last(), Some(last.as_str()));
        let one_line = "ü".repeat(MAX_BYTES);
        assert!(unified_diff_within("", &one_line, &Deadline::none()).unwrap().len() < MAX_BYTES + 100);
    }

    #[test]
    fn an_exceeded_deadline_ends_it() {
        let deadline = Deadline::none();
        deadline.cancel();
        assert_eq!(unified_diff_within("a", "b", &deadline), Err(DeadlineExceeded));
    }
}
