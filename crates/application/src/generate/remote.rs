//! Diagrams that another process writes (AI_SERVICE_URL): this one decides who may, pays, checks what came, and keeps it.
//!
//! What came is believed in nothing that matters: the text is checked here, and whoever calls a text valid that is not is asked no more
//! for this diagram. Where there is no answer, this process writes the diagram itself.

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
    check::{self, Judged, Validator},
    remote::generator::{self, Asked, RemoteError, RemoteGenerator, Reply},
    session::{Outcome, Session, Settings, Step, Written},
};

/// What models say when they fail, by the names that the API has for it.
const MODEL_CODES: [&str; 6] =
    ["llm_busy", "llm_unavailable", "llm_timed_out", "llm_refused", "llm_bad_reply", "llm_misconfigured"];

/// What is to be written, and who pays.
pub(crate) struct Order<'a> {
    pub(crate) app: &'a App,
    pub(crate) request: &'a Request,
    pub(crate) settings: Settings,
    pub(crate) message: &'a str,
    pub(crate) endpoint: Option<&'a Endpoint>,
    pub(crate) budget: &'a BudgetGuard<'a>,
    pub(crate) watcher: &'a Watcher,
}

/// The diagram as the other process wrote it, or why a model could not; `None` if this process has to write it, which may cost again
/// what the other one asked for nothing.
pub(crate) async fn generate(
    order: &Order<'_>,
    took: &mut MeteredUsage,
) -> Option<Result<(Outcome, Validator), Error>> {
    let remote = order.app.generator.as_ref().filter(|_| !order.app.scripted)?;
    let answer = ask(order, remote, took).await?;
    match answer {
        Ok(reply) => match believe(order, reply).await {
            Ok(Some(outcome)) => Some(Ok(outcome)),
            Ok(None) => {
                tracing::warn!(
                    "The AI service answered with a diagram that does not hold; generating in this process"
                );
                None
            }
            Err(error) => Some(Err(error)),
        },
        // Where a draft will do, there is one, also if the other process has none.
        Err(RemoteError::Said { .. }) if order.settings.fallback => None,
        Err(RemoteError::Said { code, detail }) => {
            let code = MODEL_CODES.iter().find(|known| **known == code)?;
            Some(Err(Error::Model { code, message: detail }))
        }
        Err(_) => None,
    }
}

/// Pays and asks; `None` where nobody is asked: the service is away, or a budget has room for one question and perhaps not for all
/// that may be asked, which this process asks one after the other.
async fn ask(
    order: &Order<'_>,
    remote: &RemoteGenerator,
    took: &mut MeteredUsage,
) -> Option<Result<Reply, RemoteError>> {
    let mut told_of = MeteredUsage::default();
    let mut told = |name: &str, data: Value| {
        if name == "usage" {
            told_of = told_of.and(read_usage(&data));
        }
        tell(order.watcher, name, data);
    };
    let asked = Asked {
        slug: order.request.kind.row().slug,
        message: order.message,
        endpoint: order.endpoint,
        fallback: order.settings.fallback,
    };
    let Some(endpoint) = order.endpoint else { return Some(remote.generate(asked, &mut told).await) };
    if remote.is_away() {
        return None;
    }
    let held = order.budget.reserve(endpoint, &all_questions(order)).await.ok()?;
    let answer = remote.generate(asked, &mut told).await;
    if let (Ok(reply), true) = (&answer, told_of == MeteredUsage::default()) {
        // Whoever has not told of each question tells of all in the end.
        told_of.usage = read_usage_of(&reply.metadata.usage);
    }
    *took = told_of;
    match &answer {
        Ok(_) | Err(RemoteError::Said { .. }) => {
            held.settle_remote(told_of, times(order)).await;
        }
        Err(error) if !error.may_have_cost() => {
            let nobody_was_asked = LlmError::Unavailable { why: llm::Outage::NoConnection };
            held.settle(&Err(nobody_was_asked)).await;
        }
        // It ended in the middle, and nobody will ever say what it had asked by then.
        Err(_) => {
            held.settle(&Err(LlmError::Unavailable { why: llm::Outage::ConnectionLost })).await;
        }
    }
    Some(answer)
}

/// What an event says that a question took. What cannot be read is a question of which nobody knows.
fn read_usage(data: &Value) -> MeteredUsage {
    let number = |name: &str| data[name].as_u64();
    let (Some(input_tokens), Some(output_tokens), Some(unknown)) =
        (number("input_tokens"), number("output_tokens"), number("unknown"))
    else {
        return MeteredUsage { usage: Usage::default(), unknown: 1 };
    };
    let said = generator::Usage { input_tokens, output_tokens, cost_usd: data["cost_usd"].as_f64() };
    MeteredUsage { usage: read_usage_of(&said), unknown: u32::try_from(unknown).unwrap_or(u32::MAX) }
}

fn read_usage_of(said: &generator::Usage) -> Usage {
    let cost = said.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0);
    Usage {
        input_tokens: said.input_tokens,
        output_tokens: said.output_tokens,
        cost_micro_usd: cost.map(|cost| (cost * 1e6).round() as u64),
    }
}

/// How many questions the other process asks at most.
fn times(order: &Order<'_>) -> u32 {
    order.settings.max_retries.saturating_add(1)
}

/// As much as the other process may ask at most, as one question.
fn all_questions(order: &Order<'_>) -> Question {
    let times = times(order);
    let (_, step) = Session::start(order.settings.clone(), order.message);
    let first = match step {
        Step::Ask(prompt) => {
            let schema = prompt.schema.map(|schema| schema.to_string()).unwrap_or_default();
            format!("{}{}{schema}", prompt.system, prompt.turns.concat())
        }
        _ => String::new(),
    };
    let mut question = Question::new(first.repeat(times as usize), "");
    let most = order.app.config.model.max_output_tokens;
    // What was answered before is part of what is asked again.
    question.max_output_tokens = most.saturating_mul(times).saturating_add(most.saturating_mul(times - 1));
    question
}

fn tell(watcher: &Watcher, name: &str, data: Value) {
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
        // Whoever watched may have gone away; the generation goes on and is kept.
        let _ = watcher.send(event);
    }
}

/// What holds of what came; `None` if something in it does not.
async fn believe(order: &Order<'_>, reply: Reply) -> Result<Option<(Outcome, Validator)>, Error> {
    let Some(text) = reply.text().filter(|text| !text.trim().is_empty()).map(str::to_owned) else {
        return Ok(None);
    };
    let Judged { checked, by } = check::check_code(order.app, text.clone(), Engine::Mermaid).await?;
    // What is not valid is not even kept here; whoever calls it valid has not checked it.
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
        "builtin" => Written::Builtin,
        "fallback" => Written::Fallback,
        _ => Written::Model,
    };
    let outcome = Outcome {
        text,
        findings: checked.findings.clone(),
        checked,
        blueprint,
        elements,
        // Words that are not there would be marked in the wrong place.
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

/// What the text means: as the other process says, if that is this text's meaning, else what can be read from the text itself.
fn read_blueprint(order: &Order<'_>, said: Value, text: &str) -> Option<Blueprint> {
    let kind = order.request.kind;
    let said: Option<Blueprint> =
        serde_json::from_value(said).ok().filter(|said: &Blueprint| said.kind() == kind);
    if let Some(said) = &said
        && blueprint::compile(said, Target::Portable).text == text
    {
        return Some(said.clone());
    }
    blueprint::read(kind, &mermend::outline(text)?)
}
