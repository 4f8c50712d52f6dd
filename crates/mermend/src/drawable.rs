//! What is valid and does not become a picture as it stands: in Mermaid, or in the pictures of this program.
//!
//! Only called for texts that Mermaid accepts.

use std::borrow::Cow;

use crate::{
    finding::Finding,
    kinds::{self, Kind},
    rules::verdicts,
    text::LineIndex,
};

/// The text as the renderer can read it: the same diagram, without what the renderer refuses.
///
/// Formulas become their source text, characters that no picture has are left out, and the members of a class that
/// stand in one line get a line of their own.
pub(crate) fn text_to_draw(text: &str) -> Cow<'_, str> {
    let one_line = kinds::find_by_header(text).is_some_and(|kind| kind.id == "class");
    if !text.contains("$$") && control_codes(text).next().is_none() && !one_line {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        match one_line.then(|| body_in_one_line(line)).flatten() {
            Some((head, members)) => {
                push_drawable(head, &mut out);
                out.push('\n');
                push_drawable(members, &mut out);
                out.push_str("\n}\n");
            }
            None => push_drawable(line, &mut out),
        }
    }
    match out == text {
        true => Cow::Borrowed(text),
        false => Cow::Owned(out),
    }
}

fn push_drawable(line: &str, out: &mut String) {
    let mut plain = String::with_capacity(line.len());
    let mut from = 0;
    for (start, end) in control_codes(line) {
        plain.push_str(&line[from..start]);
        from = end;
    }
    plain.push_str(&line[from..]);
    let mut rest = plain.as_str();
    while let Some((start, formula, end)) = formula(rest) {
        out.push_str(&rest[..start]);
        out.push_str(formula);
        rest = &rest[end..];
    }
    out.push_str(rest);
}

/// The first `$$…$$` of a text: where it starts, what is in it, and where it ends.
fn formula(text: &str) -> Option<(usize, &str, usize)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find("$$")?;
        let inner = &text[start + 2..];
        let length = inner.find("$$")?;
        if !inner[..length].contains('\n') {
            return Some((start, &inner[..length], start + length + 4));
        }
        // A formula is within one line; the second mark may begin one.
        from = start + 2 + length;
    }
}

/// The places of `#1;` and the like: codes of characters that XML, and so no picture, may hold.
fn control_codes(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices('#').filter_map(move |(start, _)| {
        let rest = &text[start + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || rest.as_bytes().get(digits) != Some(&b';') {
            return None;
        }
        let refused = match rest[..digits].parse::<u32>() {
            Ok(code) => match char::from_u32(code) {
                Some('\t' | '\n' | '\r') => false,
                Some(character) => character < ' ' || matches!(character, '\u{fffe}' | '\u{ffff}'),
                None => true,
            },
            Err(_) => true,
        };
        refused.then_some((start, start + digits + 2))
    })
}

/// `class A {` and what stands behind it, of a line that opens and closes a class.
fn body_in_one_line(line: &str) -> Option<(&str, &str)> {
    let trimmed = line.trim();
    let whole = trimmed.strip_suffix('}')?;
    if !whole.starts_with("class ") {
        return None;
    }
    let mut quote = None;
    let open = whole.char_indices().find_map(|(at, character)| match (quote, character) {
        (None, '"' | '`') => {
            quote = Some(character);
            None
        }
        (Some(mark), _) if mark == character => {
            quote = None;
            None
        }
        (None, '{') => Some(at),
        _ => None,
    })?;
    let (head, members) = whole.split_at(open + 1);
    (!members.trim().is_empty() && !members.contains(['{', '}'])).then(|| (head, members.trim()))
}

/// What to know about a picture of a valid text.
pub(crate) fn remarks(text: &str, kind: Option<&Kind>, index: &LineIndex<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let place = |start, end| index.location(start, end);
    if let Some(why) = kind.and_then(|kind| not_rendered(kind, text)) {
        let message = format!("Mermaid accepts this text and cannot render it: {why}.");
        found.push(
            Finding::new(&verdicts::NOT_RENDERED, "rules", place(0, text.len()), message)
                .with_hint("A page shows an error in place of the diagram."),
        );
    }
    if let Some((start, _, end)) = formula(text) {
        let message = "A formula is drawn as its source text in the pictures of this program.".to_owned();
        found.push(Finding::new(&verdicts::DRAWN_DIFFERENTLY, "rules", place(start, end), message));
    }
    if let Some((start, end)) = control_codes(text).next() {
        let code = &text[start..end];
        let message = format!("`{code}` is the code of a control character, which no picture shows.");
        found.push(
            Finding::new(&verdicts::CONTROL_CODE, "rules", place(start, end), message)
                .with_hint(format!("Write `#35;{}` to show `{code}`.", &code[1..])),
        );
    }
    found
}

/// Why Mermaid accepts a text of this kind and then fails to render it.
fn not_rendered(kind: &Kind, text: &str) -> Option<&'static str> {
    let mut lines = text.lines().map(str::trim);
    match kind.id {
        "xychart" => {
            let is_plot = |line: &str| {
                let word = line.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
                word.eq_ignore_ascii_case("bar") || word.eq_ignore_ascii_case("line")
            };
            // A statement may also stand behind a semicolon.
            (!lines.any(|line| line.split(';').map(str::trim).any(is_plot)))
                .then_some("an XY chart needs data, a line that begins with `bar` or `line`")
        }
        "sankey" => flows_in_a_circle(lines)
            .then_some("the flows of a Sankey diagram must not lead back to where they start"),
        _ => None,
    }
}

/// Whether the flows `from,to,amount` contain a circle. Quoted names with commas are left alone.
fn flows_in_a_circle<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let flows: Vec<(&str, &str)> = lines
        .filter_map(|line| {
            let mut parts = line.split(',').map(str::trim);
            let flow = (parts.next()?, parts.next()?);
            (parts.next()?.parse::<f64>().is_ok() && parts.next().is_none()).then_some(flow)
        })
        .collect();
    // Nodes without an inflow are taken away again and again; what is left is in a circle or behind one.
    let mut inflows = std::collections::HashMap::<&str, usize>::new();
    let mut outflows = std::collections::HashMap::<&str, Vec<&str>>::new();
    for &(from, to) in &flows {
        inflows.entry(from).or_default();
        *inflows.entry(to).or_default() += 1;
        outflows.entry(from).or_default().push(to);
    }
    let mut free: Vec<&str> =
        inflows.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut taken = 0;
    while let Some(name) = free.pop() {
        taken += 1;
        for to in outflows.get(name).into_iter().flatten() {
            if let Some(count) = inflows.get_mut(to) {
                *count -= 1;
                if *count == 0 {
                    free.push(to);
                }
            }
        }
    }
    taken < inflows.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engines::fast::Share, rules::testing::checker};

    #[test]
    fn what_the_renderer_refuses_is_written_otherwise() {
        for (text, drawn) in [
            ("flowchart LR\n  A[\"$$x^2$$\"] --> B", "flowchart LR\n  A[\"x^2\"] --> B"),
            ("flowchart LR\n  A[\"$$a$$ and $$b$$\"]", "flowchart LR\n  A[\"a and b\"]"),
            ("flowchart LR\n  A[5 $$ each]", "flowchart LR\n  A[5 $$ each]"),
            ("flowchart LR\n  A[$$]\n  B[$$]", "flowchart LR\n  A[$$]\n  B[$$]"),
            ("sequenceDiagram\n  A->>B: ok #1; end #65;", "sequenceDiagram\n  A->>B: ok  end #65;"),
            ("sequenceDiagram\n  A->>B: #12;#9;#31;#x1;#;1", "sequenceDiagram\n  A->>B: #9;#x1;#;1"),
            ("sequenceDiagram\n  A->>B: #55296;#99999999999;", "sequenceDiagram\n  A->>B: "),
            ("classDiagram\n  class A { +int x }\nB", "classDiagram\nclass A {\n+int x\n}\nB"),
            ("classDiagram\n  class A[\"a {b}\"]", "classDiagram\n  class A[\"a {b}\"]"),
            ("classDiagram\n  class A { }", "classDiagram\n  class A { }"),
            ("classDiagram\n  class A {\n  x\n  }", "classDiagram\n  class A {\n  x\n  }"),
            ("flowchart LR\n  class A { x }", "flowchart LR\n  class A { x }"),
        ] {
            assert_eq!(text_to_draw(text), drawn, "{text:?}");
        }
    }

    #[test]
    fn what_was_written_otherwise_is_read_by_the_renderer() {
        for text in [
            "flowchart LR\n  A[\"$$x^2 + \\sqrt{y}$$\"] --> B\n",
            "sequenceDiagram\n  A->>B: ok #1; end\n",
            "classDiagram\n  class Order { +String number +place() void }\n  Order --> Customer\n",
            "classDiagram\n  class A[\"in { braces }\"] { +int a }\n",
        ] {
            assert!(checker().check(text).validated(), "{text}");
            let fast =
                crate::engines::fast::verdict(&text_to_draw(text), &crate::Deadline::none(), Share::All);
            assert!(fast.valid(), "{text}: {fast:?}");
        }
    }

    #[test]
    fn it_is_said_what_a_picture_lacks() {
        for (text, codes) in [
            ("flowchart LR\n  A[\"$$x$$\"]\n", &["MMD023"][..]),
            ("flowchart LR\n  A[\"5 $$ each\"]\n", &[]),
            ("sequenceDiagram\n  A->>B: ok #1; end\n", &["MMD024"]),
            ("sequenceDiagram\n  A->>B: ok #35;1\n", &[]),
            ("xychart\n  title \"x\"\n", &["MMD022"]),
            ("xychart\n  x-axis a [one, two]\n  y-axis b 1 --> 2\n", &["MMD022"]),
            ("xychart\n  bar [1, 2]\n", &[]),
            ("xychart-beta horizontal\n  line \"sold\" [1, 2]\n", &[]),
            ("sankey-beta\na,b,1\nb,c,2\nc,a,3\n", &["MMD022"]),
            ("sankey-beta\na,b,1\na,c,2\nb,c,3\n", &[]),
            ("sankey-beta\na,a,1\n", &["MMD022"]),
            ("classDiagram\n  class A { +int x }\n", &[]),
        ] {
            let checked = checker().check(text);
            assert!(checked.validated(), "{text}: {:?}", checked.findings);
            let found: Vec<&str> = checked.findings.iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(found, codes, "{text}");
        }
    }
}
