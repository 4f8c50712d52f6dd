//! Elements with a diagram: `<pre class="mermaid">`, `<div class="mermaid">` and the component `<Mermaid>`.
//!
//! Read as text: no HTML is parsed and no JavaScript is run. What that does not suffice for is skipped, with the
//! reason.

use std::ops::Range;

use super::block::{Block, BlockProblem};

/// The longest opening tag that is looked for.
const MAX_TAG: usize = 2_000;

const IN_QUOTE: &str = "it stands in a block quote";
const NO_TEMPLATE: &str = "its diagram is not a template literal in the tag";
const COMPUTED: &str = "its template literal contains `${` or a backslash";
const REFERENCE: &str = "it contains a character reference that is not known";

pub(super) struct Element {
    /// The opening tag or as much of it as is certain.
    opening: Range<usize>,
    outer_end: usize,
    closed: bool,
    /// Where the diagram stands, or why it cannot be read.
    content: Result<Range<usize>, &'static str>,
    /// Whether characters may be written as references.
    html: bool,
}

impl Element {
    /// The element that begins at byte `from`, if it has a diagram.
    pub(super) fn read(text: &str, from: usize) -> Option<Element> {
        let rest = &text[from..];
        match () {
            () if is_tag(rest, "Mermaid") => Some(component(text, from)),
            () if is_tag(rest, "pre") => html(text, from, "pre"),
            () if is_tag(rest, "div") => html(text, from, "div"),
            () => None,
        }
    }

    pub(super) fn into_block(self, text: &str, quoted: bool) -> Block {
        let mut block = Block::new("mermaid", self.opening);
        block.outer_end = self.outer_end;
        if !self.closed {
            block.problem = Some(BlockProblem::Unclosed);
            block.writable = false;
        }
        let content = if quoted { Err(IN_QUOTE) } else { self.content };
        let read = content.and_then(|content| block.push_lines(text, content, self.html).ok_or(REFERENCE));
        if let Err(reason) = read {
            block.problem = Some(BlockProblem::Skipped(reason));
        }
        block
    }
}

fn is_tag(rest: &str, name: &str) -> bool {
    let tag = rest.strip_prefix('<').and_then(|rest| rest.strip_prefix(name));
    tag.is_some_and(|tag| tag.starts_with([' ', '\t', '\r', '\n', '>', '/']))
}

/// `<pre>` or `<div>` with the class `mermaid`.
fn html(text: &str, from: usize, name: &str) -> Option<Element> {
    let head = &text[from..text.floor_char_boundary(from.saturating_add(MAX_TAG))];
    let tag = &head[..head.find('>')?];
    let (_, class) = tag.split_once("class")?;
    let value = class.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    if !value.split_whitespace().any(|class| class == "mermaid") {
        return None;
    }
    let start = from + tag.len() + 1;
    let close = format!("</{name}");
    let end = text[start..].find(&close).map(|length| start + length);
    Some(Element {
        opening: from..start,
        outer_end: end.map_or(text.len(), |end| end + close.len()),
        closed: end.is_some(),
        content: Ok(start..end.unwrap_or(text.len())),
        html: true,
    })
}

/// `<Mermaid value={`…`} />` or `<Mermaid>{`…`}</Mermaid>`.
fn component(text: &str, from: usize) -> Element {
    let rest = &text[from..];
    let head = &rest[..rest.floor_char_boundary(MAX_TAG)];
    let is_end = |at: &usize| head[..*at].ends_with("/>") || head[..*at].ends_with("</Mermaid>");
    // The first end may stand in the literal, but not before it.
    let first_end = head.match_indices('>').map(|(at, _)| at + 1).find(is_end);
    let opening = from..from + head.lines().next().map_or(0, str::len);
    let skipped = |end: usize, reason| Element {
        opening: opening.clone(),
        outer_end: from + end,
        closed: true,
        content: Err(reason),
        html: false,
    };
    let literal = head[..first_end.unwrap_or(head.len())].find("{`");
    let Some(start) = literal.map(|at| at + 2) else {
        return skipped(first_end.unwrap_or(opening.len()), NO_TEMPLATE);
    };
    let literal = &rest[start..];
    let Some(length) = literal.find('`') else { return skipped(rest.len(), NO_TEMPLATE) };
    let end = start + length;
    if literal[..length].contains("${") || literal[..length].contains('\\') {
        return skipped(end, COMPUTED);
    }
    Element {
        opening: opening.clone(),
        outer_end: from + end + 1,
        closed: true,
        content: Ok(from + start..from + end),
        html: false,
    }
}

impl Block {
    /// Adds the lines of `range` without the indentation that they share and without empty lines around them.
    /// `None` if a reference is not known.
    fn push_lines(&mut self, text: &str, range: Range<usize>, html: bool) -> Option<()> {
        let content = &text[range.clone()];
        let body = content.trim_end_matches([' ', '\t']);
        // The first line goes on after the tag; an empty one does not count.
        let blank = body.len() - body.trim_start().len();
        let skipped = body[..blank].rfind('\n').map_or(0, |at| at + 1);
        let body = &body[skipped..];
        let indent_of = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let whole_lines = body.lines().skip(usize::from(skipped == 0)).filter(|line| !line.trim().is_empty());
        let shared = whole_lines.map(indent_of).min().unwrap_or_default();
        let mut at = range.start + skipped;
        for (number, line) in body.split_inclusive('\n').enumerate() {
            let partial = number == 0 && skipped == 0;
            let indent = if partial { 0 } else { shared.min(indent_of(line)) };
            let range = at + indent..at + line.len();
            match html && line.contains('&') {
                true => self.push_decoded(text, at, range)?,
                false => self.push(at, range.clone(), &text[range]),
            }
            at += line.len();
        }
        Some(())
    }

    /// Adds a line with references to characters.
    fn push_decoded(&mut self, text: &str, prefix: usize, line: Range<usize>) -> Option<()> {
        let mut at = line.start;
        let mut prefix = prefix;
        for (offset, _) in text[line.clone()].match_indices('&') {
            let from = line.start + offset;
            let name_end = text[from + 1..line.end].find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
            let Some(end) =
                name_end.map(|length| from + 1 + length).filter(|end| text[*end..].starts_with(';'))
            else {
                continue;
            };
            let character = character(&text[from + 1..end])?;
            self.push(prefix, at..from, &text[at..from]);
            self.push(from, from..end + 1, character.encode_utf8(&mut [0; 4]));
            self.writable = false;
            at = end + 1;
            prefix = at;
        }
        self.push(prefix, at..line.end, &text[at..line.end]);
        Some(())
    }

    /// Removes the options of a MyST directive before the diagram: `:caption: text`.
    pub(super) fn remove_options(&mut self) {
        let count = self.code.lines().take_while(|line| line.starts_with(':')).count();
        if count == 0 {
            return;
        }
        let blank = self.code.lines().skip(count).take_while(|line| line.trim().is_empty()).count();
        self.pieces.drain(..count + blank);
        let removed = self.pieces.first().map_or(self.code.len(), |piece| piece.code);
        self.code.drain(..removed);
        self.pieces.iter_mut().for_each(|piece| piece.code -= removed);
    }
}

fn character(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => {
            let named =
                [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", '\u{a0}')];
            return named.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
        }
    };
    char::from_u32(number)
}
