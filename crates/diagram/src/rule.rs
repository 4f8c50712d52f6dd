//! Rules: the codes that findings carry, and their documentation.
//!
//! A rule is a `static`, declared beside the code that checks it, and findings refer to that `static`, so that an
//! unknown code does not compile. A [`Registry`] joins the tables of several crates.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Probably not what was meant.
    Warning,
    /// The diagram cannot be used.
    Error,
}

/// What a code of a finding means.
pub struct Rule {
    /// Stable and unique, for example `FLOW003`; never used again for another rule.
    pub code: &'static str,
    /// For people, for example `unquoted-label`.
    pub name: &'static str,
    pub severity: Severity,
    /// Markdown with the sections `What it finds`, `Why it breaks` and `Fix`. Lines may begin with one space, as those
    /// of doc comments do.
    pub raw_docs: &'static str,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

impl Rule {
    /// The documentation as Markdown, without a title.
    pub fn docs(&self) -> String {
        let lines: Vec<&str> =
            self.raw_docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The text of one section of the documentation.
    pub fn section(&self, heading: &str) -> String {
        let docs = self.docs();
        let mut inside = false;
        let mut section = Vec::new();
        for line in docs.lines() {
            match line.strip_prefix("## ") {
                Some(title) => inside = title == heading,
                None if inside => section.push(line),
                None => {}
            }
        }
        section.join("\n").trim().to_owned()
    }

    /// The documentation as one Markdown page.
    pub fn page(&self) -> String {
        format!("# {} {}\n\n{}\n", self.code, self.name, self.docs())
    }
}

/// The rules of several crates.
pub struct Registry {
    tables: &'static [&'static [&'static Rule]],
}

impl Registry {
    pub const fn new(tables: &'static [&'static [&'static Rule]]) -> Self {
        Registry { tables }
    }

    /// Every rule, table by table.
    pub fn iter(&self) -> impl Iterator<Item = &'static Rule> + use<> {
        self.tables.iter().flat_map(|table| table.iter().copied())
    }

    /// The rule of a code or of a name, in any case. A code goes before a name.
    pub fn find(&self, code_or_name: &str) -> Option<&'static Rule> {
        let wanted = code_or_name.trim();
        self.iter()
            .find(|rule| rule.code.eq_ignore_ascii_case(wanted))
            .or_else(|| self.iter().find(|rule| rule.name.eq_ignore_ascii_case(wanted)))
    }

    /// Every page, one below the other, each with an anchor of its code in lower case.
    pub fn pages(&self) -> String {
        let mut out = String::new();
        for rule in self.iter() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\n<a id=\"{}\"></a>\n\n{}", rule.code.to_lowercase(), rule.page());
        }
        out
    }
}

/// The tables as one, for a `static`. `N` is the sum of their lengths; another number does not compile.
///
/// # Panics
/// When `N` is another number.
pub const fn concat<const N: usize>(tables: &[&[&'static Rule]]) -> [&'static Rule; N] {
    static NONE: Rule = Rule { code: "", name: "", severity: Severity::Info, raw_docs: "" };
    let mut out = [&NONE; N];
    let (mut filled, mut table) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            out[filled] = tables[table][row];
            filled += 1;
            row += 1;
        }
        table += 1;
    }
    assert!(filled == N);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    static ONE: Rule = Rule {
        code: "A001",
        name: "first",
        severity: Severity::Error,
        raw_docs: " ## What it finds\n One.\n Two.\n\n ## Fix\n   Indent.\n",
    };
    static TWO: Rule = Rule { code: "B001", name: "A001", severity: Severity::Info, raw_docs: "" };
    static ALL: Registry = Registry::new(&[&[&TWO], &[&ONE]]);

    #[test]
    fn rules_are_found_by_code_and_by_name() {
        for (wanted, code) in
            [("a001", Some("A001")), (" First ", Some("A001")), ("b001", Some("B001")), ("", None)]
        {
            assert_eq!(ALL.find(wanted).map(|rule| rule.code), code, "{wanted}");
        }
    }

    #[test]
    fn docs_have_sections_and_pages() {
        assert_eq!(ONE.section("What it finds"), "One.\nTwo.");
        assert_eq!(ONE.section("Fix"), "Indent.");
        assert_eq!(ONE.section("Example"), "");
        assert!(ALL.pages().ends_with(
            "\n<a id=\"a001\"></a>\n\n# A001 first\n\n## What it finds\nOne.\nTwo.\n\n## Fix\n  Indent.\n"
        ));
    }

    #[test]
    fn tables_are_joined_in_order() {
        let joined: [&Rule; 2] = concat(&[&[&TWO], &[&ONE]]);
        assert_eq!(joined.map(|rule| rule.code), ["B001", "A001"]);
    }
}
