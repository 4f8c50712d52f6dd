//! Attributes of trace spans for generations: kind, result, model, tokens. Never the text of a question or an answer.

use blueprint::Kind;
use llm::{Answer, Endpoint, LlmError, ProviderId, Question};
use store::{Backend, Store};

use crate::session::{Author, Outcome};
use crate::{Error, check::Validator};
use telemetry::trace::{self, Span};

pub(crate) fn set_generation(span: &mut Span, kind: Kind, result: &Result<(Outcome, Validator), Error>) {
    span.set_attribute("diagram.kind", kind.row().id);
    match result {
        Ok((outcome, by)) => {
            let author = match outcome.written {
                Author::Model => "model",
                Author::Builtin => "builtin",
                Author::Fallback => "fallback",
            };
            span.set_attribute("generation.written", author);
            span.set_attribute("generation.retry_count", i64::from(outcome.retry_count));
            span.set_attribute("generation.validated", outcome.checked.validated());
            span.set_attribute("generation.checked", by.mode);
        }
        Err(error) => span.set_error(error.code()),
    }
}

/// By the OpenTelemetry conventions for generative AI.
pub(crate) fn set_question(
    span: &mut Span,
    endpoint: &Endpoint,
    question: &Question,
    answer: &Result<Answer, LlmError>,
) {
    if !span.is_recording() {
        return;
    }
    span.set_attribute("gen_ai.operation.name", "chat");
    span.set_attribute(
        "gen_ai.provider.name",
        match endpoint.provider {
            ProviderId::Gemini => "gcp.gemini",
            other => other.name(),
        },
    );
    if let Some(model) = name_of_model(endpoint) {
        span.rename(|| format!("chat {model}"));
        span.set_attribute("gen_ai.request.model", model.to_owned());
    }
    span.set_attribute("gen_ai.request.max_tokens", i64::from(question.max_output_tokens));
    let usage = match answer {
        Ok(answer) => answer.usage,
        Err(error) => {
            span.set_error(error.code());
            error.usage()
        }
    };
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    span.set_attribute("gen_ai.usage.input_tokens", count(usage.input_tokens));
    span.set_attribute("gen_ai.usage.output_tokens", count(usage.output_tokens));
}

/// The name of the model, if it looks like one: a caller may send any text, also personal data.
fn name_of_model(endpoint: &Endpoint) -> Option<&str> {
    let model = endpoint.model.as_str();
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@+~".contains(&b);
    let is_address = model.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    (!model.is_empty() && model.len() <= 200 && model.bytes().all(usual) && !is_address).then_some(model)
}

/// A database transaction, named after the function of the store.
pub(crate) fn database(store: &Store, operation: &'static str) -> Span {
    let mut span = Span::child(trace::Kind::Client, operation);
    span.set_attribute("db.operation.name", operation);
    span.set_attribute(
        "db.system.name",
        match store.backend() {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgresql",
        },
    );
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_not_a_model_name() {
        for (model, expected) in [
            ("gpt-5", Some("gpt-5")),
            ("openai/gpt-5", Some("openai/gpt-5")),
            ("claude-4@20260101", Some("claude-4@20260101")),
            ("@cf/meta/llama-3.1", Some("@cf/meta/llama-3.1")),
            ("ada@example.com", None),
            ("what Ada needs", None),
        ] {
            let endpoint =
                Endpoint::new(ProviderId::Compatible).with_base_url("http://127.0.0.1/v1").with_model(model);
            assert_eq!(name_of_model(&endpoint), expected);
        }
    }
}
