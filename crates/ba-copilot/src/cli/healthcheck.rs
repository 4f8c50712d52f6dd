//! `healthcheck`: the health of the local server, for container images, which contain no other program.

use std::{net::Ipv4Addr, time::Duration};

use super::{CommandResult, Failure, Verdict, block_on, print, say};
use config::{Config, Role};
use operations::server_client::{Request, ServerClient};

/// Short, because orchestrators repeat the check.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Base URL of the server [default: the listen address of the settings, or of the role].
    #[arg(long)]
    url: Option<String>,
    /// Role of the server, which decides the default port.
    #[arg(
        id = "asked_role",
        long = "role",
        value_name = "ROLE",
        value_parser = ["all", "web", "api", "ai", "mcp"],
        default_value = "all"
    )]
    role: String,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> CommandResult {
    let url = arguments.url.clone().unwrap_or_else(|| {
        let mut listen = config.listen(Role::parse(&arguments.role).unwrap_or_default());
        if listen.ip().is_unspecified() {
            listen.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{listen}")
    });
    let client = ServerClient::new(&url, None).map_err(|error| Failure::Other(error.to_string()))?;
    match block_on(async { client.send(Request::get("/health").timeout(TIMEOUT)).await })? {
        Ok(response) => {
            let status = response.json()["status"].as_str().unwrap_or("unknown").to_owned();
            print(&format!("{status}\n"));
            Ok(Verdict::from_clean(response.status == 200))
        }
        Err(error) => {
            say(&format!("{} {error}.", client.address()));
            Ok(Verdict::Findings)
        }
    }
}
