//! Request, result and progress events of a generation.

use std::time::Duration;

use blueprint::Kind;
use llm::{SecretString, Usage};
use serde_json::Value;
use store::{ProjectId, Role};
use tokio::sync::mpsc;

use crate::{
    Error,
    access::{Caller, Scope, authorize_project},
    app::App,
    check::Validator,
    projects,
    session::Outcome,
};

pub const MAX_MESSAGE_CHARS: usize = 50_000;

#[derive(Debug, Clone)]
pub struct Request {
    pub kind: Kind,
    /// Requirement text.
    pub message: String,
    /// The default project if `None`.
    pub project_id: Option<String>,
    /// Id chosen by the client.
    pub content_id: Option<String>,
    /// Name of a provider, or `builtin`; by configuration if `None`.
    pub provider: Option<String>,
    pub model: Option<String>,
    /// Provider key for this request only; never stored or logged.
    pub key: Option<SecretString>,
    /// Use the built-in draft if the model fails.
    pub fallback: bool,
}

/// Progress of a generation.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A new stage: `asking`, `checking`, `repairing`, `drafting`, `storing`.
    Status(&'static str),
    /// Streamed text of the model.
    Delta(String),
    Finding(Value),
    Repair(String),
    /// Usage of a question to the model, also of a failed one.
    Usage {
        usage: Usage,
        /// Number of questions with unknown usage.
        unknown: u32,
    },
}

/// A stored generation.
#[derive(Debug, Clone)]
pub struct Generated {
    pub generation_id: String,
    /// `None` if diagrams are not stored.
    pub diagram_id: Option<String>,
    pub kind: Kind,
    pub outcome: Outcome,
    pub validator: Validator,
    /// Name of the provider, or `builtin`.
    pub provider: String,
    pub model: String,
    pub usage: Usage,
    pub duration: Duration,
}

impl Generated {
    /// Whether Mermaid's own parser accepted exactly this text.
    pub fn validated(&self) -> bool {
        self.outcome.checked.validated()
    }

    /// The blueprint as JSON.
    pub fn model_json(&self) -> Value {
        // A blueprint consists of strings, numbers and lists: serializing it cannot fail.
        serde_json::to_value(&self.outcome.blueprint).unwrap_or(Value::Null)
    }

    pub fn summary(&self) -> String {
        self.outcome.blueprint.as_ref().map(blueprint::describe).unwrap_or_default()
    }
}

/// Receiver of progress events, if any.
pub type Watcher = Option<mpsc::UnboundedSender<Event>>;

/// Validates a request; returns the message and the project that the caller may write to.
pub(crate) async fn check_request(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<(String, ProjectId), Error> {
    caller.require_scope(Scope::Generate)?;
    let message = check_message(&request.message)?;
    let project = match (&app.store, &request.project_id) {
        (None, _) => ProjectId::default_project(),
        (Some(_), None) => projects::default_project(app, caller).await?,
        (Some(_), Some(id)) => {
            let id = ProjectId::parse(id.as_str()).map_err(|_| {
                Error::invalid("project_id", "The project id must be 1 to 128 visible ASCII characters.")
            })?;
            authorize_project(app, caller, &id, Role::Editor).await?.project.id
        }
    };
    Ok((message, project))
}

fn check_message(message: &str) -> Result<String, Error> {
    if message.trim().is_empty() {
        return Err(Error::invalid(
            "message",
            "There are no requirements: `message` is empty. Send the requirements as text.",
        ));
    }
    let chars = message.chars().count();
    if chars > MAX_MESSAGE_CHARS {
        return Err(Error::invalid(
            "message",
            format!(
                "`message` has {chars} characters; at most {MAX_MESSAGE_CHARS} are accepted. Send one chapter at \
                 a time."
            ),
        ));
    }
    // PostgreSQL cannot store U+0000. A space keeps all offsets.
    Ok(message.replace('\0', " "))
}

pub(super) fn notify(watcher: &Watcher, event: Event) {
    if let Some(watcher) = watcher {
        // The client may have disconnected; the generation continues and is stored.
        let _ = watcher.send(event);
    }
}
