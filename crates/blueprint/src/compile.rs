//! What a compiler of a diagram kind is made of: the target, the result, and a writer that keeps count of lines.
//!
//! The compilers themselves are in `kinds/*/compile.rs`. They never fail: what cannot be drawn (a line to a thing that
//! does not exist) is left out, and `lint` says so.

use std::collections::HashSet;

use diagram::Span;
use serde::{Deserialize, Serialize};

use crate::escape;

/// The versions of Mermaid that the text is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every Mermaid since 10, as on GitHub, GitLab and Confluence.
    #[default]
    Portable,
    /// Mermaid 12 and later: use cases in their own notation, and the shapes of activity diagrams.
    Mermaid12,
}

/// Mermaid text, and what each part of it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The diagram; ends with a line end.
    pub text: String,
    /// Everything that is drawn, in the order of the text.
    pub elements: Vec<Element>,
}

/// A part of a diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element {
    /// Stable and unique: made of names, for example `Order`, `Order.total`, `Order.place()`, `Customer--Order`; for
    /// activities the id of the node. A second element of the same id has `#2` behind it.
    pub id: String,
    /// The id in the text. For lines: both ids and the number of the line between them, as in `Customer Order 0`.
    pub mermaid_id: String,
    /// Line of the text, from 1.
    pub line: usize,
    /// What it is called.
    pub label: String,
    /// `class`, `attribute`, `method`, `literal`, `relationship`, `actor`, `use_case`, `link`, `node` or `edge`.
    pub kind: ElementKind,
    /// Where in the requirements it comes from.
    pub sources: Vec<Span>,
    /// Words that a model copied from the requirements for it.
    pub evidence: Option<String>,
}

/// What an element is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElementKind {
    /// A box of a class diagram.
    #[default]
    Class,
    /// What a class knows.
    Attribute,
    /// What a class does.
    Method,
    /// A value of an enumeration.
    Literal,
    /// A line of a class diagram.
    Relationship,
    /// Who uses the system.
    Actor,
    /// What the system does.
    UseCase,
    /// A line of a use-case diagram.
    Link,
    /// A step of an activity diagram.
    Node,
    /// An arrow of an activity diagram.
    Edge,
}

/// Collects lines and elements.
pub(crate) struct Writer {
    text: String,
    lines: usize,
    elements: Vec<Element>,
    ids: HashSet<String>,
}

impl Writer {
    /// Begins with the header of a diagram.
    pub(crate) fn new(header: &str) -> Self {
        let mut writer = Writer { text: String::new(), lines: 0, elements: Vec::new(), ids: HashSet::new() };
        writer.line(0, header);
        writer
    }

    /// Adds a line, `depth` steps to the right.
    pub(crate) fn line(&mut self, depth: usize, line: &str) {
        for _ in 0..depth {
            self.text.push_str("    ");
        }
        self.text.push_str(&escape::guard_line(line));
        self.text.push('\n');
        self.lines += 1;
    }

    /// Adds a line that draws `element`; its id is made unique, its line filled in.
    pub(crate) fn draw(&mut self, depth: usize, line: &str, element: Element) {
        self.line(depth, line);
        let mut id = element.id.clone();
        let mut number = 2;
        while !self.ids.insert(id.clone()) {
            id = format!("{}#{number}", element.id);
            number += 1;
        }
        self.elements.push(Element { id, line: self.lines, label: escape::clean(&element.label), ..element });
    }

    /// The finished diagram.
    pub(crate) fn finish(self) -> Compiled {
        Compiled { text: self.text, elements: self.elements }
    }
}

/// Makes Mermaid ids: plain ASCII words, unique whatever the case, and never a word of a grammar.
#[derive(Default)]
pub(crate) struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// `wanted`, or `wanted` with a number behind it.
    pub(crate) fn unique(&mut self, wanted: &str) -> String {
        let mut id = wanted.to_owned();
        let mut number = 2;
        while !self.taken.insert(id.to_lowercase()) {
            id = format!("{wanted}_{number}");
            number += 1;
        }
        id
    }
}

/// `text` as an ASCII word: `Renew a loan` becomes `Renew_a_loan`. Empty if nothing of it is ASCII.
pub(crate) fn ascii_word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars().take(60) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else if !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
    }
    word.trim_end_matches('_').to_owned()
}

/// Counts the lines between each pair of ends, for [`Element::mermaid_id`].
#[derive(Default)]
pub(crate) struct Pairs {
    seen: std::collections::HashMap<String, usize>,
}

impl Pairs {
    /// `from to n`, where `n` counts from 0.
    pub(crate) fn next(&mut self, from: &str, to: &str) -> String {
        let pair = format!("{from} {to}");
        let count = self.seen.entry(pair.clone()).or_default();
        let id = format!("{pair} {count}");
        *count += 1;
        id
    }
}
