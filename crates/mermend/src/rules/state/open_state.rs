//! STATE002: a composite state that is not closed.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::{
        open_blocks::{Entry, Role, missing_ends},
        rule::Hit,
    },
};

rule! {
    /// ## What it finds
    /// A `state … {` without its `}`.
    ///
    /// ## Why it breaks
    /// Mermaid reads all that follows as a part of that state.
    ///
    /// ## Example
    /// ```text
    /// stateDiagram-v2
    ///   state Open {
    ///     [*] --> Idle
    ///   Open --> Shut
    /// ```
    /// becomes
    /// ```mermaid
    /// stateDiagram-v2
    ///   state Open {
    ///     [*] --> Idle
    ///   }
    ///   Open --> Shut
    /// ```
    ///
    /// ## Fix
    /// Write `}` behind the last statement of the state. The repair sees by the indentation which one that is; where it
    /// does not show, the author has to decide.
    "STATE002", "open-state", FixClass::Safe, find, structural: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("state") {
        return Vec::new();
    }
    let lines: Vec<_> = document.body().collect();
    let entries: Vec<Entry> = lines
        .iter()
        .map(|line| {
            let (range, content) = (line.range(), line.content().1);
            let role = match content {
                "}" => Role::Close,
                // Between the regions of a state.
                "--" => Role::Middle,
                _ if content.starts_with("state ") && content.ends_with('{') => Role::Open,
                _ => Role::Other,
            };
            Entry { indent: range.start - line.start, range, role }
        })
        .collect();
    let Some(missing) = missing_ends(&entries) else {
        let first = entries.iter().find(|entry| entry.role == Role::Open);
        let message = "A state has no `}`, and the indentation does not show where it should be.";
        return first.map(|entry| Hit::for_the_author(entry.range.clone(), message)).into_iter().collect();
    };
    missing
        .into_iter()
        .map(|missing| {
            let line = &lines[missing.opener];
            let edits = vec![Edit::replace(missing.end, missing.end, format!("\n{}}}", line.indent()))];
            Hit::new(line.range(), "This state is not closed.", edits)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_refused;

    #[test]
    fn without_indentation_only_the_author_knows() {
        check_refused("stateDiagram-v2\nstate A {\n[*] --> x\nstate B {\ny --> x\n}\n");
    }
}
