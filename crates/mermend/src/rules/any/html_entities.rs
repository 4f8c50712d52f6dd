//! MMD104: signs that were escaped for HTML.

use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// `&gt;`, `&lt;`, `&quot;` and other entities outside of quotes, where the sign itself is grammar.
    ///
    /// ## Why it breaks
    /// An arrow written `--&gt;` is no arrow.
    ///
    /// ## Example
    /// ```text
    /// flowchart TD
    ///   Ask --&gt; B[&quot;Answer (soon)&quot;]
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart TD
    ///   Ask --> B["Answer (soon)"]
    /// ```
    ///
    /// ## Fix
    /// Write the sign itself. Inside a quoted label an entity may stay.
    "MMD104", "html-entities", FixClass::Safe, find, grammar: &["gt", "lt", "quot", "amp", "nbsp", "apos"]
}

const ENTITIES: [(&str, &str); 14] = [
    ("&gt;", ">"),
    ("&lt;", "<"),
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#x22;", "\""),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&#x27;", "'"),
    ("&nbsp;", " "),
    ("&#160;", " "),
    ("&#62;", ">"),
    ("&#60;", "<"),
    ("&#45;", "-"),
    ("&amp;", "&"),
];

fn find(document: &Document<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for line in document.open_lines() {
        let mut in_quotes = false;
        let mut at = 0;
        while let Some(character) = line.text[at..].chars().next() {
            let rest = &line.text[at..];
            in_quotes ^= character == '"';
            if character == '&' && !in_quotes {
                // Escaped twice: "&amp;gt;".
                let begins = |tail: &str| ENTITIES.iter().find(|(entity, _)| tail.starts_with(&entity[1..]));
                let twice = rest.strip_prefix("&amp;").and_then(begins).map(|row| (4, row));
                if let Some((prefix, (entity, sign))) =
                    twice.or_else(|| begins(&rest[1..]).map(|row| (0, row)))
                {
                    let start = line.start + at;
                    let end = start + prefix + entity.len();
                    hits.push(Hit::replace(
                        start..end,
                        format!("`{entity}` stands where `{sign}` should."),
                        *sign,
                    ));
                    at = end - line.start;
                    continue;
                }
            }
            at += character.len_utf8();
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn entities_become_signs() {
        check_rule("MMD104", "flowchart TD\n  A --&gt; B\n%%    ^^^^ `&gt;` stands where `>` should.\n");
        check_fix("sequenceDiagram\n  A-&gt;&gt;B: a &lt;b&gt;\n", "sequenceDiagram\n  A->>B: a <b>\n");
        check_fix(
            "flowchart TD\n  A[\"a &amp; b\"] --&gt;|&quot;yes (2)&quot;| B\n",
            "flowchart TD\n  A[\"a &amp; b\"] -->|\"yes (2)\"| B\n",
        );
        check_fix("flowchart TD\n  A --&amp;gt; B\n", "flowchart TD\n  A --> B\n");
    }
}
