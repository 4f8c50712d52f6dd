//! What spans say of a generation: which kind, how it ended, which model, how many tokens. Never what was asked or answered.

use blueprint::Kind;
use llm::{Answer, Endpoint, LlmError, ProviderId, Question};
use store::{Backend, Store};

use crate::session::{Outcome, Written};
use crate::{Error, check::Validator};
use telemetry::trace::{self, Span};

/// How a generation ended.
pub(crate) fn set_generation(told: &mut Span, kind: Kind, result: &Result<(Outcome, Validator), Error>) {
    told.set("diagram.kind", kind.row().id);
    match result {
        Ok((outcome, by)) => {
            let how = match outcome.written {
                Written::Model => "model",
                Written::Builtin => "builtin",
                Written::Fallback => "fallback",
            };
            told.set("generation.written", how);
            told.set("generation.retry_count", i64::from(outcome.retry_count));
            told.set("generation.validated", outcome.checked.validated());
            told.set("generation.checked", by.mode);
        }
        Err(error) => told.fail(error.code()),
    }
}

/// A question to a model and what it took, by the conventions for generative models.
pub(crate) fn set_question(
    told: &mut Span,
    endpoint: &Endpoint,
    question: &Question,
    answer: &Result<Answer, LlmError>,
) {
    if !told.is_told() {
        return;
    }
    told.set("gen_ai.operation.name", "chat");
    told.set(
        "gen_ai.provider.name",
        match endpoint.provider {
            ProviderId::Gemini => "gcp.gemini",
            other => other.name(),
        },
    );
    if let Some(model) = name_of_model(endpoint) {
        told.rename(|| format!("chat {model}"));
        told.set("gen_ai.request.model", model.to_owned());
    }
    told.set("gen_ai.request.max_tokens", i64::from(question.max_output_tokens));
    let usage = match answer {
        Ok(answer) => answer.usage,
        Err(error) => {
            told.fail(error.code());
            error.usage()
        }
    };
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    told.set("gen_ai.usage.input_tokens", count(usage.input_tokens));
    told.set("gen_ai.usage.output_tokens", count(usage.output_tokens));
}

/// The name of the model, if it is one. Whoever calls may write anything there, also an address of somebody.
fn name_of_model(endpoint: &Endpoint) -> Option<&str> {
    let model = endpoint.model.as_str();
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@+~".contains(&b);
    let is_address = model.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    (!model.is_empty() && model.len() <= 200 && model.bytes().all(usual) && !is_address).then_some(model)
}

/// A transaction, called as the store calls it.
pub(crate) fn database(store: &Store, operation: &'static str) -> Span {
    let mut told = Span::part(trace::Kind::Client, operation);
    told.set("db.operation.name", operation);
    told.set(
        "db.system.name",
        match store.backend() {
            Backend::Sqlite => "sqlite",
            Backend::Postgres => "postgresql",
        },
    );
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_name_of_a_model() {
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
