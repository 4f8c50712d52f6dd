//! Remote checker: validates diagrams through MCP (MCP_SERVER_URL).
//!
//! The server may be down at any time. After three consecutive failures it is not asked any more (the caller checks
//! in its own process) until a background task reaches it again.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::stream::BoxStream;
use llm::SecretString;
use mermend::{Checked, DiagramSize, Finding, Outcome, Rejection, Verdict};
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{CallToolRequestParams, ClientJsonRpcMessage, ClientRequest, ProtocolVersion, RequestParamsMeta},
    service::{RunningService, ServiceError},
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{
            SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
            StreamableHttpPostResponse, StreamableHttpResponseLimits,
        },
    },
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sse_stream::Sse;

use crate::circuit_breaker::{self, CircuitBreaker};
use config::Mcp;
use telemetry::trace::{self, Kind, Span, TraceContext};

/// Consecutive failures that open the circuit.
const FAILURES: u32 = 3;
/// First and longest delay between probes.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Concurrent requests.
const CONCURRENT: usize = 64;
/// A diagram is at most 1 MB.
const MAX_ANSWER_BYTES: usize = 8 << 20;
const TOOL: &str = "validate_mermaid";
const PROBE: &str = "flowchart LR\n  a --> b";

/// Safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error("the MCP server cannot be reached")]
    Unreachable,
    #[error("the MCP server did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the MCP server refused the token; set the same MCP_TOKEN on both sides")]
    Refused,
    #[error("the response of the MCP server is not a verdict of Mermaid's parser")]
    Strange,
}

impl RemoteError {
    /// Label for metrics.
    fn word(&self) -> &'static str {
        match self {
            RemoteError::Unreachable => "unreachable",
            RemoteError::TimedOut(_) => "timed_out",
            RemoteError::Refused => "refused",
            RemoteError::Strange => "strange",
        }
    }
}

#[derive(Debug, Clone)]
pub struct RemoteChecked {
    pub checked: Checked,
    /// Version of Mermaid.
    pub version: String,
}

/// The used fields of the answer of `validate_mermaid`.
#[derive(Deserialize)]
struct Reply {
    valid: bool,
    kind: Option<String>,
    findings: Vec<Finding>,
    validator: Validator,
}

#[derive(Deserialize)]
struct Validator {
    engine: String,
    version: Option<String>,
}

type Client = RunningService<RoleClient, ()>;

/// Cheap to clone.
#[derive(Clone)]
pub struct RemoteChecker(Arc<Inner>);

struct Inner {
    url: reqwest::Url,
    token: Option<SecretString>,
    timeout: Duration,
    client: tokio::sync::Mutex<Option<Arc<Client>>>,
    circuit: CircuitBreaker<RemoteError>,
}

impl RemoteChecker {
    /// Sends no request.
    pub fn new(url: reqwest::Url, settings: &Mcp) -> Self {
        RemoteChecker(Arc::new(Inner {
            url,
            token: settings.tokens().first().map(|token| SecretString::from(*token)),
            timeout: Duration::from_secs(settings.timeout_s),
            client: tokio::sync::Mutex::new(None),
            circuit: CircuitBreaker::new(FAILURES),
        }))
    }

    /// The address without credentials.
    pub fn address(&self) -> String {
        circuit_breaker::redact_url(&self.0.url)
    }

    /// Validates a diagram with Mermaid's own parser.
    pub async fn check(&self, code: &str) -> Result<RemoteChecked, RemoteError> {
        if let Some(error) = self.0.circuit.blocking_error() {
            return Err(error);
        }
        let answer = self.ask(code, self.0.timeout).await;
        self.note(answer.as_ref().err());
        answer
    }

    /// Response time of the server.
    pub async fn probe(&self, within: Duration) -> Result<Duration, RemoteError> {
        if let Some(error) = self.0.circuit.blocking_error() {
            return Err(error);
        }
        let begun = Instant::now();
        let answer = self.ask(PROBE, within.min(self.0.timeout)).await;
        self.note(answer.as_ref().err());
        answer.map(|_| begun.elapsed())
    }

    /// Records the result of a request in the circuit breaker, and starts probing if it opened.
    fn note(&self, error: Option<&RemoteError>) {
        let Some(error) = error else {
            self.0.circuit.record_success();
            metrics::gauge!("ba_copilot_mcp_server_up").set(1.0);
            return;
        };
        if self.0.circuit.record_failure(error) {
            metrics::gauge!("ba_copilot_mcp_server_up").set(0.0);
            tracing::warn!(server.address = %self.address(), "Checking in this process: {error}");
            tokio::spawn(reconnect(Arc::downgrade(&self.0)));
        }
    }

    async fn ask(&self, code: &str, within: Duration) -> Result<RemoteChecked, RemoteError> {
        let mut span = Span::child(Kind::Client, "tools/call validate_mermaid");
        span.set_attribute("mcp.method.name", "tools/call");
        span.set_attribute("gen_ai.tool.name", TOOL);
        let asked = span.in_scope(async {
            match self.ask_once(code).await {
                // The server may have closed a pooled connection in a restart: retry once.
                Err(RemoteError::Unreachable) => self.ask_once(code).await,
                other => other,
            }
        });
        let answer = tokio::time::timeout(within, asked).await.unwrap_or(Err(RemoteError::TimedOut(within)));
        match &answer {
            Ok(answer) => span.set_attribute("check.valid", answer.checked.valid),
            Err(error) => span.set_error(error.word()),
        }
        answer
    }

    async fn ask_once(&self, code: &str) -> Result<RemoteChecked, RemoteError> {
        let client = self.client().await?;
        let mut arguments = Map::new();
        arguments.insert("code".to_owned(), json!(code));
        let mut call = CallToolRequestParams::new(TOOL).with_arguments(arguments);
        // All requests share the connection, so the trace context is in the call; `Traced` copies it to a header.
        call.set_traceparent(&trace::current().unwrap_or_else(TraceContext::unsampled).traceparent());
        match client.call_tool(call).await {
            Ok(result) => read(result.structured_content),
            Err(error) => {
                let error = classify(&error);
                if error == RemoteError::Unreachable {
                    self.forget(&client).await;
                }
                Err(error)
            }
        }
    }

    /// The pooled connection, or a new one.
    async fn client(&self) -> Result<Arc<Client>, RemoteError> {
        let mut pooled = self.0.client.lock().await;
        if let Some(client) =
            pooled.as_ref().filter(|client| !client.is_closed() && !client.is_transport_closed())
        {
            return Ok(Arc::clone(client));
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|_| RemoteError::Unreachable)?)
            .connect_timeout(self.0.timeout)
            .redirect(reqwest::redirect::Policy::none())
            // The checker is a part of this installation; the proxies of the environment are for providers.
            .no_proxy()
            .build()
            .map_err(|_| RemoteError::Unreachable)?;
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.0.url.as_str())
            .max_concurrent_requests(CONCURRENT)
            .max_json_response_size(MAX_ANSWER_BYTES);
        if let Some(token) = &self.0.token {
            config = config.auth_header(token.expose_secret());
        }
        let transport = StreamableHttpClientTransport::with_client(Traced(http), config);
        let lifecycle = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        };
        let client =
            ().serve_with_lifecycle(transport, lifecycle).await.map_err(|error| {
                match error.is_authorization_required() {
                    true => RemoteError::Refused,
                    false => RemoteError::Unreachable,
                }
            })?;
        let client = Arc::new(client);
        *pooled = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn forget(&self, client: &Arc<Client>) {
        let mut pooled = self.0.client.lock().await;
        if pooled.as_ref().is_some_and(|pooled| Arc::ptr_eq(pooled, client)) {
            *pooled = None;
        }
    }
}

/// HTTP client that copies the trace context of a call to a header, for proxies and the HTTP layer of the server.
#[derive(Clone)]
struct Traced(reqwest::Client);

type Headers = HashMap<HeaderName, HeaderValue>;
type HttpError = StreamableHttpError<reqwest::Error>;

impl StreamableHttpClient for Traced {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        mut headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        let trace = match &message {
            ClientJsonRpcMessage::Request(request) => match &request.request {
                ClientRequest::CallToolRequest(call) => call.params.traceparent(),
                _ => None,
            },
            _ => None,
        };
        // A call without a request is not sampled.
        let trace = trace.map_or_else(|| TraceContext::unsampled().traceparent(), str::to_owned);
        if let Ok(trace) = HeaderValue::from_str(&trace) {
            headers.insert(HeaderName::from_static("traceparent"), trace);
        }
        self.0.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<(), HttpError> {
        self.0.delete_session(uri, session, token, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, HttpError> {
        self.0.get_stream(uri, session, last_event, token, headers).await
    }
}

fn classify(error: &ServiceError) -> RemoteError {
    match error {
        ServiceError::TransportSend(_) if error.auth_challenge().is_some() => RemoteError::Refused,
        ServiceError::TransportSend(_) | ServiceError::TransportClosed | ServiceError::Cancelled { .. } => {
            RemoteError::Unreachable
        }
        _ => RemoteError::Strange,
    }
}

/// Parses a verdict; one of another engine than Mermaid's own parser is refused.
fn read(answer: Option<Value>) -> Result<RemoteChecked, RemoteError> {
    let reply: Reply =
        serde_json::from_value(answer.ok_or(RemoteError::Strange)?).map_err(|_| RemoteError::Strange)?;
    let (Some(version), "mermaid") = (reply.validator.version, reply.validator.engine.as_str()) else {
        return Err(RemoteError::Strange);
    };
    // A verdict caused by a limit of the other process is not used: this process has its own limits.
    let limited = |code: &str| matches!(code, "MMD005" | "MMD006" | "MMD008" | "MMD010");
    if reply.findings.iter().any(|finding| limited(&finding.code)) {
        return Err(RemoteError::Strange);
    }
    let kind = reply.kind.as_deref().and_then(mermend::kinds::find);
    let outcome = match reply.valid {
        true => Outcome::Accepted {
            mermaid_type: kind.and_then(|kind| kind.types.first()).copied().unwrap_or_default().to_owned(),
            size: DiagramSize::default(),
        },
        false => Outcome::Rejected(Rejection::default()),
    };
    let verdict = Verdict { outcome, micros: 0, cached: false };
    let checked =
        Checked { valid: reply.valid, kind, findings: reply.findings, mermaid: Some(verdict), fast: None };
    Ok(RemoteChecked { checked, version })
}

async fn reconnect(inner: Weak<Inner>) {
    circuit_breaker::retry_with_backoff(BACKOFF, || {
        let remote = RemoteChecker(inner.upgrade()?);
        Some(async move {
            match remote.ask(PROBE, remote.0.timeout).await {
                Ok(_) => {
                    remote.0.circuit.reset();
                    metrics::gauge!("ba_copilot_mcp_server_up").set(1.0);
                    tracing::info!(server.address = %remote.address(), "The MCP server is available again");
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
