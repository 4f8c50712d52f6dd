//! Another process that checks diagrams for this one, asked over MCP.
//!
//! It may go away and come back at any time. After three failures in a row it is not asked any more (the caller checks
//! in its own process at once), and a task in the background asks it whether it is back.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::stream::BoxStream;
use llm::SecretString;
use mermend::{Checked, Finding, Outcome, Rejection, Verdict};
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

use crate::circuit_breaker::{self, Circuit};
use config::Mcp;
use telemetry::trace::{self, Kind, Span, TraceContext};

/// Failures in a row after which it is not asked any more.
const FAILURES: u32 = 3;
/// How soon, and how seldom at most, it is asked whether it is back.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How many questions may be under way at once.
const CONCURRENT: usize = 64;
/// Answers larger than this are not read: a diagram is at most 1 MB.
const LARGEST_ANSWER: usize = 8 << 20;
/// What it is asked with.
const TOOL: &str = "validate_mermaid";
/// What it is asked to see whether it works.
const PROBE: &str = "flowchart LR\n  a --> b";

/// Why there is no answer; safe to show and to log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No connection, or it broke.
    #[error("the MCP server cannot be reached")]
    Unreachable,
    /// It took too long.
    #[error("the MCP server did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It wants another token.
    #[error("the MCP server refused the token; set the same MCP_TOKEN on both sides")]
    Refused,
    /// It answered something else than a verdict.
    #[error("the MCP server answered something that is not a verdict of Mermaid's parser")]
    Strange,
}

impl RemoteError {
    /// In a word, for those who count.
    fn word(&self) -> &'static str {
        match self {
            RemoteError::Unreachable => "unreachable",
            RemoteError::TimedOut(_) => "timed_out",
            RemoteError::Refused => "refused",
            RemoteError::Strange => "strange",
        }
    }
}

/// A verdict of the other process.
#[derive(Debug, Clone)]
pub struct RemoteChecked {
    /// The verdict.
    pub checked: Checked,
    /// The version of Mermaid that gave it.
    pub version: String,
}

/// The part of `validate_mermaid`'s answer that is needed here.
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

/// The way to the other process. Cheap to clone.
#[derive(Clone)]
pub struct RemoteChecker(Arc<Inner>);

struct Inner {
    url: reqwest::Url,
    token: Option<SecretString>,
    timeout: Duration,
    client: tokio::sync::Mutex<Option<Arc<Client>>>,
    circuit: Circuit<RemoteError>,
}

impl RemoteChecker {
    /// The way to `url`; nothing is sent yet.
    pub fn new(url: reqwest::Url, settings: &Mcp) -> Self {
        RemoteChecker(Arc::new(Inner {
            url,
            token: settings.tokens().first().map(|token| SecretString::from(*token)),
            timeout: Duration::from_secs(settings.timeout_s),
            client: tokio::sync::Mutex::new(None),
            circuit: Circuit::new(FAILURES),
        }))
    }

    /// Where it is, without what may be secret in an address.
    pub fn address(&self) -> String {
        circuit_breaker::shown(&self.0.url)
    }

    /// Asks for a verdict by Mermaid's own parser.
    ///
    /// # Errors
    /// When there is none, at once if it has not answered lately; the caller checks by itself then.
    pub async fn check(&self, code: &str) -> Result<RemoteChecked, RemoteError> {
        if let Some(error) = self.0.circuit.why_closed() {
            return Err(error);
        }
        let answer = self.ask(code, self.0.timeout).await;
        self.note(answer.as_ref().err());
        answer
    }

    /// Whether it works, and how fast it answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self, within: Duration) -> Result<Duration, RemoteError> {
        if let Some(error) = self.0.circuit.why_closed() {
            return Err(error);
        }
        let begun = Instant::now();
        let answer = self.ask(PROBE, within.min(self.0.timeout)).await;
        self.note(answer.as_ref().err());
        answer.map(|_| begun.elapsed())
    }

    /// Counts a failure or a success; the third failure in a row closes the way until the server is back.
    fn note(&self, error: Option<&RemoteError>) {
        let Some(error) = error else {
            self.0.circuit.succeeded();
            metrics::gauge!("ba_copilot_mcp_server_up").set(1.0);
            return;
        };
        if self.0.circuit.failed(error) {
            metrics::gauge!("ba_copilot_mcp_server_up").set(0.0);
            tracing::warn!(server.address = %self.address(), "Checking in this process: {error}");
            tokio::spawn(wait_until_back(Arc::downgrade(&self.0)));
        }
    }

    async fn ask(&self, code: &str, within: Duration) -> Result<RemoteChecked, RemoteError> {
        let mut told = Span::child(Kind::Client, "tools/call validate_mermaid");
        told.set_attribute("mcp.method.name", "tools/call");
        told.set_attribute("gen_ai.tool.name", TOOL);
        let asked = told.in_scope(async {
            match self.ask_once(code).await {
                // A kept connection may have been closed by a server that was replaced: that is no failure yet.
                Err(RemoteError::Unreachable) => self.ask_once(code).await,
                other => other,
            }
        });
        let answer = tokio::time::timeout(within, asked).await.unwrap_or(Err(RemoteError::TimedOut(within)));
        match &answer {
            Ok(answer) => told.set_attribute("check.valid", answer.checked.valid),
            Err(error) => told.set_error(error.word()),
        }
        answer
    }

    async fn ask_once(&self, code: &str) -> Result<RemoteChecked, RemoteError> {
        let client = self.client().await?;
        let mut arguments = Map::new();
        arguments.insert("code".to_owned(), json!(code));
        let mut call = CallToolRequestParams::new(TOOL).with_arguments(arguments);
        // The connection is shared by all requests, so that the call itself says to which it belongs; `Traced` makes a header of it.
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

    /// The connection that is kept, or a new one.
    async fn client(&self) -> Result<Arc<Client>, RemoteError> {
        let mut kept = self.0.client.lock().await;
        if let Some(client) =
            kept.as_ref().filter(|client| !client.is_closed() && !client.is_transport_closed())
        {
            return Ok(Arc::clone(client));
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|_| RemoteError::Unreachable)?)
            .connect_timeout(self.0.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| RemoteError::Unreachable)?;
        let mut config = StreamableHttpClientTransportConfig::with_uri(self.0.url.as_str())
            .max_concurrent_requests(CONCURRENT)
            .max_json_response_size(LARGEST_ANSWER);
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
        *kept = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn forget(&self, client: &Arc<Client>) {
        let mut kept = self.0.client.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, client)) {
            *kept = None;
        }
    }
}

/// Says in a header what a call says of its trace, for whoever looks at headers alone: proxies, and the HTTP of the other side.
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
        // What belongs to no request of anybody, the other side need not keep either.
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

/// A verdict, if it is one of Mermaid's own parser: nothing else may be called validated.
fn read(answer: Option<Value>) -> Result<RemoteChecked, RemoteError> {
    let reply: Reply =
        serde_json::from_value(answer.ok_or(RemoteError::Strange)?).map_err(|_| RemoteError::Strange)?;
    let (Some(version), "mermaid") = (reply.validator.version, reply.validator.engine.as_str()) else {
        return Err(RemoteError::Strange);
    };
    // What a limit of the other process cut off is not a verdict: this process has limits of its own.
    let limited = |code: &str| matches!(code, "MMD005" | "MMD006" | "MMD008" | "MMD010");
    if reply.findings.iter().any(|finding| limited(&finding.code)) {
        return Err(RemoteError::Strange);
    }
    let kind = reply.kind.as_deref().and_then(mermend::kinds::find);
    let outcome = match reply.valid {
        true => Outcome::Accepted {
            mermaid_type: kind.and_then(|kind| kind.types.first()).copied().unwrap_or_default().to_owned(),
        },
        false => Outcome::Rejected(Rejection::default()),
    };
    let verdict = Verdict { outcome, micros: 0, cached: false };
    let checked =
        Checked { valid: reply.valid, kind, findings: reply.findings, mermaid: Some(verdict), fast: None };
    Ok(RemoteChecked { checked, version })
}

async fn wait_until_back(inner: Weak<Inner>) {
    circuit_breaker::until_back(BACK_OFF, || {
        let remote = RemoteChecker(inner.upgrade()?);
        Some(async move {
            match remote.ask(PROBE, remote.0.timeout).await {
                Ok(_) => {
                    remote.0.circuit.open();
                    metrics::gauge!("ba_copilot_mcp_server_up").set(1.0);
                    tracing::info!(server.address = %remote.address(), "The MCP server is back and checks again");
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
