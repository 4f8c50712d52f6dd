//! `healthcheck`: checks the server on this machine. For containers, whose images contain no HTTP client.

use std::{net::Ipv4Addr, time::Duration};

use super::{Failure, Ran, Verdict, block_on, print, say};
use config::{Config, Role};
use operations::server_client::{Request, ServerClient};

/// An orchestrator repeats the check soon.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Flags of `healthcheck`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address of the server. The default is that of the configuration, on this machine.
    #[arg(long)]
    url: Option<String>,
    /// The role of the server: all, web, api, ai or mcp.
    #[arg(id = "asked_role", long = "role", value_parser = ["all", "web", "api", "ai", "mcp"], default_value = "all")]
    role: String,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> Ran {
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
            Ok(Verdict::of(response.status == 200))
        }
        Err(error) => {
            say(&format!("{} {error}.", client.address()));
            Ok(Verdict::Findings)
        }
    }
}
