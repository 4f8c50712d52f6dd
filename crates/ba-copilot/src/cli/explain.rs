//! `explain`: the documentation of a rule.

use super::{CommandResult, Failure, Verdict, print};
use application::reference_docs;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Code or name of the rule, for example FLOW003 or unquoted-label.
    code: String,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    match reference_docs::explain(&arguments.code) {
        Some(rule) => {
            print(&rule.page());
            Ok(Verdict::Clean)
        }
        None => {
            let known = reference_docs::codes().join(", ");
            Err(Failure::Other(format!("Unknown rule `{}`. Known rules: {known}.", arguments.code)))
        }
    }
}
