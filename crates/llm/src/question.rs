//! The types of a question and its answer, and its limits.
//!
//! Plain data. Start reading at [`Llm::ask`](crate::Llm::ask).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::providers::ProviderId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user, or the calling program.
    User,
    /// The model.
    Assistant,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub role: Role,
    pub text: String,
}

/// The required form of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Sent to the vendor; `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// JSON Schema; the top level is an object. Bound counts and lengths: a model stops only where it must.
    pub json: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// System instructions; may be empty.
    pub system: String,
    /// The last turn is the user's.
    pub turns: Vec<Turn>,
    /// With a schema, [`Answer::text`] is one JSON document.
    pub schema: Option<Schema>,
    /// Maximum length of the answer in tokens, thinking included.
    pub max_output_tokens: u32,
    /// `None`, or a model that takes none: the vendor's default.
    pub temperature: Option<f32>,
    /// Sent as the header `traceparent`.
    pub traceparent: Option<String>,
}

impl Question {
    /// A question of one turn, 4096 tokens at most, temperature 0.
    pub fn new(system: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            system: system.into(),
            turns: vec![Turn { role: Role::User, text: text.into() }],
            schema: None,
            max_output_tokens: 4096,
            temperature: Some(0.0),
            traceparent: None,
        }
    }

    /// The same question, answered as JSON.
    pub fn with_schema(mut self, name: impl Into<String>, json: serde_json::Value) -> Self {
        self.schema = Some(Schema { name: name.into(), json });
        self
    }
}

/// Limits of one question. Every wait in this crate ends by one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// TCP and TLS hand-shake of one attempt.
    pub connect: Duration,
    /// From sending the question to the end of the reply's header, in one attempt.
    pub first_byte: Duration,
    /// The longest silence inside a reply; bytes that complete no event of the stream count as silence.
    pub between_bytes: Duration,
    /// Everything together: all attempts and the pauses between them.
    pub total: Duration,
    /// Maximum number of attempts when the vendor is busy, fails or is not reached; 0 means 1.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each further one. No jitter is added: a caller with many
    /// concurrent questions varies it.
    pub backoff_base: Duration,
    /// The longest pause. If the vendor requests more (`Retry-After`), the error carries the requested time.
    pub backoff_max: Duration,
    /// Maximum size of the reply text in bytes, thinking included.
    pub max_reply_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            between_bytes: Duration::from_secs(30),
            total: Duration::from_secs(180),
            attempts: 3,
            backoff_base: Duration::from_millis(500),
            backoff_max: Duration::from_secs(20),
            max_reply_bytes: 1024 * 1024,
        }
    }
}

/// Tokens are 0 if the vendor did not report them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens written, a model's thinking included.
    pub output_tokens: u64,
    /// Millionths of a US dollar: the vendor's own figure, else from the table in `price.rs`, else `None`.
    pub cost_micro_usd: Option<u64>,
}

impl Usage {
    /// True if the vendor reported tokens: every question has some.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.input_tokens > 0 || self.output_tokens > 0
    }
}

/// A complete answer; a truncated text is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text, never empty; with a schema one JSON document without fence or comment.
    pub text: String,
    /// True if the vendor enforced the schema; false without a schema, or when the schema was only part of the
    /// prompt. The document must be validated either way.
    pub structured: bool,
    /// Of several attempts only the last reports its tokens.
    pub usage: Usage,
    pub provider: ProviderId,
    pub model: String,
    /// Requests sent, at least 1.
    pub attempts: u32,
    /// Until the last delta, pauses included.
    pub duration: Duration,
}
