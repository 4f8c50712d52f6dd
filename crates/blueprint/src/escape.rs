//! Escaping of text inside Mermaid text, so that it shows as the same words.
//!
//! Mermaid replaces `#name;` and `#123;` before any grammar sees the text and turns them back into characters when it
//! draws, so an escaped character can neither end a label nor start a comment, a tag or a list. Which characters need
//! it differs by place; this is the only module that knows. It never shortens anything but what is over
//! [`LABEL_CHARS`].

/// Longest label, in characters; what is longer is cut and ends in `…`.
pub(crate) const LABEL_CHARS: usize = 200;

/// Where a text will stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between quotes: a node, a class, a boundary, an edge of a flowchart, a multiplicity.
    Quoted,
    /// In the box of a class, where brackets make a method of an attribute and signs at either end mean something.
    Member,
    /// After the colon of a class relationship, where a second colon or a line end ends it.
    AfterColon,
}

/// A label between quotes; never empty, because Mermaid refuses `[""]`.
pub(crate) fn quoted(text: &str) -> String {
    or_space(escape(&clean(text), Place::Quoted))
}

/// The name or type of a class member; empty if the text is.
pub(crate) fn member(text: &str) -> String {
    escape(&clean(text), Place::Member)
}

/// The label of a class relationship; empty if the text is.
pub(crate) fn after_colon(text: &str) -> String {
    escape(&clean(text), Place::AfterColon)
}

fn or_space(text: String) -> String {
    if text.is_empty() { " ".to_owned() } else { text }
}

/// A label between quotes that stands behind a tag (`<br/>`).
///
/// Because of the tag Mermaid cleans the whole label as HTML, which undoes entity codes before icons, formulas and `\n`
/// are looked for; an invisible joiner keeps them apart.
pub(crate) fn quoted_after_tag(text: &str) -> String {
    let mut text = clean(text);
    for (found, apart) in [("$$", "$\u{2060}$"), (":fa-", ":\u{2060}fa-"), ("\\n", "\\\u{2060}n")] {
        text = text.replace(found, apart);
    }
    or_space(escape(&text, Place::Quoted))
}

/// One line of visible text that fits a diagram.
pub(crate) fn clean(text: &str) -> String {
    let mut out = one_line(text);
    // What Mermaid itself writes for `#` and `;` on the way to the picture, and turns back at the very end.
    for (found, apart) in [("\u{fb02}°", "\u{fb02}\u{2060}°"), ("¶ß", "¶\u{2060}ß")] {
        if out.contains(found) {
            out = out.replace(found, apart);
        }
    }
    if out.chars().nth(LABEL_CHARS).is_some() {
        let kept: String = out.chars().take(LABEL_CHARS - 1).collect();
        out = format!("{}…", kept.trim_end());
    }
    out
}

/// One line of visible text: runs of white space become one space, what no font draws and XML refuses is dropped.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pending = false;
    for c in text.chars() {
        if c.is_whitespace() {
            pending = !out.is_empty();
        } else if !(c.is_control() || is_noncharacter(c) || c == '\u{feff}') {
            if pending {
                out.push(' ');
                pending = false;
            }
            out.push(c);
        }
    }
    out
}

fn is_noncharacter(c: char) -> bool {
    matches!(u32::from(c), 0xfdd0..=0xfdef) || u32::from(c) & 0xfffe == 0xfffe
}

fn escape(text: &str, place: Place) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 16);
    // A number, dash or plus at the start is a list to the Markdown of Mermaid 11.
    let list_mark = list_mark(&chars);
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let special = match c {
            // Quotes, entities, tags, Markdown strings, braces, pipes, line breaks written `\n`, generics, emphasis.
            '"' | '#' | ';' | '<' | '>' | '&' | '`' | '{' | '}' | '|' | '\\' | '~' | '*' => true,
            // Comments and directives; formulas.
            '%' => before == Some('%') || after == Some('%'),
            '$' => place == Place::Member || before == Some('$') || after == Some('$'),
            // Icons (`fa:fa-x`), classes (`:::`), and `style…:…#…;`, from which Mermaid cuts the last semicolon.
            ':' => place == Place::AfterColon || after != Some(' '),
            // Emphasis again, but not in snake_case.
            '_' => !(word(before) && word(after)),
            '(' | ')' => place == Place::Member,
            '+' | '-' if at == 0 => true,
            _ => Some(at) == list_mark,
        };
        match c {
            _ if !special => out.push(c),
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            _ => {
                out.push('#');
                out.push_str(&u32::from(c).to_string());
                out.push(';');
            }
        }
    }
    out
}

/// Place of the `.` or `)` after a number that begins the text.
fn list_mark(chars: &[char]) -> Option<usize> {
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let mark = chars.get(digits)?;
    (digits > 0 && matches!(mark, '.' | ')')).then_some(digits)
}

/// Mermaid takes `direction LR` for a setting wherever it stands in a line, even inside quotes; here it is broken up.
pub(crate) fn guard_line(line: &str) -> String {
    const WORD: &str = "direction";
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(WORD) {
        let (head, tail) = rest.split_at(at + WORD.len());
        out.push_str(head);
        rest = tail;
        let word = tail.trim_start();
        let blanks = tail.len() - word.len();
        if blanks > 0 && ["TB", "TD", "BT", "RL", "LR"].iter().any(|way| word.starts_with(way)) {
            out.push_str("#32;");
            rest = word;
        }
    }
    out.push_str(rest);
    out
}

/// Turns entity codes (`#quot;`, `#35;`) and HTML entities (`&lt;`) back into characters, once.
pub(crate) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['#', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match entity(rest) {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[length..];
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character that `text` begins with as an entity, and the entity's length in bytes.
fn entity(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('#').or_else(|| text.strip_prefix('&'))?;
    let end = body.char_indices().take(12).find(|(_, c)| *c == ';')?.0;
    let name = &body[..end];
    let number = name.strip_prefix('#').unwrap_or(name);
    let c = match name {
        "quot" => '"',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => match number.strip_prefix(['x', 'X']) {
            Some(hex) => char::from_u32(u32::from_str_radix(hex, 16).ok()?)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
    };
    Some((c, text.len() - body.len() + end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, want) in [
            ("Order", "Order"),
            ("snake_case", "snake_case"),
            ("_a_", "#95;a#95;"),
            ("100%", "100%"),
            ("%%{init}%%", "#37;#37;#123;init#125;#37;#37;"),
            ("say \"hi\"", "say #quot;hi#quot;"),
            ("a: b", "a: b"),
            ("fa:fa-car", "fa#58;fa-car"),
            ("1. first", "1#46; first"),
            ("- item", "#45; item"),
            ("well-known", "well-known"),
            ("  a \n\t b\u{0}\u{feff} ", "a b"),
            ("", " "),
        ] {
            assert_eq!(quoted(text), want, "{text:?}");
        }
        assert_eq!(member("a(b)$"), "a#40;b#41;#36;");
        assert_eq!(after_colon("a: b"), "a#58; b");
        assert_eq!(quoted(&"x".repeat(300)).chars().count(), LABEL_CHARS);
        assert_eq!(guard_line("A[\"sort direction  LR now\"]"), "A[\"sort direction#32;LR now\"]");
        assert_eq!(guard_line("direction of travel"), "direction of travel");
    }

    #[test]
    fn decodes_once() {
        for text in ["a \"b\" #35; &lt; <c> {d} | e\\n", "#", "&", "#quot", "ﬂ°°35¶ß", "#nope;"] {
            assert_eq!(decode(&escape(text, Place::Quoted)), text);
            assert_eq!(decode(&escape(text, Place::Member)), text);
        }
    }
}
