//! `check`: validates Mermaid diagrams.

use std::path::Path;

use mermend::{Checked, Engine, Finding, Severity, diagrams_in_markdown};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CommandResult, Failure, Verdict, files, print, say};
use application::{app::App, check};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files (.mmd, .mermaid or Markdown) or folders; `-` or nothing reads standard input.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Engine that decides: mermaid (Mermaid's own parser) or fast (built-in parser).
    #[arg(long, default_value = "mermaid", value_parser = ["mermaid", "fast"])]
    engine: String,
    /// Output format; github writes annotations for GitHub Actions.
    #[arg(long, default_value = "text", value_parser = ["text", "json", "jsonl", "sarif", "github"])]
    format: String,
    /// Apply repairs that keep the meaning, and write them to the files, also where other findings remain (exit code
    /// 1).
    #[arg(long, conflicts_with = "batch")]
    fix: bool,
    /// With --fix: print the changes as a diff and write nothing.
    #[arg(long, requires = "fix")]
    diff: bool,
    /// Read JSON lines `{"id","code"}` from standard input, and write one JSON line for each.
    #[arg(long, conflicts_with = "files")]
    batch: bool,
    /// Reserved for the viewer that must show the diagrams. Not supported yet.
    #[arg(long, hide = true)]
    target: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    id: Value,
    code: String,
}

struct Diagram {
    file: String,
    checked: Checked,
    findings: Vec<Finding>,
}

impl Diagram {
    /// Mermaid accepts it, and nothing that was found prevents its picture.
    fn is_clean(&self) -> bool {
        self.checked.valid && self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

pub(super) fn run(arguments: Arguments, app: &App) -> CommandResult {
    check::refuse_target(arguments.target.as_deref()).map_err(|error| Failure::Other(error.to_string()))?;
    let engine = if arguments.engine == "fast" { Engine::Fast } else { Engine::Mermaid };
    if arguments.batch {
        return batch(app, engine);
    }
    let paths = if arguments.files.is_empty() { vec!["-".to_owned()] } else { arguments.files.clone() };
    let mut results = Vec::new();
    for file in files::list_files(&paths, is_diagram_file)? {
        let name = file.display().to_string();
        let mut text = files::read_text(&name)?;
        if arguments.fix && name != "-" {
            let repaired = repair(app, &name, &text);
            if repaired != text {
                if arguments.diff {
                    print(&format!("--- {name}\n+++ {name}\n{}", mermend::unified_diff(&text, &repaired)));
                } else {
                    std::fs::write(&file, &repaired).map_err(|error| Failure::file(&name, &error))?;
                    say(&format!("repaired {name}"));
                    text = repaired;
                }
            }
        }
        results.extend(check_text(app, engine, &name, &text));
    }
    let clean = results.iter().all(Diagram::is_clean);
    print(&match arguments.format.as_str() {
        "json" => format!("{}\n", Value::Array(results.iter().map(as_json).collect())),
        "jsonl" => results.iter().map(|result| format!("{}\n", as_json(result))).collect(),
        "sarif" => format!("{}\n", sarif(&results)),
        "github" => results
            .iter()
            .flat_map(|result| result.findings.iter().map(|finding| github(&result.file, finding)))
            .collect(),
        _ => results.iter().map(text).collect(),
    });
    if arguments.format == "text" {
        let bad = results.iter().filter(|result| !result.checked.valid).count();
        let broken = results.iter().filter(|result| result.checked.valid && !result.is_clean()).count();
        say(&match (results.len(), bad, broken) {
            (0, ..) => "no diagrams found".to_owned(),
            (all, 0, 0) => format!("{all} checked, all valid"),
            (all, bad, 0) => format!("{all} checked, {bad} invalid"),
            (all, bad, broken) => {
                format!("{all} checked, {bad} invalid, {broken} valid that cannot be drawn")
            }
        });
    }
    Ok(Verdict::from_clean(clean))
}

fn batch(app: &App, engine: Engine) -> CommandResult {
    let mut clean = true;
    for line in files::json_lines::<Line>() {
        let line = line?;
        let checked = app.checker.check_with(&line.code, engine);
        clean &= checked.valid;
        print(&format!(
            "{}\n",
            json!({
                "id": line.id,
                "valid": checked.valid,
                "kind": checked.kind.map(|kind| kind.id),
                "findings": checked.findings,
            })
        ));
    }
    Ok(Verdict::from_clean(clean))
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["md", "markdown", "mdx"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn is_diagram_file(path: &Path) -> bool {
    is_markdown(path)
        || path.extension().is_some_and(|extension| extension == "mmd" || extension == "mermaid")
}

/// Checks a whole file, or every Mermaid code block of a Markdown file.
fn check_text(app: &App, engine: Engine, name: &str, text: &str) -> Vec<Diagram> {
    if !is_markdown(Path::new(name)) {
        let checked = app.checker.check_with(text, engine);
        return vec![Diagram { file: name.to_owned(), findings: checked.findings.clone(), checked }];
    }
    let index = mermend::MarkdownIndex::new(text);
    let check_fence = |fence: mermend::Fence| {
        let checked = app.checker.check_with(&text[fence.start..fence.end], engine);
        let findings = checked.findings.iter().map(|finding| index.place(&fence, finding.clone())).collect();
        Diagram { file: name.to_owned(), findings, checked }
    };
    diagrams_in_markdown(text).into_iter().map(check_fence).collect()
}

/// The text with all safe repairs applied, also if they do not make it valid: the remaining findings are listed.
fn repair(app: &App, name: &str, text: &str) -> String {
    let safe = |code: &str| {
        let repaired = app.checker.repair(code);
        (repaired.changed && repaired.class == Some(mermend::FixClass::Safe)).then_some(repaired.code)
    };
    if !is_markdown(Path::new(name)) {
        return safe(text).unwrap_or_else(|| text.to_owned());
    }
    let mut out = text.to_owned();
    // From the end, so that the offsets of earlier diagrams stay valid.
    for fence in diagrams_in_markdown(text).into_iter().rev() {
        if let Some(code) = safe(&text[fence.start..fence.end]) {
            out.replace_range(fence.start..fence.end, &code);
        }
    }
    out
}

fn text(result: &Diagram) -> String {
    let mut out = String::new();
    for finding in &result.findings {
        let span = finding.span;
        out.push_str(&format!(
            "{}:{}:{}: {} {}: {}\n",
            result.file,
            span.line,
            span.column,
            severity_name(finding.severity),
            finding.code,
            finding.message
        ));
        if let Some(hint) = &finding.hint {
            out.push_str(&format!("    {hint}\n"));
        }
    }
    out
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn as_json(result: &Diagram) -> Value {
    json!({
        "file": result.file,
        "valid": result.checked.valid,
        "kind": result.checked.kind.map(|kind| kind.id),
        "findings": result.findings,
    })
}

/// A workflow command of GitHub Actions.
fn github(file: &str, finding: &Finding) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let level = if finding.severity == Severity::Info { "notice" } else { severity_name(finding.severity) };
    format!(
        "::{level} file={},line={},col={},title={}::{}\n",
        escape(file).replace(',', "%2C").replace(':', "%3A"),
        finding.span.line,
        finding.span.column,
        finding.code,
        escape(&finding.message)
    )
}

fn sarif(results: &[Diagram]) -> Value {
    let rules: Vec<Value> =
        mermend::RULES.iter().map(|rule| json!({"id": rule.code, "name": rule.name})).collect();
    let level = |severity| if severity == Severity::Info { "note" } else { severity_name(severity) };
    let found: Vec<Value> = results
        .iter()
        .flat_map(|result| {
            result.findings.iter().map(|finding| {
                json!({
                    "ruleId": finding.code,
                    "level": level(finding.severity),
                    "message": {"text": finding.message},
                    "locations": [{"physicalLocation": {
                        "artifactLocation": {"uri": result.file},
                        "region": {
                            "startLine": finding.span.line,
                            "startColumn": finding.span.column,
                            "endLine": finding.span.end_line,
                            "endColumn": finding.span.end_column,
                        },
                    }}],
                })
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "ba-copilot", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": found,
        }],
    })
}
