//! `POST /api/v1/generate/{kind}-diagram`: requirement text in, a validated diagram out.

use std::convert::Infallible;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;
use utoipa::{
    ToSchema,
    openapi::schema::{Object, ObjectBuilder, SchemaType, Type},
};

use super::jobs::JobReply;
use crate::{
    Shared,
    api::as_json,
    http::error::{Body, Pending},
};
use application::{
    Error,
    access::Caller,
    cpu_pool,
    generate::{self, Event, Generated, Request},
    jobs,
    session::{Author, TraceEntry},
};
use telemetry::trace;

/// The providers are a table, so the description is not a comment.
#[expect(deprecated, reason = "every other field has one `example`")]
fn provider_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(format!("Provider: {}. Default: the configured one.", config::provider_values())))
        .example(Some("builtin".into()))
        .build()
}

/// What to draw, and who writes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateBody {
    /// The requirements: plain sentences, user stories, notes. 1 to 50,000 characters.
    #[schema(
        example = "A customer places orders. Each order has a number and a date. An order consists of order lines.",
        min_length = 1,
        max_length = 50000
    )]
    message: String,
    /// The project it belongs to; the default project if not said.
    project_id: Option<String>,
    /// Your own name for what this is about; stored with it.
    content_id: Option<String>,
    /// Kept for older callers; has no effect.
    #[expect(dead_code, reason = "part of the contract")]
    document_format: Option<String>,
    /// Kept for later: the viewer that must show the diagram.
    #[expect(dead_code, reason = "part of the contract")]
    target: Option<String>,
    #[schema(schema_with = provider_schema)]
    provider: Option<String>,
    /// The model's name at that provider.
    model: Option<String>,
    /// Give the built-in draft, with a warning, when the model fails.
    #[serde(default = "yes")]
    #[schema(default = true)]
    fallback: bool,
}

/// Which of the caller's preferences were heeded.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

fn yes() -> bool {
    true
}

/// A diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerateReply {
    /// Always `diagram`.
    #[serde(rename = "type")]
    #[schema(example = "diagram")]
    kind: &'static str,
    /// The diagram.
    response: DiagramReply,
}

/// A diagram and what is known about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiagramReply {
    /// `class_diagram`, `usecase_diagram` or `activity_diagram`.
    #[serde(rename = "type")]
    #[schema(example = "class_diagram")]
    kind: &'static str,
    /// The diagram as a fenced Mermaid block.
    #[schema(example = "```mermaid\nclassDiagram\n    class Order\n```")]
    detail: String,
    /// What it shows, in a sentence.
    summary: String,
    /// What it means, as typed data.
    #[schema(value_type = Object)]
    blueprint: Value,
    /// Which words each element comes from. Offsets are UTF-8 bytes of `message`.
    trace: Vec<TraceReply>,
    /// How it came about.
    metadata: Metadata,
}

/// One element and the words it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceReply {
    /// Id of the element.
    #[schema(example = "Order")]
    element: String,
    /// Number of the sentence, from 1.
    #[schema(example = 1)]
    requirement: usize,
    /// First byte in the message.
    start: usize,
    /// One past the last byte.
    end: usize,
    /// The words.
    #[schema(example = "orders")]
    text: String,
}

/// How a diagram came about.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metadata {
    /// Mermaid's own parser accepted exactly the text in `detail`.
    #[schema(example = true)]
    validated: bool,
    /// Who wrote it: `model`, `builtin` (the built-in drafter), or `fallback` (the same, because the model failed).
    #[schema(example = "builtin")]
    written: &'static str,
    /// How often the model was asked again, 0 to 3.
    #[schema(example = 0)]
    retry_count: u32,
    /// Who checked it.
    #[schema(value_type = Object)]
    validator: Value,
    /// What was mended, in words.
    repairs: Vec<String>,
    /// What else there is to say of it.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// `builtin` or the provider's name.
    #[schema(example = "builtin")]
    provider: String,
    /// The model's name.
    model: String,
    /// What it took.
    usage: UsageReply,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// Id of this generation.
    generation_id: String,
    /// Id of the diagram that it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagram_id: Option<String>,
    /// What a reader must know before relying on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// What went wrong on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    /// What the drafter assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Who wrote it, if no model did, and what the drafter assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Tokens and money.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageReply {
    /// Tokens of all questions.
    input_tokens: u64,
    /// Tokens of all answers.
    output_tokens: u64,
    /// Cost in US dollars, where the vendor or a price list says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
}

impl GenerateReply {
    /// The reply for a finished generation.
    pub fn of(generated: &Generated) -> Self {
        let row = generated.kind.row();
        let outcome = &generated.outcome;
        let mut notes = outcome.notes.clone();
        if outcome.written == Author::Builtin {
            notes.insert(0, "Drafted by the built-in drafter, without a model.".to_owned());
        }
        GenerateReply {
            kind: "diagram",
            response: DiagramReply {
                kind: row.contract_type,
                detail: format!("```mermaid\n{}\n```", outcome.text.trim_end()),
                summary: generated.summary(),
                blueprint: generated.model_json(),
                trace: outcome.trace.iter().map(TraceReply::of).collect(),
                metadata: Metadata {
                    validated: generated.validated(),
                    written: match outcome.written {
                        Author::Model => "model",
                        Author::Builtin => "builtin",
                        Author::Fallback => "fallback",
                    },
                    retry_count: outcome.retry_count,
                    validator: generated.validator.to_json(),
                    repairs: outcome.repairs.clone(),
                    findings: as_json(&outcome.findings),
                    provider: generated.provider.clone(),
                    model: generated.model.clone(),
                    usage: UsageReply {
                        input_tokens: generated.usage.input_tokens,
                        output_tokens: generated.usage.output_tokens,
                        cost_usd: generated.usage.cost_micro_usd.map(|micro| micro as f64 / 1e6),
                    },
                    duration_ms: u64::try_from(generated.duration.as_millis()).unwrap_or(u64::MAX),
                    generation_id: generated.generation_id.clone(),
                    diagram_id: generated.diagram_id.clone(),
                    warning: outcome.warning.clone(),
                    errors: outcome.errors.clone(),
                    notes: outcome.notes.clone(),
                    note: (!notes.is_empty()).then(|| notes.join(" ")),
                },
            },
        }
    }
}

impl TraceReply {
    fn of(entry: &TraceEntry) -> Self {
        TraceReply {
            element: entry.element.clone(),
            requirement: entry.requirement,
            start: entry.start,
            end: entry.end,
            text: entry.text.clone(),
        }
    }
}

/// Turn requirements into a diagram
///
/// The diagram is checked by Mermaid's own parser before it is called valid. A model writes it if one is configured or
/// chosen, else the built-in drafter. With `Accept: text/event-stream` the answer is a stream of `status`, `delta`,
/// `finding`, `repair`, `usage` events that ends with one `result` or one `error`. With `Prefer: respond-async` the answer comes at once and
/// is a job; the diagram is written afterwards, also if this server is ended meanwhile and another one goes on.
#[utoipa::path(
    post,
    path = "/api/v1/generate/{diagram}",
    operation_id = "generate_diagram",
    tag = "generate",
    params(
        ("diagram" = String, Path, description = "`class-diagram`, `usecase-diagram` or `activity-diagram`", example = "class-diagram"),
        ("X-AI-Provider" = Option<String>, Header, description = "As `provider` in the body, which wins"),
        ("X-AI-Model" = Option<String>, Header, description = "As `model` in the body, which wins"),
        ("X-AI-API-Key" = Option<String>, Header, description = "A key for this one request; never stored, never logged"),
        ("Prefer" = Option<String>, Header, description = "`respond-async`: answer at once with a job, and write the diagram afterwards", example = "wait=60"),
    ),
    request_body = GenerateBody,
    responses(
        (status = 200, description = "The diagram", body = GenerateReply),
        (status = 202, description = "It will be written; the job says how far it is", body = JobReply, headers(("Location" = String, description = "Address of the job"))),
        crate::Problems,
        (status = 502, description = "The model failed and `fallback` was false", body = crate::Problem, content_type = "application/problem+json"),
        (status = 504, description = "The model took too long and `fallback` was false", body = crate::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn generate_diagram(
    State(shared): State<Shared>,
    caller: Caller,
    Path(diagram): Path<String>,
    headers: HeaderMap,
    Body(body): Body<GenerateBody>,
) -> Result<Response, Pending> {
    let Some(kind) = blueprint::KINDS.iter().find(|row| row.slug == diagram).map(|row| row.kind) else {
        let known: Vec<&str> = blueprint::KINDS.iter().map(|row| row.slug).collect();
        return Err(Pending::new(
            StatusCode::NOT_FOUND,
            "no_such_kind",
            format!(
                "This version draws {}; there is no `{}` here.",
                known.join(", "),
                diagram.chars().take(60).collect::<String>()
            ),
        ));
    };
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let request = Request {
        kind,
        message: body.message,
        project_id: body.project_id,
        content_id: body.content_id,
        provider: body.provider.or_else(|| header("x-ai-provider")).map(|name| name.to_lowercase()),
        model: body.model.or_else(|| header("x-ai-model")),
        key: header("x-ai-api-key").map(SecretString::from),
        fallback: body.fallback,
    };
    let streams = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if prefers_async(&headers) {
        let job = jobs::create_job(&shared.app, &caller, &request).await?;
        let location = format!("/api/v1/jobs/{}", job.job.id);
        let headers = [(header::LOCATION, location), (PREFERENCE_APPLIED, "respond-async".to_owned())];
        return Ok((StatusCode::ACCEPTED, headers, Json(JobReply::of(job))).into_response());
    }
    if streams {
        return Ok(stream_events(shared, caller, request).into_response());
    }
    let generated = generate::generate_diagram(&shared.app, &caller, request, None).await?;
    Ok(Json(GenerateReply::of(&generated)).into_response())
}

/// `Prefer: respond-async` (RFC 7240): answer at once, and go on afterwards.
fn prefers_async(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

fn stream_events(
    shared: Shared,
    caller: Caller,
    request: Request,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    let (watcher, events) = mpsc::unbounded_channel();
    let (finish, finished) = oneshot::channel();
    let generating = async move {
        let result = generate::generate_diagram(&shared.app, &caller, request, Some(watcher)).await;
        // The reader may have gone away.
        let _ = finish.send(result);
    };
    // Goes on when the reader goes away: what was paid for is kept.
    tokio::spawn(cpu_pool::on_same_behalf(trace::in_current_trace(generating)).in_current_span());
    let during =
        stream::unfold(events, |mut events| async move { events.recv().await.map(|event| (event, events)) })
            .map(|event| named_event(&event));
    let end = stream::once(async move {
        match finished.await {
            Ok(Ok(generated)) => sse("result", &GenerateReply::of(&generated)),
            Ok(Err(error)) => sse("error", &json!({"code": error.code(), "detail": shown(&error)})),
            Err(_) => {
                sse("error", &json!({"code": "internal", "detail": "The generation ended early. Try again."}))
            }
        }
    });
    Sse::new(during.chain(end).map(Ok)).keep_alive(KeepAlive::default())
}

fn shown(error: &Error) -> String {
    match error {
        Error::Internal(_) => "Something went wrong here. Try again; if it stays so, report it.".to_owned(),
        other => other.to_string(),
    }
}

fn named_event(event: &Event) -> SseEvent {
    match event {
        Event::Status(stage) => sse("status", &json!({"stage": stage})),
        Event::Delta(text) => sse("delta", &json!({"text": text})),
        Event::Finding(finding) => sse("finding", finding),
        Event::Repair(message) => sse("repair", &json!({"message": message})),
        Event::Usage { usage, unknown } => {
            let cost_usd = usage.cost_micro_usd.map(|micro| micro as f64 / 1e6);
            sse(
                "usage",
                &json!({"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost_usd": cost_usd, "unknown": unknown}),
            )
        }
    }
}

fn sse(name: &str, data: &impl Serialize) -> SseEvent {
    SseEvent::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
