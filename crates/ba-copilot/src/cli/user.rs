//! `user`: the people of this server, for whoever runs it.

use std::{io::BufRead, path::PathBuf};

use llm::SecretString;

use super::{Failure, Ran, Verdict, block_on, open, open_to_read, print};
use application::{
    User,
    access::Caller,
    accounts::users::{self, NewAccount, UserChanges},
    app::App,
    page::Listing,
};
use config::Config;

/// Flags of `user`.
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
    /// Add somebody. The first one runs the server and owns what was made so far.
    Add {
        /// Their e-mail address.
        email: String,
        /// What they are called; the part before the @ if not said.
        #[arg(long)]
        name: Option<String>,
        /// They run the server too.
        #[arg(long)]
        admin: bool,
        /// Read their password from the first line of standard input. Without it, a link is printed with which they
        /// choose one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List everybody.
    List,
    /// Let somebody in no more.
    Disable {
        /// Their e-mail address.
        email: String,
    },
    /// Let somebody in again.
    Enable {
        /// Their e-mail address.
        email: String,
    },
    /// Print a link with which somebody chooses a new password.
    ResetLink {
        /// Their e-mail address.
        email: String,
    },
    /// Take the second factor of somebody away who has lost it.
    ResetSecondFactor {
        /// Their e-mail address.
        email: String,
    },
    /// Print a link with which the first person is made from another machine.
    SetupLink,
}

pub(super) fn run(arguments: Arguments, config: Config) -> Ran {
    block_on(async move {
        let app = match arguments.command {
            Command::List => open_to_read(config, arguments.data).await?,
            _ => open(config, arguments.data).await?,
        };
        carry_out(&app, arguments.command).await?;
        Ok(Verdict::Clean)
    })?
}

async fn carry_out(app: &App, command: Command) -> Result<(), Failure> {
    let me = Caller::local();
    match command {
        Command::Add { email, name, admin, password_stdin } => {
            let password = if password_stdin { Some(read_password()?) } else { None };
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let added = users::create_user(app, &me, NewAccount { email, name, password, admin }).await?;
            print(&format!("Added {}.\n", added.person.email));
            if let Some(link) = added.link {
                print(&format!("They choose a password here within a day:\n{link}\n"));
            }
        }
        Command::List => {
            let mut listing = Listing { after: None, limit: Some(200) };
            loop {
                let page = users::list_users(app, &me, &listing).await?;
                page.items.iter().for_each(|user| print(&line(user)));
                let Some(next) = page.next else { break };
                listing.after = Some(next);
            }
        }
        Command::Disable { email } => disable(app, &email, true).await?,
        Command::Enable { email } => disable(app, &email, false).await?,
        Command::ResetLink { email } => {
            let link = users::create_reset_link(app, &me, &email).await?;
            print(&format!("They choose a password here within a day:\n{link}\n"));
        }
        Command::ResetSecondFactor { email } => {
            users::reset_second_factor(app, &me, &email).await?;
            print("They sign in with their password alone now.\n");
        }
        Command::SetupLink => {
            let link = users::create_set_up_link(app).await?;
            print(&format!("Set up the first person here within a day:\n{link}\n"));
        }
    }
    Ok(())
}

async fn disable(app: &App, email: &str, disabled: bool) -> Result<(), Failure> {
    let me = Caller::local();
    let person = users::find_user(app, &me, email).await?;
    let changes = UserChanges { admin: None, disabled: Some(disabled) };
    users::update_user(app, &me, person.id.as_str(), &changes).await?;
    print(if disabled { "They cannot come in any more.\n" } else { "They can come in again.\n" });
    Ok(())
}

fn line(user: &User) -> String {
    let admin = if user.admin { "\tadmin" } else { "" };
    let disabled = if user.disabled_at.is_some() { "\tdisabled" } else { "" };
    format!("{}\t{}\t{}{admin}{disabled}\n", user.id, user.email, user.name)
}

fn read_password() -> Result<SecretString, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::Other(format!("The password could not be read: {error}.")))?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned()))
}
