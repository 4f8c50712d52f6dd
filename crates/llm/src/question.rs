//! The words of this crate: what is asked, within which limits, and what comes back.
//!
//! Plain data; nothing here waits, sends or knows a vendor. Start reading at [`Llm::ask`](crate::Llm::ask).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::providers::ProviderId;

/// Who speaks in a [`Turn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person, or the program that asks.
    User,
    /// The model, in an earlier answer.
    Assistant,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
}

/// The form that the answer must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// A name for the vendor, `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// JSON Schema; the top level is an object. Put caps on counts and lengths: a model stops only where it must.
    pub json: serde_json::Value,
}

/// One question: instructions, the conversation so far, and the wanted form of the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Instructions that stand above the conversation; may be empty.
    pub system: String,
    /// The conversation; the last turn is the user's.
    pub turns: Vec<Turn>,
    /// With a schema, [`Answer::text`] is one JSON document.
    pub schema: Option<Schema>,
    /// The longest answer, in tokens, a model's thinking included.
    pub max_output_tokens: u32,
    /// 0.0 for the likeliest words. `None`, or a model that takes none: the vendor's default.
    pub temperature: Option<f32>,
    /// Sent as the header `traceparent`, for servers that tell of their part in a trace; `None` to send none.
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

/// Bounds of one question. Every wait in this crate ends by one of them.
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
    /// How often the question is asked at most when the vendor is busy, fails or is not reached; 0 means 1.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each further one. No jitter is added: the caller who
    /// runs many questions at once gives each its own value.
    pub backoff_base: Duration,
    /// The longest pause. A vendor that asks for more (`Retry-After`) is not asked again; the caller learns the time.
    pub backoff_max: Duration,
    /// The longest reply, in bytes of text, a model's thinking included.
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

/// What an answer took. Tokens are 0 where the vendor did not say.
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
    /// The vendor said how many tokens it counted. Every question has some, so none at all means that it did not.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.input_tokens > 0 || self.output_tokens > 0
    }
}

/// A complete answer. A text that was cut off never becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text, never empty; with a schema one JSON document without fence or comment.
    pub text: String,
    /// True if the vendor itself held the model to the schema; false without a schema, or when the schema was only
    /// part of the prompt. Either way the document still has to be validated.
    pub structured: bool,
    /// What it took. Of several attempts only the last reports its tokens.
    pub usage: Usage,
    /// Who answered.
    pub provider: ProviderId,
    /// The model that was asked.
    pub model: String,
    /// Requests sent, at least 1.
    pub attempts: u32,
    /// From the question to the last word, pauses included.
    pub duration: Duration,
}
