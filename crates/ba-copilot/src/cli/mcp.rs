//! `mcp`: an MCP server over standard input and output.

use rmcp::{ServiceExt, service::ServerInitializeError};

use super::{CommandResult, Failure, Verdict, block_on};
use application::{access::Caller, app::App};
use server::mcp::{Mcp, stdio::stdio};

pub(super) fn run(app: App) -> CommandResult {
    block_on(async {
        app.warm_up();
        let running = match Mcp::new(app, |_| (Caller::local(), None)).serve(stdio()).await {
            Ok(running) => running,
            // A client that disconnects before the handshake is not an error.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Verdict::Clean),
            Err(error) => return Err(Failure::Other(format!("The MCP handshake failed: {error}."))),
        };
        match running.waiting().await {
            Ok(_) => Ok(Verdict::Clean),
            Err(error) => Err(Failure::Other(format!("The MCP server stopped: {error}."))),
        }
    })?
}
