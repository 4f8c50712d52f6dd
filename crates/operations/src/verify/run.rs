//! The context of the checks: the server, the options, and what earlier checks found.

use std::time::Duration;

use serde_json::Value;

use crate::{
    diagnostics::CheckFailure,
    prometheus::Samples,
    server_client::{ClientError, Request, Response, ServerClient},
};
use application::clock::Clock;

/// The age limit of the newest verified backup, unless another one is given.
pub(super) const DEFAULT_BACKUP_AGE: Duration = Duration::from_secs(26 * 3600);

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Services that must work, as names or `name=URL`; empty for those that the server reports.
    pub services: Vec<String>,
    /// The age limit of the newest verified backup; with `None`, a server without backups passes.
    pub backup_within: Option<Duration>,
    /// The server is on standby, so it need not be ready.
    pub standby: bool,
    /// A command for `sh -c` that restarts the server.
    pub restart_command: Option<String>,
    /// How long the server may take to be ready after a restart.
    pub restart_within: Duration,
}

/// One run of the checks against a server.
pub(super) struct VerifyRun {
    pub(super) client: ServerClient,
    pub(super) options: Options,
    pub(super) clock: Clock,
    /// The response of `/health`.
    pub(super) health: Value,
    /// The response of the generation.
    pub(super) generated: Value,
    /// The id of the project for everything that the checks write.
    pub(super) project: Option<String>,
    /// The path and the text of the written version.
    pub(super) written: Option<(String, String)>,
    pub(super) metrics: Samples,
}

impl VerifyRun {
    /// Whether the server reports that it stores nothing.
    pub(super) fn is_stateless(&self) -> bool {
        self.health["checks"]["database"]["mode"] == "none"
    }

    /// Calls the API, and tells a missing or insufficient token from a server that does not work.
    pub(super) async fn api(&self, request: Request<'_>) -> Result<Response, CheckFailure> {
        let response = self.client.send(request).await?;
        let problem = response.json();
        let detail = problem["detail"].as_str().unwrap_or("No details are given.");
        match (response.status, self.client.has_token()) {
            (401, false) => Err(CheckFailure::skipped(
                "This server has accounts, and no token was given: set VERIFY_TOKEN, or use --token.",
            )),
            (401, true) => Err(CheckFailure::with_cure(
                "The server rejects the token.",
                "Create one: `ba-copilot token create --user EMAIL --name verify --scope read,write,generate,mcp`.",
            )),
            (403, true) => Err(CheckFailure::with_cure(
                format!("The token does not allow this. {detail}"),
                "Give it the scopes read, write, generate and mcp.",
            )),
            (200..=299, _) => Ok(response),
            (status, _) => Err(CheckFailure::failed(format!("It answered with {status}. {detail}"))),
        }
    }
}

impl From<ClientError> for CheckFailure {
    fn from(error: ClientError) -> Self {
        CheckFailure::failed(format!("The server {error}."))
    }
}
