//! The request to each vendor: address, headers and JSON.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::dialect::{Dialect, LengthName};
use crate::endpoint::Endpoint;
use crate::error::LlmError;
use crate::providers::Protocol;
use crate::question::{Question, Role};

/// The version of Anthropic's messages that this crate reads.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Whom to ask, after all checks.
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    /// Ends in `/`.
    pub(crate) base_url: String,
    pub(crate) model: String,
    pub(crate) key: Option<SecretString>,
}

impl Target {
    pub(crate) fn new(endpoint: &Endpoint) -> Result<Self, LlmError> {
        Ok(Self {
            protocol: endpoint.provider.row().protocol,
            base_url: endpoint.checked_base_url()?,
            model: endpoint.checked_model()?.to_owned(),
            key: endpoint.key_text()?.map(SecretString::from),
        })
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.expose_secret().trim())
    }

    pub(crate) fn url(&self, dialect: &Dialect) -> String {
        let base = &self.base_url;
        match self.protocol {
            Protocol::Anthropic => format!("{base}messages"),
            Protocol::Gemini if dialect.streamed => {
                format!("{base}models/{}:streamGenerateContent?alt=sse", self.model)
            }
            Protocol::Gemini => format!("{base}models/{}:generateContent", self.model),
            Protocol::ChatCompletions | Protocol::OpenRouter | Protocol::Scripted => {
                format!("{base}chat/completions")
            }
        }
    }

    pub(crate) fn headers(&self, question: &Question) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        // A compressed stream arrives late, and a compressed document gains nothing.
        headers.push(("accept-encoding", "identity".to_owned()));
        headers.extend(question.traceparent.clone().map(|trace| ("traceparent", trace)));
        headers.extend(self.key().map(|key| match self.protocol {
            Protocol::Anthropic => ("x-api-key", key.to_owned()),
            Protocol::Gemini => ("x-goog-api-key", key.to_owned()),
            _ => ("authorization", format!("Bearer {key}")),
        }));
        if self.protocol == Protocol::Anthropic {
            headers.push(("anthropic-version", ANTHROPIC_VERSION.to_owned()));
        }
        headers
    }

    pub(crate) fn body(&self, question: &Question, dialect: &Dialect) -> Value {
        match self.protocol {
            Protocol::Anthropic => self.anthropic(question, dialect),
            Protocol::Gemini => gemini(question, dialect),
            Protocol::ChatCompletions | Protocol::OpenRouter | Protocol::Scripted => {
                self.chat(question, dialect)
            }
        }
    }

    fn chat(&self, question: &Question, dialect: &Dialect) -> Value {
        let system = system(question, dialect);
        let system = (!system.is_empty()).then(|| json!({"role": "system", "content": system}));
        let messages: Vec<Value> = system.into_iter().chain(messages(question)).collect();
        let mut body = json!({"model": self.model, "stream": dialect.streamed, "messages": messages});
        if dialect.streamed && dialect.stream_options {
            body["stream_options"] = json!({"include_usage": true});
        }
        let length = dialect.output_tokens(question);
        match dialect.length_name {
            LengthName::MaxTokens => body["max_tokens"] = json!(length),
            LengthName::MaxCompletionTokens => body["max_completion_tokens"] = json!(length),
            LengthName::None => {}
        }
        if let Some(temperature) = temperature(question, dialect) {
            body["temperature"] = json!(temperature);
        }
        if let Some(schema) = question.schema.as_ref().filter(|_| dialect.structured) {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": schema.name, "strict": true, "schema": schema.json},
            });
        }
        body
    }

    fn anthropic(&self, question: &Question, dialect: &Dialect) -> Value {
        let messages: Vec<Value> = messages(question).collect();
        let mut body = json!({
            "model": self.model,
            "stream": dialect.streamed,
            "max_tokens": dialect.output_tokens(question),
            "messages": messages,
        });
        let system = system(question, dialect);
        if !system.is_empty() {
            body["system"] = json!(system);
        }
        if let Some(temperature) = temperature(question, dialect) {
            body["temperature"] = json!(temperature);
        }
        if let Some(schema) = question.schema.as_ref().filter(|_| dialect.structured) {
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema.json}});
        }
        body
    }
}

fn gemini(question: &Question, dialect: &Dialect) -> Value {
    let part = |text: &str| json!([{"text": text}]);
    let contents: Vec<Value> = question
        .turns
        .iter()
        .map(|turn| {
            let role = match turn.role {
                Role::User => "user",
                Role::Assistant => "model",
            };
            json!({"role": role, "parts": part(&turn.text)})
        })
        .collect();
    let mut generation = Map::new();
    generation.insert("maxOutputTokens".to_owned(), json!(dialect.output_tokens(question)));
    if let Some(temperature) = temperature(question, dialect) {
        generation.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(schema) = question.schema.as_ref().filter(|_| dialect.structured) {
        generation.insert("responseMimeType".to_owned(), json!("application/json"));
        generation.insert("responseJsonSchema".to_owned(), schema.json.clone());
    }
    let mut body = json!({"contents": contents, "generationConfig": generation});
    let system = system(question, dialect);
    if !system.is_empty() {
        body["systemInstruction"] = json!({"parts": part(&system)});
    }
    body
}

/// The instructions, with the schema in words where the vendor does not enforce it.
fn system(question: &Question, dialect: &Dialect) -> String {
    let system = &question.system;
    match question.schema.as_ref().filter(|_| !dialect.structured) {
        None => system.clone(),
        Some(schema) => {
            let wish = "Answer with one JSON document and nothing else: no explanation, no code fence. \
                        It must match this JSON Schema:";
            let gap = if system.is_empty() { "" } else { "\n\n" };
            format!("{system}{gap}{wish}\n{}", schema.json)
        }
    }
}

fn messages(question: &Question) -> impl Iterator<Item = Value> {
    question.turns.iter().map(|turn| {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json!({"role": role, "content": turn.text})
    })
}

fn temperature(question: &Question, dialect: &Dialect) -> Option<f64> {
    // Through text, so that 0.2 does not become 0.20000000298.
    let exact = |temperature: f32| temperature.to_string().parse().unwrap_or(f64::from(temperature));
    question.temperature.filter(|_| dialect.temperature).map(exact)
}
