//! `db move`: everything from one database into another, without loss.

use llm::SecretString;

use super::{Ran, Verdict, block_on, print};
use application::{app::App, clock::Clock, schema};
use config::Config;

/// Flags of `db`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Copy everything into a new database, all of it or nothing: from SQLite to PostgreSQL, or back. Stop the servers
    /// first; the old database stays as it is.
    Move {
        /// Where it is, for example sqlite:./data/ba-copilot.db
        from: String,
        /// Where it goes, for example postgres://user:password@host/database ; must be empty.
        to: String,
    },
}

pub(super) fn run(arguments: Arguments, config: Config) -> Ran {
    let Command::Move { from, to } = arguments.command;
    block_on(async move {
        let at = |url: String| {
            let mut config = config.clone();
            config.data.database_url = SecretString::from(url);
            App::stateless(config, Clock::system())
        };
        // It stays as it is, so it must be current already.
        let from = at(from)?.with_store_read_only().await?;
        let to = at(to)?.with_store_as_it_is().await?;
        schema::migrate(&to).await?;
        for (table, rows) in schema::copy(&from, &to).await? {
            print(&format!("{rows:>9}  {table}\n"));
        }
        print("Moved. Set DATABASE_URL to the new database and keep secret.key or SECRET_KEY as it is.\n");
        Ok(Verdict::Clean)
    })?
}
