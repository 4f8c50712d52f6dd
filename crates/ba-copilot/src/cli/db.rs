//! `db move`: everything from one database into another, without loss.

use llm::SecretString;

use super::{Ran, Verdict, block_on, print};
use crate::{
    app::App,
    clock::Clock,
    config::Config,
    service::{Error, schema},
};

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
        let open = async |url: String| {
            let mut config = config.clone();
            config.data.database_url = SecretString::from(url);
            let app = App::stateless(config, Clock::system())?.with_store_as_it_is().await?;
            schema::migrate(&app).await?;
            Ok::<App, Error>(app)
        };
        let (from, to) = (open(from).await?, open(to).await?);
        for (table, rows) in schema::copy(&from, &to).await? {
            print(&format!("{rows:>9}  {table}\n"));
        }
        print("Moved. Set DATABASE_URL to the new database and keep secret.key or SECRET_KEY as it is.\n");
        Ok(Verdict::Clean)
    })?
}
