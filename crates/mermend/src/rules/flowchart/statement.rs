//! The statements of a flowchart, as `scan.rs` reads them. All ranges are bytes of the whole text.

use std::ops::Range;

/// The text between line breaks or semicolons.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(super) range: Range<usize>,
    pub(super) body: Body,
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
    pub(super) id: Range<usize>,
    pub(super) shape: Option<Shape>,
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub(super) open: Range<usize>,
    pub(super) label: Range<usize>,
    /// Empty if there is no closing mark.
    pub(super) close: Range<usize>,
    /// What should stand there in place of `close`, if something else should.
    pub(super) should_close: Option<&'static str>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(super) range: Range<usize>,
    /// The arrow; of `-- text -->` the last part.
    pub(super) arrow: Range<usize>,
    /// What the arrow should be, if it is none.
    pub(super) should_be: Option<&'static str>,
    pub(super) label: Option<Range<usize>>,
    pub(super) form: Form,
    /// A `>` behind the closing pipe.
    pub(super) extra: Option<Range<usize>>,
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
