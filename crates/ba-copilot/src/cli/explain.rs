//! `explain`: what a finding means and what to do about it.

use super::{Failure, Ran, Verdict, print};

/// Flags of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Code or name of a rule, for example FLOW003 or unquoted-label.
    code: String,
}

pub(super) fn run(arguments: &Arguments) -> Ran {
    if let Some(rule) = mermend::explain(&arguments.code) {
        print(&format!("# {} {}\n\n{}\n", rule.code, rule.name, rule.docs().trim()));
        return Ok(Verdict::Clean);
    }
    if let Some(row) = blueprint::LINTS.iter().find(|row| row.code.eq_ignore_ascii_case(&arguments.code)) {
        print(&format!("# {} {}\n\n{}\n", row.code, row.name, row.doc.trim()));
        return Ok(Verdict::Clean);
    }
    let known: Vec<&str> = mermend::RULES
        .iter()
        .map(|rule| rule.code)
        .chain(blueprint::LINTS.iter().map(|row| row.code))
        .collect();
    Err(Failure::Other(format!("There is no rule `{}`. There are {}.", arguments.code, known.join(", "))))
}
