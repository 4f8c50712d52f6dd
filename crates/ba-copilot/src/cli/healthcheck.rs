//! `healthcheck`: asks the server on this machine whether it works. For containers, whose images have no other program.

use std::{net::Ipv4Addr, time::Duration};

use super::{Failure, Ran, Verdict, block_on, print, say};
use config::{Config, Role};
use operations::target::{Question, Target};

/// An orchestrator asks again soon.
const PATIENCE: Duration = Duration::from_secs(3);

/// Flags of `healthcheck`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The server; the one that this configuration would start, on this machine, if nothing is said.
    #[arg(long)]
    url: Option<String>,
    /// What the server does: all, web, api, ai or mcp.
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
    let target = Target::new(&url, None).map_err(|error| Failure::Other(error.to_string()))?;
    match block_on(async { target.ask(Question::get("/health").within(PATIENCE)).await })? {
        Ok(answer) => {
            let status = answer.json()["status"].as_str().unwrap_or("unknown").to_owned();
            print(&format!("{status}\n"));
            Ok(Verdict::of(answer.status == 200))
        }
        Err(error) => {
            say(&format!("{} {error}.", target.address()));
            Ok(Verdict::Findings)
        }
    }
}
