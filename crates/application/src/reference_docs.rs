//! Reference texts about rules and diagram kinds, for users and agents.

use std::fmt::Write as _;

/// Documentation of a rule.
#[derive(Debug, Clone)]
pub struct Explained {
    pub code: &'static str,
    pub name: &'static str,
    /// What the rule finds, why, an example and the repair, as Markdown.
    pub text: String,
}

impl Explained {
    /// The documentation as one page.
    pub fn markdown(&self) -> String {
        format!("# {} {}\n\n{}\n", self.code, self.name, self.text)
    }
}

/// Finds a rule by code or name.
pub fn explain(code: &str) -> Option<Explained> {
    if let Some(rule) = mermend::explain(code) {
        return Some(Explained { code: rule.code, name: rule.name, text: rule.docs() });
    }
    let code = code.trim();
    let row = blueprint::LINTS.iter().find(|row| row.code.eq_ignore_ascii_case(code))?;
    Some(Explained { code: row.code, name: row.name, text: row.doc.trim().to_owned() })
}

/// Codes of all rules.
pub fn codes() -> Vec<&'static str> {
    mermend::RULES.iter().map(|rule| rule.code).chain(blueprint::LINTS.iter().map(|row| row.code)).collect()
}

/// All rules with their summaries, as Markdown.
pub fn rule_index() -> String {
    let mut out = String::from("# Rules\n\n");
    for explained in codes().into_iter().filter_map(explain) {
        let line = explained.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "- {} {}: {}", explained.code, explained.name, line.unwrap_or_default().trim());
    }
    out
}

/// Names of all diagram kinds, including `use_case` and `activity`.
pub fn kind_names() -> Vec<&'static str> {
    let drafted = blueprint::KINDS.iter().map(|row| row.id);
    let all = mermend::kinds::KINDS.iter().map(|kind| kind.id);
    let mut names: Vec<&str> = Vec::new();
    for name in drafted.chain(all) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// All diagram kinds with their headers, as Markdown.
pub fn kind_index() -> String {
    let mut out = String::from("# Kinds of diagrams\n\n## Drafted from requirements\n\n");
    for row in blueprint::KINDS {
        let _ = writeln!(out, "- {}: {}", row.id, row.name);
    }
    out.push_str("\n## Checked, repaired and drawn\n\n");
    for kind in mermend::kinds::KINDS {
        let _ = writeln!(out, "- {}: {}, begins with `{}`", kind.id, kind.name, kind.header);
    }
    out
}

/// Syntax of a diagram kind: header, sample, advice and common errors, as Markdown.
pub fn syntax_card(kind: &str) -> Option<String> {
    let kind = kind.trim().to_ascii_lowercase();
    if let Some(row) =
        blueprint::KINDS.iter().find(|row| row.cli_names.contains(&kind.as_str()) || row.id == kind)
    {
        let sample = blueprint::compile(&(row.sample)(), blueprint::Target::Portable).text;
        let mut out = format!(
            "# {}\n\n```mermaid\n{}\n```\n\n## What makes a good one\n\n{}\n",
            row.name,
            sample.trim_end(),
            row.instructions.trim()
        );
        // Use cases and activities are drawn as flowcharts.
        write_common_errors(&mut out, if row.id == "class" { "CLASS" } else { "FLOW" });
        return Some(out);
    }
    let known = mermend::kinds::find(&kind)?;
    let mut out = format!(
        "# {}\n\nBegins with `{}`.\n\n```mermaid\n{}\n```\n",
        known.name,
        known.header,
        known.sample.trim_end()
    );
    let family = match known.id {
        "flowchart" => "FLOW",
        "sequence" => "SEQ",
        "class" => "CLASS",
        "er" => "ER",
        "state" => "STATE",
        _ => return Some(out),
    };
    write_common_errors(&mut out, family);
    Some(out)
}

fn write_common_errors(out: &mut String, family: &str) {
    out.push_str("\n## What goes wrong\n\n");
    let of_family = |code: &str| {
        code.strip_prefix(family).is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    };
    for rule in mermend::RULES.iter().filter(|rule| of_family(rule.code)) {
        let _ = writeln!(out, "- {} {}: {}", rule.code, rule.name, rule.section("Fix").replace('\n', " "));
    }
}
