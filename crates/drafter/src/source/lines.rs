//! Lines to blocks: which lines belong together, and what they are.
//!
//! Knows items with their numbers, user stories over several lines, Gherkin, speakers, mail. Never looks into
//! sentences.

use blueprint::Span;

use crate::source::labels::{bullet_len, goes_on_story, label_len, quality_label, story_start};
use crate::source::markup::{Cell, Markup, Region};
use crate::source::{Block, Reason, Role};
use crate::source::{roles, tables};

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

    /// The cells of a table; the words above it may name whose properties it lists.
    fn table(&mut self, cells: &[Cell]) {
        let lead = self
            .out
            .last()
            .filter(|b| matches!(b.role, Role::Statement | Role::Context | Role::Left(Reason::Heading)));
        let frame = tables::Frame { role: self.role(), section: self.headings, title: lead.map(|b| b.span) };
        self.out.append(&mut tables::read(self.text, cells, &frame));
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
}

/// How far the first line of a text is indented.
fn indentation(text: &str) -> usize {
    let blanks = text.chars().take_while(|c| matches!(c, ' ' | '\t'));
    blanks.map(|c| if c == '\t' { 4 } else { 1 }).sum()
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
