//! The format of environment files: that of Docker Compose, so that one file serves Compose, `deploy` and `.env`.
//!
//! Stricter than Compose: what Compose ignores or replaces by an empty text is a mistake here, because the program
//! would start with other settings than the operator expects. A mistake never contains text of a value, which may be
//! a secret.

use std::collections::BTreeMap;

/// Longer values are refused, so that references cannot multiply a text without bounds.
const MAX_VALUE_BYTES: usize = 64 << 10;
/// How deep references can be nested, as in `${A:-${B}}`.
const MAX_DEPTH: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) value: String,
    /// Starts at 1.
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// The variables of a file; of several lines with the same name, the last one counts. References are looked up
/// `outside` first and then in the lines before.
///
/// # Errors
/// Every line that cannot be read.
pub(super) fn read(
    text: &[u8],
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, Assigned>, Vec<Mistake>> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = text[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        vec![Mistake { line, problem: "it is not UTF-8 text; save the file as UTF-8".to_owned() }]
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, line: 1, variables: BTreeMap::new(), outside };
    let mut mistakes = Vec::new();
    while reader.skip_to_statement() {
        let (line, start) = (reader.line, reader.rest);
        match reader.statement() {
            Ok((name, value)) => {
                reader.variables.insert(name, Assigned { value, line });
            }
            Err(problem) => {
                mistakes.push(Mistake { line, problem });
                reader.line = line;
                reader.rest = &start[line_end(start)..];
            }
        }
    }
    if mistakes.is_empty() { Ok(reader.variables) } else { Err(mistakes) }
}

/// The value as this format writes it.
pub fn quoted(value: &str) -> String {
    // In single quotes every character stands for itself, but for `\'` and for a backslash at the end.
    if !value.contains('\'') && !value.ends_with('\\') {
        return format!("'{value}'");
    }
    let mut text = String::from("\"");
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
    text
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    variables: BTreeMap<String, Assigned>,
    outside: &'a dyn Fn(&str) -> Option<String>,
}

fn line_end(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

fn is_name(text: &str) -> bool {
    let rest = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.bytes().all(rest)
}

impl<'a> Reader<'a> {
    fn advance(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count();
        self.rest = &self.rest[bytes..];
    }

    /// Skips blank lines and comments; false at the end.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            self.advance(self.rest.len() - self.rest.trim_start().len());
            match self.rest.starts_with('#') {
                true => self.advance(line_end(self.rest)),
                false => return !self.rest.is_empty(),
            }
        }
    }

    /// Reads `NAME=value` or `NAME: value`, with all lines of a quoted value.
    fn statement(&mut self) -> Result<(String, String), String> {
        let line = &self.rest[..line_end(self.rest)];
        let Some(at) = line.find(['=', ':']) else {
            return Err("the line does not have the form NAME=value".to_owned());
        };
        let mut name = line[..at].trim();
        if let Some(exported) = name.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
            name = exported.trim_start();
        }
        if !is_name(name) {
            return Err("the text before the first = or : is not a name of letters, digits and _".to_owned());
        }
        let name = name.to_owned();
        let value = line[at + 1..].trim_start();
        let quote = value.chars().next().filter(|first| ['"', '\''].contains(first));
        // What is skipped has no line break.
        self.advance(line.len() - value.len());
        let value = match quote {
            Some(quote) => self.quoted(quote),
            None => self.unquoted(),
        };
        match value {
            Ok(value) if value.contains('\0') => Err(format!("{name} contains a null character")),
            Ok(value) => Ok((name, value)),
            Err(problem) => Err(format!("the value of {name} is not valid: {problem}")),
        }
    }

    fn unquoted(&mut self) -> Result<String, String> {
        let line = &self.rest[..line_end(self.rest)];
        self.advance(line.len());
        if line.starts_with('#') || line.split(" #").next().is_some_and(|text| text.contains("\t#")) {
            return Err(
                "it is not clear whether # begins a comment; put the value in quotes, and a blank before a \
                        comment"
                    .to_owned(),
            );
        }
        let value = line.split(" #").next().unwrap_or_default().trim_end();
        self.interpolate(value, 0)
    }

    /// Reads to the closing quote, and the comment after it.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        let end = loop {
            let Some((at, character)) = characters.next() else {
                return Err(format!("the quote {quote} is not closed"));
            };
            if character == quote {
                break at + 1;
            }
            if character != '\\' {
                value.push(character);
                continue;
            }
            let Some((_, escaped)) = characters.next() else { continue };
            match escaped {
                _ if escaped == quote => value.push(quote),
                _ if quote == '\'' => value.extend(['\\', escaped]),
                '"' | '\\' => value.push(escaped),
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'a' => value.push('\x07'),
                'b' => value.push('\x08'),
                'f' => value.push('\x0c'),
                'v' => value.push('\x0b'),
                // A dollar sign that begins no reference.
                '$' => value.push_str("$$"),
                '0' => return Err("octal escapes are not supported; write the character itself".to_owned()),
                _ => value.extend(['\\', escaped]),
            }
        };
        self.advance(end);
        let after = self.rest[..line_end(self.rest)].trim();
        if !after.is_empty() && !after.starts_with('#') {
            return Err(format!(
                "there is text after the closing quote; escape a quote inside the value as \\{quote}"
            ));
        }
        self.advance(line_end(self.rest));
        if quote == '\'' { Ok(value) } else { self.interpolate(&value, 0) }
    }

    /// Replaces references to variables, and `$$` by `$`.
    fn interpolate(&self, text: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err(format!("references are nested more than {MAX_DEPTH} deep"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let end = closing_brace(after).ok_or("a reference ${ is not closed with }")?;
                out.push_str(&self.reference(&after[..end], depth)?);
                rest = &after[end + 1..];
            } else if rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                let end = reference_end(rest);
                // Not named: in a password with a dollar sign, this is a part of the password.
                let value = self.lookup(&rest[..end]).ok_or(
                    "it refers to a variable that is not set in a line before; for a dollar sign, write $$ or put the \
                     value in single quotes",
                )?;
                out.push_str(&value);
                rest = &rest[end..];
            } else {
                out.push('$');
            }
            if out.len() > MAX_VALUE_BYTES {
                break;
            }
        }
        out.push_str(rest);
        match out.len() > MAX_VALUE_BYTES {
            true => Err(format!("it is longer than {} KB", MAX_VALUE_BYTES >> 10)),
            false => Ok(out),
        }
    }

    /// The text of a reference in braces, as in `${NAME:-default}`.
    fn reference(&self, text: &str, depth: usize) -> Result<String, String> {
        let (name, rest) = text.split_at(reference_end(text));
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("a reference ${ has no name".to_owned());
        }
        let found = self.lookup(name);
        let filled = found.clone().filter(|value| !value.is_empty());
        // In lower case it may be a part of a password.
        let shown = if name.chars().any(|c| c.is_ascii_lowercase()) { "a variable" } else { name };
        let missing = || format!("it refers to {shown}, which is not set in a line before");
        if rest.is_empty() {
            return found.ok_or_else(missing);
        }
        let operator = [":-", ":?", ":+", "-", "?", "+"].into_iter().find(|form| rest.starts_with(form));
        let other = &rest[operator.map_or(0, str::len)..];
        match operator {
            Some(":-") => filled.map_or_else(|| self.interpolate(other, depth + 1), Ok),
            Some("-") => found.map_or_else(|| self.interpolate(other, depth + 1), Ok),
            Some(":?") => filled.ok_or_else(missing),
            Some("?") => found.ok_or_else(missing),
            Some(":+") => filled.map_or(Ok(String::new()), |_| self.interpolate(other, depth + 1)),
            Some(_) => found.map_or(Ok(String::new()), |_| self.interpolate(other, depth + 1)),
            None => Err(format!("the reference to {shown} has none of the forms that Docker Compose knows")),
        }
    }

    fn lookup(&self, name: &str) -> Option<String> {
        (self.outside)(name).or_else(|| self.variables.get(name).map(|found| found.value.clone()))
    }
}

fn reference_end(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The brace that closes a reference, after references inside it.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => (),
        }
        before = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<(String, String)>, Vec<Mistake>> {
        let outside = |name: &str| (name == "OUTSIDE").then(|| "out".to_owned());
        let read = read(text.as_bytes(), &outside)?;
        Ok(read.into_iter().map(|(name, found)| (name, found.value)).collect())
    }

    /// The values are those of Docker's documentation ("Syntax for environment files", "Interpolation").
    #[test]
    fn values_are_those_of_docker_compose() {
        for (text, expected) in [
            ("VAR=VAL", "VAL"),
            ("VAR=\"VAL\"", "VAL"),
            ("VAR='VAL'", "VAL"),
            ("VAR: VAL", "VAL"),
            ("VAR = VAL  ", "VAL"),
            ("  export VAR=VAL", "VAL"),
            ("export\tVAR = 'VAL'", "VAL"),
            ("VAR=", ""),
            ("VAR=''", ""),
            ("VAR=VAL # comment", "VAL"),
            ("VAR=VAL# not a comment", "VAL# not a comment"),
            ("VAR=\"VAL # not a comment\"", "VAL # not a comment"),
            ("VAR=\"VAL\" # comment", "VAL"),
            ("VAR='VAL'# comment", "VAL"),
            ("VAR='$OTHER'", "$OTHER"),
            ("VAR='${OTHER}'", "${OTHER}"),
            (r"VAR='Let\'s go!'", "Let's go!"),
            (r#"VAR="{\"hello\": \"json\"}""#, r#"{"hello": "json"}"#),
            (r#"VAR="some\tvalue""#, "some\tvalue"),
            (r"VAR='some\tvalue'", r"some\tvalue"),
            (r"VAR=some\tvalue", r"some\tvalue"),
            (r#"VAR="a\\b\nc\d""#, "a\\b\nc\\d"),
            ("VAR='SOME\nVALUE'", "SOME\nVALUE"),
            ("\u{feff}VAR=VAL", "VAL"),
            ("# comment\r\n\r\nVAR=VAL\r\n", "VAL"),
            ("VAR=\"VAL\"\r\n", "VAL"),
            ("VAR=BA Copilot <ba@example.com>", "BA Copilot <ba@example.com>"),
            ("VAR=a, b", "a, b"),
            ("VAR=postgres://u:p@h:5432/d?sslmode=require", "postgres://u:p@h:5432/d?sslmode=require"),
            ("VAR=x\nVAR=y", "y"),
            // Interpolation.
            ("OTHER=o\nVAR=$OTHER-${OTHER}", "o-o"),
            ("OTHER=o\nVAR=\"<$OTHER>\"", "<o>"),
            ("VAR=${OUTSIDE}", "out"),
            ("OUTSIDE=file\nVAR=${OUTSIDE}", "out"),
            ("OTHER=\nVAR=a${OTHER}b", "ab"),
            ("OTHER=\nVAR=${OTHER:-default}", "default"),
            ("OTHER=\nVAR=${OTHER-default}", ""),
            ("VAR=${OTHER-default}", "default"),
            ("VAR=${OTHER:-${OUTSIDE}}", "out"),
            ("VAR=${OTHER:-${ANOTHER:-default}}", "default"),
            ("OTHER=o\nVAR=${OTHER:?is required}", "o"),
            ("OTHER=o\nVAR=${OTHER:+replacement}", "replacement"),
            ("OTHER=\nVAR=${OTHER:+replacement}", ""),
            ("OTHER=\nVAR=${OTHER+replacement}", "replacement"),
            ("VAR=pa$$word", "pa$word"),
            (r#"VAR="pa\$word""#, "pa$word"),
            ("VAR=5$ or $5", "5$ or $5"),
        ] {
            let read = read_text(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"));
            assert_eq!(read.last(), Some(&("VAR".to_owned(), expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn line_that_would_be_lost_is_a_mistake() {
        for (text, line, words) in [
            ("A=1\nVAR\n", 2, "NAME=value"),
            ("A=1\n\nVAR geheim", 3, "NAME=value"),
            ("VAR=x$geheim", 1, "write $$"),
            ("VAR=\"x$geheim\"", 1, "single quotes"),
            ("VAR=${geheim}", 1, "not set"),
            ("VAR=${MISSING}", 1, "refers to MISSING"),
            ("A=\nVAR=${A:?geheim}", 2, "refers to A"),
            ("VAR=${MISSING?geheim}", 1, "refers to MISSING"),
            ("VAR=${A", 1, "not closed"),
            ("VAR=${A/b/c}", 1, "forms"),
            ("VAR=${}", 1, "no name"),
            ("VAR=\"geheim", 1, "not closed"),
            ("VAR='geheim\\'", 1, "not closed"),
            ("VAR=\"geheim\"geheim", 1, "after the closing quote"),
            ("VAR='it's geheim'", 1, "after the closing quote"),
            ("VAR=\"\\0123\"", 1, "octal"),
            ("VAR= # geheim", 1, "comment"),
            ("VAR=geheim\t# geheim", 1, "comment"),
            ("2VAR=geheim", 1, "not a name"),
            ("MY VAR=geheim", 1, "not a name"),
            ("=geheim", 1, "not a name"),
            ("VAR=a\0geheim", 1, "null character"),
        ] {
            let mistakes = read_text(text).expect_err(text);
            let found = mistakes.iter().find(|mistake| mistake.line == line);
            assert!(found.is_some_and(|mistake| mistake.problem.contains(words)), "{text}: {mistakes:?}");
            assert!(mistakes.iter().all(|mistake| !mistake.problem.contains("geheim")), "{mistakes:?}");
            let named = text.contains("VAR=") && !words.contains("name");
            assert!(!named || mistakes.iter().any(|it| it.problem.contains("VAR")), "{text}: {mistakes:?}");
        }
        let utf16: Vec<u8> = "VAR=x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &utf16].concat();
        assert!(read(&marked, &|_| None).unwrap_err()[0].problem.contains("UTF-8"));
        // Every mistake is reported.
        let lines: Vec<usize> =
            read_text("A\nB=1\nC='x\nD=$x\n").unwrap_err().iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 3, 4]);
    }

    #[test]
    fn references_cannot_grow_without_bounds() {
        let mut text = "A0=0123456789\n".to_owned();
        for n in 1..40 {
            text.push_str(&format!("A{n}=${{A{0}}}${{A{0}}}\n", n - 1));
        }
        assert!(read_text(&text).unwrap_err()[0].problem.contains("longer than"));
        let nested = format!("A={}{}", "${A:-".repeat(1000), "}".repeat(1000));
        assert!(read_text(&nested).unwrap_err()[0].problem.contains("nested"));
    }

    #[test]
    fn quoted_value_is_read_back() {
        for value in [
            "",
            "plain",
            "a b # c",
            "it's",
            r"C:\x\",
            "$HOME ${HOME} $$",
            "\"",
            "'\"\\$'",
            "a\nb",
            r"a\'b",
            r"\n'",
        ] {
            let text = format!("VAR={}\nNEXT=1\n", quoted(value));
            let read = read_text(&text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"));
            assert_eq!(read[1], ("VAR".to_owned(), value.to_owned()), "{text}");
            assert_eq!(read.len(), 2, "{text}");
        }
    }
}
