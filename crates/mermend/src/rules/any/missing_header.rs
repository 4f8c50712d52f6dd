//! MMD108: statements without a header.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// Lines that can only be a flowchart (nodes in brackets, joined by `-->`) or a sequence diagram (`Ann->>Bob:
    /// text`), with no header before them.
    ///
    /// ## Why it breaks
    /// Without a header Mermaid does not know which parser to use.
    ///
    /// ## Example
    /// ```text
    /// A[Ask] --> B[Answer]
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    /// A[Ask] --> B[Answer]
    /// ```
    ///
    /// ## Fix
    /// Begin with the kind of diagram.
    "MMD108", "missing-header", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let Some(header) = document.header().filter(|_| document.kind.is_none()) else {
        return Vec::new();
    };
    let lines = || std::iter::once(header).chain(document.body());
    let message = |line: &str| {
        line.find("->>").or_else(|| line.find("-->>")).is_some_and(|at| line[at..].contains(':'))
    };
    let flow = |line: &str| {
        (line.contains("-->") || line.contains("-.->") || line.contains("==>")) && !line.contains("->>")
    };
    let kind = if lines().all(|line| message(line.text)) {
        "sequenceDiagram"
    } else if lines().all(|line| flow(line.text)) && lines().any(|line| line.text.contains('[')) {
        "flowchart TD"
    } else {
        return Vec::new();
    };
    let edits = vec![Edit::replace(header.start, header.start, format!("{kind}\n"))];
    vec![Hit::new(header.range(), format!("The header is missing: this looks like `{kind}`."), edits)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn the_header_is_told_from_the_arrows() {
        check_fix("A[x] --> B\nB -->|y| C\n", "flowchart TD\nA[x] --> B\nB -->|y| C\n");
        check_fix("Ann->>Bob: hi\nBob-->>Ann: ho\n", "sequenceDiagram\nAnn->>Bob: hi\nBob-->>Ann: ho\n");
    }
}
