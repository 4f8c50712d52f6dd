//! Remote generator: generates diagrams through the public API of another process (AI_SERVICE_URL).
//!
//! The service may be down at any time. After three consecutive failures it is not asked any more (the caller
//! generates in its own process) until a background task reaches it again. Provider keys are sent only with their
//! request; they are neither stored nor logged. The reply is not trusted: the caller validates it.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use llm::{Endpoint, SecretString};
use reqwest::{
    Client, StatusCode, Url,
    header::{ACCEPT, VIA},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    circuit_breaker::{self, CircuitBreaker},
    session::TraceEntry,
};
use config::Config;
use telemetry::trace::{self, Kind, Span};

/// Consecutive failures that open the circuit.
const FAILURES: u32 = 3;
/// First and longest delay between probes.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Time limit in addition to that of the models.
const MARGIN: Duration = Duration::from_secs(15);
/// Largest reply: 50,000 characters of requirements do not result in a larger diagram.
const LARGEST: usize = 16 << 20;

/// Value of `Via` in requests of a process with a remote generator, to detect a loop (RFC 9110, 7.6.3).
pub const VIA_PSEUDONYM: &str = "ba-copilot";

/// Safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The service did not receive the request.
    #[error("the AI service cannot be reached")]
    Unreachable,
    /// The circuit is open; no request was sent.
    #[error("the AI service has not answered lately")]
    Away,
    #[error("the AI service answered with {0} instead of a diagram")]
    Declined(u16),
    /// The other process has a remote generator, which could be this one.
    #[error(
        "the process at AI_SERVICE_URL also forwards generation; use a process of the role ai, or unset \
         AI_SERVICE_URL there"
    )]
    Circle,
    /// The connection broke during the generation.
    #[error("the connection to the AI service broke")]
    Broken,
    #[error("the AI service did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the AI service refused the token; set the same AI_SERVICE_TOKEN on both sides")]
    Refused,
    #[error("the response of the AI service is not a diagram")]
    Strange,
    /// The other process reported an error.
    #[error("{detail}")]
    Said { code: String, detail: String, wait_s: Option<u64> },
}

impl RemoteError {
    /// Label for metrics.
    fn word(&self) -> &'static str {
        match self {
            RemoteError::Unreachable => "unreachable",
            RemoteError::Away => "away",
            RemoteError::Declined(_) => "declined",
            RemoteError::Circle => "circle",
            RemoteError::Broken => "broken",
            RemoteError::TimedOut(_) => "timed_out",
            RemoteError::Refused => "refused",
            RemoteError::Strange => "strange",
            RemoteError::Said { .. } => "not_written",
        }
    }

    /// Whether the failure is of the service, not of the request.
    fn is_service_failure(&self) -> bool {
        !matches!(self, RemoteError::Said { .. })
    }

    /// Whether a model may have been asked, with a cost. The service sends status 200 before it asks one.
    pub fn may_have_cost(&self) -> bool {
        match self {
            RemoteError::Unreachable
            | RemoteError::Away
            | RemoteError::Declined(_)
            | RemoteError::Circle
            | RemoteError::Refused => false,
            RemoteError::Broken
            | RemoteError::TimedOut(_)
            | RemoteError::Strange
            | RemoteError::Said { .. } => true,
        }
    }
}

/// A generation request.
#[derive(Debug, Clone, Copy)]
pub struct GenerateRequest<'a> {
    /// Last segment of the URL path, for example `class-diagram`.
    pub slug: &'a str,
    pub message: &'a str,
    /// `None` for the built-in drafter.
    pub endpoint: Option<&'a Endpoint>,
    pub fallback: bool,
}

/// Handler of progress events, with name and data.
pub type EventHandler<'a> = &'a mut (dyn FnMut(&str, Value) + Send);

/// The result event of the API.
#[derive(Debug, Deserialize)]
pub struct Reply {
    /// The fenced Mermaid text.
    pub detail: String,
    /// `null` if the text was not understood.
    pub blueprint: Value,
    pub trace: Vec<TraceEntry>,
    pub metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub validated: bool,
    pub written: String,
    pub retry_count: u32,
    pub repairs: Vec<String>,
    pub model: String,
    pub usage: Usage,
    #[serde(default)]
    pub warning: Option<String>,
    #[serde(default)]
    pub errors: Vec<String>,
    #[serde(default)]
    pub notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(default)]
    pub cost_usd: Option<f64>,
}

impl Reply {
    /// The Mermaid text without the fence.
    pub fn text(&self) -> Option<&str> {
        self.detail.strip_prefix("```mermaid\n")?.strip_suffix("\n```")
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct RemoteGenerator(Arc<Inner>);

struct Inner {
    url: Url,
    token: Option<SecretString>,
    client: Client,
    time: Duration,
    circuit: CircuitBreaker<RemoteError>,
}

impl RemoteGenerator {
    /// The remote generator of AI_SERVICE_URL, if set. Sends no request.
    pub fn from_config(config: &Config) -> Result<Option<Self>, String> {
        let Some(url) = config.ai_service_url() else { return Ok(None) };
        let limits = config.llm_limits();
        let client = Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|error| error.to_string())?)
            .connect_timeout(limits.connect.min(Duration::from_secs(5)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| format!("The HTTP client of the AI service cannot be created: {error}."))?;
        Ok(Some(RemoteGenerator(Arc::new(Inner {
            url,
            token: config.ai.tokens().first().map(|token| SecretString::from(*token)),
            client,
            time: limits.total + MARGIN,
            circuit: CircuitBreaker::new(FAILURES),
        }))))
    }

    /// The address without credentials.
    pub fn address(&self) -> String {
        circuit_breaker::redact_url(&self.0.url).trim_end_matches('/').to_owned()
    }

    /// Whether the circuit is open.
    pub fn is_away(&self) -> bool {
        self.0.circuit.blocking_error().is_some()
    }

    pub async fn generate(
        &self,
        asked: GenerateRequest<'_>,
        on_event: EventHandler<'_>,
    ) -> Result<Reply, RemoteError> {
        if self.is_away() {
            return Err(RemoteError::Away);
        }
        let time = self.0.time;
        let mut span = Span::child(Kind::Client, "POST /api/v1/generate/{diagram}");
        span.set_attribute("http.request.method", "POST");
        span.set_attribute("url.template", "/api/v1/generate/{diagram}");
        let answer = span.in_scope(tokio::time::timeout(time, self.ask(asked, on_event))).await;
        let answer = answer.unwrap_or(Err(RemoteError::TimedOut(time)));
        if let Err(error) = &answer {
            span.set_error(error.word());
        }
        self.note(answer.as_ref().err());
        answer
    }

    /// Response time of the service.
    pub async fn probe(&self, within: Duration) -> Result<Duration, RemoteError> {
        if let Some(error) = self.0.circuit.blocking_error() {
            return Err(error);
        }
        let begun = Instant::now();
        self.probe_authenticated(within).await.map(|()| begun.elapsed())
    }

    /// Requests a resource that requires the token and has no cost.
    async fn probe_authenticated(&self, within: Duration) -> Result<(), RemoteError> {
        let url = self.path("api/v1/log-level")?;
        let answer = tokio::time::timeout(within, self.with_token(self.0.client.get(url)).send()).await;
        match answer.map_err(|_| RemoteError::TimedOut(within))? {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refusal(answer.status())),
            Err(_) => Err(RemoteError::Unreachable),
        }
    }

    fn path(&self, path: &str) -> Result<Url, RemoteError> {
        self.0.url.join(path).map_err(|_| RemoteError::Unreachable)
    }

    fn with_token(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request.header(VIA, format!("1.1 {VIA_PSEUDONYM}"));
        match &self.0.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Records the result of a request in the circuit breaker, and starts probing if it opened.
    fn note(&self, error: Option<&RemoteError>) {
        let Some(error) = error.filter(|error| error.is_service_failure()) else {
            self.0.circuit.record_success();
            return;
        };
        if self.0.circuit.record_failure(error) {
            tracing::warn!(server.address = %self.address(), "Generating in this process: {error}");
            tokio::spawn(reconnect(Arc::downgrade(&self.0)));
        }
    }

    async fn ask(
        &self,
        asked: GenerateRequest<'_>,
        on_event: EventHandler<'_>,
    ) -> Result<Reply, RemoteError> {
        let url = self.path(&format!("api/v1/generate/{}", asked.slug))?;
        let provider = asked.endpoint.map_or("builtin", |endpoint| endpoint.provider.name());
        let mut body = json!({"message": asked.message, "provider": provider, "fallback": asked.fallback});
        let mut request = self.with_token(self.0.client.post(url)).header(ACCEPT, "text/event-stream");
        if let Some(endpoint) = asked.endpoint {
            body["model"] = json!(endpoint.model);
            if let Some(key) = &endpoint.key {
                request = request.header("x-ai-api-key", key.expose_secret());
            }
        }
        if let Some(trace) = trace::current() {
            request = request.header("traceparent", trace.traceparent());
        }
        let request = request.header("content-type", "application/json").body(body.to_string());
        let mut answer = request.send().await.map_err(|_| RemoteError::Unreachable)?;
        if answer.status() != StatusCode::OK {
            return Err(refusal(answer.status()));
        }
        // The first `seen` bytes of `rest` contain no end of an event, so that an event in many chunks is searched
        // once.
        let (mut read, mut rest, mut seen) = (0, Vec::new(), 0_usize);
        loop {
            let Some(chunk) = answer.chunk().await.map_err(|_| RemoteError::Broken)? else {
                return Err(RemoteError::Broken);
            };
            read += chunk.len();
            if read > LARGEST {
                return Err(RemoteError::Strange);
            }
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest[seen..].windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = rest.drain(..seen + end + 2).collect();
                seen = 0;
                let Some((name, data)) = event(&block) else { continue };
                match name.as_str() {
                    "result" => {
                        let reply = data.get("response").cloned().unwrap_or_default();
                        return serde_json::from_value(reply).map_err(|_| RemoteError::Strange);
                    }
                    "error" => {
                        let word = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
                        let wait_s = data["retry_after_s"].as_u64();
                        return Err(RemoteError::Said { code: word("code"), detail: word("detail"), wait_s });
                    }
                    name => on_event(name, data),
                }
            }
            seen = rest.len().saturating_sub(1);
        }
    }
}

fn refusal(status: StatusCode) -> RemoteError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RemoteError::Refused,
        StatusCode::LOOP_DETECTED => RemoteError::Circle,
        status => RemoteError::Declined(status.as_u16()),
    }
}

/// Name and data of a server-sent event; `None` for a comment.
fn event(block: &[u8]) -> Option<(String, Value)> {
    let text = std::str::from_utf8(block).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).ok()?))
}

async fn reconnect(inner: Weak<Inner>) {
    circuit_breaker::retry_with_backoff(BACKOFF, || {
        let remote = RemoteGenerator(inner.upgrade()?);
        Some(async move {
            match remote.probe_authenticated(MARGIN).await {
                Ok(()) => {
                    remote.0.circuit.reset();
                    tracing::info!(server.address = %remote.address(), "The AI service is available again");
                    true
                }
                Err(error) => {
                    remote.0.circuit.update_error(error);
                    false
                }
            }
        })
    })
    .await;
}
