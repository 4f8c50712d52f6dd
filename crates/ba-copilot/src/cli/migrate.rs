//! `migrate`: applies database migrations.

use std::path::PathBuf;

use super::{CommandResult, Verdict, block_on, print, with_data};
use application::{app::App, clock::Clock, schema};
use config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print pending migrations without applying them. Exit code 1 if there are any.
    #[arg(long)]
    dry_run: bool,
    /// Data folder; overrides the setting data.dir [default: ./data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments, config: Config) -> CommandResult {
    let config = with_data(config, arguments.data);
    block_on(async move {
        let missing = config.sqlite_file().is_some_and(|file| !file.exists());
        if arguments.dry_run && missing {
            return Ok(print_pending(&schema::list_all()));
        }
        let app = App::stateless(config, Clock::system())?;
        if arguments.dry_run {
            return Ok(print_pending(&schema::list_pending(&app.with_store_to_look_at().await?).await?));
        }
        let app = app.with_store_as_it_is().await?;
        let applied = schema::migrate(&app).await?;
        match applied.is_empty() {
            true => print("The database is up to date.\n"),
            false => applied.iter().for_each(|name| print(&format!("applied {name}\n"))),
        }
        Ok(Verdict::Clean)
    })?
}

fn print_pending(pending: &[&str]) -> Verdict {
    match pending.is_empty() {
        true => print("The database is up to date.\n"),
        false => pending.iter().for_each(|name| print(&format!("would apply {name}\n"))),
    }
    Verdict::from_clean(pending.is_empty())
}
