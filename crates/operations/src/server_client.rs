//! HTTP client for one running server, with limits on time and response size.
//!
//! It calls the given address only: it follows no redirect and uses no proxy.

use std::time::{Duration, Instant};

use llm::SecretString;
use reqwest::{
    Client, Method, Url,
    header::{HeaderMap, HeaderName},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use application::circuit_breaker;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY_BYTES: usize = 16 << 20;

/// A server and how to call it.
#[derive(Debug, Clone)]
pub struct ServerClient {
    base: Url,
    client: Client,
    token: Option<SecretString>,
}

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    /// Bytes that are not UTF-8 are replaced.
    pub body: String,
    /// From the request to the last byte of the body.
    pub elapsed: Duration,
}

/// Why there is no response. Safe to show: no part of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("`{0}` is not an address such as http://127.0.0.1:8000")]
    Address(String),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("answered with more than {} MB", MAX_BODY_BYTES >> 20)]
    TooLarge,
}

#[derive(Debug, Clone)]
pub struct Request<'a> {
    method: Method,
    path: &'a str,
    headers: Vec<(HeaderName, &'a str)>,
    body: Option<String>,
    timeout: Duration,
}

impl<'a> Request<'a> {
    pub fn get(path: &'a str) -> Self {
        let headers = vec![(reqwest::header::ACCEPT, "application/json")];
        Request { method: Method::GET, path, headers, body: None, timeout: DEFAULT_TIMEOUT }
    }

    pub fn post(path: &'a str, body: &Value) -> Self {
        let request = Request { method: Method::POST, ..Request::get(path) };
        let body = Some(body.to_string());
        Request { body, ..request }.with_header(reqwest::header::CONTENT_TYPE, "application/json")
    }

    /// Replaces the header of this name.
    pub fn with_header(mut self, name: HeaderName, value: &'a str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        self
    }

    /// The default is ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl ServerClient {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(url: &str, token: Option<&SecretString>) -> Result<Self, ClientError> {
        let unusable = || ClientError::Address(url.to_owned());
        let mut base = Url::parse(url).map_err(|_| unusable())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(unusable());
        }
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let token = token.filter(|token| !token.expose_secret().is_empty()).cloned();
        Ok(ServerClient { client: http_client()?, base, token })
    }

    /// A client for the same server that opens new connections.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn reconnect(&self) -> Result<Self, ClientError> {
        Ok(ServerClient { client: http_client()?, ..self.clone() })
    }

    /// The address without its user name and password.
    pub fn address(&self) -> String {
        circuit_breaker::redact_url(&self.base).trim_end_matches('/').to_owned()
    }

    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// When there is no response. A response with an error status is a response.
    pub async fn send(&self, request: Request<'_>) -> Result<Response, ClientError> {
        let timeout = request.timeout;
        let started = Instant::now();
        match tokio::time::timeout(timeout, self.exchange(request, started)).await {
            Ok(response) => response,
            Err(_) => Err(ClientError::TimedOut(timeout)),
        }
    }

    async fn exchange(&self, request: Request<'_>, started: Instant) -> Result<Response, ClientError> {
        let url = self.base.join(request.path.trim_start_matches('/'));
        let url = url.map_err(|_| ClientError::Address(request.path.to_owned()))?;
        let mut builder = self.client.request(request.method, url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token.expose_secret());
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let mut response = builder.send().await.map_err(|error| client_error(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| client_error(&error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(ClientError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
            elapsed: started.elapsed(),
        })
    }
}

fn http_client() -> Result<Client, ClientError> {
    let tls = llm::tls_config().map_err(|error| ClientError::Unreachable(error.to_string()))?;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    builder.build().map_err(|error| ClientError::Unreachable(root_cause(&error)))
}

fn client_error(error: &reqwest::Error) -> ClientError {
    match error.is_timeout() {
        true => ClientError::TimedOut(CONNECT_TIMEOUT),
        false => ClientError::Unreachable(root_cause(error)),
    }
}

/// The innermost cause is the useful one: `connection refused`, not `error sending request`.
fn root_cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl Response {
    /// None if it is missing or is not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Null if the body is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}
