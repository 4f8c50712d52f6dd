//! `secrets`: made from the system's randomness, and replaced while the server runs.

use std::path::PathBuf;

use super::{Ran, Verdict, block_on, open, print};
use crate::{
    config::Config,
    service::{access::Caller, provider_keys, secrets},
};

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
    /// Print new secrets as lines for an environment file.
    Generate,
    /// Seal everything anew, with the first key of SECRET_KEY. To replace that key: set SECRET_KEY to new,old in every
    /// process, call this, then set it to new. Servers may run meanwhile.
    Rotate,
}

pub(super) fn run(arguments: Arguments, config: Config) -> Ran {
    match arguments.command {
        Command::Generate => {
            for name in ["SECRET_KEY", "MCP_TOKEN"] {
                print(&format!("{name}={}\n", secrets::new_secret()?));
            }
            Ok(Verdict::Clean)
        }
        Command::Rotate => block_on(async move {
            let app = open(config, arguments.data).await?;
            let rotated = provider_keys::rotate(&app, &Caller::local()).await?;
            print(&format!(
                "Sealed anew: {} keys of vendors, {} second factors.\n",
                rotated.keys, rotated.second_factors
            ));
            Ok(Verdict::Clean)
        })?,
    }
}
