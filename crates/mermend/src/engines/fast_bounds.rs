//! Texts that merman cannot read in reasonable time. It looks at its time limit only between tokens, and some tokens
//! cost time with the square of a line or of the depth; so such texts are not given to it, and Mermaid's own parser
//! decides.
//!
//! The bounds are far beyond what authors and models write.

use super::verdict::Failure;

/// The longest line, in bytes.
const MAX_LINE: usize = 20_000;
/// The most levels of blocks in blocks; a name with dots opens a level with each of its parts.
const MAX_DEPTH: usize = 500;
/// The most classes that stand in namespaces.
const MAX_NAMESPACE_CLASSES: usize = 10_000;

/// Words that open a block which ends with `end`.
const OPENERS: [&str; 12] = [
    "subgraph", "loop", "alt", "opt", "par", "par_over", "critical", "break", "rect", "box", "block",
    "block:",
];

/// Refuses a text that merman cannot read in reasonable time.
///
/// # Errors
/// [`Failure::TooDeep`].
pub(crate) fn admit(text: &str) -> Result<(), Failure> {
    // The levels that each open bracket opened.
    let mut brackets: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    let mut blocks = 0_usize;
    let mut classes = 0_usize;
    for line in text.lines() {
        if line.len() > MAX_LINE {
            return Err(Failure::TooDeep);
        }
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            "end" => blocks = blocks.saturating_sub(1),
            "class" if depth > 0 => classes += 1,
            _ if OPENERS.iter().any(|opener| word == *opener || word.starts_with("block:")) => blocks += 1,
            _ => {}
        }
        let dots = if word == "namespace" { line.matches('.').count() } else { 0 };
        for character in line.bytes() {
            match character {
                b'{' => {
                    brackets.push(1 + dots);
                    depth += 1 + dots;
                }
                b'}' => depth -= brackets.pop().unwrap_or_default(),
                _ => {}
            }
        }
        if dots > MAX_DEPTH || depth > MAX_DEPTH || blocks > MAX_DEPTH || classes > MAX_NAMESPACE_CLASSES {
            return Err(Failure::TooDeep);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_one_writes_is_refused() {
        let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
        for (what, text, admitted) in [
            ("a long line", "x".repeat(MAX_LINE), true),
            ("a longer line", "x".repeat(MAX_LINE + 1), false),
            ("many lines", "x\n".repeat(100_000), true),
            ("nested namespaces", nested("namespace a {\n", "}\n", MAX_DEPTH), true),
            ("too many nested namespaces", nested("namespace a {\n", "}\n", MAX_DEPTH + 1), false),
            ("namespaces one after the other", "namespace a {\nclass A\n}\n".repeat(5_000), true),
            ("a name of many parts", format!("namespace {} {{\n}}\n", "a.".repeat(MAX_DEPTH)), false),
            (
                "a name of many parts that opens nothing",
                format!("namespace {}\n", "a.".repeat(MAX_DEPTH + 1)),
                false,
            ),
            ("nested names of parts", nested("namespace a.b.c.d {\n", "}\n", MAX_DEPTH / 3), false),
            ("nested subgraphs", nested("  subgraph x\n", "  end\n", MAX_DEPTH), true),
            ("too many nested subgraphs", nested("  subgraph x\n", "  end\n", MAX_DEPTH + 1), false),
            ("one subgraph after the other", "subgraph x\nend\n".repeat(5_000), true),
            ("too many open blocks", "loop x\n".repeat(MAX_DEPTH + 1), false),
            ("many classes", "class A\n".repeat(MAX_NAMESPACE_CLASSES + 1), true),
            (
                "too many classes of a namespace",
                format!("namespace a {{\n{}}}", "class A\n".repeat(MAX_NAMESPACE_CLASSES + 1)),
                false,
            ),
            ("labels with brackets", "A{x} --> B{{y}}\n".repeat(5_000), true),
        ] {
            assert_eq!(admit(&text).is_ok(), admitted, "{what}");
        }
    }
}
