//! `mcp`: the MCP server over standard input and output, for an agent that starts it.

use rmcp::{ServiceExt, service::ServerInitializeError, transport::stdio};

use super::{Failure, Ran, Verdict, block_on};
use application::{access::Caller, app::App};
use server::mcp::Mcp;

pub(super) fn run(app: App) -> Ran {
    block_on(async {
        app.warm_up();
        let running = match Mcp::new(app, |_| (Caller::local(), None)).serve(stdio()).await {
            Ok(running) => running,
            // An agent that goes away before it said anything is no failure of ours.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Verdict::Clean),
            Err(error) => return Err(Failure::Other(format!("The agent did not speak MCP: {error}."))),
        };
        match running.waiting().await {
            Ok(_) => Ok(Verdict::Clean),
            Err(error) => Err(Failure::Other(format!("The server ended early: {error}."))),
        }
    })?
}
