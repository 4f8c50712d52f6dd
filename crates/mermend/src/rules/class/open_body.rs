//! CLASS005: the body of a class that is not closed.

use crate::{
    document::Document,
    finding::{Edit, FixClass},
    rules::rule::Hit,
};

rule! {
    /// ## What it finds
    /// A class whose `{` has no `}` before the next class begins or the text ends.
    ///
    /// ## Why it breaks
    /// Mermaid reads all that follows as members of that class.
    ///
    /// ## Example
    /// ```text
    /// classDiagram
    ///   class Order {
    ///     +int id
    ///   class Client
    /// ```
    /// becomes
    /// ```mermaid
    /// classDiagram
    ///   class Order {
    ///     +int id
    ///   }
    ///   class Client
    /// ```
    ///
    /// ## Fix
    /// Write `}` behind the last member.
    "CLASS005", "open-body", FixClass::Safe, find, structural: true
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    if !document.is("class") {
        return Vec::new();
    }
    let mut hits = Vec::new();
    let mut open: Option<crate::document::Line<'_>> = None;
    let mut last = None;
    for line in document.body() {
        let content = line.content().1;
        let begins = content.starts_with("class ") && (content.ends_with('{') || !content.contains('{'));
        let relation = ["--|>", "<|--", " --> ", " *-- ", " o-- ", " ..> ", "..|>", "<|.."]
            .iter()
            .any(|arrow| content.contains(arrow));
        if let Some(class) = open.filter(|_| begins || relation || content.starts_with("namespace "))
            && let Some(end) = last
        {
            hits.push(close(&class, end));
            open = None;
        }
        if content.starts_with("class ") && content.ends_with('{') {
            open = Some(line);
        } else if content.ends_with('}') {
            open = None;
        }
        last = Some(line.end());
    }
    if let (Some(class), Some(end)) = (open, last) {
        hits.push(close(&class, end));
    }
    hits
}

fn close(class: &crate::document::Line<'_>, at: usize) -> Hit {
    let edits = vec![Edit::replace(at, at, format!("\n{}}}", class.indent()))];
    Hit::new(class.range(), "The body of this class is not closed.", edits)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::check_fix;

    #[test]
    fn bodies_are_closed() {
        check_fix(
            "classDiagram\n  class A {\n    +run()\n  A --> B\n  class B {\n    +x\n",
            "classDiagram\n  class A {\n    +run()\n  }\n  A --> B\n  class B {\n    +x\n  }\n",
        );
    }
}
