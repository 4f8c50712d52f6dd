//! The settings, and the files that contain secrets.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::context::CheckContext;
use crate::diagnostics::{CheckResult, Fix, Outcome};

pub(super) async fn settings(context: &CheckContext) -> CheckResult {
    let mut problems: Vec<String> =
        context.inspection.problems.iter().map(|problem| problem.to_string()).collect();
    problems.extend(context.component_problems.iter().cloned());
    Ok(match problems.as_slice() {
        [] => {
            let default = &config::Origin::Default;
            let set = context.inspection.settings.iter().filter(|setting| setting.origin != *default).count();
            Outcome::ok(format!("{} settings, {set} of them set", context.inspection.settings.len()))
        }
        [one] => Outcome::failed(one, "Correct it; docs/config.md lists every setting."),
        [first, ..] => Outcome::failed(
            format!("{first} And {} more.", problems.len() - 1),
            "`ba-copilot config check` lists them all; docs/config.md lists every setting.",
        ),
    })
}

pub(super) async fn secret_files(context: &CheckContext) -> CheckResult {
    let files = &context.inspection.secret_files;
    let open = accessible_to_others(files);
    Ok(match (files.as_slice(), open.as_slice()) {
        ([], _) => Outcome::skipped("no file with secrets is used"),
        (_, []) => Outcome::ok(format!("{} files with secrets", files.len())),
        (_, [first, ..]) => Outcome::failed(
            format!("other users can read {}, which contains secrets", first.display()),
            format!("chmod 600 {}", first.display()),
        )
        .with_fix(Fix::RestrictAccess(open)),
    })
}

/// Paths that other users than their owner have access to.
pub(super) fn accessible_to_others(paths: &[PathBuf]) -> Vec<PathBuf> {
    let open =
        |path: &&PathBuf| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    paths.iter().filter(open).cloned().collect()
}
