//! The common check of a response: requested as a whole and as a stream, and formatted as one line.

use std::time::Duration;

use llm::ProviderId::{self, OpenAi, OpenRouter};
use llm::{Endpoint, Limits, Llm, LlmError, Question, Usage};
use serde_json::json;

use crate::server::{Act, Request, Server, events};

pub(crate) fn limits() -> Limits {
    Limits {
        attempts: 3,
        backoff_base: Duration::from_millis(1),
        backoff_max: Duration::from_millis(50),
        max_reply_bytes: 64 * 1024,
        // Far longer than any row takes: a missing limit fails here instead of hanging.
        total: Duration::from_secs(20),
        ..Limits::default()
    }
}

pub(crate) fn endpoint(provider: ProviderId, server: &Server) -> Endpoint {
    let model = match provider {
        OpenRouter => "qwen/qwen3-max",
        OpenAi => "gpt-4o-mini",
        _ => provider.row().default_model,
    };
    Endpoint::new(provider)
        .with_model(model)
        .with_key("sk-test".to_owned().into())
        .with_base_url(format!("{}/v1", server.url))
}

pub(crate) fn structured() -> Question {
    Question::new("Be brief.", "Is it well?").with_schema(
        "verdict",
        json!({
            "type": "object", "properties": {"ok": {"type": "boolean"}},
            "required": ["ok"], "additionalProperties": false
        }),
    )
}

/// Formats a result as one line: `text | read/written cost | requests`, or the error in place of the text.
fn outcome_line(result: &Result<llm::Answer, LlmError>, requests: usize) -> String {
    let spent = |usage: Usage| match (usage.input_tokens, usage.output_tokens, usage.cost_micro_usd) {
        (0, 0, None) => String::new(),
        (read, written, None) => format!(" | {read}/{written}"),
        (read, written, Some(cost)) => format!(" | {read}/{written} {cost}µ$"),
    };
    match result {
        Ok(answer) => {
            assert_eq!(answer.attempts as usize, requests);
            let form = if answer.structured { "structured " } else { "" };
            format!("{form}{}{} | {requests}", answer.text, spent(answer.usage))
        }
        Err(error) => {
            let kind = match error {
                LlmError::Retry { after, status, .. } => format!("Retry {status} {after:?}"),
                LlmError::Unavailable { why, .. } => format!("Unavailable {why:?}"),
                LlmError::TimedOut { limit } => format!("TimedOut {limit:?}"),
                LlmError::Refused { why, .. } => format!("Refused {why:?}"),
                LlmError::BadReply { what, .. } => format!("BadReply {what:?}"),
                LlmError::Misconfigured { what, .. } => format!("Misconfigured {what:?}"),
            };
            format!("{kind}{} | {requests}", spent(error.usage()))
        }
    }
}

/// Sends the question with and without streaming; both results must be equal.
#[track_caller]
pub(crate) fn check(provider: ProviderId, question: &Question, acts: &[Act], expected: &str) -> Vec<Request> {
    check_both(provider, question, acts, expected, expected)
}

/// Like `check`, with a different result of the stream after the first delta.
#[track_caller]
pub(crate) fn check_both(
    provider: ProviderId,
    question: &Question,
    acts: &[Act],
    expected: &str,
    expected_stream: &str,
) -> Vec<Request> {
    let run = async {
        let llm = Llm::new(limits()).expect("client");

        let server = Server::start(acts.to_vec()).await;
        let result = llm.ask(&endpoint(provider, &server), question).await;
        let whole = outcome_line(&result, server.requests().len());

        let server = Server::start(acts.to_vec()).await;
        let mut words = String::new();
        let result =
            llm.ask_streaming(&endpoint(provider, &server), question, |piece| words.push_str(piece)).await;
        let stream = outcome_line(&result, server.requests().len());
        if let Ok(answer) = &result {
            assert!(words.contains(&answer.text), "{words:?} has not {:?}", answer.text);
        }
        (whole, stream, server.requests())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let (whole, stream, requests) = runtime.block_on(run);
    assert_eq!(whole, expected, "without streaming");
    assert_eq!(stream, expected_stream, "with streaming");
    requests
}

pub(crate) fn plain() -> Question {
    Question::new("Be brief.", "Greet the world.")
}

pub(crate) fn with_text(recorded: &str, text: &str) -> Act {
    let quoted = serde_json::to_string(text).expect("JSON");
    events(&recorded.replace("\"Hello\"", &quoted).replace("\", world\"", "\"\""))
}

pub(crate) fn stopped(recorded: &str, usual: &str, word: &str) -> Act {
    events(&recorded.replace(&format!("\"{usual}\""), &format!("\"{word}\"")))
}
