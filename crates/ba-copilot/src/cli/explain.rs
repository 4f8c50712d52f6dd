//! `explain`: what a finding means and what to do about it.

use super::{Failure, Ran, Verdict, print};
use application::reference_docs;

/// Flags of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Code or name of a rule, for example FLOW003 or unquoted-label.
    code: String,
}

pub(super) fn run(arguments: &Arguments) -> Ran {
    match reference_docs::explain(&arguments.code) {
        Some(rule) => {
            print(&rule.page());
            Ok(Verdict::Clean)
        }
        None => {
            let known = reference_docs::codes().join(", ");
            Err(Failure::Other(format!("There is no rule `{}`. There are {known}.", arguments.code)))
        }
    }
}
