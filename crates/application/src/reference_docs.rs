//! What is known about rules and kinds, as people and agents read it.

use std::fmt::Write as _;

use diagram::{Registry, Rule};

/// Every rule of the product.
pub static RULES: Registry = Registry::new(&TABLES);

static TABLES: [&[&Rule]; 2] = [mermend::RULES, blueprint::LINTS];

/// The rule of the code (or name) of a finding, if there is one.
pub fn explain(code: &str) -> Option<&'static Rule> {
    RULES.find(code)
}

/// Every code of a finding.
pub fn codes() -> Vec<&'static str> {
    RULES.iter().map(|rule| rule.code).collect()
}

/// Every code with one line about it, as Markdown.
pub fn rule_index() -> String {
    let mut out = String::from("# Rules\n\n");
    for rule in RULES.iter() {
        let docs = rule.docs();
        let line = docs.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "- {} {}: {}", rule.code, rule.name, line.unwrap_or_default().trim());
    }
    out
}

/// Names of all kinds of diagrams; `use_case` and `activity` stand for what is drawn of them.
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

/// Every kind with what it begins with, as Markdown.
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

/// How a kind is written: its first word, a sample, what makes a good one and what goes wrong, as Markdown.
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
        what_goes_wrong(&mut out, if row.id == "class" { "CLASS" } else { "FLOW" });
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
    what_goes_wrong(&mut out, family);
    Some(out)
}

fn what_goes_wrong(out: &mut String, family: &str) {
    out.push_str("\n## What goes wrong\n\n");
    let of_family = |code: &str| {
        code.strip_prefix(family).is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    };
    for rule in mermend::RULES.iter().filter(|rule| of_family(rule.code)) {
        let _ = writeln!(out, "- {} {}: {}", rule.code, rule.name, rule.section("Fix").replace('\n', " "));
    }
}
