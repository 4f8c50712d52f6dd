//! `token`: what programs call with, in the name of somebody.

use std::path::PathBuf;

use super::{Ran, Verdict, block_on, open, open_to_read, print};
use application::{
    Error,
    access::Caller,
    accounts::{
        tokens::{self, NewToken},
        users,
    },
    app::App,
    page::Listing,
};
use config::Config;

/// Flags of `token`.
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
    /// Make a token and print its secret, this once.
    Create {
        /// E-mail address of the person whose rights it has.
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do: read, write, generate, mcp, account; more than one with commas.
        #[arg(long, value_delimiter = ',', required = true)]
        scope: Vec<String>,
        /// For how many days; for ever if not said.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List somebody's tokens.
    List {
        /// E-mail address of the person whose rights they have.
        #[arg(long, value_name = "EMAIL")]
        user: String,
    },
    /// End a token.
    Revoke {
        /// E-mail address of the person whose rights it has.
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// Its id, as `token list` prints it.
        id: String,
    },
}

pub(super) fn run(arguments: Arguments, config: Config) -> Ran {
    block_on(async move {
        let app = match arguments.command {
            Command::List { .. } => open_to_read(config, arguments.data).await?,
            _ => open(config, arguments.data).await?,
        };
        carry_out(&app, arguments.command).await?;
        Ok(Verdict::Clean)
    })?
}

async fn carry_out(app: &App, command: Command) -> Result<(), Error> {
    let me = Caller::local();
    match command {
        Command::Create { user, name, scope, days } => {
            let caller = users::act_for(app, &me, &user).await?;
            let (_, secret) =
                tokens::create_token(app, &caller, NewToken { name, scopes: scope, days }).await?;
            print(&format!("{secret}\n"));
        }
        Command::List { user } => {
            let caller = users::act_for(app, &me, &user).await?;
            let mut listing = Listing { after: None, limit: Some(200) };
            loop {
                let page = tokens::list_tokens(app, &caller, &listing).await?;
                for token in page.items {
                    let ended = if token.revoked_at.is_some() { "\tended" } else { "" };
                    print(&format!("{}\t{}\t{}{ended}\n", token.id, token.name, token.scopes));
                }
                let Some(next) = page.next else { break };
                listing.after = Some(next);
            }
        }
        Command::Revoke { user, id } => {
            let caller = users::act_for(app, &me, &user).await?;
            tokens::delete_token(app, &caller, &id).await?;
            print("It is not good any more.\n");
        }
    }
    Ok(())
}
