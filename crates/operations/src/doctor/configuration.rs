//! The settings, and the files that hold secrets.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::{Bench, Fix, Outcome};

pub(super) async fn settings(bench: &Bench) -> Outcome {
    let mut problems: Vec<String> =
        bench.inspection.problems.iter().map(|problem| problem.to_string()).collect();
    problems.extend(bench.parts.iter().cloned());
    match problems.as_slice() {
        [] => {
            let default = &config::Origin::Default;
            let set = bench.inspection.settings.iter().filter(|setting| setting.origin != *default).count();
            Outcome::ok(format!("{} settings, {set} of them set", bench.inspection.settings.len()))
        }
        [one] => Outcome::problem(one, "Correct it; docs/config.md lists every setting."),
        [first, ..] => Outcome::problem(
            format!("{first} And {} more.", problems.len() - 1),
            "`ba-copilot config check` lists them all; docs/config.md lists every setting.",
        ),
    }
}

pub(super) async fn secret_files(bench: &Bench) -> Outcome {
    let files = &bench.inspection.secret_files;
    let open = open_to_others(files);
    match (files.as_slice(), open.as_slice()) {
        ([], _) => Outcome::skipped("no file with secrets is read"),
        (_, []) => Outcome::ok(format!("{} files with secrets", files.len())),
        (_, [first, ..]) => Outcome::problem(
            format!("others may read {}, which holds secrets", first.display()),
            format!("chmod 600 {}", first.display()),
        )
        .mended_by(Fix::Rights(open)),
    }
}

/// Those that somebody else than their owner may do something with.
pub(super) fn open_to_others(paths: &[PathBuf]) -> Vec<PathBuf> {
    let open =
        |path: &&PathBuf| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    paths.iter().filter(open).cloned().collect()
}
