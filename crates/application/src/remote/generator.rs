//! Another process that generates diagrams for this one (AI_SERVICE_URL), asked over the same API that programs use.
//!
//! It may go away and come back at any time. After three failures in a row it is not asked any more (the caller generates in its own
//! process at once), and a task in the background asks it whether it is back. Keys of vendors go on with the one request that they are
//! for, and are neither kept nor logged. Its word is not believed: whoever asks checks what came.

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
    circuit_breaker::{self, Circuit},
    session::TraceEntry,
};
use config::Config;
use telemetry::trace::{self, Kind, Span};

/// Failures in a row after which it is not asked any more.
const FAILURES: u32 = 3;
/// How soon, and how seldom at most, it is asked whether it is back.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How long it may take beyond the time that models have.
const MARGIN: Duration = Duration::from_secs(15);
/// More than this is not read: fifty thousand characters of requirements make no diagram of this size.
const LARGEST: usize = 16 << 20;

/// What a process says of itself in `Via` when it has another one generate, so that no chain of them becomes a circle (RFC 9110, 7.6.3).
pub const GENERATES_ELSEWHERE: &str = "ba-copilot";

/// Why there is no diagram; safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No connection, or it broke before the service began.
    #[error("the AI service cannot be reached")]
    Unreachable,
    /// It has not answered lately, and was not asked.
    #[error("the AI service has not answered lately")]
    Away,
    /// It would not, for now or for ever.
    #[error("the AI service answered with {0} instead of a diagram")]
    Declined(u16),
    /// It has another process generate, perhaps this one.
    #[error(
        "the process at AI_SERVICE_URL has another one generate; name one of the role ai, or take AI_SERVICE_URL from that one"
    )]
    Circle,
    /// The connection broke while it was at work.
    #[error("the connection to the AI service broke")]
    Broken,
    /// It took too long.
    #[error("the AI service did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It wants another token.
    #[error("the AI service refused the token; set the same AI_SERVICE_TOKEN on both sides")]
    Refused,
    /// It answered something else than a diagram.
    #[error("the AI service answered something that is not a diagram")]
    Strange,
    /// It could not write one, and says why.
    #[error("{detail}")]
    Said {
        /// A stable name for programs.
        code: String,
        /// For people.
        detail: String,
    },
}

impl RemoteError {
    /// In a word, for those who count.
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

    /// Whether the service itself is at fault, and not what it was asked.
    fn is_of_the_service(&self) -> bool {
        !matches!(self, RemoteError::Said { .. })
    }

    /// Whether a model may have been asked, so that somebody may have to be paid. The service answers with 200 before it asks one.
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

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The last part of the address, for example `class-diagram`.
    pub slug: &'a str,
    /// The requirements.
    pub message: &'a str,
    /// Who writes; `None` for the built-in drafter.
    pub endpoint: Option<&'a Endpoint>,
    /// The draft will do when the model fails.
    pub fallback: bool,
}

/// What happens on the way: the name of an event and what it says.
pub type Told<'a> = &'a mut (dyn FnMut(&str, Value) + Send);

/// A diagram, as the other process tells of it.
#[derive(Debug, Deserialize)]
pub struct Reply {
    /// The fenced text.
    pub detail: String,
    /// What it means, if that could be told.
    pub blueprint: Value,
    /// Which words of the requirements each part comes from.
    pub trace: Vec<TraceEntry>,
    /// How it came about.
    pub metadata: Metadata,
}

/// How it came about.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the API documents each field")]
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

/// What it took.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the API documents each field")]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(default)]
    pub cost_usd: Option<f64>,
}

impl Reply {
    /// The Mermaid text itself.
    pub fn text(&self) -> Option<&str> {
        self.detail.strip_prefix("```mermaid\n")?.strip_suffix("\n```")
    }
}

/// The way to the other process. Cheap to clone.
#[derive(Clone)]
pub struct RemoteGenerator(Arc<Inner>);

struct Inner {
    url: Url,
    token: Option<SecretString>,
    client: Client,
    time: Duration,
    circuit: Circuit<RemoteError>,
}

impl RemoteGenerator {
    /// The way to AI_SERVICE_URL, if that is set; nothing is sent yet.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn of(config: &Config) -> Result<Option<Self>, String> {
        let Some(url) = config.ai_service_url() else { return Ok(None) };
        let limits = config.llm_limits();
        let client = Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|error| error.to_string())?)
            .connect_timeout(limits.connect.min(Duration::from_secs(5)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| format!("The client of the AI service cannot be made: {error}."))?;
        Ok(Some(RemoteGenerator(Arc::new(Inner {
            url,
            token: config.ai.tokens().first().map(|token| SecretString::from(*token)),
            client,
            time: limits.total + MARGIN,
            circuit: Circuit::new(FAILURES),
        }))))
    }

    /// Where it is, without what may be secret in an address.
    pub fn address(&self) -> String {
        circuit_breaker::shown(&self.0.url).trim_end_matches('/').to_owned()
    }

    /// Whether it has not answered lately, so that nobody is asked.
    pub fn is_away(&self) -> bool {
        self.0.circuit.why_closed().is_some()
    }

    /// Has a diagram written.
    ///
    /// # Errors
    /// When there is none, at once if it has not answered lately.
    pub async fn generate(&self, asked: Asked<'_>, told: Told<'_>) -> Result<Reply, RemoteError> {
        if self.is_away() {
            return Err(RemoteError::Away);
        }
        let time = self.0.time;
        let mut span = Span::child(Kind::Client, "POST /api/v1/generate/{diagram}");
        span.set_attribute("http.request.method", "POST");
        span.set_attribute("url.template", "/api/v1/generate/{diagram}");
        let answer = span.in_scope(tokio::time::timeout(time, self.ask(asked, told))).await;
        let answer = answer.unwrap_or(Err(RemoteError::TimedOut(time)));
        if let Err(error) = &answer {
            span.set_error(error.word());
        }
        self.note(answer.as_ref().err());
        answer
    }

    /// Whether it answers, and how fast.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self, within: Duration) -> Result<Duration, RemoteError> {
        if let Some(error) = self.0.circuit.why_closed() {
            return Err(error);
        }
        let begun = Instant::now();
        self.knock(within).await.map(|()| begun.elapsed())
    }

    /// Asks for something that only whoever has the token may see, and that costs nothing.
    async fn knock(&self, within: Duration) -> Result<(), RemoteError> {
        let url = self.path("api/v1/log-level")?;
        let answer = tokio::time::timeout(within, self.signed(self.0.client.get(url)).send()).await;
        match answer.map_err(|_| RemoteError::TimedOut(within))? {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(refusal(answer.status())),
            Err(_) => Err(RemoteError::Unreachable),
        }
    }

    fn path(&self, path: &str) -> Result<Url, RemoteError> {
        self.0.url.join(path).map_err(|_| RemoteError::Unreachable)
    }

    fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = request.header(VIA, format!("1.1 {GENERATES_ELSEWHERE}"));
        match &self.0.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    /// Counts a failure or a success; the third failure in a row closes the way until the service is back.
    fn note(&self, error: Option<&RemoteError>) {
        let Some(error) = error.filter(|error| error.is_of_the_service()) else {
            self.0.circuit.succeeded();
            return;
        };
        if self.0.circuit.failed(error) {
            tracing::warn!(server.address = %self.address(), "Generating in this process: {error}");
            tokio::spawn(wait_until_back(Arc::downgrade(&self.0)));
        }
    }

    async fn ask(&self, asked: Asked<'_>, told: Told<'_>) -> Result<Reply, RemoteError> {
        let url = self.path(&format!("api/v1/generate/{}", asked.slug))?;
        let provider = asked.endpoint.map_or("builtin", |endpoint| endpoint.provider.name());
        let mut body = json!({"message": asked.message, "provider": provider, "fallback": asked.fallback});
        let mut request = self.signed(self.0.client.post(url)).header(ACCEPT, "text/event-stream");
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
        // `seen` bytes of `rest` hold no end of an event: a long one that comes in small pieces is looked at once.
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
                        return Err(RemoteError::Said { code: word("code"), detail: word("detail") });
                    }
                    name => told(name, data),
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

/// The name and the data of one event; none for a comment.
fn event(block: &[u8]) -> Option<(String, Value)> {
    let text = std::str::from_utf8(block).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).ok()?))
}

async fn wait_until_back(inner: Weak<Inner>) {
    circuit_breaker::until_back(BACK_OFF, || {
        let remote = RemoteGenerator(inner.upgrade()?);
        Some(async move {
            match remote.knock(MARGIN).await {
                Ok(()) => {
                    remote.0.circuit.open();
                    tracing::info!(server.address = %remote.address(), "The AI service is back and generates again");
                    true
                }
                Err(error) => {
                    remote.0.circuit.still_closed(error);
                    false
                }
            }
        })
    })
    .await;
}
