//! Lines to blocks: which lines belong together, and what they are.
//!
//! Knows items with their numbers, user stories over several lines, Gherkin, speakers, mail. Never looks into
//! sentences.

use blueprint::Span;

use crate::source::markup::{Cell, Markup, Region};
use crate::source::roles::{self, Column};
use crate::source::{Block, Reason, Role};

/// Reads all blocks, in the order of the text.
pub(super) fn blocks(original: &str, markup: &Markup) -> Vec<Block> {
    let style = Style::of(&markup.text);
    let mut reader = Reader {
        text: &markup.text,
        style,
        out: Vec::new(),
        open: None,
        headings: 0,
        sections: Vec::new(),
        lead: None,
        story_indent: None,
        story_open: false,
        closed: false,
    };
    let mut regions = markup.regions.iter().peekable();
    let mut quote_end = 0;
    let mut skip_to = 0;
    let mut offset = 0;
    for line in markup.text.split_inclusive(['\n', '\r', '\u{2028}', '\u{2029}']) {
        let start = offset;
        offset += line.len();
        if start < skip_to {
            continue;
        }
        let mut title = None;
        while let Some((span, region)) = regions.next_if(|(span, _)| span.start < offset) {
            match region {
                Region::Code => {
                    reader.flush();
                    let role = Role::Left(Reason::Code);
                    reader.out.push(Block {
                        span: *span,
                        role,
                        section: reader.headings,
                        item: false,
                        implied: Vec::new(),
                    });
                    skip_to = skip_to.max(span.end);
                }
                Region::Table(cells) => {
                    reader.flush();
                    reader.table(cells);
                    skip_to = skip_to.max(span.end);
                }
                Region::Heading(level) => title = Some(*level),
                Region::Quote => quote_end = span.end,
            }
        }
        if start < skip_to {
            continue;
        }
        match title {
            Some(level) => reader.heading(start, line, level),
            // Blanks in place of markup do not indent.
            None => {
                reader.line(start, line, indentation(original.get(start..).unwrap_or("")), start < quote_end)
            }
        }
    }
    reader.flush();
    reader.out
}

/// What kind of document it is.
#[derive(Debug, Clone, Default)]
struct Style {
    gherkin: bool,
    mail: bool,
    /// Names before a colon that take turns.
    speakers: Vec<String>,
}

impl Style {
    fn of(text: &str) -> Self {
        let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        let (mut scenario, mut when, mut headers) = (false, false, 0);
        for line in text.lines().map(str::trim) {
            scenario |= line.starts_with("Scenario") || line.starts_with("Feature:");
            when |= line.starts_with("When ") || line.starts_with("Then ");
            headers += usize::from(is_mail_header(line));
            if let Some((name, _)) = turn(line) {
                *counts.entry(name).or_default() += 1;
            }
        }
        let speakers: Vec<String> =
            counts.into_iter().filter(|(_, n)| *n > 1).map(|(name, _)| name.to_owned()).collect();
        let talk = speakers.len() > 1;
        Self {
            gherkin: scenario && when,
            mail: headers > 1,
            speakers: if talk { speakers } else { Vec::new() },
        }
    }
}

fn is_mail_header(line: &str) -> bool {
    ["From:", "To:", "Cc:", "Bcc:", "Subject:", "Sent:", "Date:", "Reply-To:"]
        .iter()
        .any(|h| line.starts_with(h))
}

/// `Ines (owner): Mainly our hives.` is a turn of `Ines`.
fn turn(line: &str) -> Option<(&str, usize)> {
    let colon = line.find(':').filter(|at| *at <= 40)?;
    let before = line.get(..colon)?;
    let name = before.split('(').next().unwrap_or(before).trim();
    let words = name.split(' ').count();
    let capital = name.split(' ').all(|w| w.chars().next().is_some_and(char::is_uppercase));
    let plain = name.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '.' | '-' | '\''));
    let spoken = line.get(colon + 1..).is_some_and(|rest| rest.starts_with([' ', '\t']));
    (capital && plain && spoken && words <= 3).then_some((name, colon + 1))
}

struct Reader<'t> {
    text: &'t str,
    style: Style,
    out: Vec<Block>,
    open: Option<Block>,
    /// Headings so far.
    headings: usize,
    /// Headings that hold here: level and role.
    sections: Vec<(usize, Option<Role>)>,
    /// The role that a line such as `Open questions:` gives to the list below it.
    lead: Option<Role>,
    /// The indentation of the story whose criteria follow.
    story_indent: Option<usize>,
    /// Whether the open block is a story that may go on.
    story_open: bool,
    /// Whether the closing words of a letter were read.
    closed: bool,
}

impl Reader<'_> {
    fn flush(&mut self) {
        self.story_open = false;
        if let Some(block) = self.open.take().filter(|b| b.span.end > b.span.start) {
            self.out.push(block);
        }
    }

    /// The role of plain text here.
    fn role(&self) -> Role {
        let section = self.sections.iter().rev().find_map(|(_, role)| *role);
        self.lead.or(section).unwrap_or(Role::Statement)
    }

    fn begin(&mut self, span: Span, role: Role, item: bool) {
        self.flush();
        self.open = Some(Block { span, role, section: self.headings, item, implied: Vec::new() });
    }

    fn heading(&mut self, start: usize, line: &str, level: usize) {
        self.flush();
        self.headings += 1;
        self.story_indent = None;
        self.lead = None;
        let trimmed = line.trim();
        let marks = trimmed.len() - trimmed.trim_start_matches(['#', ' ']).len();
        let title = trimmed.trim_end_matches(['#', ' ']).get(marks..).unwrap_or("");
        let from = start + (line.len() - line.trim_start().len()) + marks;
        self.sections.retain(|(above, _)| *above < level);
        let label = label_len(title);
        self.sections.push((level, roles::section(title.get(label..).unwrap_or(title))));
        let span = Span { start: from, end: from + title.len() };
        self.begin(span, Role::Left(Reason::Heading), true);
        self.flush();
    }

    fn line(&mut self, start: usize, line: &str, indent: usize, quoted: bool) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.flush();
            return;
        }
        let lead = line.len() - line.trim_start().len();
        let bullet = bullet_len(trimmed);
        let body = trimmed.get(bullet..).unwrap_or("");
        let from = start + lead + bullet;
        let span = Span { start: from, end: from + body.len() };
        let item = bullet > 0;
        if self.letter(trimmed, span) || self.style.gherkin && self.gherkin(body, span) {
            return;
        }
        if let Some(at) = story_start(body) {
            let nested = self.story_indent.is_some_and(|above| indent > above);
            if !nested {
                self.begin(Span { start: from + at, end: span.end }, Role::Story, true);
                (self.story_open, self.story_indent) = (true, Some(indent));
                return;
            }
        }
        if self.story_open && goes_on_story(body) {
            if let Some(open) = &mut self.open {
                open.span.end = span.end;
            }
            return;
        }
        self.story_indent = self.story_indent.filter(|above| item && indent > *above);
        if let Some(length) = self.speaker(body) {
            self.begin(Span { start: from + length, end: span.end }, self.role(), true);
            return;
        }
        // `Open questions:` above a list.
        if let Some(role) = body.strip_suffix(':').and_then(roles::section) {
            self.begin(span, Role::Left(Reason::Heading), true);
            self.flush();
            self.lead = Some(role);
            return;
        }
        let open_text = self.open.as_ref().and_then(|open| self.text.get(open.span.start..open.span.end));
        if bullet == 0 && !self.story_open && open_text.is_some_and(|before| continues(before, trimmed)) {
            if let Some(open) = &mut self.open {
                open.span.end = span.end;
            }
            return;
        }
        if !item && self.open.is_none() && indent == 0 {
            self.lead = None;
        }
        let role = match (quoted, self.story_indent) {
            (true, _) => Role::Left(Reason::Quotation),
            (false, Some(_)) => Role::Left(Reason::Criterion),
            _ if quality_label(trimmed) => Role::Left(Reason::NonFunctional),
            _ => self.role(),
        };
        self.begin(span, role, item);
    }

    /// Head and foot of a letter, and its greeting.
    fn letter(&mut self, line: &str, span: Span) -> bool {
        let lower: String = line.chars().take(40).flat_map(char::to_lowercase).collect();
        let short = line.split_whitespace().count() <= 5;
        let word = |w: &str| lower.strip_prefix(w).is_some_and(|rest| !rest.starts_with(char::is_alphabetic));
        let greets = short
            && line.ends_with([',', '!'])
            && ["hi", "hello", "dear", "hey", "good morning", "good afternoon"].iter().any(|w| word(w));
        let closes = short
            && [
                "best regards",
                "kind regards",
                "warm regards",
                "regards",
                "best wishes",
                "cheers",
                "sincerely",
                "many thanks",
                "yours sincerely",
                "all the best",
            ]
            .iter()
            .any(|w| word(w));
        self.closed |= closes && self.style.mail;
        let talks = self.style.mail
            && [
                "thanks",
                "thank you",
                "sorry",
                "i am",
                "i'm",
                "i will",
                "i'll",
                "let me know",
                "see you",
                "please let",
                "could you",
                "looking forward",
            ]
            .iter()
            .any(|w| word(w));
        let head = self.style.mail && self.out.len() < 12 && is_mail_header(line);
        if !(greets || closes || self.closed || head || talks) {
            return false;
        }
        self.begin(span, Role::Left(Reason::Administrative), true);
        self.flush();
        true
    }

    /// A line of a feature file.
    fn gherkin(&mut self, body: &str, span: Span) -> bool {
        let keyword = |words: &[&str]| {
            words.iter().find_map(|w| body.strip_prefix(w).map(|rest| span.end - rest.trim_start().len()))
        };
        if body.starts_with('|') || body.starts_with('@') || body.starts_with("Examples:") {
            self.begin(span, Role::Left(Reason::Example), true);
            self.flush();
            return true;
        }
        let titles = ["Feature:", "Scenario:", "Scenario Outline:", "Background:", "Rule:", "Example:"];
        if titles.iter().any(|t| body.starts_with(t)) {
            self.begin(span, Role::Left(Reason::Heading), true);
            self.flush();
            self.lead = None;
            return true;
        }
        let last = self.out.last().map_or(Role::Given, |b| b.role);
        let role = match body.split(' ').next().unwrap_or("") {
            "Given" => Role::Given,
            "When" => Role::When,
            "Then" => Role::Then,
            "And" | "But" | "*" if matches!(last, Role::Given | Role::When | Role::Then) => last,
            _ => return false,
        };
        if let Some(start) = keyword(&["Given ", "When ", "Then ", "And ", "But ", "* "]) {
            self.begin(Span { start, end: span.end }, role, true);
            self.flush();
            return true;
        }
        false
    }

    /// How long `Ines: ` is at the start of a line.
    fn speaker(&self, body: &str) -> Option<usize> {
        let (name, length) = turn(body).filter(|_| !self.style.speakers.is_empty())?;
        let rest = body.get(length..)?;
        self.style
            .speakers
            .iter()
            .any(|known| known == name)
            .then_some(length + (rest.len() - rest.trim_start().len()))
    }

    /// The cells of a table: which of them say something.
    fn table(&mut self, cells: &[Cell]) {
        let words = |cell: &Cell| trim(self.text, cell.span);
        let columns: Vec<Column> = cells
            .iter()
            .filter(|cell| cell.row == 0)
            .map(|cell| roles::column(self.text.get(cell.span.start..cell.span.end).unwrap_or("").trim()))
            .collect();
        let roles_apart = columns.contains(&Column::Actor) && columns.contains(&Column::Goal);
        let administrative = matches!(self.role(), Role::Left(_)).then(|| self.role());
        let mut found: Vec<Block> = Vec::new();
        let mut quality = false;
        for cell in cells {
            let span = words(cell);
            let text = self.text.get(span.start..span.end).unwrap_or("");
            if cell.column == 0 {
                quality = quality_label(text);
            }
            if text.is_empty() {
                continue;
            }
            let column = columns.get(cell.column).copied().unwrap_or(Column::Text);
            let role = match column {
                _ if cell.row == 0 => Role::Left(Reason::Heading),
                Column::Left(reason) => Role::Left(reason),
                _ if administrative.is_some() => administrative.unwrap_or(Role::Statement),
                _ if quality => Role::Left(Reason::NonFunctional),
                Column::Goal | Column::Actor if roles_apart => Role::Story,
                _ if column == Column::Text && label_only(text) => Role::Left(Reason::Heading),
                _ => self.role(),
            };
            let mut block = Block { span, role, section: self.headings, item: true, implied: Vec::new() };
            if role == Role::Story && roles_apart {
                let lower = text.to_lowercase();
                if column == Column::Goal {
                    let implied = if lower.starts_with("i ") {
                        ","
                    } else if lower.starts_with("to ") {
                        ", I want"
                    } else {
                        ", I want to"
                    };
                    block.implied.push((span.start, implied));
                    // The cell of the role stands before it in the same row.
                    let actor = found.last_mut().filter(|b| b.role == Role::Story && b.implied.len() == 1);
                    if let Some(actor) = actor {
                        actor.span.end = span.end;
                        actor.implied.append(&mut block.implied);
                    }
                    continue;
                }
                block.implied.push((span.start, if lower.starts_with("as ") { "" } else { "As a" }));
            } else if let Some(at) = story_start(text).filter(|_| !matches!(role, Role::Left(_))) {
                block.span.start += at;
                block.role = Role::Story;
            } else if column == Column::Text && cell.row > 0 {
                let label = label_len(text);
                block.span.start += label;
            }
            found.push(block);
        }
        self.out.append(&mut found);
    }
}

/// How far the first line of a text is indented.
fn indentation(text: &str) -> usize {
    let blanks = text.chars().take_while(|c| matches!(c, ' ' | '\t'));
    blanks.map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

/// A range without the blanks at its ends.
fn trim(text: &str, span: Span) -> Span {
    let piece = text.get(span.start..span.end).unwrap_or("");
    let lead = piece.len() - piece.trim_start().len();
    let start = span.start + lead;
    Span { start, end: start + piece.trim().len() }
}

/// Whether a cell has only a number or label: `FR-1`, `High`.
fn label_only(text: &str) -> bool {
    label_len(&format!("{text} X")) > text.len()
        || matches!(
            text.to_lowercase().as_str(),
            "must" | "should" | "could" | "high" | "medium" | "low" | "won't"
        )
}

/// Whether a label says that the line is about quality: `NFR-3`.
fn quality_label(text: &str) -> bool {
    ["NFR", "QR", "NF-", "NF0", "NF1"]
        .iter()
        .any(|begin| text.trim_start_matches(['[', '(', '/', '-', ' ', '*']).starts_with(begin))
}

/// Where `As a …, I …` starts in a line, behind a label at most.
fn story_start(line: &str) -> Option<usize> {
    let lower: String = line.chars().take(80).map(|c| c.to_ascii_lowercase()).collect();
    let opens = |rest: &str| {
        let rest = rest.strip_prefix("as").unwrap_or("-");
        let rest = rest.trim_start_matches([':', ' ']);
        ["a ", "an ", "the ", "a: ", "a/an "].iter().any(|article| rest.starts_with(article))
    };
    let wish = |rest: &str| {
        [" i ", " i'", "i want", " we ", "i can"].iter().any(|w| rest.contains(w))
            || rest.split_whitespace().count() <= 8
    };
    let ends_label = |before: &str| {
        let before = before.trim_end();
        before.is_empty() || before.ends_with([':', '-', '–', '—', '.', ')', ']', '|', '"', '“', '»', '>'])
    };
    lower
        .match_indices("as")
        .map(|(at, _)| at)
        .take(8)
        .find(|at| {
            let (before, rest) = lower.split_at_checked(*at).unwrap_or(("x", ""));
            ends_label(before) && opens(rest) && wish(&line.get(*at..).unwrap_or("").to_lowercase())
        })
        .filter(|at| line.is_char_boundary(*at))
}

/// Whether a line goes on with the story above it.
fn goes_on_story(line: &str) -> bool {
    let lower: String = line.chars().take(14).flat_map(char::to_lowercase).collect();
    ["i ", "i'", "we ", "so that", "so i", "so we", "in order", "because", "to ", "and ", "want"]
        .iter()
        .any(|begin| lower.starts_with(begin))
}

/// Whether a line goes on with what the lines before began (hard-wrapped text).
fn continues(before: &str, line: &str) -> bool {
    let last_line = before.rsplit(['\n', '\r']).next().unwrap_or(before).trim_end();
    if last_line.ends_with(['.', '!', '?', ':', ';']) {
        return false;
    }
    if line.chars().next().is_some_and(|c| c.is_lowercase() || matches!(c, '(' | ','))
        || last_line.ends_with([',', '-', '('])
    {
        return true;
    }
    // Long lines without a full stop are wrapped prose; short ones are headings or items.
    last_line.chars().count() >= 60
}

/// How many bytes of a trimmed line are its bullet, number and label.
fn bullet_len(line: &str) -> usize {
    let mut rest = line;
    for mark in ["- ", "* ", "+ ", "• ", "– ", "— ", "· ", "▪ ", "◦ ", "‣ ", "-\t", "*\t", "•\t", "-   "]
    {
        if let Some(after) = rest.strip_prefix(mark) {
            rest = after.trim_start();
            break;
        }
    }
    let hashes = rest.trim_start_matches('#');
    if hashes.len() != rest.len() && hashes.starts_with(' ') {
        rest = hashes.trim_start();
    }
    rest = rest.get(label_len(rest)..).unwrap_or(rest);
    line.len() - rest.len()
}

/// How many bytes of a line are its number or label: `1. `, `(a) `, `R12: `, `FR-8 `, `[REQ-3] `, `Step 4: `.
pub(super) fn label_len(line: &str) -> usize {
    let lower: String = line.chars().take(12).map(|c| c.to_ascii_lowercase()).collect();
    if let Some(word) = ["step ", "phase ", "stage "].iter().find(|w| lower.starts_with(**w)) {
        let tail = line.get(word.len()..).unwrap_or("");
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let after = tail.get(digits..).unwrap_or("");
        if digits > 0
            && after.starts_with([':', '.', ')', '-', ' '])
            && !after.trim_start().starts_with(char::is_lowercase)
        {
            let rest = after.trim_start_matches([':', '.', ')', '-', '–', ' ']);
            return line.len() - rest.len();
        }
    }
    let open = line.strip_prefix(['(', '[', '/']).unwrap_or(line);
    let bracketed = open.len() != line.len();
    let label: usize = open
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .map(char::len_utf8)
        .sum();
    let (head, tail) = open.split_at_checked(label).unwrap_or(("", open));
    let core = head.trim_end_matches(['.', '-']);
    let digits = core.chars().any(|c| c.is_ascii_digit());
    let reference = is_reference(core);
    let numbered = !core.is_empty()
        && core.len() <= 12
        && (core.chars().all(|c| c.is_ascii_digit() || c == '.')
            || core.len() == 1
            || is_roman(core)
            || reference);
    let closed = head.ends_with('.') && core.len() + 1 == head.len()
        || tail.starts_with([')', ']'])
        || bracketed && tail.starts_with('/')
        || tail.starts_with(':') && digits
        || tail.trim_start().starts_with(['-', '–', '—', '|']) && reference;
    let after = tail.trim_start_matches([')', ']', ':', '/']);
    let next = after.trim_start_matches([' ', '\t', '-', '–', '—', '|']);
    // `FR-8 Administrators …`: without a mark, only what looks like a label of a list is one.
    let bare = reference
        && (core.contains(['-', '_']) || core.chars().take_while(char::is_ascii_uppercase).count() > 1)
        && next.chars().next().is_some_and(char::is_uppercase)
        || core.contains('.')
            && core.chars().all(|c| c.is_ascii_digit() || c == '.')
            && next.chars().next().is_some_and(char::is_uppercase);
    if numbered && (closed || bare) && after.starts_with([' ', '\t']) { line.len() - next.len() } else { 0 }
}

/// Small Roman numbers.
fn is_roman(label: &str) -> bool {
    label.len() <= 4 && label.chars().all(|c| matches!(c, 'i' | 'v' | 'x'))
}

/// Labels of requirements such as `R12`, `FR-3`, `REQ_1.2`, `SRS-LOGIN-4`.
fn is_reference(label: &str) -> bool {
    let letters = label.chars().take_while(char::is_ascii_uppercase).count();
    let end = label.chars().last().is_some_and(|c| c.is_ascii_digit());
    (1..=6).contains(&letters)
        && end
        && label
            .chars()
            .skip(letters)
            .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase() || matches!(c, '-' | '_' | '.'))
}
