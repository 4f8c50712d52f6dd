//! The lines of a diagram, and where ids stand in them.

use super::{Family, write::bracketed};

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
    pub(super) fn of(text: &'a str) -> Self {
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
        let first =
            self.body().map(|at| self.line(at)).find(|line| !line.trim().is_empty()).unwrap_or("    ");
        &first[..first.len() - first.trim_start().len()]
    }

    /// Whether `id` stands in a line outside of quotes.
    pub(super) fn mentions(&self, at: usize, id: &str) -> bool {
        !places(self.line(at), id).is_empty()
    }

    pub(super) fn mentioning(&self, id: &str) -> Vec<usize> {
        self.body().filter(|at| self.mentions(*at, id)).collect()
    }

    /// Lines that are this member of a class, in its box or behind its name.
    pub(super) fn members(&self, member: &str) -> Vec<Vec<usize>> {
        let is = |line: &str| {
            let line = line.trim();
            let behind_name = line.split_once(':').map_or("", |(_, rest)| rest);
            super::plain(line) == super::plain(member) || super::plain(behind_name) == super::plain(member)
        };
        self.body().filter(|at| is(self.line(*at))).map(|at| vec![at]).collect()
    }

    /// The lines of `set`, and those of the box that one of them opens for `id`.
    pub(super) fn with_blocks(&self, id: &str, set: &[usize]) -> Vec<usize> {
        let mut all = Vec::new();
        for at in set {
            all.push(*at);
            let line = self.line(*at).trim();
            let opens = line.strip_prefix("class ").is_some_and(|rest| !places(rest, id).is_empty())
                && line.ends_with('{');
            if opens {
                let end = (*at..self.lines.len()).find(|at| self.line(*at).trim() == "}").unwrap_or(*at);
                all.extend(at + 1..=end);
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn without(&self, set: &[usize]) -> String {
        Self::join(self.lines.iter().enumerate().filter(|(at, _)| !set.contains(at)).map(|(_, line)| *line))
    }

    /// The text with `again` in the place of the lines of `set`.
    pub(super) fn replaced(&self, set: &[usize], again: &[String]) -> String {
        let mut out = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            if set.first() == Some(&at) {
                let indent = &line[..line.len() - line.trim_start().len()];
                again.iter().for_each(|new| out.push_str(&format!("{indent}{new}\n")));
            }
            if !set.contains(&at) {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }

    /// Arrow heads and lengths that an outline does not tell.
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
        let mut tries = Vec::new();
        let mut bare = Vec::new();
        for at in self.mentioning(id) {
            let line = self.line(at);
            for place in places(line, id) {
                let behind = place + id.len();
                match shaped(&line[behind..]) {
                    Some((open, close, length))
                        if open != "@{" && !(family == Family::Class && open == "{") =>
                    {
                        let text = format!(
                            "{}{}{}",
                            &line[..behind],
                            bracketed(open, label, close),
                            &line[behind + length..]
                        );
                        tries.push(self.with(at, &text));
                    }
                    _ if family == Family::Flow || line.trim_start().starts_with("class ") => {
                        let text = format!("{}[\"{label}\"]{}", &line[..behind], &line[behind..]);
                        bare.push(self.with(at, &text));
                    }
                    _ => {}
                }
            }
        }
        tries.truncate(8);
        bare.truncate(4);
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

/// Where `id` stands as a word of its own: not in quotes, not in the brackets or bars of a label.
fn places(line: &str, id: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut quoted, mut bars, mut depth) = (false, false, 0_i32);
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let before = line[..at].chars().next_back();
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '|' => bars = !bars,
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            _ if bars || depth > 0 => {}
            _ if line[at..].starts_with(id) && !before.is_some_and(is_word) => {
                let after = line[at + id.len()..].chars().next();
                if !after.is_some_and(is_word) {
                    found.push(at);
                }
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The brackets that a text begins with, and how long they and what is in them are.
pub(super) fn shaped(rest: &str) -> Option<(&'static str, &'static str, usize)> {
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

/// A box as a line defines it: its id, its brackets with the label, and its style class.
pub(super) fn raw_definition(line: &str, id: &str) -> Option<String> {
    places(line, id).into_iter().find_map(|place| {
        let mut end = place + id.len();
        let (_, _, length) = shaped(&line[end..])?;
        end += length;
        if let Some(rest) = line[end..].strip_prefix(":::") {
            end += 3 + rest.find(|c: char| !is_word(c) && c != '-').unwrap_or(rest.len());
        }
        Some(line[place..end].to_owned())
    })
}
