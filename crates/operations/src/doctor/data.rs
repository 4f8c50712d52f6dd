//! The data folder and the files in it.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use rustix::fs::FsWord;
use store::Backend;

use super::{
    configuration::accessible_to_others,
    context::{CheckContext, Database},
};
use crate::diagnostics::{CheckFailure, CheckResult, Fix, Outcome};
use config::Config;

/// Below this, /health is degraded.
const MIN_FREE_BYTES: u64 = 256 << 20;
const LOW_FREE_BYTES: u64 = 1 << 30;

/// File systems on which the locks and the shared memory of SQLite are not reliable.
const NETWORK_FILE_SYSTEMS: [(FsWord, &str); 10] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x0102_1997, "9P"),
];

fn config_with_folder(context: &CheckContext) -> Result<&Config, CheckFailure> {
    let config = &context.app()?.config;
    match config.data.dir.is_dir() {
        true => Ok(config),
        false => Err(CheckFailure::skipped("there is no data folder")),
    }
}

pub(super) async fn folder(context: &CheckContext) -> CheckResult {
    let app = context.app()?;
    let folder = &app.config.data.dir;
    Ok(match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Outcome::ok(folder.display().to_string()),
        Ok(_) => Outcome::failed(
            format!("{} is not a folder", folder.display()),
            "Set --data or data.dir to a folder.",
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::warning(
            format!("{} does not exist", folder.display()),
            "The first start creates it. If there is one already, set --data or data.dir to it.",
        )
        .with_fix(Fix::CreateFolder(folder.clone())),
        Err(error) => Outcome::failed(
            format!("{} cannot be read: {error}", folder.display()),
            "Run this as the user of the server, or correct the permissions of the parent folders.",
        ),
    })
}

pub(super) async fn writable(context: &CheckContext) -> CheckResult {
    let config = config_with_folder(context)?;
    Ok(match &context.writable {
        Ok(()) => Outcome::ok("a file was written, renamed and removed"),
        Err(problem) => Outcome::failed(
            format!("{} is not writable: {problem}", config.data.dir.display()),
            "Run this as the user of the server. Check that the folder belongs to that user, and that the disk is \
             neither full nor read-only.",
        ),
    })
}

pub(super) async fn rights(context: &CheckContext) -> CheckResult {
    let config = config_with_folder(context)?;
    let open = accessible_to_others(&[config.data.dir.clone(), config.data.dir.join("mail")]);
    Ok(match open.first() {
        None => Outcome::ok("other users have no access"),
        Some(first) => Outcome::warning(
            format!("other users can access {}", first.display()),
            format!("chmod 700 {}", first.display()),
        )
        .with_fix(Fix::RestrictAccess(open.clone())),
    })
}

pub(super) async fn disk(context: &CheckContext) -> CheckResult {
    let config = config_with_folder(context)?;
    if config.sqlite_file().is_none() {
        return Ok(Outcome::skipped("PostgreSQL stores the data"));
    }
    Ok(match rustix::fs::statfs(&config.data.dir) {
        Ok(found) => judge_disk(found.f_type),
        Err(error) => Outcome::skipped(format!("the system call failed: {error}")),
    })
}

fn judge_disk(kind: FsWord) -> Outcome {
    match NETWORK_FILE_SYSTEMS.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => Outcome::failed(
            format!("it is on a network file system ({name}), where the locks of SQLite are not reliable"),
            "Move the data folder to a local disk, or use PostgreSQL (`ba-copilot db move`).",
        ),
        None => Outcome::ok("a local disk"),
    }
}

pub(super) async fn space(context: &CheckContext) -> CheckResult {
    let config = config_with_folder(context)?;
    Ok(match rustix::fs::statvfs(&config.data.dir) {
        Ok(found) => judge_space(found.f_bavail.saturating_mul(found.f_frsize)),
        Err(error) => Outcome::skipped(format!("the system call failed: {error}")),
    })
}

fn judge_space(free: u64) -> Outcome {
    let found = format!("{} MiB are free", free >> 20);
    let cure = "Delete old backups, logs, or messages in the folder `mail`, or use a larger disk.";
    match free {
        free if free < MIN_FREE_BYTES => Outcome::failed(found, cure),
        free if free < LOW_FREE_BYTES => Outcome::warning(found, cure),
        _ => Outcome::ok(found),
    }
}

/// The existing files of a SQLite database.
fn files(config: &Config) -> Vec<PathBuf> {
    let Some(file) = config.sqlite_file() else { return Vec::new() };
    let beside = |end: &str| PathBuf::from(format!("{}{end}", file.display()));
    let mut files = vec![file.clone(), beside("-wal"), beside("-shm")];
    files.retain(|file| file.is_file());
    files
}

pub(super) async fn database_files(context: &CheckContext) -> CheckResult {
    let config = config_with_folder(context)?;
    let files = files(config);
    if files.is_empty() {
        return Ok(Outcome::skipped("there is no database file"));
    }
    let owners: Option<Vec<u32>> =
        files.iter().map(|file| fs::metadata(file).ok().map(|it| it.uid())).collect();
    if owners.is_some_and(|owners| owners.iter().any(|owner| *owner != owners[0])) {
        return Ok(Outcome::failed(
            "the database file and its write-ahead log belong to different users",
            "Another user than that of the server wrote to the database. Stop the server, then chown the files to its \
             user.",
        ));
    }
    let open = accessible_to_others(&files);
    Ok(match open.first() {
        None => Outcome::ok("other users have no access"),
        Some(first) => Outcome::warning(
            format!("other users can read {}", first.display()),
            format!("chmod 600 {}", first.display()),
        )
        .with_fix(Fix::RestrictAccess(open)),
    })
}

pub(super) async fn journal_mode(context: &CheckContext) -> CheckResult {
    Ok(match (&context.database, context.has_wal) {
        (Database::Open(_), Some(true)) => Outcome::ok("a write-ahead log"),
        (Database::Open(_), Some(false)) => Outcome::warning(
            "the file uses no write-ahead log, as after a restore or copy by another program",
            "The next start enables it; nothing is lost. If a server runs already, it uses another file: check \
             data.dir.",
        ),
        _ => match context.opened()?.1.backend() {
            Backend::Postgres => Outcome::skipped("PostgreSQL stores the data"),
            Backend::Sqlite => Outcome::skipped("the file is not a database"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::Status;

    #[test]
    fn file_system_and_free_space_decide_the_outcome() {
        for (kind, expected) in [(0x6969, "(NFS)"), (0xff53_4d42, "(CIFS)"), (0xef53, "a local disk")] {
            let outcome = judge_disk(kind);
            assert!(outcome.found().contains(expected), "{outcome:?}");
        }
        for (free, expected) in [
            (0, Status::Failed),
            (MIN_FREE_BYTES - 1, Status::Failed),
            (MIN_FREE_BYTES, Status::Warning),
            (LOW_FREE_BYTES, Status::Ok),
        ] {
            assert_eq!(judge_space(free).status(), expected, "{free}");
        }
    }
}
