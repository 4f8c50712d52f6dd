//! Generation of a diagram from requirements: at once, as a stream of events, or as a job.

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

use super::{extract::Body, jobs::JobReply, reply::as_json};
use crate::{
    http::error::{Problem, ProblemResponse, Problems},
    state::AppState,
};
use application::{
    Error,
    access::Caller,
    check, cpu_pool,
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

/// What to generate, and which model writes it.
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
    /// Id of the project that the diagram belongs to. Default: the default project.
    project_id: Option<String>,
    /// Your own identifier of the source; stored with the diagram.
    content_id: Option<String>,
    /// Accepted for older clients. Has no effect.
    #[expect(dead_code, reason = "part of the contract")]
    document_format: Option<String>,
    /// Reserved for the viewer that must show the diagram. Not supported yet: a request with it is refused.
    target: Option<String>,
    #[schema(schema_with = provider_schema)]
    provider: Option<String>,
    /// Name of the model at the provider. Default: the configured model.
    model: Option<String>,
    /// Whether a model that fails is replaced by the built-in drafter, with a warning. Default: `true`.
    #[serde(default = "yes")]
    #[schema(default = true)]
    fallback: bool,
}

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

fn yes() -> bool {
    true
}

/// A generated diagram.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerateReply {
    /// Always `diagram`.
    #[serde(rename = "type")]
    #[schema(example = "diagram")]
    kind: &'static str,
    /// The diagram.
    response: DiagramReply,
}

/// A diagram and its metadata.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiagramReply {
    /// `class_diagram`, `usecase_diagram` or `activity_diagram`.
    #[serde(rename = "type")]
    #[schema(example = "class_diagram")]
    kind: &'static str,
    /// The diagram as a fenced Mermaid block.
    #[schema(example = "```mermaid\nclassDiagram\n    class Order\n```")]
    detail: String,
    /// One sentence about the content of the diagram.
    summary: String,
    /// The typed model of the diagram.
    #[schema(value_type = Object)]
    blueprint: Value,
    /// The source words of each element. Offsets are UTF-8 bytes of `message`.
    trace: Vec<TraceEntry>,
    /// How the diagram was made.
    metadata: Metadata,
}

/// How a diagram was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metadata {
    /// Whether Mermaid's own parser accepts exactly the text in `detail`.
    #[schema(example = true)]
    validated: bool,
    /// `model`, `builtin` (the built-in drafter), or `fallback` (the built-in drafter, because the model failed).
    #[schema(example = "builtin")]
    written: &'static str,
    /// Number of model calls after the first, 0 to 3.
    #[schema(example = 0)]
    retry_count: u32,
    /// The engine that checked the diagram.
    #[schema(value_type = Object)]
    validator: Value,
    /// The repairs that were applied, in words.
    repairs: Vec<String>,
    /// The remaining findings.
    #[schema(value_type = Vec<Object>)]
    findings: Value,
    /// `builtin` or the name of the provider.
    #[schema(example = "builtin")]
    provider: String,
    /// Name of the model.
    model: String,
    /// Tokens and cost of all model calls.
    usage: UsageReply,
    /// Duration in milliseconds.
    duration_ms: u64,
    /// Id of the generation.
    generation_id: String,
    /// Id of the stored diagram. Absent if it was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagram_id: Option<String>,
    /// What to know before you rely on the diagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// Errors that occurred on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
    /// Assumptions of the drafter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// The notes as one text, with the author if no model wrote the diagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Tokens and cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageReply {
    /// Input tokens of all model calls.
    input_tokens: u64,
    /// Output tokens of all model calls.
    output_tokens: u64,
    /// Cost in US dollars. Absent if the price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
}

impl From<&Generated> for GenerateReply {
    fn from(generated: &Generated) -> Self {
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
                trace: outcome.trace.clone(),
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

/// Generate a diagram from requirements
///
/// `validated` is true only if Mermaid's own parser accepts the diagram. The configured or chosen model writes it;
/// without a model, the built-in drafter does. With `Accept: text/event-stream` the answer is a stream of `status`,
/// `delta`, `finding`, `repair` and `usage` events that ends with one `result` or one `error`. With `Prefer:
/// respond-async` the answer is a job at once; the diagram is written in the background, and another server
/// continues if this one stops.
#[utoipa::path(
    post,
    path = "/api/v1/generate/{diagram}",
    tag = "generate",
    params(
        (
            "diagram" = String,
            Path,
            description = "`class-diagram`, `usecase-diagram` or `activity-diagram`",
            example = "class-diagram",
        ),
        ("X-AI-Provider" = Option<String>, Header, description = "As `provider` in the body, which takes precedence"),
        ("X-AI-Model" = Option<String>, Header, description = "As `model` in the body, which takes precedence"),
        (
            "X-AI-API-Key" = Option<String>,
            Header,
            description = "Provider key for this request only; never stored or logged",
        ),
        (
            "Prefer" = Option<String>,
            Header,
            description = "`respond-async`: answer at once with a job, and write the diagram in the background",
            example = "wait=60",
        ),
    ),
    request_body = GenerateBody,
    responses(
        (status = 200, description = "The diagram", body = GenerateReply),
        (
            status = 202,
            description = "The job that writes the diagram",
            body = JobReply,
            headers(("Location" = String, description = "URL of the job")),
        ),
        Problems,
        (
            status = 502,
            description = "The model failed and `fallback` was false",
            body = Problem,
            content_type = "application/problem+json",
        ),
        (
            status = 504,
            description = "The model took too long and `fallback` was false",
            body = Problem,
            content_type = "application/problem+json",
        ),
    )
)]
pub async fn generate_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    headers: HeaderMap,
    Body(body): Body<GenerateBody>,
) -> Result<Response, ProblemResponse> {
    let Some(kind) = blueprint::KINDS.iter().find(|row| row.slug == diagram).map(|row| row.kind) else {
        let known: Vec<&str> = blueprint::KINDS.iter().map(|row| row.slug).collect();
        return Err(ProblemResponse::new(
            StatusCode::NOT_FOUND,
            "no_such_kind",
            format!(
                "This version draws {}; there is no `{}` here.",
                known.join(", "),
                diagram.chars().take(60).collect::<String>()
            ),
        ));
    };
    check::refuse_target(body.target.as_deref())?;
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
        let job = jobs::create_job(&state.app, &caller, &request).await?;
        let location = format!("/api/v1/jobs/{}", job.job.id);
        let headers = [(header::LOCATION, location), (PREFERENCE_APPLIED, "respond-async".to_owned())];
        return Ok((StatusCode::ACCEPTED, headers, Json(JobReply::from(job))).into_response());
    }
    if streams {
        return Ok(stream_events(state, caller, request).into_response());
    }
    let generated = generate::generate_diagram(&state.app, &caller, request, None).await?;
    Ok(Json(GenerateReply::from(&generated)).into_response())
}

/// Whether the request has `Prefer: respond-async` (RFC 7240).
fn prefers_async(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

fn stream_events(
    state: AppState,
    caller: Caller,
    request: Request,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    let (watcher, events) = mpsc::unbounded_channel();
    let (finish, finished) = oneshot::channel();
    let generating = async move {
        let result = generate::generate_diagram(&state.app, &caller, request, Some(watcher)).await;
        // The reader may have disconnected.
        let _ = finish.send(result);
    };
    // A task of its own: it continues when the reader disconnects, because the model call is paid for.
    tokio::spawn(cpu_pool::on_same_behalf(trace::in_current_trace(generating)).in_current_span());
    let during =
        stream::unfold(events, |mut events| async move { events.recv().await.map(|event| (event, events)) })
            .map(|event| named_event(&event));
    let end = stream::once(async move {
        match finished.await {
            Ok(Ok(generated)) => sse("result", &GenerateReply::from(&generated)),
            Ok(Err(error)) => sse(
                "error",
                &json!({"code": error.code(), "detail": shown(&error), "retry_after_s": error.wait_s()}),
            ),
            Err(_) => {
                sse("error", &json!({"code": "internal", "detail": "The generation ended early. Try again."}))
            }
        }
    });
    Sse::new(during.chain(end).map(Ok)).keep_alive(KeepAlive::default())
}

fn shown(error: &Error) -> String {
    match error {
        Error::Internal(_) => {
            "The request failed because of an internal error. Try again; if the error remains, report it."
                .to_owned()
        }
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
                &json!({
                    "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
                    "cost_usd": cost_usd, "unknown": unknown,
                }),
            )
        }
    }
}

fn sse(name: &str, data: &impl Serialize) -> SseEvent {
    SseEvent::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
