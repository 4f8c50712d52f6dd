//! FLOW003: signs in a label that is not in quotes.

use std::{collections::HashSet, ops::Range};

use super::scan;
use crate::flowchart_statement::{Body, Form, Piece};
use crate::{document::Document, finding::FixClass, rules::rule::Hit};

rule! {
    /// ## What it finds
    /// Brackets, quotes and other signs in a label of a node, of a link or of a subgraph that does not stand in quotes,
    /// quotes inside of quotes, and quotes that are escaped or written twice.
    ///
    /// ## Why it breaks
    /// Outside of quotes brackets are the outlines of nodes. Mermaid has no backslash escapes; a quote in a label is
    /// written `#quot;`.
    ///
    /// ## Example
    /// ```text
    /// flowchart LR
    ///   A[Sign in (SSO)] -->|ok (200)| B{"Is it "new"?"}
    /// ```
    /// becomes
    /// ```mermaid
    /// flowchart LR
    ///   A["Sign in (SSO)"] -->|"ok (200)"| B{"Is it #quot;new#quot;?"}
    /// ```
    ///
    /// ## Fix
    /// Put the label into quotes, and write `#quot;` for a quote inside it.
    "FLOW003", "unquoted-label", FixClass::Safe, find
}

fn find(document: &Document<'_>) -> Vec<Hit> {
    let text = document.text;
    let mut hits = Vec::new();
    let statements = scan::statements(document);
    let pieces = statements.iter().filter_map(|statement| match &statement.body {
        Body::Chain(pieces) => Some(pieces),
        Body::Keyword { .. } => None,
    });
    let ids: HashSet<&str> = pieces
        .flatten()
        .filter_map(|piece| if let Piece::Node(node) = piece { Some(&text[node.id.clone()]) } else { None })
        .collect();
    for statement in statements {
        match &statement.body {
            Body::Keyword { word, rest } if &text[word.clone()] == "subgraph" => {
                hits.extend(subgraph(text, rest.clone(), &ids))
            }
            Body::Keyword { .. } => {}
            Body::Chain(pieces) => {
                for piece in pieces {
                    let label = match piece {
                        Piece::Node(node) => node
                            .shape
                            .as_ref()
                            .filter(|shape| !shape.open.is_empty() && shape.should_close.is_none())
                            .map(|shape| (shape.label.clone(), Form::Bare)),
                        Piece::Link(link) if link.form != Form::OpenPipe => {
                            link.label.clone().map(|label| (label, link.form))
                        }
                        _ => None,
                    };
                    if let Some((range, form)) = label
                        && let Some((quoted, message)) = quote(&text[range.clone()], form)
                    {
                        hits.push(Hit::replace(range, message, quoted));
                    }
                }
            }
        }
    }
    hits
}

/// The title of a subgraph, alone or in brackets behind an id.
fn subgraph(text: &str, rest: Range<usize>, ids: &HashSet<&str>) -> Option<Hit> {
    let title = &text[rest.clone()];
    let id = title.find(|c: char| c.is_whitespace() || "[({\"".contains(c)).unwrap_or(title.len());
    let after = title[id..].trim_start();
    let range = match after.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) if id > 0 => {
            let start = rest.end - 1 - inner.len();
            start..rest.end - 1
        }
        // An id and the title in parentheses, if the id is used elsewhere.
        _ if id > 0
            && after.starts_with('(')
            && after.ends_with(')')
            && ids.contains(&title[..id])
            && title.len() == id + after.len() =>
        {
            let label = quote(&after[1..after.len() - 1], Form::Pipe).map(|(quoted, _)| quoted);
            let label = label.unwrap_or_else(|| format!("\"{}\"", &after[1..after.len() - 1]));
            let message = "The title of a subgraph stands in square brackets.";
            return Some(Hit::replace(rest.start + id..rest.end, message, format!("[{label}]")));
        }
        // An id before a title that is not closed, or something behind the title.
        _ if id > 0 && after.starts_with(['[', '"']) => return None,
        _ => rest,
    };
    let (quoted, message) = quote(&text[range.clone()], Form::Pipe)?;
    Some(Hit::replace(range, message, quoted))
}

/// The label in quotes, if it needs them and does not have them.
fn quote(label: &str, form: Form) -> Option<(String, String)> {
    let trimmed = label.trim();
    // Quotes that only enclose the label: escaped as in JSON, written twice, or without their partner.
    for enclosing in ["\\\"", "\"\""] {
        let inner = trimmed.strip_prefix(enclosing).and_then(|rest| rest.strip_suffix(enclosing));
        if let Some(inner) = inner.filter(|inner| !inner.trim().is_empty()) {
            let message = "The quotes around the label are escaped or written twice.".to_owned();
            return Some((format!("\"{}\"", escape(inner)), message));
        }
    }
    if trimmed.matches('"').count() == 1
        && let Some(inner) = trimmed.strip_prefix('"').or_else(|| trimmed.strip_suffix('"'))
    {
        let message = "A quote without its partner.".to_owned();
        return Some((format!("\"{}\"", inner.trim()), message)).filter(|_| !inner.trim().is_empty());
    }
    let inner = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(inner) = inner {
        return inner
            .contains('"')
            .then(|| (format!("\"{}\"", escape(inner)), "A quote inside of quotes.".to_owned()));
    }
    if trimmed.is_empty() {
        return None;
    }
    let breaks = |c: char| match form {
        Form::Inline('.') => matches!(c, '"' | '.'),
        Form::Inline(_) => c == '"',
        _ => matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '|' | '"'),
    };
    let sign = trimmed.chars().find(|c| breaks(*c)).or_else(|| {
        // A label that begins or ends with a slash is taken for the slanted outline.
        (form == Form::Bare && (trimmed.starts_with(['/', '\\']) || trimmed.ends_with(['/', '\\'])))
            .then_some('/')
    })?;
    let message = match sign {
        '(' | ')' => "Parentheses in an unquoted label.".to_owned(),
        '"' => "A quote in an unquoted label.".to_owned(),
        sign => format!("`{sign}` in an unquoted label."),
    };
    Some((format!("\"{}\"", escape(trimmed)), message))
}

/// The label of a node or between pipes in quotes, if it needs them and does not have them.
pub(super) fn quoted(label: &str) -> Option<String> {
    quote(label, Form::Bare).map(|(quoted, _)| quoted)
}

/// What may stand between quotes.
fn escape(label: &str) -> String {
    label.replace("\\\"", "#quot;").replace('"', "#quot;")
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{check_fix, check_rule};

    #[test]
    fn labels_are_quoted() {
        check_rule("FLOW003", "flowchart LR\n  A[run()]\n%%  ^^^^^ Parentheses in an unquoted label.\n");
        check_fix("flowchart LR\n  A[run()]\n", "flowchart LR\n  A[\"run()\"]\n");
        check_fix(
            "flowchart LR\n  A(load {id} [raw]) --> B((f(x)))\n",
            "flowchart LR\n  A(\"load {id} [raw]\") --> B((\"f(x)\"))\n",
        );
        check_fix(
            "flowchart LR\n  A[/var/log/app] --> B[ok]\n",
            "flowchart LR\n  A[\"/var/log/app\"] --> B[ok]\n",
        );
        check_fix(
            "flowchart LR\n  A{x \\\"y\\\" z} -- say \"yes\" --> B\n",
            "flowchart LR\n  A{\"x #quot;y#quot; z\"} -- \"say #quot;yes#quot;\" --> B\n",
        );
        check_fix(
            "flowchart LR\n  subgraph Back office (EU)\n    A\n  end\n  subgraph S [Front (web)]\n    B\n  end\n",
            "flowchart LR\n  subgraph \"Back office (EU)\"\n    A\n  end\n  subgraph S [\"Front (web)\"]\n    B\n  \
            end\n",
        );
        check_fix(
            "flowchart LR\n  A[(draft) order] --> B[(Store)]\n",
            "flowchart LR\n  A[\"(draft) order\"] --> B[(Store)]\n",
        );
        check_fix("flowchart LR; A[a(b)]-->B[c]; B-->C\n", "flowchart LR; A[\"a(b)\"]-->B[c]; B-->C\n");
    }

    #[test]
    fn a_label_over_two_lines_stays_one() {
        check_fix(
            "flowchart LR\n  A[\"one\n  two\"] --> B[x()]\n",
            "flowchart LR\n  A[\"one\n  two\"] --> B[\"x()\"]\n",
        );
    }
}
