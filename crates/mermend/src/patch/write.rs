//! How boxes and lines are written, with escaped labels.

use diagram::OutlineEdge;

use super::operation::Family;

pub(super) const SHAPES: [(&str, &str, &str); 7] = [
    ("rect", "[", "]"),
    ("round", "(", ")"),
    ("stadium", "([", "])"),
    ("diamond", "{", "}"),
    ("circle", "((", "))"),
    ("hexagon", "{{", "}}"),
    ("database", "[(", ")]"),
];

const FLOW_KINDS: [(&str, &str); 4] =
    [("arrow", "-->"), ("open", "---"), ("dotted", "-.->"), ("thick", "==>")];
const CLASS_KINDS: [(&str, &str); 7] = [
    ("association", "-->"),
    ("link", "--"),
    ("aggregation", "o--"),
    ("composition", "*--"),
    ("inheritance", "--|>"),
    ("realization", "..|>"),
    ("dependency", "..>"),
];

pub(super) fn arrows(family: Family) -> &'static [(&'static str, &'static str)] {
    match family {
        Family::Flow => &FLOW_KINDS,
        Family::Class => &CLASS_KINDS,
    }
}

/// A line as Mermaid text.
pub(super) fn written(family: Family, edge: &OutlineEdge) -> String {
    let arrow = arrows(family).iter().find(|row| row.0 == edge.kind).map_or("-->", |row| row.1);
    let (from, to) = (&edge.from, &edge.to);
    match family {
        Family::Flow if edge.label.is_empty() => format!("{from} {arrow} {to}"),
        Family::Flow => format!("{from} {arrow}|\"{}\"| {to}", quoted(&edge.label)),
        Family::Class => {
            let end = |label: &str| {
                if label.is_empty() { String::new() } else { format!(" \"{}\"", quoted(label)) }
            };
            let label = if edge.label.is_empty() {
                String::new()
            } else {
                format!(" : {}", after_colon(&edge.label))
            };
            format!("{from}{} {arrow}{} {to}{label}", end(&edge.from_label), end(&edge.to_label))
        }
    }
}

/// A label as it is drawn: in one line, with one space between words.
pub(super) fn spaced(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A label between quotes: what would mean something there becomes an entity code.
pub(super) fn quoted(label: &str) -> String {
    coded(label, |c| matches!(c, '"' | '#' | ';' | '<' | '>' | '&' | '`' | '\\'))
}

fn after_colon(label: &str) -> String {
    coded(label, |c| matches!(c, '"' | '#' | ';' | '<' | '>' | '&' | '`' | ':' | '{' | '}' | '%' | '~'))
}

fn coded(label: &str, special: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in spaced(label).chars() {
        match special(c) {
            true if c == '"' => out.push_str("#quot;"),
            true => out.push_str(&format!("#{};", c as u32)),
            false => out.push(c),
        }
    }
    out
}

/// The bracket pair of a shape around a label.
pub(super) fn bracketed(open: &str, label: &str, close: &str) -> String {
    format!("{open}\"{label}\"{close}")
}
