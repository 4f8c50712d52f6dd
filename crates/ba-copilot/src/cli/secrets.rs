//! `secrets`: made from the system's randomness, and replaced while the server runs.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{Failure, Ran, Verdict, block_on, open, print};
use application::{access::Caller, encryption, private_files, secrets};
use config::Config;

/// What is made. Each is letters, digits, `-` and `_`, which mean themselves in addresses and in environment files.
const GENERATED: [&str; 7] = [
    "SECRET_KEY",
    "MCP_TOKEN",
    "AI_SERVICE_TOKEN",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "GRAFANA_PASSWORD",
    "BACKUP_PASSPHRASE",
];

/// Flags of `secrets`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder for everything that is kept.
    #[arg(id = "kept", long = "data", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print new secrets as lines for an environment file: SECRET_KEY, MCP_TOKEN, AI_SERVICE_TOKEN, and the passwords of
    /// PostgreSQL, Redis and Grafana (.env.production.example).
    Generate {
        /// Write them into this new file instead, for its owner alone. A file that is there stays as it is.
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
    /// Seal everything anew, with the first key of SECRET_KEY. To replace that key: set SECRET_KEY to new,old in every
    /// process, call this, then set it to new. Servers may run meanwhile.
    Rotate,
}

pub(super) fn run(arguments: Arguments, config: Config) -> Ran {
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
                "Sealed anew: {} keys of vendors, {} second factors.\n",
                rotated.keys, rotated.second_factors
            ));
            Ok(Verdict::Clean)
        })?,
    }
}

/// On disk before anybody relies on them.
fn write_new(path: &Path, lines: &str) -> Result<(), Failure> {
    let name = path.display().to_string();
    let file = private_files::create_file(path);
    match file {
        Ok(mut file) => file
            .write_all(lines.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| Failure::file(&name, &error)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Failure::Other(format!(
            "{name} is there already and stays as it is. Name a new file, or print the secrets by leaving --write out."
        ))),
        Err(error) => Err(Failure::file(&name, &error)),
    }
}
