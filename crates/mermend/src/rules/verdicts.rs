//! The codes of verdicts: what the engines say of a whole text. They have docs and no repair of their own.

use diagram::{Rule, Severity};

macro_rules! verdict {
    ($(#[doc = $docs:literal])* $ident:ident, $code:literal, $name:literal, $severity:ident) => {
        pub(crate) static $ident: Rule = Rule {
            code: $code,
            name: $name,
            severity: Severity::$severity,
            raw_docs: concat!($($docs, "\n"),*),
        };
    };
}

pub(super) const RULES: &[&Rule] = &[
    &SYNTAX_ERROR,
    &UNKNOWN_KIND,
    &EMPTY_DIAGRAM,
    &TOO_LARGE,
    &TOO_SLOW,
    &TOO_DEEP,
    &BROKEN_SETTINGS,
    &UNCHECKED,
    &ENGINES_DISAGREE,
    &BUSY,
    &MORE_FINDINGS,
    &UNCLOSED_FENCE,
    &SKIPPED_ELEMENT,
    &IGNORED_DIRECTION,
    &EDGE_LIMIT,
    &TEXT_LIMIT,
    &NOT_RENDERED,
    &DRAWN_DIFFERENTLY,
    &CONTROL_CODE,
];

verdict! {
    /// ## What it finds
    /// A place where Mermaid's parser cannot go on.
    ///
    /// ## Why it breaks
    /// The text does not follow the grammar of its kind of diagram, so Mermaid draws an error in place of the diagram.
    ///
    /// ## Fix
    /// Look at the marked place and at what is expected there. Where the cause is a known one, another finding stands
    /// beside this one and carries the repair.
    SYNTAX_ERROR, "MMD001", "syntax-error", Error
}

verdict! {
    /// ## What it finds
    /// A text whose first word is no kind of diagram that Mermaid knows.
    ///
    /// ## Why it breaks
    /// Mermaid chooses the parser by the first word, for example `flowchart` or `sequenceDiagram`.
    ///
    /// ## Fix
    /// Begin with a kind; `ba-copilot kinds` lists them all, each with a sample.
    UNKNOWN_KIND, "MMD002", "unknown-kind", Error
}

verdict! {
    /// ## What it finds
    /// A text with nothing but blanks.
    ///
    /// ## Why it breaks
    /// There is nothing to draw.
    ///
    /// ## Fix
    /// Begin with the kind of diagram, for example `flowchart TD`.
    EMPTY_DIAGRAM, "MMD003", "empty-diagram", Error
}

verdict! {
    /// ## What it finds
    /// A text that is larger than the limit of this installation.
    ///
    /// ## Why it breaks
    /// A diagram of that size is not readable, and its check delays all others.
    ///
    /// ## Fix
    /// Split it into several diagrams.
    TOO_LARGE, "MMD004", "too-large", Error
}

verdict! {
    /// ## What it finds
    /// A text that was not checked, repaired or compared completely within the time limit.
    ///
    /// ## Why it breaks
    /// The text is large or takes long to read; a browser would hang on it too. Or the server is busy: the time limit
    /// includes waiting for the Mermaid engine.
    ///
    /// ## Fix
    /// Split it into several diagrams. If the text is small, try again.
    TOO_SLOW, "MMD005", "too-slow", Error
}

verdict! {
    /// ## What it finds
    /// A text on which Mermaid runs out of memory or of depth.
    ///
    /// ## Why it breaks
    /// Blocks inside blocks cost depth; some grammars cost depth with every line.
    ///
    /// ## Fix
    /// Nest less, or split it into several diagrams.
    TOO_DEEP, "MMD006", "too-deep", Error
}

verdict! {
    /// ## What it finds
    /// Front matter or a directive that cannot be read.
    ///
    /// ## Why it breaks
    /// Front matter is YAML between two lines `---`; a directive is JSON in `%%{init: {…}}%%`. Mermaid reads them
    /// before the diagram.
    ///
    /// ## Fix
    /// Correct the YAML or JSON, or remove the settings: the diagram is drawn without them.
    BROKEN_SETTINGS, "MMD007", "broken-settings", Error
}

verdict! {
    /// ## What it finds
    /// A text that could not be checked, because the engine did not run.
    ///
    /// ## Why it breaks
    /// It may be valid or not.
    ///
    /// ## Fix
    /// Try again. If it stays so, look at the server's log and at its `/health`.
    UNCHECKED, "MMD008", "unchecked", Error
}

verdict! {
    /// ## What it finds
    /// A text on which the two engines differ: one accepts it, the other does not.
    ///
    /// ## Why it breaks
    /// The verdict is Mermaid's own. The fast engine, which also draws the pictures, sees it differently, so the
    /// picture may be missing or may differ from what a browser draws.
    ///
    /// ## Fix
    /// Nothing has to be done. A plainer way to write the same often satisfies both.
    ENGINES_DISAGREE, "MMD009", "engines-disagree", Info
}

verdict! {
    /// ## What it finds
    /// A text that could not be checked, because too many other texts wait for the Mermaid engine.
    ///
    /// ## Why it breaks
    /// The queue of the engine is bounded. The text may be valid or not: it was not read.
    ///
    /// ## Fix
    /// Try again in a few seconds.
    BUSY, "MMD010", "busy", Error
}

verdict! {
    /// ## What it finds
    /// The number of findings beyond the most that one answer lists.
    ///
    /// ## Why it breaks
    /// One error often causes many findings, so a longer list does not help.
    ///
    /// ## Fix
    /// Correct the listed ones first, then check the text again.
    MORE_FINDINGS, "MMD011", "more-findings", Info
}

verdict! {
    /// ## What it finds
    /// A Mermaid fence, or an element with the class `mermaid`, without its closing mark. In a block quote or a list
    /// item, the mark is also missing if it stands outside of them. A fence of another language is reported if it
    /// swallows a Mermaid fence.
    ///
    /// ## Why it breaks
    /// Everything up to the end of the file, of the quote or of the list item belongs to the fence.
    ///
    /// ## Fix
    /// Add the closing mark below the diagram, with the same marks of quotes and the same indentation as the opening
    /// one.
    UNCLOSED_FENCE, "MMD090", "unclosed-fence", Warning
}

verdict! {
    /// ## What it finds
    /// A flowchart with more edges than Mermaid draws with its defaults: `maxEdges`, 500.
    ///
    /// ## Why it breaks
    /// GitHub, GitLab and most documentation sites do not change the limit, and a diagram cannot: they show an error in
    /// place of the diagram.
    ///
    /// ## Fix
    /// Split it into several diagrams. If the page that shows it sets a higher `maxEdges`, set
    /// `check.mermaid_max_edges` to the same.
    EDGE_LIMIT, "MMD020", "mermaid-edge-limit", Warning
}

verdict! {
    /// ## What it finds
    /// A diagram in an element that cannot be read from the text: a component `<Mermaid>` whose diagram is not a
    /// template literal, or one with `${` or a backslash; an element in a block quote; or a character reference that is
    /// not known.
    ///
    /// ## Why it breaks
    /// The diagram is neither checked nor repaired. It may be valid or not.
    ///
    /// ## Fix
    /// Write the diagram as a fence, or keep it in a file of its own and check that.
    SKIPPED_ELEMENT, "MMD091", "skipped-element", Info
}

verdict! {
    /// ## What it finds
    /// A diagram with more characters than Mermaid draws with its defaults: `maxTextSize`, 50,000. Comments, front
    /// matter and directives do not count.
    ///
    /// ## Why it breaks
    /// GitHub, GitLab and most documentation sites do not change the limit, and a diagram cannot: they show "Maximum
    /// text size in diagram exceeded" in place of the diagram.
    ///
    /// ## Fix
    /// Split it into several diagrams. If the page that shows it sets a higher `maxTextSize`, set
    /// `check.mermaid_max_text_size` to the same.
    TEXT_LIMIT, "MMD021", "mermaid-text-limit", Warning
}

verdict! {
    /// ## What it finds
    /// A `direction` of a subgraph, or of a composite state, that has no effect.
    ///
    /// ## Why it breaks
    /// Mermaid lays a group out in its own direction only where no link joins a node in it with a node outside of it,
    /// or with a node in another group inside of it. Otherwise it ignores the `direction` without a message.
    ///
    /// ## Fix
    /// Link the group itself in place of a node in it, or remove the `direction`.
    IGNORED_DIRECTION, "MMD025", "ignored-direction", Warning
}

verdict! {
    /// ## What it finds
    /// A diagram that Mermaid's parser accepts and that Mermaid does not render: an XY chart without data, or a Sankey
    /// diagram whose flows lead back to where they start.
    ///
    /// ## Why it breaks
    /// Mermaid notices it only when it draws. A page then shows an error in place of the diagram.
    ///
    /// ## Fix
    /// Add a `bar` or a `line` to the XY chart. Remove the flow that closes the circle from the Sankey diagram.
    NOT_RENDERED, "MMD022", "not-rendered", Warning
}

verdict! {
    /// ## What it finds
    /// A formula between two `$$`.
    ///
    /// ## Why it breaks
    /// Nothing breaks in Mermaid, which typesets it in browsers. The pictures of this program show its source text.
    ///
    /// ## Fix
    /// Nothing has to be done. A browser shows the formula.
    DRAWN_DIFFERENTLY, "MMD023", "drawn-differently", Info
}

verdict! {
    /// ## What it finds
    /// The code of a control character, for example `#1;`.
    ///
    /// ## Why it breaks
    /// Mermaid reads `#`, digits and `;` as the code of a character, and control characters are not shown: the words
    /// are lost.
    ///
    /// ## Fix
    /// Write `#35;` for the `#`: `#35;1;` is shown as `#1;`.
    CONTROL_CODE, "MMD024", "control-code", Warning
}
