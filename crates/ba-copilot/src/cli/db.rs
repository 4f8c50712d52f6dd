//! `db move`: copies all data to another database.

use llm::SecretString;

use super::{CommandResult, Verdict, block_on, print};
use application::{app::App, clock::Clock, schema};
use config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Copy all data to an empty database, from SQLite to PostgreSQL or back.
    ///
    /// Stop all servers first. The copy is one transaction. The source database is not changed.
    Move {
        /// URL of the source database, for example sqlite:./data/ba-copilot.db.
        from: String,
        /// URL of the target database, which must be empty, for example postgres://user:password@host/database.
        to: String,
    },
}

pub(super) fn run(arguments: Arguments, config: Config) -> CommandResult {
    let Command::Move { from, to } = arguments.command;
    block_on(async move {
        let open = |url: String| {
            let mut config = config.clone();
            config.data.database_url = SecretString::from(url);
            App::stateless(config, Clock::system())
        };
        // Read only, so it must already have the current schema.
        let from = open(from)?.with_store_read_only().await?;
        let to = open(to)?.with_store_as_it_is().await?;
        schema::migrate(&to).await?;
        for (table, rows) in schema::copy(&from, &to).await? {
            print(&format!("{rows:>9}  {table}\n"));
        }
        print("Copied. Set DATABASE_URL to the new database, and do not change secret.key or SECRET_KEY.\n");
        Ok(Verdict::Clean)
    })?
}
