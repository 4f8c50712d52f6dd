//! `backup`: copies of everything that is kept, made while servers run, tried, and put back.

use std::path::PathBuf;

use serde_json::json;

use super::{CommandResult, Verdict, block_on, print, say, with_data};
use application::clock::{Clock, format_minute, rfc3339};
use config::Config;
use operations::backup::{
    Error, Found, Made, Place, Site, Verified, create_backup, list_backups, restore_backup, verify_backup,
};

/// Flags of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder for everything that is kept.
    #[arg(id = "kept", long = "data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Say it as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a backup. Servers go on meanwhile. With BACKUP_PASSPHRASE it is encrypted, and holds secret.key and the file given with
    /// --config too.
    Create {
        /// The folder that it goes to, or s3://BUCKET/PREFIX of S3-compatible storage; backup.dir of the settings if not said.
        #[arg(long, value_name = "DIR")]
        to: Option<Place>,
        /// Delete backups there that are older than so many days, for example 7d; 0d keeps all. The newest one, and the newest
        /// one that was tried and is good, always stay.
        #[arg(long, value_name = "DAYS", value_parser = days)]
        keep: Option<u32>,
        /// Try it at once, as `verify` does.
        #[arg(long)]
        verify: bool,
    },
    /// List the backups in a folder or at s3://BUCKET/PREFIX, newest first. Exit code 1 if there is none.
    List {
        /// The folder or the address; backup.dir of the settings if not said.
        dir: Option<Place>,
    },
    /// Restore a backup into a database of its own, compare everything with what was there when it was made, and throw that database
    /// away. One from PostgreSQL is tried on the server of DATABASE_URL. Exit code 1 if it is no good.
    Verify {
        /// The backup: a file, or an address that `list` shows.
        file: Place,
    },
    /// Put a backup in the place of what is there, which is put aside and not deleted. Stop the servers first.
    Restore {
        /// The backup: a file, or an address that `list` shows.
        file: Place,
        /// PostgreSQL: also if the database is not empty. It stays on the server under another name.
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
    let site = Site { config: with_data(config, arguments.data), clock: Clock::system() };
    let json = arguments.json;
    let place = |named: Option<Place>| match named {
        Some(place) => Ok(place),
        None => site.place(),
    };
    match arguments.command {
        Command::Create { to, keep, verify } => {
            let to = place(to)?;
            let keep = keep.unwrap_or(site.config.backup.keep_days);
            let made = block_on(create_backup(&site, &to, keep))??;
            tell_made(&made, json);
            if verify { try_one(&site, &made.place, json) } else { Ok(Verdict::Clean) }
        }
        Command::List { dir } => {
            let found = block_on(list_backups(&site, &place(dir)?))??;
            tell_found(&found, json);
            Ok(Verdict::from_clean(!found.is_empty()))
        }
        Command::Verify { file } => try_one(&site, &file, json),
        Command::Restore { file, replace } => {
            let restored = block_on(restore_backup(&site, &file, replace))??;
            tell_verified(&file, &restored.verified, json);
            for (what, place) in [
                ("What was there is now", restored.put_aside),
                (
                    "The configuration file of the backup, not in use, is",
                    restored.configuration.map(|it| it.display().to_string()),
                ),
            ] {
                if let Some(place) = place {
                    say(&format!("{what}: {place}"));
                }
            }
            say("Restored.");
            Ok(Verdict::Clean)
        }
    }
}

fn try_one(site: &Site, file: &Place, json: bool) -> CommandResult {
    match block_on(verify_backup(site, file))? {
        Ok(verified) => {
            tell_verified(file, &verified, json);
            Ok(Verdict::Clean)
        }
        Err(error) if error.blames_the_backup() => {
            tell_refused(file, &error, json);
            Ok(Verdict::Findings)
        }
        Err(error) => Err(error.into()),
    }
}

fn tell_made(made: &Made, json: bool) {
    let path = made.place.to_string();
    if json {
        let deleted: Vec<String> = made.deleted.iter().map(Place::to_string).collect();
        print(&format!(
            "{}\n",
            json!({"file": path, "size_bytes": made.size_bytes, "manifest": made.manifest, "deleted": deleted})
        ));
    } else {
        print(&format!("{path}\n"));
    }
    for gone in &made.deleted {
        say(&format!("Deleted {gone}"));
    }
    if made.without_key {
        say("secret.key is not in it, because it is not encrypted; keep a copy of that file elsewhere.");
    }
}

fn tell_found(found: &[Found], json: bool) {
    for backup in found {
        let state = match &backup.seen {
            Some(seen) if seen.good => format!("good at {}", seen.verified_at),
            Some(seen) => format!("no good at {}", seen.verified_at),
            None => "not tried".to_owned(),
        };
        let encrypted = if backup.encrypted { "encrypted" } else { "plain" };
        let path = &backup.place;
        print(&match json {
            true => format!(
                "{}\n",
                json!({
                    "file": path.to_string(),
                    "created_at": rfc3339(backup.created_at),
                    "size_bytes": backup.size_bytes,
                    "encrypted": backup.encrypted,
                    "verified": backup.seen,
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

fn tell_verified(file: &Place, verified: &Verified, json: bool) {
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
                "sealed": verified.sealed.map(|(all, opened)| json!({"all": all, "opened": opened})),
            })
        ));
        return;
    }
    let tables = verified.manifest.counts.len();
    print(&format!("Good: {rows} rows in {tables} tables, as at {}.\n", verified.manifest.created_at));
    if !verified.migrated.is_empty() {
        print(&format!("Made current: {}.\n", verified.migrated.join(", ")));
    }
    match verified.sealed {
        Some((0, _)) => (),
        Some((all, opened)) => print(&format!("{opened} of {all} keys and second factors open.\n")),
        None => say("There is no secret key at hand, so nothing that is sealed was tried."),
    }
}

fn tell_refused(file: &Place, error: &Error, json: bool) {
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
