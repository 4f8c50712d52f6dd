//! The data folder and the files in it.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use rustix::fs::FsWord;
use store::Backend;

use super::{Bench, Fix, Outcome, configuration::open_to_others, context::Database};
use config::Config;

/// Below this nothing can be promised, in bytes; the same that /health calls degraded.
const FULL_BYTES: u64 = 256 << 20;
/// Below this somebody should look, in bytes.
const LOW_BYTES: u64 = 1 << 30;

/// File systems on which the locks and the shared memory of SQLite cannot be trusted.
const SHARED: [(FsWord, &str); 10] = [
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

fn is_there(bench: &Bench) -> Result<&Config, Outcome> {
    let config = &bench.app()?.config;
    match config.data.dir.is_dir() {
        true => Ok(config),
        false => Err(Outcome::skipped("there is no data folder")),
    }
}

pub(super) async fn folder(bench: &Bench) -> Outcome {
    let app = match bench.app() {
        Ok(app) => app,
        Err(outcome) => return outcome,
    };
    let folder = &app.config.data.dir;
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Outcome::ok(folder.display().to_string()),
        Ok(_) => Outcome::problem(
            format!("{} is no folder", folder.display()),
            "Name a folder with --data or the setting data.dir.",
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::warning(
            format!("{} does not exist", folder.display()),
            "The first start makes it; if there was one before, name it with --data or the setting data.dir.",
        )
        .mended_by(Fix::Folder(folder.clone())),
        Err(error) => Outcome::problem(
            format!("{} cannot be looked at: {error}", folder.display()),
            "Run this as the user that the server runs as, or correct the rights of the folders above.",
        ),
    }
}

pub(super) async fn writable(bench: &Bench) -> Outcome {
    let config = match is_there(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    match &bench.writable {
        Ok(()) => Outcome::ok("a file was written, renamed and removed"),
        Err(problem) => Outcome::problem(
            format!("nothing can be written into {}: {problem}", config.data.dir.display()),
            "Run this as the user that the server runs as; see that the folder belongs to it, and that the disk is neither full nor mounted read-only.",
        ),
    }
}

pub(super) async fn rights(bench: &Bench) -> Outcome {
    let config = match is_there(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let open = open_to_others(&[config.data.dir.clone(), config.data.dir.join("mail")]);
    match open.first() {
        None => Outcome::ok("others have no access"),
        Some(first) => Outcome::warning(
            format!("others may look into {}", first.display()),
            format!("chmod 700 {}", first.display()),
        )
        .mended_by(Fix::Rights(open.clone())),
    }
}

pub(super) async fn disk(bench: &Bench) -> Outcome {
    let config = match is_there(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    if config.sqlite_file().is_none() {
        return Outcome::skipped("PostgreSQL keeps the data");
    }
    match rustix::fs::statfs(&config.data.dir) {
        Ok(found) => judge_disk(found.f_type),
        Err(error) => Outcome::skipped(format!("the system does not say: {error}")),
    }
}

fn judge_disk(kind: FsWord) -> Outcome {
    match SHARED.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => Outcome::problem(
            format!("it is on a share ({name}), where SQLite's locks do not hold"),
            "Move the data folder to a local disk, or use PostgreSQL (`ba-copilot db move`).",
        ),
        None => Outcome::ok("a local disk"),
    }
}

pub(super) async fn space(bench: &Bench) -> Outcome {
    let config = match is_there(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    match rustix::fs::statvfs(&config.data.dir) {
        Ok(found) => judge_space(found.f_bavail.saturating_mul(found.f_frsize)),
        Err(error) => Outcome::skipped(format!("the system does not say: {error}")),
    }
}

fn judge_space(free: u64) -> Outcome {
    let saw = format!("{} MiB are free", free >> 20);
    let cure = "Make room: old backups, logs, messages in the folder `mail`; or move to a larger disk.";
    match free {
        free if free < FULL_BYTES => Outcome::problem(saw, cure),
        free if free < LOW_BYTES => Outcome::warning(saw, cure),
        _ => Outcome::ok(saw),
    }
}

/// The database and what SQLite keeps beside it, as far as it is there.
fn files(config: &Config) -> Vec<PathBuf> {
    let Some(file) = config.sqlite_file() else { return Vec::new() };
    let beside = |end: &str| PathBuf::from(format!("{}{end}", file.display()));
    let mut files = vec![file.clone(), beside("-wal"), beside("-shm")];
    files.retain(|file| file.is_file());
    files
}

pub(super) async fn database_files(bench: &Bench) -> Outcome {
    let config = match is_there(bench) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    let files = files(config);
    if files.is_empty() {
        return Outcome::skipped("there is no database file");
    }
    let owners: Option<Vec<u32>> =
        files.iter().map(|file| fs::metadata(file).ok().map(|it| it.uid())).collect();
    if owners.is_some_and(|owners| owners.iter().any(|owner| *owner != owners[0])) {
        return Outcome::problem(
            "the database file and the log beside it belong to different users",
            "Somebody wrote to it as another user than the server. Stop the server, then chown them all to the user it runs as.",
        );
    }
    let open = open_to_others(&files);
    match open.first() {
        None => Outcome::ok("others have no access"),
        Some(first) => Outcome::warning(
            format!("others may read {}", first.display()),
            format!("chmod 600 {}", first.display()),
        )
        .mended_by(Fix::Rights(open)),
    }
}

pub(super) async fn journal_mode(bench: &Bench) -> Outcome {
    match (&bench.database, bench.has_wal) {
        (Database::Open(_), Some(true)) => Outcome::ok("a write-ahead log"),
        (Database::Open(_), Some(false)) => Outcome::warning(
            "the file keeps no write-ahead log, as one that was restored or copied by another program",
            "Nothing is lost: the next start switches it. If a server runs already, it has opened another file; look at data.dir.",
        ),
        _ => match bench.opened() {
            Ok((_, store)) if store.backend() == Backend::Postgres => {
                Outcome::skipped("PostgreSQL keeps the data")
            }
            Ok(_) => Outcome::skipped("the file is no database"),
            Err(outcome) => outcome,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_judged_by_kind_and_room() {
        for (kind, expected) in [(0x6969, "(NFS)"), (0xff53_4d42, "(CIFS)"), (0xef53, "a local disk")] {
            let told = format!("{:?}", judge_disk(kind));
            assert!(told.contains(expected), "{told}");
        }
        for (free, expected) in
            [(0, "Problem"), (FULL_BYTES - 1, "Problem"), (FULL_BYTES, "Warning"), (LOW_BYTES, "Ok")]
        {
            assert!(format!("{:?}", judge_space(free)).contains(&format!("status: {expected}")), "{free}");
        }
    }
}
