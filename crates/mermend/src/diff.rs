//! The change of a text as a unified diff.
//!
//! `similar` bounds its search as Git does, so that the time grows little faster than the text: the diff of long
//! texts is right, but may be longer than the smallest.

use similar::TextDiff;

use crate::deadline::{Deadline, DeadlineExceeded};

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// The largest diff of an answer, in bytes.
const MAX_BYTES: usize = 200_000;

/// The change from `before` to `after` as a unified diff; empty if there is none.
pub fn unified_diff(before: &str, after: &str) -> String {
    whole_diff(before, after, &Deadline::none()).unwrap_or_default()
}

/// [`unified_diff`] within a deadline and of bounded size. The last line counts what is left out.
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
    let mut config = TextDiff::configure();
    // By line feeds alone, as `patch` and Git read lines.
    config.newline_terminated(true);
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<_>>();
    if let Some(remaining) = deadline.remaining() {
        config.timeout(remaining);
    }
    let (before, after) = (lines(before), lines(after));
    let diff = config.diff_slices(&before, &after);
    // The diff that a timeout leaves is coarse, and no answer.
    if deadline.exceeded() {
        return Err(DeadlineExceeded);
    }
    let text = diff.unified_diff().context_radius(CONTEXT).header("before", "after").to_string();
    deadline.spend(text.len())?;
    Ok(text)
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
