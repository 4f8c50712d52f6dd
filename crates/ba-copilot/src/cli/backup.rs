//! `backup`: create, list, verify and restore backups.

use std::path::PathBuf;

use serde_json::json;

use super::{CommandResult, Verdict, block_on, print, say, with_data};
use application::clock::{Clock, format_minute, rfc3339};
use config::Config;
use operations::backup::{
    BackupContext, BackupEntry, CreatedBackup, Error, Location, VerifiedBackup, create_backup, list_backups,
    restore_backup, verify_backup,
};

/// Flags of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The data folder.
    #[arg(id = "kept", long = "data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Write JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a backup while servers run. With BACKUP_PASSPHRASE it is encrypted, and contains secret.key and the file
    /// of --config too.
    Create {
        /// A folder, or s3://BUCKET/PREFIX in S3-compatible storage. The default is the setting backup.dir.
        #[arg(long, value_name = "DIR")]
        to: Option<Location>,
        /// Delete backups there that are older, for example 7d; 0d keeps all. The newest backup and the newest verified
        /// one are always kept.
        #[arg(long, value_name = "DAYS", value_parser = days)]
        keep: Option<u32>,
        /// Verify it, as `backup verify` does.
        #[arg(long)]
        verify: bool,
    },
    /// List the backups in a folder or at s3://BUCKET/PREFIX, newest first. The exit code is 1 if there is none.
    List {
        /// The default is the setting backup.dir.
        dir: Option<Location>,
    },
    /// Verify a backup: restore it into a temporary database and compare that with the original. A backup of PostgreSQL
    /// is restored on the server of DATABASE_URL. The exit code is 1 if the backup is bad.
    Verify {
        /// A file, or an address from `backup list`.
        file: Location,
    },
    /// Replace the current data with a backup. The current data is renamed, not deleted. Stop the servers first.
    Restore {
        /// A file, or an address from `backup list`.
        file: Location,
        /// PostgreSQL only: also replace a database that is not empty. It is renamed.
        #[arg(long)]
        replace: bool,
    },
}

fn days(text: &str) -> Result<u32, String> {
    text.strip_suffix('d')
        .and_then(|days| days.parse().ok())
        .ok_or_else(|| "write a number of days, for example 7d".to_owned())
}

pub(super) fn run(arguments: Arguments, config: Config) -> CommandResult {
    let context = BackupContext { config: with_data(config, arguments.data), clock: Clock::system() };
    let json = arguments.json;
    let location = |given: Option<Location>| match given {
        Some(location) => Ok(location),
        None => context.location(),
    };
    match arguments.command {
        Command::Create { to, keep, verify } => {
            let to = location(to)?;
            let keep = keep.unwrap_or(context.config.backup.keep_days);
            let created = block_on(create_backup(&context, &to, keep))??;
            print_created(&created, json);
            if verify { verify_and_print(&context, &created.location, json) } else { Ok(Verdict::Clean) }
        }
        Command::List { dir } => {
            let found = block_on(list_backups(&context, &location(dir)?))??;
            print_entries(&found, json);
            Ok(Verdict::from_clean(!found.is_empty()))
        }
        Command::Verify { file } => verify_and_print(&context, &file, json),
        Command::Restore { file, replace } => {
            let restored = block_on(restore_backup(&context, &file, replace))??;
            print_verified(&file, &restored.verified, json);
            for (what, location) in [
                ("The previous data is now", restored.previous),
                (
                    "The configuration file from the backup, which is not used, is",
                    restored.configuration.map(|it| it.display().to_string()),
                ),
            ] {
                if let Some(location) = location {
                    say(&format!("{what}: {location}"));
                }
            }
            say("Restored.");
            Ok(Verdict::Clean)
        }
    }
}

fn verify_and_print(context: &BackupContext, file: &Location, json: bool) -> CommandResult {
    match block_on(verify_backup(context, file))? {
        Ok(verified) => {
            print_verified(file, &verified, json);
            Ok(Verdict::Clean)
        }
        Err(error) if error.is_bad_backup() => {
            print_bad(file, &error, json);
            Ok(Verdict::Findings)
        }
        Err(error) => Err(error.into()),
    }
}

fn print_created(created: &CreatedBackup, json: bool) {
    let path = created.location.to_string();
    if json {
        let deleted: Vec<String> = created.deleted.iter().map(Location::to_string).collect();
        print(&format!(
            "{}\n",
            json!({"file": path, "size_bytes": created.size_bytes, "manifest": created.manifest, "deleted": deleted})
        ));
    } else {
        print(&format!("{path}\n"));
    }
    for location in &created.deleted {
        say(&format!("Deleted {location}"));
    }
    if created.without_key {
        say("The backup is not encrypted, so it does not contain secret.key. Keep a copy of that file.");
    }
}

fn print_entries(backups: &[BackupEntry], json: bool) {
    for backup in backups {
        let state = match &backup.verification {
            Some(result) if result.good => format!("good at {}", result.verified_at),
            Some(result) => format!("bad at {}", result.verified_at),
            None => "not verified".to_owned(),
        };
        let encrypted = if backup.encrypted { "encrypted" } else { "plain" };
        let path = &backup.location;
        print(&match json {
            true => format!(
                "{}\n",
                json!({
                    "file": path.to_string(),
                    "created_at": rfc3339(backup.created_at),
                    "size_bytes": backup.size_bytes,
                    "encrypted": backup.encrypted,
                    "verified": backup.verification,
                })
            ),
            false => format!(
                "{}\t{}\t{encrypted}\t{state}\t{path}\n",
                format_minute(backup.created_at),
                backup.size_bytes
            ),
        });
    }
}

fn print_verified(file: &Location, verified: &VerifiedBackup, json: bool) {
    let rows: u64 = verified.manifest.counts.values().sum();
    if json {
        print(&format!(
            "{}\n",
            json!({
                "file": file.to_string(),
                "good": true,
                "faults": [],
                "manifest": verified.manifest,
                "migrated": verified.migrated,
                "sealed": verified.decrypted.map(|(all, opened)| json!({"all": all, "opened": opened})),
            })
        ));
        return;
    }
    let tables = verified.manifest.counts.len();
    print(&format!("Good: {rows} rows in {tables} tables, as at {}.\n", verified.manifest.created_at));
    if !verified.migrated.is_empty() {
        print(&format!("Applied migrations: {}.\n", verified.migrated.join(", ")));
    }
    match verified.decrypted {
        Some((0, _)) => (),
        Some((all, opened)) => print(&format!("{opened} of {all} keys and second factors were decrypted.\n")),
        None => say("There is no secret key, so encrypted values were not verified."),
    }
}

fn print_bad(file: &Location, error: &Error, json: bool) {
    let faults = match error {
        Error::Faulty { faults, .. } => faults.clone(),
        other => vec![other.to_string()],
    };
    if json {
        print(&format!("{}\n", json!({"file": file.to_string(), "good": false, "faults": faults})));
    } else {
        print(&format!("{error}\n"));
    }
}
