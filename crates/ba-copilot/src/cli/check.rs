//! `check`: validates Mermaid diagrams.

use std::path::PathBuf;

use mermend::{Block, BlockProblem, DiagramIndex, Engine, TextFormat};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CommandResult, Failure, Verdict,
    check_output::{self, Diagram},
    files::{self, Input},
    print,
    report_paths::ReportPaths,
    say,
};
use application::{app::App, check};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files (.mmd, .mermaid, Markdown or MDX) or folders; `-` or nothing reads standard input.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Engine that decides: mermaid (Mermaid's own parser) or fast (built-in parser).
    #[arg(long, default_value = "mermaid", value_parser = ["mermaid", "fast"])]
    engine: String,
    /// Output format; github writes annotations for GitHub Actions.
    #[arg(long, default_value = "text", value_parser = ["text", "json", "jsonl", "sarif", "github"])]
    format: String,
    /// Apply repairs that keep the meaning, and write them to the files.
    #[arg(long, conflicts_with = "batch")]
    fix: bool,
    /// With --fix: print the changes as a patch for `git apply`, and write nothing.
    #[arg(long, requires = "fix")]
    diff: bool,
    /// Name of what standard input contains: its extension is the format, and reports show it. Without it, Markdown is
    /// recognised by its content.
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    stdin_filename: Option<PathBuf>,
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

pub(super) fn run(arguments: Arguments, app: &App) -> CommandResult {
    check::refuse_target(arguments.target.as_deref()).map_err(|error| Failure::Other(error.to_string()))?;
    let engine = if arguments.engine == "fast" { Engine::Fast } else { Engine::Mermaid };
    if arguments.batch {
        return batch(app, engine);
    }
    let format = arguments.format.as_str();
    if arguments.diff && format != "text" {
        return Err(Failure::Other(format!(
            "--diff prints a patch and cannot be combined with --format {format}. Leave one of them out."
        )));
    }
    let paths = ReportPaths::find()?;
    let named = if arguments.files.is_empty() { &["-".to_owned()][..] } else { &arguments.files };
    let (inputs, mut failures) = files::list_inputs(named, arguments.stdin_filename.as_deref(), |path| {
        TextFormat::from_path(path).is_some()
    });
    let mut results = Vec::new();
    for input in &inputs {
        match check_input(app, engine, input, &arguments, &paths) {
            Ok(found) => results.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    let failures: Vec<String> = failures.iter().map(Failure::to_string).collect();
    if arguments.diff {
        // Standard output has the patch alone.
        let texts = results.iter().map(check_output::text).filter(|text| !text.is_empty());
        texts.for_each(|text| say(text.trim_end()));
    } else {
        print(&check_output::write(format, &results, &failures, &paths));
    }
    failures.iter().for_each(|failure| say(&format!("ba-copilot: {failure}")));
    if format == "text" && (failures.is_empty() || !results.is_empty()) {
        say(&summary(&results));
    }
    Ok(match failures.is_empty() {
        true => Verdict::worst(results.iter().filter_map(Diagram::verdict)),
        false => Verdict::Unknown,
    })
}

fn summary(results: &[Diagram<'_>]) -> String {
    let checked = results.iter().filter(|result| result.checked.is_some()).count();
    let skipped = match results.len() - checked {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    let count = |word| results.iter().filter(|result| result.verdict() == Some(word)).count();
    match (results.len(), count("invalid"), count("unknown")) {
        (0, ..) => "no diagrams found".to_owned(),
        (_, 0, 0) => format!("{checked} checked, all valid{skipped}"),
        (_, bad, 0) => format!("{checked} checked, {bad} invalid{skipped}"),
        (_, bad, unknown) => format!("{checked} checked, {bad} invalid, {unknown} unknown{skipped}"),
    }
}

/// Checks one input, after its repair if that is asked for.
fn check_input<'a>(
    app: &App,
    engine: Engine,
    input: &'a Input,
    arguments: &Arguments,
    paths: &ReportPaths,
) -> Result<Vec<Diagram<'a>>, Failure> {
    let writes = arguments.fix && !arguments.diff;
    if writes && input.is_stdin() {
        return Err(Failure::Other(
            "Standard input cannot be changed by --fix. Add --diff to print the changes, or use `repair`."
                .to_owned(),
        ));
    }
    let mut text = input.read()?;
    let format = TextFormat::from_path(input.path()).unwrap_or_else(|| TextFormat::detect(&text));
    if arguments.fix
        && let Some(repaired) = repair(app, format, &text)
    {
        if writes {
            files::write_atomically(input.path(), repaired.as_bytes())
                .map_err(|error| Failure::file(&input.name, &error))?;
            say(&format!("repaired {}", input.name));
            text = repaired;
        } else {
            let diff = mermend::unified_diff(&text, &repaired);
            let hunks = diff.splitn(3, '\n').nth(2).unwrap_or_default();
            print(&format!("{}{hunks}", paths.patch_header(input.path())));
        }
    }
    let index = DiagramIndex::new(&text);
    let check_block = |block: Block| {
        let problem = index.problem(&block);
        let skipped = matches!(block.problem(), Some(BlockProblem::Skipped(_)));
        let checked = (block.is_mermaid() && !skipped).then(|| app.checker.check_with(block.code(), engine));
        let found = checked.iter().flat_map(|checked| &checked.findings);
        let findings = problem.into_iter().chain(found.map(|finding| index.place(&block, finding.clone())));
        Diagram { input, findings: findings.collect(), checked }
    };
    Ok(mermend::diagrams(&text, format).into_iter().map(check_block).collect())
}

/// The text with all safe repairs written into it; `None` if there are none.
fn repair(app: &App, format: TextFormat, text: &str) -> Option<String> {
    let safe = |block: Block| {
        let repaired = app.checker.repair(block.code());
        let safe = repaired.valid && repaired.changed && repaired.class == Some(mermend::FixClass::Safe);
        safe.then_some((block, repaired.code))
    };
    let readable =
        |block: &Block| block.is_mermaid() && !matches!(block.problem(), Some(BlockProblem::Skipped(_)));
    let mut changes: Vec<_> =
        mermend::diagrams(text, format).into_iter().filter(readable).filter_map(safe).collect();
    let all = mermend::replace_diagrams(text, format, &changes);
    all.or_else(|| {
        changes
            .retain(|change| mermend::replace_diagrams(text, format, std::slice::from_ref(change)).is_some());
        mermend::replace_diagrams(text, format, &changes)
    })
    .filter(|repaired| repaired != text)
}

fn batch(app: &App, engine: Engine) -> CommandResult {
    let mut verdicts = Vec::new();
    for line in files::json_lines::<Line>() {
        let line = line?;
        let checked = app.checker.check_with(&line.code, engine);
        verdicts.push(checked.verdict());
        print(&format!(
            "{}\n",
            json!({
                "id": line.id,
                "valid": checked.valid,
                "verdict": checked.verdict(),
                "kind": checked.kind.map(|kind| kind.id),
                "findings": checked.findings,
            })
        ));
    }
    Ok(Verdict::worst(verdicts.into_iter()))
}
