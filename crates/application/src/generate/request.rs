//! What is asked for, what comes back, and what callers see on the way.

use std::time::Duration;

use blueprint::Kind;
use llm::{SecretString, Usage};
use serde_json::Value;
use store::{ProjectId, Role};
use tokio::sync::mpsc;

use crate::{
    Error,
    access::{Caller, Scope, enter},
    app::App,
    check::Validator,
    projects,
    session::Outcome,
};

/// The longest message, in characters.
pub const MAX_MESSAGE_CHARS: usize = 50_000;

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to draw.
    pub kind: Kind,
    /// The requirements.
    pub message: String,
    /// Where it belongs; the default project if not said.
    pub project_id: Option<String>,
    /// The caller's own name for it.
    pub content_id: Option<String>,
    /// Who writes: a provider's name or `builtin`; the configuration decides if not said.
    pub provider: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// A key for this one request; never stored, never logged.
    pub key: Option<SecretString>,
    /// Give the built-in draft when the model fails.
    pub fallback: bool,
}

/// What happens on the way, for callers who watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A new stage: `asking`, `checking`, `repairing`, `drafting`, `storing`.
    Status(&'static str),
    /// Words of the model.
    Delta(String),
    /// Something to mend.
    Finding(Value),
    /// Something mended.
    Repair(String),
    /// What a question to the model took, also if that failed.
    Usage {
        /// As far as it is known.
        usage: Usage,
        /// How many questions took nobody knows what.
        unknown: u32,
    },
}

/// A generation that was remembered.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Its id.
    pub generation_id: String,
    /// The diagram it began, if diagrams are kept.
    pub diagram_id: Option<String>,
    /// What was drawn.
    pub kind: Kind,
    /// The diagram.
    pub outcome: Outcome,
    /// Who checked it.
    pub validator: Validator,
    /// `builtin` or the provider's name.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// What it took.
    pub usage: Usage,
    /// How long it took.
    pub duration: Duration,
}

impl Generated {
    /// Mermaid accepted exactly the text.
    pub fn validated(&self) -> bool {
        self.outcome.checked.validated()
    }

    /// The model as programs read it.
    pub fn model_json(&self) -> Value {
        // A blueprint is made of strings, numbers and lists: writing it as JSON cannot fail.
        serde_json::to_value(&self.outcome.blueprint).unwrap_or(Value::Null)
    }

    /// What was drawn, in a sentence.
    pub fn summary(&self) -> String {
        self.outcome.blueprint.as_ref().map(blueprint::describe).unwrap_or_default()
    }
}

/// What a watcher is told through; `None` when nobody watches.
pub type Watcher = Option<mpsc::UnboundedSender<Event>>;

/// What is to be drawn, and where it will belong, if the caller may have it drawn there.
pub(crate) async fn check_request(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<(String, ProjectId), Error> {
    caller.may(Scope::Generate)?;
    let message = check_message(&request.message)?;
    let project = match (&app.store, &request.project_id) {
        (None, _) => ProjectId::default_project(),
        (Some(_), None) => projects::usual_project(app, caller).await?,
        (Some(_), Some(id)) => {
            let id = ProjectId::parse(id.as_str()).map_err(|_| {
                Error::invalid("project_id", "The project id must be 1 to 128 visible ASCII characters.")
            })?;
            enter(app, caller, &id, Role::Editor).await?.project.id
        }
    };
    Ok((message, project))
}

/// The message without what no database holds; bounds checked.
fn check_message(message: &str) -> Result<String, Error> {
    if message.trim().is_empty() {
        return Err(Error::invalid(
            "message",
            "There are no requirements: `message` is empty. Paste what people said they need.",
        ));
    }
    let chars = message.chars().count();
    if chars > MAX_MESSAGE_CHARS {
        return Err(Error::invalid(
            "message",
            format!(
                "`message` has {chars} characters; at most {MAX_MESSAGE_CHARS} are read. Send one chapter at a time."
            ),
        ));
    }
    // PostgreSQL has no U+0000, and no requirement needs one. A space keeps every offset.
    Ok(message.replace('\0', " "))
}

pub(super) fn watch(watcher: &Watcher, event: Event) {
    if let Some(watcher) = watcher {
        // Whoever watched may have gone away; the generation goes on and is kept.
        let _ = watcher.send(event);
    }
}
