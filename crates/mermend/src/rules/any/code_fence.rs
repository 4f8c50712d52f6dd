//! MMD101: the fence that a diagram came in.

use super::surrounding_prose::is_sentence;
use crate::{
    document::Document,
    finding::{Edit, FixClass},
    markdown,
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// A diagram that still stands in its Markdown fence, also when the fence is not closed, when text stands around
    /// it, or when only the word `mermaid` is left. Of several fences the first with a diagram counts.
    ///
    /// ## Why it breaks
    /// The fence is Markdown; Mermaid expects only what is inside.
    ///
    /// ## Example
    /// ````text
    /// Here it is:
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> Answer
    /// ```
    /// ````
    /// becomes
    /// ````mermaid
    /// flowchart TD
    ///   Ask --> Answer
    /// ````
    ///
    /// ## Fix
    /// Keep what is inside the fence.
    "MMD101", "code-fence", FixClass::Safe, find, unwraps: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    if !document.spend(text.len()) {
        return Vec::new();
    }
    let fences = markdown::fences(text);
    let begins_diagram = |text: &str| Document::new(text, document.deadline()).kind.is_some();
    // Opening marks before the first line of a diagram, or none at all but a closing one after it.
    let chosen = fences
        .iter()
        .find(|fence| fence.is_mermaid() && !fence.code(text).trim().is_empty())
        .or_else(|| fences.iter().find(|fence| begins_diagram(fence.code(text))));
    if let Some(fence) = chosen {
        let message = "The diagram stands in a Markdown fence.";
        let edits = vec![Edit::replace(0, fence.start, ""), Edit::replace(fence.end, text.len(), "")];
        let end = text[..fence.start].trim_end().len();
        let hit = Hit::new(fence.outer_start..end, message, edits);
        let others = fences.iter().filter(|other| other.is_mermaid() && !other.code(text).trim().is_empty());
        return match others.count() {
            0 | 1 => vec![hit],
            count => {
                let message = format!("{count} diagrams stand in Markdown fences; only the first is kept.");
                vec![Hit { message: message.into(), ..hit }.with_class(FixClass::Lossy)]
            }
        };
    }
    if let Some(header) = document.header() {
        let (start, content) = header.content();
        // A quote: each line has its mark.
        let quoted = || document.lines().iter().filter(|line| !line.text.trim().is_empty());
        let inside = content.trim_start_matches(['>', ' ']);
        if content.starts_with('>')
            && begins_diagram(inside)
            && quoted().all(|line| line.text.starts_with('>'))
        {
            let mark = |line: &crate::document::Line<'_>| {
                let length = 1 + usize::from(line.text[1..].starts_with(' '));
                Edit::replace(line.start, line.start + length, "")
            };
            let hit =
                Hit::new(start..header.end(), "The diagram stands in a quote.", quoted().map(mark).collect());
            return vec![hit];
        }
        // What is left of a fence whose marks were lost.
        let word = content.trim_matches(['`', '~', ':']).trim();
        if word.eq_ignore_ascii_case("mermaid") && begins_diagram(&text[header.end()..]) {
            let end = document.after_break(&header);
            let hit = Hit::new(
                start..header.end(),
                "The language of a fence is left over.",
                vec![Edit::replace(header.start, end, "")],
            );
            return vec![hit];
        }
        // Marks and diagram on one line: "```mermaid flowchart TD".
        let bare = content.trim_start_matches('`').trim_start();
        let bare = bare.strip_prefix("mermaid").map_or(bare, str::trim_start);
        if content.starts_with("```") && begins_diagram(bare) {
            let end = start + content.len() - bare.len();
            let mut edits = vec![Edit::replace(start, end, "")];
            edits.extend(stray_close(document));
            return vec![Hit::new(start..end, "The diagram stands in a Markdown fence.", edits)];
        }
    }
    stray_close(document)
        .map(|edit| Hit::new(edit.start..edit.end, "The end of a Markdown fence is left over.", vec![edit]))
        .into_iter()
        .collect()
}

/// A closing mark without an opening one: it and all after it is not the diagram.
fn stray_close(document: &Document<'_>) -> Option<Edit> {
    document.kind?;
    let mark = |text: &str| {
        (text.starts_with("```") || text.starts_with("~~~"))
            && text.trim_matches(['`', '~']).trim().is_empty()
    };
    if let Some(line) = document.body().find(|line| mark(line.text.trim())) {
        // What follows may be talk about the diagram, or its other half.
        let after = document.after_break(&line);
        let talk =
            document.text[after..].lines().map(str::trim).all(|line| line.is_empty() || is_sentence(line));
        return Some(Edit::replace(line.start, if talk { document.text.len() } else { after }, ""));
    }
    let last = document.body().last()?;
    let trimmed = last.text.trim_end();
    let bare = trimmed.strip_suffix("```")?.trim_end();
    Some(Edit::replace(last.start + bare.len(), document.text.len(), "\n"))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn fences_go() {
        check_rule("MMD101", "```mermaid\n%%^^^^^^^^ The diagram stands in a Markdown fence.\npie\n```\n");
        check_fix("```mermaid\npie\n  \"a\" : 1\n```\nThat is all.", "pie\n  \"a\" : 1\n");
        check_fix("~~~\nflowchart TD\n  A --> B\n~~~", "flowchart TD\n  A --> B\n");
        check_fix("```mermaid\nflowchart TD\n  A --> B", "flowchart TD\n  A --> B");
        check_fix("```js\nx()\n```\n```mermaid\nflowchart TD\n  A --> B\n```", "flowchart TD\n  A --> B\n");
        check_fix("mermaid\nflowchart TD\n  A --> B", "flowchart TD\n  A --> B");
        check_fix("flowchart TD\n  A --> B\n```\nThis shows a flow.", "flowchart TD\n  A --> B\n");
        check_fix("flowchart TD\n  A --> B[x]```", "flowchart TD\n  A --> B[x]\n");
        check_fix(
            "sequenceDiagram\n  A->>B: x\n```\n  B->>A: y\n",
            "sequenceDiagram\n  A->>B: x\n  B->>A: y\n",
        );
    }
}
