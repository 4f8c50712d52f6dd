//! The lines of a diagram, and where ids stand in them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    operation::{Family, plain},
    write::bracketed,
};
use crate::deadline::{Deadline, DeadlineExceeded};

/// The most places of an id in one line at which a label is looked for.
const MOST_PLACES: usize = 16;

/// A diagram, line by line.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    /// The first line behind the header; nothing before it is touched.
    body: usize,
}

/// Pairs of brackets around a label, the longer ones first.
const BRACKETS: [(&str, &str); 13] = [
    ("(((", ")))"),
    ("((", "))"),
    ("([", "])"),
    ("[[", "]]"),
    ("[(", ")]"),
    ("{{", "}}"),
    ("[/", "/]"),
    ("[\\", "\\]"),
    ("[", "]"),
    ("(", ")"),
    ("{", "}"),
    (">", "]"),
    ("@{", "}"),
];

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let mut body = 0;
        if lines.first().is_some_and(|line| line.trim() == "---") {
            body = lines.iter().skip(1).position(|line| line.trim() == "---").map_or(0, |at| at + 2);
        }
        while lines.get(body).is_some_and(|line| line.trim().is_empty() || is_comment(line)) {
            body += 1;
        }
        Lines { lines, body: body + 1 }
    }

    pub(super) fn line(&self, at: usize) -> &'a str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    fn body(&self) -> impl Iterator<Item = usize> + '_ {
        (self.body..self.lines.len()).filter(|at| !is_comment(self.line(*at)))
    }

    fn join(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
        let mut out = String::new();
        for line in lines {
            out.push_str(line.as_ref());
            out.push('\n');
        }
        out
    }

    /// The text with one more line at its end.
    pub(super) fn with_line(&self, line: &str) -> String {
        let end = self.lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
        let indent = self.indent();
        Self::join(self.lines[..end].iter().map(|line| (*line).to_owned()).chain([format!("{indent}{line}")]))
    }

    /// How the first statement is indented.
    fn indent(&self) -> &'a str {
        let first = self.body().map(|at| self.line(at)).find(|line| !line.trim().is_empty());
        indent_of(first.unwrap_or("    "))
    }

    /// Whether `id` stands in a line outside of quotes.
    pub(super) fn mentions(&self, at: usize, id: &str) -> bool {
        !places(self.line(at), id).is_empty()
    }

    pub(super) fn mentioning(&self, id: &str) -> Vec<usize> {
        self.body().filter(|at| self.mentions(*at, id)).collect()
    }

    /// Lines that are this member of a class, in a box or behind a name; those in the box of `id` or behind its name
    /// first.
    pub(super) fn members(&self, id: &str, member: &str) -> Vec<usize> {
        let sought = plain(member);
        let (mut own, mut others) = (Vec::new(), Vec::new());
        let mut in_own_box = false;
        for at in self.body() {
            let line = self.line(at).trim();
            let behind_name = line.split_once(':').map_or("", |(_, rest)| rest);
            if plain(line) == sought || plain(behind_name) == sought {
                match in_own_box || places(line, id).first() == Some(&0) {
                    true => own.push(at),
                    false => others.push(at),
                }
            }
            if line.ends_with('{') {
                in_own_box = opens_box_of(line, id);
            } else if line == "}" {
                in_own_box = false;
            }
        }
        own.append(&mut others);
        own
    }

    /// The lines of `set`, and those of the box that one of them opens for `id`. Sorted.
    pub(super) fn with_blocks(&self, id: &str, set: &[usize]) -> Vec<usize> {
        // For each line the next one, from itself on, that closes a box.
        let mut closing = vec![None; self.lines.len()];
        let mut next = None;
        for (at, line) in self.lines.iter().enumerate().rev() {
            next = if line.trim() == "}" { Some(at) } else { next };
            closing[at] = next;
        }
        let mut all = Vec::new();
        let mut done = 0;
        for at in set {
            all.push(*at);
            if opens_box_of(self.line(*at).trim(), id) {
                let end = closing.get(*at).copied().flatten().unwrap_or(*at);
                all.extend((at + 1).max(done)..=end);
                done = done.max(end + 1);
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The text without the lines of `set`, which is sorted.
    pub(super) fn without(&self, set: &[usize]) -> String {
        let rest = self.lines.iter().enumerate().filter(|(at, _)| set.binary_search(at).is_err());
        Self::join(rest.map(|(_, line)| *line))
    }

    /// The text with `again` in the place of the lines of `set`, which is sorted.
    pub(super) fn replaced(&self, set: &[usize], again: &[String]) -> String {
        let mut out = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            if set.first() == Some(&at) {
                let indent = indent_of(line);
                again.iter().for_each(|new| out.push_str(&format!("{indent}{new}\n")));
            }
            if set.binary_search(&at).is_err() {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }

    /// The boxes of `ids` as the lines of `set` define them: each with its id, its brackets with the label, and its
    /// style class.
    pub(super) fn definitions<'i>(
        &self,
        set: &[usize],
        ids: &HashSet<&'i str>,
        deadline: &Deadline,
    ) -> Result<HashMap<&'i str, String>, DeadlineExceeded> {
        let lengths: BTreeSet<usize> = ids.iter().map(|id| id.len()).collect();
        let mut found = HashMap::new();
        for at in set {
            let line = self.line(*at);
            let mut tries: HashMap<&str, usize> = HashMap::new();
            for place in spots(line) {
                deadline.spend(lengths.len())?;
                for length in &lengths {
                    let Some(id) = line.get(place..place + length).and_then(|id| ids.get(id).copied()) else {
                        continue;
                    };
                    let ends = !line[place + length..].starts_with(is_word);
                    let tries = tries.entry(id).or_default();
                    if !ends || found.contains_key(id) || *tries >= MOST_PLACES {
                        continue;
                    }
                    *tries += 1;
                    if let Some(raw) = definition(line, place, *length) {
                        deadline.spend(raw.len())?;
                        found.insert(id, raw);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Arrow heads and lengths that an outline does not hold.
    pub(super) fn has_special_ends(&self, family: Family, at: usize) -> bool {
        let line = self.line(at);
        let marks: &[&str] = match family {
            Family::Flow => {
                &["--o", "--x", "<-", "o--", "x--", "~~~", "---->", "---- ", "-..", "===", "@{", "<="]
            }
            Family::Class => &["()", "..>|", "<--*"],
        };
        marks.iter().any(|mark| line.contains(mark)) || line.contains("e1@")
    }

    /// The text with `to` wherever `id` stands for the box.
    pub(super) fn renamed(&self, family: Family, id: &str, to: &str) -> String {
        let mut in_box = false;
        let lines = self.lines.iter().enumerate().map(|(at, line)| {
            let inside = in_box;
            if family == Family::Class {
                // Members may name a type that is called as the class is.
                in_box = if in_box {
                    line.trim() != "}"
                } else {
                    line.trim().ends_with('{') && !line.trim().starts_with("namespace")
                };
            }
            if at < self.body || is_comment(line) || inside {
                return (*line).to_owned();
            }
            let end = match family {
                Family::Class => line.find(" : ").unwrap_or(line.len()),
                Family::Flow => line.len(),
            };
            let mut out = String::new();
            let mut done = 0;
            for place in places(line, id).into_iter().filter(|place| *place < end) {
                out.push_str(&line[done..place]);
                out.push_str(to);
                done = place + id.len();
            }
            out.push_str(&line[done..]);
            out
        });
        Self::join(lines.collect::<Vec<_>>())
    }

    /// The text with another label on `id`, where it has one and where it could have one.
    pub(super) fn relabelled(&self, family: Family, id: &str, label: &str) -> Vec<String> {
        const MOST_TRIES: usize = 8;
        const MOST_BARE: usize = 4;
        let mut tries = Vec::new();
        let mut bare = Vec::new();
        let places = self.mentioning(id).into_iter().flat_map(|at| {
            let line = self.line(at);
            places(line, id).into_iter().take(MOST_PLACES).map(move |place| (at, line, place + id.len()))
        });
        for (at, line, behind) in places {
            if tries.len() >= MOST_TRIES && bare.len() >= MOST_BARE {
                break;
            }
            let shape = shaped(&line[behind..])
                .filter(|(open, ..)| *open != "@{" && !(family == Family::Class && *open == "{"));
            let may_have_one = family == Family::Flow || line.trim_start().starts_with("class ");
            if let Some((open, close, length)) = shape {
                if tries.len() < MOST_TRIES {
                    let labelled = bracketed(open, label, close);
                    let text = format!("{}{labelled}{}", &line[..behind], &line[behind + length..]);
                    tries.push(self.with(at, &text));
                }
            } else if may_have_one && bare.len() < MOST_BARE {
                let text = format!("{}[\"{label}\"]{}", &line[..behind], &line[behind..]);
                bare.push(self.with(at, &text));
            }
        }
        tries.append(&mut bare);
        tries
    }

    fn with(&self, at: usize, line: &str) -> String {
        Self::join(self.lines.iter().enumerate().map(|(other, old)| if other == at { line } else { *old }))
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("%%")
}

/// Whether a line without spaces around it opens the box of the class `id`.
fn opens_box_of(line: &str, id: &str) -> bool {
    line.ends_with('{') && line.strip_prefix("class ").is_some_and(|rest| !places(rest, id).is_empty())
}

/// The spaces that a line begins with, as far as new lines repeat them.
fn indent_of(line: &str) -> &str {
    const MOST: usize = 100;
    let indent = &line[..line.len() - line.trim_start().len()];
    &indent[..indent.floor_char_boundary(MOST)]
}

/// Where `id` stands as a word of its own: not in quotes, not in the brackets or bars of a label.
fn places(line: &str, id: &str) -> Vec<usize> {
    let stands = |at: &usize| line[*at..].strip_prefix(id).is_some_and(|after| !after.starts_with(is_word));
    spots(line).into_iter().filter(stands).collect()
}

/// Where a word may begin: not in quotes, not in the brackets or bars of a label.
fn spots(line: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut quoted, mut bars, mut depth) = (false, false, 0_i32);
    let mut before = None;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '|' => bars = !bars,
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            _ if bars || depth > 0 => {}
            _ if !before.is_some_and(is_word) => found.push(at),
            _ => {}
        }
        before = Some(c);
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The brackets that a text begins with, and how long they and what is in them are.
fn shaped(rest: &str) -> Option<(&'static str, &'static str, usize)> {
    let (open, close) = BRACKETS.iter().find(|(open, _)| rest.starts_with(open))?;
    let inner = &rest[open.len()..];
    let mut quoted = false;
    for (at, c) in inner.char_indices() {
        quoted ^= c == '"';
        if !quoted && inner[at..].starts_with(close) {
            return Some((open, close, open.len() + at + close.len()));
        }
    }
    None
}

/// The box whose id of `length` bytes begins at `place`.
fn definition(line: &str, place: usize, length: usize) -> Option<String> {
    let mut end = place + length;
    end += shaped(&line[end..])?.2;
    if let Some(rest) = line[end..].strip_prefix(":::") {
        end += 3 + rest.find(|c: char| !is_word(c) && c != '-').unwrap_or(rest.len());
    }
    Some(line[place..end].to_owned())
}
