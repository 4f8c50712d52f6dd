//! Requirement text in, a validated diagram out: waits for what `engine` decides, then remembers it.

use std::time::Duration;

use blueprint::Kind;
use llm::{Endpoint, LlmError, ProviderId, Question, SecretString, Turn, Usage};
use mermend::{Checked, Engine};
use serde_json::{Value, json};
use store::{
    DiagramId, GenerationId, GenerationStatus, JsonText, NewDiagram, NewGeneration, NewVersion, ProjectId,
    Role, VersionId, VersionOf,
};
use tokio::sync::mpsc;

use super::{
    Error,
    access::{Caller, Scope, enter},
    check::{self, Judged, Validator},
    elsewhere, projects, provider_keys,
    purse::{KeyOf, Purse, Took},
    spans,
};
use crate::{
    app::App,
    config::provider_names,
    engine::{Outcome, Prompt, Session, Settings, Step, Written},
    metrics_table::closed,
    trace::{Kind as About, Span},
};

/// The longest message, in characters.
pub const MAX_MESSAGE_CHARS: usize = 50_000;

/// How long the database may take to say that it is there.
const PING_TIME: Duration = Duration::from_secs(5);

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

/// Writes a diagram and remembers it.
///
/// # Errors
/// When the input cannot be used, or the model failed and no fallback was wanted.
pub async fn generate_diagram(
    app: &App,
    caller: &Caller,
    request: Request,
    watcher: Watcher,
) -> Result<Generated, Error> {
    // Before anything is paid for.
    let (message, project) = check_request(app, caller, &request).await?;
    let (endpoint, key) = choose_endpoint(app, caller, &project, &request).await?.unzip();
    let purse = Purse::of(app, caller, &project, key.unwrap_or(KeyOf::Team));
    let (provider, model) = match &endpoint {
        Some(endpoint) => (endpoint.provider.name().to_owned(), endpoint.model.clone()),
        None => ("builtin".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    };
    let begun = app.clock.now_us();
    let settings = Settings {
        kind: request.kind,
        ask_model: endpoint.is_some(),
        max_retries: app.config.model.max_retries,
        fallback: request.fallback,
    };
    let order = elsewhere::Order {
        app,
        request: &request,
        settings: settings.clone(),
        message: &message,
        endpoint: endpoint.as_ref(),
        purse: &purse,
        watcher: &watcher,
    };
    let run = Run { app, endpoint: endpoint.as_ref(), purse: &purse, watcher: &watcher };
    let (mut took, mut took_here) = (Took::default(), Took::default());
    let mut told = Span::part(About::Inside, "generate");
    let generating = async {
        match elsewhere::generate(&order, &mut took).await {
            Some(result) => (result, false),
            None => (run.session(settings, &message, &mut took_here).await, true),
        }
    };
    // On the heap: the sessions and all they ask are a large thing to hold within whatever asks for one.
    let (result, written_here) = told.around(Box::pin(generating)).await;
    spans::tell_generation(&mut told, request.kind, &result);
    let usage = took.and(took_here).usage;
    let took_us = app.clock.now_us().as_micros().saturating_sub(begun.as_micros()).max(0);
    let duration = Duration::from_micros(u64::try_from(took_us).unwrap_or(0));
    // What another process wrote, that one has counted: who adds them up counts no diagram and no token twice.
    if written_here {
        measure(request.kind, &provider, &result, took_here.usage, duration);
    }
    watch(&watcher, Event::Status("storing"));
    let record = Record {
        app,
        caller,
        request: &request,
        project,
        provider: &provider,
        model: &model,
        usage,
        took_us,
        begun,
    };
    let (generation_id, diagram_id) = record.keep(&message, result.as_ref()).await?;
    let (outcome, validator) = result?;
    tracing::info!(generation.id = %generation_id, llm.provider = %provider, kind = request.kind.row().id, validated = outcome.checked.validated(), retry_count = outcome.retry_count, duration_ms = duration.as_millis() as u64, "Generated a diagram");
    Ok(Generated {
        generation_id,
        diagram_id,
        kind: request.kind,
        outcome,
        validator,
        provider,
        model,
        usage,
        duration,
    })
}

/// What is to be drawn, and where it will belong, if the caller may have it drawn there.
pub(super) async fn check_request(
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

/// Who is asked, and whose key is used; `None` for the built-in drafter.
pub(super) async fn choose_endpoint(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    request: &Request,
) -> Result<Option<(Endpoint, KeyOf)>, Error> {
    let provider = match request.provider.as_deref() {
        Some("builtin") => return Ok(None),
        // Whoever is named, the script answers.
        Some(_) if app.scripted => None,
        Some(name) => Some(
            name.parse::<ProviderId>().ok().filter(|id| *id != ProviderId::Scripted).ok_or_else(|| {
                Error::invalid(
                    "provider",
                    format!("There is no provider `{name}`; use builtin, {}.", provider_names().join(", ")),
                )
            })?,
        ),
        None => None,
    };
    // What the caller brings with this request, then what they or the project brought before, then the server's own.
    let brought = match &request.key {
        Some(_) => None,
        None => provider_keys::find_key(app, caller, project, provider).await?,
    };
    let whose = match &brought {
        _ if request.key.is_some() => KeyOf::Request,
        Some(found) if found.own => KeyOf::Person,
        _ => KeyOf::Team,
    };
    if app.scripted {
        return Ok(Some((Endpoint::new(ProviderId::Scripted), whose)));
    }
    let (provider, key) = match brought {
        Some(found) => (Some(found.provider), Some(found.key)),
        None => (provider.or_else(|| app.config.default_provider()), request.key.clone()),
    };
    let Some(provider) = provider else { return Ok(None) };
    let mut endpoint = app.config.endpoint(provider);
    if let Some(model) = request.model.as_deref().filter(|model| !model.is_empty()) {
        endpoint = endpoint.with_model(model);
    }
    if let Some(key) = key {
        endpoint = endpoint.with_key(key);
    }
    Ok(Some((endpoint, whose)))
}

fn watch(watcher: &Watcher, event: Event) {
    if let Some(watcher) = watcher {
        // Whoever watched may have gone away; the generation goes on and is kept.
        let _ = watcher.send(event);
    }
}

/// Carries out what the engine decides.
struct Run<'a> {
    app: &'a App,
    endpoint: Option<&'a Endpoint>,
    purse: &'a Purse<'a>,
    watcher: &'a Watcher,
}

/// Why a question has no answer.
enum Unanswered {
    /// The model, or the way to it.
    Model(LlmError),
    /// It was not asked.
    NotAsked(Error),
}

impl Run<'_> {
    async fn session(
        &self,
        settings: Settings,
        message: &str,
        took: &mut Took,
    ) -> Result<(Outcome, Validator), Error> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(self.app.config.model.total_s);
        let mut failure: Option<Error> = None;
        let mut validator = None;
        let mut limit = None;
        let (mut session, mut step) = Session::start(settings, message);
        loop {
            step = match step {
                Step::Ask(prompt) => {
                    watch(self.watcher, Event::Status("asking"));
                    match self.ask(prompt, deadline, took).await {
                        Ok(text) => session.replied(&text),
                        Err(Unanswered::Model(error)) => {
                            let why = error.to_string();
                            let formless =
                                matches!(error, LlmError::BadReply { what: llm::BadReply::NotJson, .. });
                            failure = Some(error.into());
                            if formless { session.replied_without_form(&why) } else { session.failed(&why) }
                        }
                        Err(Unanswered::NotAsked(error @ (Error::Spent { .. } | Error::Model { .. }))) => {
                            let why = error.to_string();
                            failure = Some(error);
                            session.not_asked(&why)
                        }
                        Err(Unanswered::NotAsked(error)) => return Err(error),
                    }
                }
                Step::Check(text) => {
                    watch(self.watcher, Event::Status("checking"));
                    let Judged { checked, by } = check::check_code(self.app, text, Engine::Mermaid).await?;
                    validator = Some(by);
                    limit = checked.failure();
                    self.show_findings(&checked);
                    session.checked(checked)
                }
                Step::Repair(text) => {
                    watch(self.watcher, Event::Status("repairing"));
                    let repaired = check::repair_code(self.app, text).await?;
                    for step in &repaired.steps {
                        watch(self.watcher, Event::Repair(format!("{}: {}", step.rule, step.message)));
                    }
                    session.repaired(repaired)
                }
                Step::Done(outcome) => {
                    metrics::counter!("ba_copilot_retries_total").increment(u64::from(outcome.retry_count));
                    let by =
                        validator.ok_or_else(|| Error::Internal("a diagram was not checked".to_owned()))?;
                    return Ok((*outcome, by));
                }
                Step::GiveUp(problems) => {
                    return Err(match failure {
                        Some(error) => error,
                        None if limit.is_some() => Error::invalid(
                            "message",
                            format!(
                                "The diagram of this text is too large: Mermaid did not finish reading it within the limits of time ({} s) and size. Send one chapter at a time.",
                                self.app.config.check.time_s
                            ),
                        ),
                        // What the drafter writes is valid by construction; if not, that is a fault of ours.
                        None if self.endpoint.is_none() => {
                            Error::Internal("Mermaid did not accept the built-in draft".to_owned())
                        }
                        None => Error::Model {
                            code: "llm_bad_reply",
                            message: format!(
                                "The model's answers could not be made into a valid diagram: {}. Try another model, or allow the built-in draft with \"fallback\": true.",
                                problems.last().map(String::as_str).unwrap_or_default().trim_end_matches('.')
                            ),
                        },
                    });
                }
            };
        }
    }

    async fn ask(
        &self,
        prompt: Prompt,
        deadline: tokio::time::Instant,
        took: &mut Took,
    ) -> Result<String, Unanswered> {
        let endpoint = self.endpoint.cloned().unwrap_or_else(|| Endpoint::new(ProviderId::Scripted));
        let turns = prompt
            .turns
            .into_iter()
            .enumerate()
            .map(|(n, text)| Turn {
                role: if n % 2 == 0 { llm::Role::User } else { llm::Role::Assistant },
                text,
            })
            .collect();
        let mut question = Question::new(prompt.system, "");
        question.schema = prompt.schema.map(|json| llm::Schema { name: "blueprint".to_owned(), json });
        question.turns = turns;
        question.max_output_tokens = self.app.config.model.max_output_tokens;
        let mut held = self.purse.reserve(&endpoint, &question).await.map_err(Unanswered::NotAsked)?;
        let mut told = Span::part(About::Client, "chat");
        question.traceparent = told.context().filter(|_| told.is_told()).map(|trace| trace.header());
        let asked = async {
            let mut tell = |delta: &str| watch(self.watcher, Event::Delta(delta.to_owned()));
            let tell: Option<&mut (dyn FnMut(&str) + Send)> =
                if self.watcher.is_some() { Some(&mut tell) } else { None };
            self.app.llm.ask_with_policy(&endpoint, &question, tell, &mut held).await
        };
        // All questions of one diagram share one time, or four slow answers would take four times as long as promised.
        let answer = told.around(tokio::time::timeout_at(deadline, asked)).await;
        let answer = answer.unwrap_or(Err(LlmError::TimedOut { limit: llm::Limit::Total }));
        spans::tell_model(&mut told, &endpoint, &question, &answer);
        drop(told);
        let this = held.settle(&answer).await;
        *took = took.and(this);
        watch(self.watcher, Event::Usage { usage: this.usage, unknown: this.unknown });
        answer.map(|answer| answer.text).map_err(Unanswered::Model)
    }

    fn show_findings(&self, checked: &Checked) {
        for finding in &checked.findings {
            watch(self.watcher, Event::Finding(serde_json::to_value(finding).unwrap_or(Value::Null)));
        }
    }
}

fn measure(
    kind: Kind,
    provider: &str,
    result: &Result<(Outcome, Validator), Error>,
    usage: Usage,
    duration: Duration,
) {
    let outcome = match result {
        Ok((outcome, _)) if outcome.written == Written::Fallback => "fell_back",
        Ok(_) => "succeeded",
        Err(_) => "failed",
    };
    let kind = kind.row().id;
    let provider = match provider {
        "builtin" => "builtin",
        other => closed(llm::PROVIDERS.iter().map(|row| row.name), other),
    };
    metrics::counter!("ba_copilot_generations_total", "kind" => kind, "provider" => provider, "outcome" => outcome).increment(1);
    metrics::histogram!("ba_copilot_generation_seconds", "kind" => kind, "provider" => provider)
        .record(duration.as_secs_f64());
    metrics::counter!("ba_copilot_tokens_total", "provider" => provider, "direction" => "input")
        .increment(usage.input_tokens);
    metrics::counter!("ba_copilot_tokens_total", "provider" => provider, "direction" => "output")
        .increment(usage.output_tokens);
    metrics::counter!("ba_copilot_cost_micro_usd_total", "provider" => provider)
        .increment(usage.cost_micro_usd.unwrap_or(0));
}

/// What is about to be remembered.
struct Record<'a> {
    app: &'a App,
    caller: &'a Caller,
    request: &'a Request,
    project: ProjectId,
    provider: &'a str,
    model: &'a str,
    usage: Usage,
    took_us: i64,
    begun: store::TimeUs,
}

impl Record<'_> {
    /// Writes the generation and its version, before anyone is told of it.
    async fn keep(
        self,
        message: &str,
        result: Result<&(Outcome, Validator), &Error>,
    ) -> Result<(String, Option<String>), Error> {
        let app = self.app;
        let id = app.clock.new_id("gen");
        let Some(store) = &app.store else { return Ok((id, None)) };
        let kind = self.request.kind.row();
        let project = self.project.clone();
        let (outcome, validator) = result.ok().map(|(outcome, by)| (outcome, by)).unzip();
        let version = match outcome {
            None => None,
            Some(outcome) => Some(NewVersion {
                id: VersionId::parse(app.clock.new_id("ver"))?,
                of: VersionOf::New(NewDiagram {
                    id: DiagramId::parse(app.clock.new_id("dia"))?,
                    project_id: project.clone(),
                    kind: kind.id.to_owned(),
                    title: title(message),
                    folder_id: None,
                }),
                requirement: message.to_owned(),
                blueprint: outcome.blueprint.as_ref().map(JsonText::encode).transpose()?,
                mermaid: outcome.text.replace('\0', ""),
                validated: outcome.checked.validated(),
                findings: JsonText::encode(&outcome.findings)?,
                trace: JsonText::encode(&outcome.trace)?,
                created_by: self.caller.user_id().cloned(),
                note: None,
            }),
        };
        let generation = NewGeneration {
            id: GenerationId::parse(id.clone())?,
            project_id: Some(project.clone()),
            content_id: self.request.content_id.as_ref().map(|id| id.replace('\0', "")),
            diagram_id: None,
            kind: kind.id.to_owned(),
            status: match outcome {
                Some(outcome) if outcome.written == Written::Fallback => GenerationStatus::FellBack,
                Some(_) => GenerationStatus::Succeeded,
                None => GenerationStatus::Failed,
            },
            request: message.to_owned(),
            provider: self.provider.to_owned(),
            model: self.model.to_owned(),
            validator: validator.map(|by| JsonText::encode(&by.to_json())).transpose()?,
            retry_count: outcome.map_or(0, |outcome| outcome.retry_count),
            repairs: JsonText::encode(outcome.map(|outcome| outcome.repairs.as_slice()).unwrap_or_default())?,
            warning: outcome.and_then(|outcome| outcome.warning.clone()),
            error_code: result.err().map(|error| error.code().to_owned()),
            input_tokens: u32::try_from(self.usage.input_tokens).unwrap_or(u32::MAX),
            output_tokens: u32::try_from(self.usage.output_tokens).unwrap_or(u32::MAX),
            cost_micro_usd: self.usage.cost_micro_usd.and_then(|cost| i64::try_from(cost).ok()),
            duration_us: self.took_us,
            created_at: self.begun,
            created_by: self.caller.user_id().cloned(),
        };
        let details = json!({
            "provider": self.provider,
            "model": self.model,
            "input_tokens": generation.input_tokens,
            "output_tokens": generation.output_tokens,
            "cost_micro_usd": generation.cost_micro_usd,
            "status": generation.status.as_str(),
        });
        let event = self.caller.did(app, "generation.create", Some(&project), &id, &details)?;
        // A database file that was deleted under a running program still takes writes, and loses them.
        store.ping(PING_TIME).await?;
        let told = spans::database(store, "record_generation");
        let recorded = told.around(store.record_generation(generation, version, &event)).await?;
        Ok((id, recorded.diagram.map(|diagram| diagram.id.to_string())))
    }
}

/// The beginning of the requirements, for lists.
fn title(message: &str) -> String {
    let mut title: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = title.char_indices().nth(80) {
        title.truncate(end);
        title.push('…');
    }
    title
}
