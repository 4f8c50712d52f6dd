//! `kinds`: the diagram kinds that can be checked, rendered and generated.

use serde_json::json;

use super::{CommandResult, Verdict, print};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print a sample of this kind instead of the list.
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let all = mermend::kinds::KINDS;
    if let Some(id) = &arguments.kind {
        let Some(kind) = mermend::kinds::find(id) else {
            let known: Vec<&str> = all.iter().map(|kind| kind.id).collect();
            return Err(super::Failure::Other(format!(
                "Unknown diagram kind `{id}`. Known kinds: {}.",
                known.join(", ")
            )));
        };
        print(kind.sample);
        return Ok(Verdict::Clean);
    }
    if arguments.json {
        let row = |kind: &mermend::kinds::Kind| {
            json!({
                "id": kind.id, "name": kind.name, "header": kind.header, "sample": kind.sample
            })
        };
        let rows: Vec<_> = all.iter().map(row).collect();
        let drafted: Vec<_> = blueprint::KINDS
            .iter()
            .map(|row| json!({"id": row.id, "name": row.name, "slug": row.slug}))
            .collect();
        print(&format!("{}\n", json!({"kinds": rows, "drafted": drafted})));
        return Ok(Verdict::Clean);
    }
    let mut out = String::from("Generated from requirements:\n");
    for row in blueprint::KINDS {
        out.push_str(&format!("  {:<16}{}\n", row.cli_names[0], row.name));
    }
    out.push_str("\nChecked, repaired and rendered:\n");
    for kind in all {
        out.push_str(&format!("  {:<16}{:<30}{}\n", kind.id, kind.name, kind.header));
    }
    print(&out);
    Ok(Verdict::Clean)
}
