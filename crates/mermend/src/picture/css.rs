//! CSS that reaches nothing outside of the picture: only known functions and at-rules stay, and `url()` only with an
//! address inside of the picture.
//!
//! It reads CSS as a browser does: names in any case and with escapes, comments that end a word, strings. What is not
//! known is not repaired but replaced by `none`, or left out.

use std::borrow::Cow;

/// Functions that take numbers, colours, shapes and selectors, in lower case.
const FUNCTIONS: &[&str] = &[
    "rgb",
    "rgba",
    "hsl",
    "hsla",
    "hwb",
    "lab",
    "lch",
    "oklab",
    "oklch",
    "color",
    "color-mix",
    "light-dark",
    "calc",
    "min",
    "max",
    "clamp",
    "var",
    "matrix",
    "matrix3d",
    "translate",
    "translatex",
    "translatey",
    "translatez",
    "translate3d",
    "scale",
    "scalex",
    "scaley",
    "scalez",
    "scale3d",
    "rotate",
    "rotatex",
    "rotatey",
    "rotatez",
    "rotate3d",
    "skew",
    "skewx",
    "skewy",
    "perspective",
    "cubic-bezier",
    "steps",
    "linear",
    "blur",
    "brightness",
    "contrast",
    "drop-shadow",
    "grayscale",
    "hue-rotate",
    "invert",
    "opacity",
    "saturate",
    "sepia",
    "linear-gradient",
    "radial-gradient",
    "circle",
    "ellipse",
    "inset",
    "polygon",
    "path",
    "not",
    "is",
    "where",
    "has",
    "nth-child",
    "nth-last-child",
    "nth-of-type",
    "nth-last-of-type",
    "lang",
];

/// At-rules that hold nothing but other rules or conditions, in lower case.
const AT_RULES: &[&str] = &["keyframes", "-webkit-keyframes", "media", "supports"];

/// `css` without what is not known to be harmless.
pub(super) fn safe(css: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(css.len());
    let mut at = 0;
    while let Some(c) = css[at..].chars().next() {
        let rest = &css[at..];
        if rest.starts_with("/*") {
            // A space, so that what stands around it does not become one word.
            out.push(' ');
            at += comment_length(rest);
        } else if c == '"' || c == '\'' {
            let length = string_length(rest);
            out.push_str(&rest[..length]);
            at += length;
        } else if c == '@' {
            let (name, length) = name(&rest[1..]);
            let end = 1 + length;
            if AT_RULES.contains(&name.as_str()) {
                out.push_str(&rest[..end]);
                at += end;
            } else {
                at += end + at_rule_length(&rest[end..]);
            }
        } else if begins_name(c) {
            let (name, length) = name(rest);
            let behind = &rest[length..];
            let spaces = gap_length(behind);
            let called = behind[spaces..].starts_with('(');
            if called && name == "url" {
                let arguments = arguments_length(&behind[spaces..], true);
                let whole = length + spaces + arguments;
                out.push_str(if is_inside(&behind[spaces..spaces + arguments]) {
                    &rest[..whole]
                } else {
                    "none"
                });
                at += whole;
            } else if called && spaces == 0 && !FUNCTIONS.contains(&name.as_str()) {
                out.push_str("none");
                at += length + spaces + arguments_length(&behind[spaces..], false);
            } else {
                out.push_str(&rest[..length]);
                at += length;
            }
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
    match out == css {
        true => Cow::Borrowed(css),
        false => Cow::Owned(out),
    }
}

/// Characters of a name; a backslash begins an escape.
fn begins_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '\\') || !c.is_ascii()
}

/// The name that a text begins with, in lower case and without escapes, and its length.
fn name(text: &str) -> (String, usize) {
    let mut found = String::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next().filter(|c| begins_name(*c)) {
        let (character, length) = if c == '\\' { escape(&text[at..]) } else { (c, c.len_utf8()) };
        found.extend(character.to_lowercase());
        at += length;
    }
    (found, at)
}

/// The character of an escape, and its length with the backslash.
fn escape(text: &str) -> (char, usize) {
    let body = &text[1..];
    let digits = body.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
    if digits > 0 {
        let number = u32::from_str_radix(&body[..digits], 16).unwrap_or_default();
        let space = body[digits..].chars().next().filter(char::is_ascii_whitespace).map_or(0, char::len_utf8);
        return (char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER), 1 + digits + space);
    }
    body.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, 1 + c.len_utf8()))
}

/// The length of the spaces and comments that a text begins with.
fn gap_length(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = text[at..].trim_start();
        at = text.len() - rest.len();
        match rest.starts_with("/*") {
            true => at += comment_length(rest),
            false => return at,
        }
    }
}

/// The length of the string, comment or escape that a text begins with: what is in it is neither a bracket nor a
/// semicolon.
fn unit_length(text: &str) -> Option<usize> {
    match text.chars().next()? {
        '"' | '\'' => Some(string_length(text)),
        '/' if text.starts_with("/*") => Some(comment_length(text)),
        '\\' => Some(escape(text).1),
        _ => None,
    }
}

fn comment_length(text: &str) -> usize {
    text[2..].find("*/").map_or(text.len(), |end| 2 + end + 2)
}

/// The length of a string with its quotes. A line break ends it too.
fn string_length(text: &str) -> usize {
    let mut characters = text.char_indices();
    let quote = characters.next().map(|(_, c)| c);
    let mut escaped = false;
    for (at, c) in characters {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' | '\r' | '\u{c}' => return at,
            c if Some(c) == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of `(…)`. Without strings inside, an address of `url()` may hold any character but a closing bracket.
fn arguments_length(text: &str, address: bool) -> usize {
    let plain = address && !text[1..].trim_start().starts_with(['"', '\'']);
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = unit_length(&text[at..]).filter(|_| !plain || c == '\\') {
            at += length;
            continue;
        }
        match c {
            '(' if !plain || at == 0 => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Whether the `(…)` of an address names a part of the same picture and nothing else.
fn is_inside(arguments: &str) -> bool {
    let Some(inner) = arguments.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) else {
        return false;
    };
    let inner = inner.trim();
    let target = match inner.chars().next() {
        Some(quote @ ('"' | '\'')) => inner.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote)),
        _ => Some(inner),
    };
    target.map(str::trim).is_some_and(|target| {
        target.starts_with('#') && !target.contains(['"', '\'', '(', ')', '\\', '\n', '\r'])
    })
}

/// The rest of an at-rule: up to its semicolon, or to the end of its block.
fn at_rule_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = unit_length(&text[at..]) {
            at += length;
            continue;
        }
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return if depth == 0 { at } else { at + 1 },
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
        at += c.len_utf8();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, &str)]) {
        for (css, expected) in rows {
            assert_eq!(safe(css), *expected, "{css}");
            assert_eq!(safe(expected), *expected, "cleaned once is clean: {css}");
        }
    }

    #[test]
    fn addresses_outside_of_the_picture_go() {
        check(&[
            ("fill:url(https://a.example/x.svg#y)", "fill:none"),
            ("fill:URL(https://a.example/)", "fill:none"),
            ("fill:uRl( 'https://a.example/' )", "fill:none"),
            ("fill:url(  \"//a.example/x\")", "fill:none"),
            ("fill:url (https://a.example/)", "fill:none"),
            ("fill:\\75rl(https://a.example/)", "fill:none"),
            ("fill:\\000075 rl(https://a.example/)", "fill:none"),
            ("fill:u\\72 \\6c(https://a.example/)", "fill:none"),
            ("fill:\\u\\r\\l(https://a.example/)", "fill:none"),
            ("fill:u/**/rl(https://a.example/)", "fill:u none"),
            ("fill:url/**/ /**/(https://a.example/)", "fill:none"),
            ("fill:url(https://a.example/", "fill:none"),
            ("fill:url(data:image/svg+xml,x)", "fill:none"),
            ("fill:url(\\23 x)", "fill:none"),
            ("fill:url('#a' https://a.example)", "fill:none"),
            ("fill:url(#a\\)url(https://a.example/))", "fill:none)"),
            ("background:image-set(\"https://a.example/x.png\" 1x)", "background:none"),
            ("background:-webkit-image-set(url(https://a.example/) 1x);fill:red", "background:none;fill:red"),
            ("background:image(\"https://a.example/\")", "background:none"),
            ("background:src(\"https://a.example/\")", "background:none"),
            ("background:cross-fade(url(#a), 'https://a.example/')", "background:none"),
            ("width:expression(alert(1))", "width:none"),
            ("width:EXPRESSION(alert(1)", "width:none"),
            ("--x:url(https://a.example/);fill:var(--x)", "--x:none;fill:var(--x)"),
            ("a{fill:url(//x)}b{fill:url(//y)}", "a{fill:none}b{fill:none}"),
            ("fill:rgb(url(//x),1,2)", "fill:rgb(none,1,2)"),
        ]);
    }

    #[test]
    fn at_rules_that_load_go() {
        check(&[
            ("@import 'https://a.example/x.css';a{}", "a{}"),
            ("@IMPORT url(https://a.example/);a{}", "a{}"),
            ("@\\69mport 'https://a.example/';a{}", "a{}"),
            ("@im/**/port 'x';a{}", "a{}"),
            ("@import/**/'https://a.example/;}';a{}", "a{}"),
            ("@font-face{font-family:x;src:url(https://a.example/)}a{}", "a{}"),
            ("@namespace url(https://a.example/);a{}", "a{}"),
            ("@charset \"x\"", ""),
            ("@layer a{b{c:d}}e{}", "e{}"),
            ("@", ""),
            ("a{@import 'x'}b{}", "a{}b{}"),
        ]);
    }

    #[test]
    fn what_drawings_use_stays() {
        for css in [
            "fill:url(#arrow)",
            "marker-end:url( \"#a-b_c\" )",
            "marker-end:url('#x')",
            "fill:rgb(1, 2, 3);stroke:hsl(0, 0%, 50%);opacity:calc(1 - 0.5)",
            "transform:translate(1px, 2px) rotate(45deg);filter:drop-shadow(1px 2px 2px rgba(0,0,0,.4))",
            "#a .b:not(.c)>d:nth-child(2n+1){fill:#333}",
            "@keyframes dash{to{stroke-dashoffset:0}}.x{animation:dash 50s linear infinite}",
            "@media (min-width: 100px) and (max-width:9px){a{fill:red}}",
            "width:calc(1px - (2px + 3px))",
            "content:\"url(https://in.a.string/) @import\"",
            ".a\\.b\\:c{fill:red}",
            "a{fill:\u{fc}}",
            "font:14px \"x\\\"y\", serif",
            "",
        ] {
            assert!(matches!(safe(css), Cow::Borrowed(_)), "{css} -> {}", safe(css));
        }
        check(&[("a/* x */b", "a b"), ("a/* x", "a "), ("fill:red\\", "fill:red\\")]);
    }
}
