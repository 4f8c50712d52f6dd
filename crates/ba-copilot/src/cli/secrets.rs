//! `secrets`: generates secrets, and rotates the encryption key.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{CommandResult, Failure, Verdict, block_on, open, print};
use application::{access::Caller, encryption, private_files, secrets};
use config::Config;

/// The generated variables. Values have only letters, digits, `-` and `_`, which need no quoting in URLs and
/// environment files.
const GENERATED: [&str; 7] = [
    "SECRET_KEY",
    "MCP_TOKEN",
    "AI_SERVICE_TOKEN",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "GRAFANA_PASSWORD",
    "BACKUP_PASSPHRASE",
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Data folder; overrides the setting data.dir [default: ./data].
    #[arg(id = "kept", long = "data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print new secrets in the format of an environment file.
    ///
    /// Generates the secrets of .env.production.example: SECRET_KEY, MCP_TOKEN, AI_SERVICE_TOKEN, BACKUP_PASSPHRASE,
    /// and the passwords of PostgreSQL, Redis and Grafana.
    Generate {
        /// Write them to a new file that only its owner can read. An existing file is not changed.
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Encrypt all stored secrets again with the first key of SECRET_KEY.
    ///
    /// To replace the key: set SECRET_KEY to NEW,OLD in every process, run this command, then set SECRET_KEY to NEW.
    /// Servers can keep running.
    Rotate,
}

pub(super) fn run(arguments: Arguments, config: Config) -> CommandResult {
    match arguments.command {
        Command::Generate { write } => {
            let mut lines = String::new();
            for name in GENERATED {
                lines.push_str(&format!("{name}={}\n", secrets::new_secret()?));
            }
            match write {
                Some(file) => write_new(&file, &lines)?,
                None => print(&lines),
            }
            Ok(Verdict::Clean)
        }
        Command::Rotate => block_on(async move {
            let app = open(config, arguments.data).await?;
            let rotated = encryption::rotate(&app, &Caller::local()).await?;
            print(&format!(
                "Encrypted again: {} provider API keys, {} second factors.\n",
                rotated.keys, rotated.second_factors
            ));
            Ok(Verdict::Clean)
        })?,
    }
}

/// Syncs the file, because the secrets are used as soon as the command returns.
fn write_new(path: &Path, lines: &str) -> Result<(), Failure> {
    let name = path.display().to_string();
    let file = private_files::create_file(path);
    match file {
        Ok(mut file) => file
            .write_all(lines.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| Failure::file(&name, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::Other(format!(
            "{name} already exists and was not changed. Choose a new file, or omit --write to print the secrets."
        ))),
        Err(error) => Err(Failure::file(&name, &error)),
    }
}
