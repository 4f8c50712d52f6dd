//! `user`: manages user accounts.

use std::{io::BufRead, path::PathBuf};

use llm::SecretString;

use super::{CommandResult, Failure, Verdict, block_on, open, open_read_only, print};
use application::{
    User,
    access::Caller,
    accounts::users::{self, NewAccount, UserChanges},
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
    /// Create an account.
    ///
    /// The first account is an administrator and becomes the owner of all existing data.
    Add {
        /// E-mail address.
        email: String,
        /// Display name [default: the part of the address before the @].
        #[arg(long)]
        name: Option<String>,
        /// Make the user an administrator.
        #[arg(long)]
        admin: bool,
        /// Read the password from the first line of standard input. Without this flag, a link to choose a password is
        /// printed.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all accounts.
    List,
    /// Disable an account: the user cannot sign in.
    Disable {
        /// E-mail address.
        email: String,
    },
    /// Enable a disabled account.
    Enable {
        /// E-mail address.
        email: String,
    },
    /// Print a link to choose a new password.
    ResetLink {
        /// E-mail address.
        email: String,
    },
    /// Remove the second factor of a user who has lost it.
    ResetSecondFactor {
        /// E-mail address.
        email: String,
    },
    /// Print a link to create the first account from another machine.
    SetupLink,
}

pub(super) fn run(arguments: Arguments, config: Config) -> CommandResult {
    block_on(async move {
        let app = match arguments.command {
            Command::List => open_read_only(config, arguments.data).await?,
            _ => open(config, arguments.data).await?,
        };
        execute(&app, arguments.command).await?;
        Ok(Verdict::Clean)
    })?
}

async fn execute(app: &App, command: Command) -> Result<(), Failure> {
    let local = Caller::local();
    match command {
        Command::Add { email, name, admin, password_stdin } => {
            let password = if password_stdin { Some(read_password()?) } else { None };
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let added = users::create_user(app, &local, NewAccount { email, name, password, admin }).await?;
            print(&format!("Added {}.\n", added.person.email));
            if let Some(link) = added.link {
                print(&format!("Link to choose a password, valid for one day:\n{link}\n"));
            }
        }
        Command::List => {
            let mut listing = Listing { after: None, limit: Some(200) };
            loop {
                let page = users::list_users(app, &local, &listing).await?;
                page.items.iter().for_each(|user| print(&line(user)));
                let Some(next) = page.next else { break };
                listing.after = Some(next);
            }
        }
        Command::Disable { email } => set_disabled(app, &email, true).await?,
        Command::Enable { email } => set_disabled(app, &email, false).await?,
        Command::ResetLink { email } => {
            let link = users::create_reset_link(app, &local, &email).await?;
            print(&format!("Link to choose a password, valid for one day:\n{link}\n"));
        }
        Command::ResetSecondFactor { email } => {
            users::reset_second_factor(app, &local, &email).await?;
            print("Removed the second factor. The user signs in with the password only.\n");
        }
        Command::SetupLink => {
            let link = users::create_set_up_link(app).await?;
            print(&format!("Link to create the first account, valid for one day:\n{link}\n"));
        }
    }
    Ok(())
}

async fn set_disabled(app: &App, email: &str, disabled: bool) -> Result<(), Failure> {
    let local = Caller::local();
    let person = users::find_user(app, &local, email).await?;
    let changes = UserChanges { admin: None, disabled: Some(disabled) };
    users::update_user(app, &local, person.id.as_str(), &changes).await?;
    print(if disabled { "Disabled the account.\n" } else { "Enabled the account.\n" });
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
