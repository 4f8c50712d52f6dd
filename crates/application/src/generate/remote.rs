//! Generation by another process (AI_SERVICE_URL). This process authorizes, reserves the budget, validates the reply
//! and stores it.
//!
//! The reply is not trusted: the text is checked here, and after a wrong verdict the service is not used for this
//! diagram. Without a usable reply, this process generates the diagram itself.

use blueprint::{Blueprint, Target};
use llm::{Endpoint, LlmError, Question, Usage};
use mermend::Engine;
use serde_json::Value;

use super::{
    budget_guard::{BudgetGuard, MeteredUsage},
    request::{Event, Request, Watcher},
};
use crate::{
    Error,
    app::App,
    check::{self, CheckResult, Validator},
    remote::generator::{self, GenerateRequest, RemoteError, RemoteGenerator, Reply},
    session::{Author, Outcome, Session, Settings, Step},
};

/// Error codes of the API for failures of a model.
const MODEL_CODES: [&str; 6] =
    ["llm_busy", "llm_unavailable", "llm_timed_out", "llm_refused", "llm_bad_reply", "llm_misconfigured"];

pub(crate) struct RemoteRequest<'a> {
    pub(crate) app: &'a App,
    pub(crate) request: &'a Request,
    pub(crate) settings: Settings,
    pub(crate) message: &'a str,
    pub(crate) endpoint: Option<&'a Endpoint>,
    pub(crate) budget: &'a BudgetGuard<'a>,
    pub(crate) watcher: &'a Watcher,
}

/// The diagram of the other process, or the failure of its model; `None` if this process has to generate it, which
/// may cost again.
pub(crate) async fn generate(
    order: &RemoteRequest<'_>,
    metered: &mut MeteredUsage,
) -> Option<Result<(Outcome, Validator), Error>> {
    let remote = order.app.generator.as_ref().filter(|_| !order.app.scripted)?;
    let answer = request_generation(order, remote, metered).await?;
    match answer {
        Ok(reply) => match validate_reply(order, reply).await {
            Ok(Some(outcome)) => Some(Ok(outcome)),
            Ok(None) => {
                tracing::warn!("The AI service returned an invalid diagram; generating in this process");
                None
            }
            Err(error) => Some(Err(error)),
        },
        // The caller accepts a draft, so this process writes one.
        Err(RemoteError::Said { .. }) if order.settings.fallback => None,
        Err(RemoteError::Said { code, detail, wait_s }) => {
            let code = MODEL_CODES.iter().find(|known| **known == code)?;
            Some(Err(Error::ModelFailed { code, message: detail, wait_s }))
        }
        Err(_) => None,
    }
}

/// Reserves the budget and asks; `None` if the service is not asked: it is unavailable, or the budget covers one
/// question and perhaps not all, which this process asks one by one.
async fn request_generation(
    order: &RemoteRequest<'_>,
    remote: &RemoteGenerator,
    metered: &mut MeteredUsage,
) -> Option<Result<Reply, RemoteError>> {
    let mut reported = MeteredUsage::default();
    let mut on_event = |name: &str, data: Value| {
        if name == "usage" {
            reported = reported.and(read_usage(&data));
        }
        forward_event(order.watcher, name, data);
    };
    let asked = GenerateRequest {
        slug: order.request.kind.row().slug,
        message: order.message,
        endpoint: order.endpoint,
        fallback: order.settings.fallback,
    };
    let Some(endpoint) = order.endpoint else { return Some(remote.generate(asked, &mut on_event).await) };
    if remote.is_away() {
        return None;
    }
    let held = order.budget.reserve(endpoint, &all_questions(order)).await.ok()?;
    let answer = remote.generate(asked, &mut on_event).await;
    if let (Ok(reply), true) = (&answer, reported == MeteredUsage::default()) {
        // Older services report the usage only in the reply.
        reported.usage = read_usage_of(&reply.metadata.usage);
    }
    *metered = reported;
    match &answer {
        Ok(_) | Err(RemoteError::Said { .. }) => {
            held.settle_remote(reported, max_questions(order)).await;
        }
        Err(error) if !error.may_have_cost() => {
            held.settle(&Err(unavailable(llm::Outage::NoConnection))).await;
        }
        // The connection broke: the number of asked questions is unknown.
        Err(_) => {
            held.settle(&Err(unavailable(llm::Outage::ConnectionLost))).await;
        }
    }
    Some(answer)
}

fn unavailable(why: llm::Outage) -> LlmError {
    LlmError::Unavailable { why, reason: llm::Reason::default() }
}

/// Usage in an event. An unreadable one is a question with unknown usage.
fn read_usage(data: &Value) -> MeteredUsage {
    let number = |name: &str| data[name].as_u64();
    let (Some(input_tokens), Some(output_tokens), Some(unknown)) =
        (number("input_tokens"), number("output_tokens"), number("unknown"))
    else {
        return MeteredUsage { usage: Usage::default(), unknown: 1 };
    };
    let usage = generator::Usage { input_tokens, output_tokens, cost_usd: data["cost_usd"].as_f64() };
    MeteredUsage { usage: read_usage_of(&usage), unknown: u32::try_from(unknown).unwrap_or(u32::MAX) }
}

fn read_usage_of(usage: &generator::Usage) -> Usage {
    let cost = usage.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0);
    Usage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cost_micro_usd: cost.map(|cost| (cost * 1e6).round() as u64),
    }
}

/// Highest number of questions that the other process may ask.
fn max_questions(order: &RemoteRequest<'_>) -> u32 {
    order.settings.max_retries.saturating_add(1)
}

/// Upper bound of all questions of the other process, as one question.
fn all_questions(order: &RemoteRequest<'_>) -> Question {
    let max_questions = max_questions(order);
    let (_, step) = Session::start(order.settings.clone(), order.message);
    let first = match step {
        Step::Ask(prompt) => {
            let schema = prompt.schema.map(|schema| schema.to_string()).unwrap_or_default();
            format!("{}{}{schema}", prompt.system, prompt.turns.concat())
        }
        _ => String::new(),
    };
    let mut question = Question::new(first.repeat(max_questions as usize), "");
    let most = order.app.config.model.max_output_tokens;
    // Earlier answers are part of the next question.
    question.max_output_tokens =
        most.saturating_mul(max_questions).saturating_add(most.saturating_mul(max_questions - 1));
    question
}

fn forward_event(watcher: &Watcher, name: &str, data: Value) {
    let Some(watcher) = watcher else { return };
    let event = match name {
        "status" => ["asking", "checking", "repairing", "drafting"]
            .into_iter()
            .find(|known| data["stage"] == **known)
            .map(Event::Status),
        "delta" => data["text"].as_str().map(|text| Event::Delta(text.to_owned())),
        "finding" => Some(Event::Finding(data)),
        "repair" => data["message"].as_str().map(|message| Event::Repair(message.to_owned())),
        "usage" => {
            let MeteredUsage { usage, unknown } = read_usage(&data);
            Some(Event::Usage { usage, unknown })
        }
        _ => None,
    };
    if let Some(event) = event {
        // The client may have disconnected; the generation continues and is stored.
        let _ = watcher.send(event);
    }
}

/// Checks a reply; `None` if a part of it is wrong.
async fn validate_reply(
    order: &RemoteRequest<'_>,
    reply: Reply,
) -> Result<Option<(Outcome, Validator)>, Error> {
    let Some(text) = reply.text().filter(|text| !text.trim().is_empty()).map(str::to_owned) else {
        return Ok(None);
    };
    let CheckResult { checked, by } = check::check_code(order.app, text.clone(), Engine::Mermaid).await?;
    // An invalid diagram is not stored; a service that reports it as valid has not checked it.
    if !checked.valid || reply.metadata.validated && !checked.validated() {
        return Ok(None);
    }
    let blueprint = read_blueprint(order, reply.blueprint, &text);
    let elements = blueprint
        .as_ref()
        .map(|found| blueprint::compile(found, Target::Portable).elements)
        .unwrap_or_default();
    let is_quoted = |entry: &crate::session::TraceEntry| {
        order.message.get(entry.start..entry.end) == Some(entry.text.as_str())
    };
    let written = match reply.metadata.written.as_str() {
        "builtin" => Author::Builtin,
        "fallback" => Author::Fallback,
        _ => Author::Model,
    };
    let outcome = Outcome {
        text,
        findings: checked.findings.clone(),
        checked,
        blueprint,
        elements,
        // A quote that is not in the text would be highlighted in the wrong place.
        trace: reply.trace.into_iter().filter(is_quoted).collect(),
        repairs: reply.metadata.repairs,
        retry_count: reply.metadata.retry_count.min(order.settings.max_retries),
        written,
        warning: reply.metadata.warning,
        errors: reply.metadata.errors,
        notes: reply.metadata.notes,
    };
    Ok(Some((outcome, by)))
}

/// The reported blueprint if it compiles to this text, else the one parsed from the text.
fn read_blueprint(order: &RemoteRequest<'_>, blueprint: Value, text: &str) -> Option<Blueprint> {
    let kind = order.request.kind;
    let reported: Option<Blueprint> =
        serde_json::from_value(blueprint).ok().filter(|it: &Blueprint| it.kind() == kind);
    if let Some(reported) = &reported
        && blueprint::compile(reported, Target::Portable).text == text
    {
        return Some(reported.clone());
    }
    blueprint::read(kind, &mermend::outline(text)?)
}
