//! The statements of a flowchart, as `rules/flowchart/scan.rs` reads them. All ranges are bytes of the whole text.

use std::ops::Range;

/// The text between line breaks or semicolons.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) range: Range<usize>,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    /// `subgraph`, `style` and other keywords, with what follows the word.
    Keyword { word: Range<usize>, rest: Range<usize> },
    /// Nodes and links.
    Chain(Vec<Piece>),
}

#[derive(Debug)]
pub(crate) enum Piece {
    Node(Node),
    Link(Link),
    /// `&`
    And,
    /// `:::name` or `@{…}`
    Extra,
    Junk(Range<usize>),
}

#[derive(Debug)]
pub(crate) struct Node {
    /// Empty for a shape or a quoted text without an id.
    pub(crate) id: Range<usize>,
    pub(crate) shape: Option<Shape>,
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) open: Range<usize>,
    pub(crate) label: Range<usize>,
    /// Empty if there is no closing mark.
    pub(crate) close: Range<usize>,
    /// What should stand there in place of `close`, if something else should.
    pub(crate) should_close: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) range: Range<usize>,
    /// The arrow; of `-- text -->` the last part.
    pub(crate) arrow: Range<usize>,
    /// What the arrow should be, if it is none.
    pub(crate) should_be: Option<&'static str>,
    pub(crate) label: Option<Range<usize>>,
    pub(crate) form: Form,
    /// It has a head at the left only.
    pub(crate) reverse: bool,
    /// A `>` behind the closing pipe.
    pub(crate) extra: Option<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bare,
    /// `-->|text|`
    Pipe,
    /// `-->|text`
    OpenPipe,
    /// `-- text -->` and similar; the character is `-`, `=` or `.`.
    Inline(char),
}
