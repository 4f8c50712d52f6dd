//! A running server that is looked at from outside: one request at a time, with bounds on time and size.
//!
//! Asks the address that it is given and no other: it follows no redirect and knows no proxy.

use std::time::{Duration, Instant};

use llm::SecretString;
use reqwest::{
    Client, Method, Url,
    header::{HeaderMap, HeaderName},
};
use secrecy::ExposeSecret;
use serde_json::Value;

use application::circuit_breaker;

/// Longest time for a connection to open.
const CONNECT: Duration = Duration::from_secs(5);
/// Answers larger than this are not read.
const LARGEST: usize = 16 << 20;

/// A server.
#[derive(Debug, Clone)]
pub struct Target {
    base: Url,
    client: Client,
    token: Option<SecretString>,
}

/// What it answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; what is not UTF-8 is replaced.
    pub body: String,
    /// How long it took, to the last byte.
    pub took: Duration,
}

/// Why there is no answer; safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The address cannot be used.
    #[error("`{0}` is not an address such as http://127.0.0.1:8000")]
    Address(String),
    /// No connection, or it broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// More than anybody wants to read.
    #[error("answered with more than {} MB", LARGEST >> 20)]
    TooLarge,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    method: Method,
    path: &'a str,
    headers: Vec<(HeaderName, &'a str)>,
    body: Option<String>,
    within: Duration,
}

impl<'a> Question<'a> {
    /// To read a path.
    pub fn get(path: &'a str) -> Self {
        let headers = vec![(reqwest::header::ACCEPT, "application/json")];
        Question { method: Method::GET, path, headers, body: None, within: Duration::from_secs(10) }
    }

    /// To send JSON to a path.
    pub fn post(path: &'a str, body: &Value) -> Self {
        let question = Question { method: Method::POST, ..Question::get(path) };
        let body = Some(body.to_string());
        Question { body, ..question }.with(reqwest::header::CONTENT_TYPE, "application/json")
    }

    /// With this header.
    pub fn with(mut self, name: HeaderName, value: &'a str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        self
    }

    /// With so much time; ten seconds if nothing is said.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }
}

impl Target {
    /// The server at this address, called with this token; nothing is sent yet.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(url: &str, token: Option<&SecretString>) -> Result<Self, NoAnswer> {
        let unusable = || NoAnswer::Address(url.to_owned());
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
        Ok(Target { client: client()?, base, token })
    }

    /// The same server over new connections.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn anew(&self) -> Result<Self, NoAnswer> {
        Ok(Target { client: client()?, ..self.clone() })
    }

    /// Its address, without what may be secret in one.
    pub fn address(&self) -> String {
        circuit_breaker::redact_url(&self.base).trim_end_matches('/').to_owned()
    }

    /// Whether it is called with a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks once.
    ///
    /// # Errors
    /// When there is no answer; an answer that says no is one.
    pub async fn ask(&self, question: Question<'_>) -> Result<Answer, NoAnswer> {
        let within = question.within;
        let begun = Instant::now();
        match tokio::time::timeout(within, self.send(question, begun)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::TimedOut(within)),
        }
    }

    async fn send(&self, question: Question<'_>, begun: Instant) -> Result<Answer, NoAnswer> {
        let url = self.base.join(question.path.trim_start_matches('/'));
        let url = url.map_err(|_| NoAnswer::Address(question.path.to_owned()))?;
        let mut request = self.client.request(question.method, url);
        for (name, value) in question.headers {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = question.body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(NoAnswer::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: String::from_utf8_lossy(&body).into_owned(),
            took: begun.elapsed(),
        })
    }
}

fn client() -> Result<Client, NoAnswer> {
    let tls = llm::tls_config().map_err(|error| NoAnswer::Unreachable(error.to_string()))?;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    builder.build().map_err(|error| NoAnswer::Unreachable(why(&error)))
}

fn unreachable(error: &reqwest::Error) -> NoAnswer {
    match error.is_timeout() {
        true => NoAnswer::TimedOut(CONNECT),
        false => NoAnswer::Unreachable(why(error)),
    }
}

/// The innermost reason, which is the one that helps: `connection refused`, not `error sending request`.
fn why(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl Answer {
    /// A header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}
