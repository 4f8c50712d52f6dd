//! `token`: manages API tokens of users.

use std::path::PathBuf;

use super::{CommandResult, Verdict, block_on, open, open_read_only, print};
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
    /// Create a token and print its secret, which cannot be printed again.
    Create {
        /// E-mail address of the user that the token belongs to.
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// Name of the token, for example the program that uses it.
        #[arg(long)]
        name: String,
        /// Scopes, comma-separated: read, write, generate, mcp, account.
        #[arg(long, value_delimiter = ',', required = true)]
        scope: Vec<String>,
        /// Lifetime in days [default: unlimited].
        #[arg(long)]
        days: Option<u32>,
    },
    /// List the tokens of a user.
    List {
        /// E-mail address of the user that the tokens belong to.
        #[arg(long, value_name = "EMAIL")]
        user: String,
    },
    /// Revoke a token.
    Revoke {
        /// E-mail address of the user that the token belongs to.
        #[arg(long, value_name = "EMAIL")]
        user: String,
        /// Id of the token, as printed by `token list`.
        id: String,
    },
}

pub(super) fn run(arguments: Arguments, config: Config) -> CommandResult {
    block_on(async move {
        let app = match arguments.command {
            Command::List { .. } => open_read_only(config, arguments.data).await?,
            _ => open(config, arguments.data).await?,
        };
        execute(&app, arguments.command).await?;
        Ok(Verdict::Clean)
    })?
}

async fn execute(app: &App, command: Command) -> Result<(), Error> {
    let local = Caller::local();
    match command {
        Command::Create { user, name, scope, days } => {
            let caller = users::act_for(app, &local, &user).await?;
            let (_, secret) =
                tokens::create_token(app, &caller, NewToken { name, scopes: scope, days }).await?;
            print(&format!("{secret}\n"));
        }
        Command::List { user } => {
            let caller = users::act_for(app, &local, &user).await?;
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
            let caller = users::act_for(app, &local, &user).await?;
            tokens::delete_token(app, &caller, &id).await?;
            print("Revoked.\n");
        }
    }
    Ok(())
}
