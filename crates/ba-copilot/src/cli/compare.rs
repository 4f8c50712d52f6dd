//! `compare`: the changes between two diagrams, by element.

use super::{CommandResult, Failure, Verdict, block_on, files, print};
use application::{app::App, check};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// File with the old diagram; `-` reads standard input.
    #[arg(value_name = "OLD")]
    old: String,
    /// File with the new diagram; `-` reads standard input.
    #[arg(value_name = "NEW")]
    new: String,
    /// Output format.
    #[arg(long, default_value = "text", value_parser = ["text", "json"])]
    format: String,
}

pub(super) fn run(arguments: &Arguments, app: &App) -> CommandResult {
    let (old, new) = (files::read_text(&arguments.old)?, files::read_text(&arguments.new)?);
    let comparison = block_on(check::compare_code(app, old, new))??;
    if arguments.format == "json" {
        let json =
            serde_json::to_string_pretty(&comparison).map_err(|error| Failure::Other(error.to_string()))?;
        print(&format!("{json}\n"));
    } else if comparison.by_element {
        comparison.changes.iter().for_each(|change| print(&format!("{}\n", change.message)));
    } else {
        print(&comparison.diff);
    }
    Ok(Verdict::from_clean(comparison.same))
}
