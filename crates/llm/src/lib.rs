//! One question to a model, any vendor.
//!
//! A caller makes one [`Llm`] for the process, says whom to ask with an [`Endpoint`] and what with a [`Question`], and
//! gets a complete [`Answer`] or an [`LlmError`] named by what to do next:
//!
//! ```no_run
//! # async fn example() -> Result<(), llm::LlmError> {
//! let llm = llm::Llm::new(llm::Limits::default())?;
//! let endpoint = llm::Endpoint::new(llm::ProviderId::Compatible).with_base_url("http://127.0.0.1:8080/v1");
//! let question = llm::Question::new("Answer in one word.", "What is the capital of France?");
//! let answer = llm.ask(&endpoint, &question).await?;
//! assert!(answer.text.contains("Paris"));
//! # Ok(())
//! # }
//! ```
//!
//! This crate is the only one that knows vendors' JSON and that sends HTTP to models. It knows no database, no web
//! framework and no user; it never reads the environment, never keeps a key, and never logs a prompt, a reply, a key or
//! an address. Read next: the types in `question.rs`, the providers in `providers.rs`, one request in `transport.rs`,
//! its JSON in `request.rs`, its reply in `frames.rs` and `reading.rs`, what failures mean in `failure.rs`; attempts
//! and pauses are below.

#![expect(missing_docs, reason = "a name that says it all has no comment")]

mod complaint;
mod dialect;
mod endpoint;
mod error;
mod executor;
mod failure;
mod frames;
mod json;
mod price;
mod providers;
mod proxies;
mod question;
mod reading;
mod reason;
mod request;
mod retry_policy;
mod scripted;
mod tls;
mod transport;

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

pub use endpoint::Endpoint;
pub use error::{BadReply, Limit, LlmError, Misconfigured, Outage, Refusal};
pub use price::{Price, list_price};
pub use providers::{PROVIDERS, Protocol, ProviderId, ProviderRow, Setting, UnknownProvider};
pub use proxies::Proxies;
pub use question::{Answer, Limits, Question, Role, Schema, Turn, Usage};
pub use reason::Reason;
pub use retry_policy::{AlwaysRetry, RetryPolicy};
pub use scripted::{Script, Scripted};
/// For [`Endpoint::key`].
pub use secrecy::SecretString;
pub use tls::{Authorities, authorities, tls_config};

use dialect::Dialects;
use executor::Listener;
use failure::Failure;
use request::Target;
use transport::{Reply, Transport};

/// The client for all models. One per process: it keeps connections open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Llm {
    limits: Limits,
    backend: Backend,
    dialects: Dialects,
}

#[derive(Debug, Clone)]
enum Backend {
    Network(Transport),
    Script(Script),
}

/// For the log.
#[derive(Debug, Default)]
struct Progress {
    attempts: u32,
    structured: bool,
}

impl Llm {
    /// Over the network, to any provider but the scripted one, without proxies.
    ///
    /// # Errors
    /// [`Misconfigured::Client`] if the HTTPS client cannot be built.
    pub fn new(limits: Limits) -> Result<Self, LlmError> {
        Self::with_proxies(limits, &Proxies::default())
    }

    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_proxies(limits: Limits, proxies: &Proxies) -> Result<Self, LlmError> {
        let backend = Backend::Network(Transport::new(&limits, proxies)?);
        Ok(Self { limits, backend, dialects: Dialects::default() })
    }

    /// Without network: the script answers every question to every provider. Endpoints and questions are checked as
    /// always, so that a missing key is an error here too.
    pub fn scripted(script: Script, limits: Limits) -> Self {
        Self { limits, backend: Backend::Script(script), dialects: Dialects::default() }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks, and waits for the whole answer. The future may be dropped at any time; the vendor may have begun to
    /// charge by then.
    ///
    /// # Errors
    /// See [`LlmError`]. Busy or failing vendors and lost connections are retried within [`Limits`]; nothing else is.
    pub async fn ask(&self, endpoint: &Endpoint, question: &Question) -> Result<Answer, LlmError> {
        self.ask_with(endpoint, question, Listener::none(), &mut AlwaysRetry).await
    }

    /// Asks, and passes text deltas to `on_delta` as they arrive. [`Answer::text`] is what counts: with a schema it
    /// may be shorter than the deltas. After the first delta, a lost connection is not retried.
    ///
    /// # Errors
    /// As [`ask`](Self::ask); deltas before an error belong to no answer.
    pub async fn ask_streaming(
        &self,
        endpoint: &Endpoint,
        question: &Question,
        mut on_delta: impl FnMut(&str) + Send,
    ) -> Result<Answer, LlmError> {
        self.ask_with(endpoint, question, Listener::new(&mut on_delta), &mut AlwaysRetry).await
    }

    /// Asks under a retry policy: after an attempt that may have cost something, the question is sent again only if
    /// the policy allows it.
    ///
    /// # Errors
    /// As [`ask_streaming`](Self::ask_streaming); where the policy refused, the error of the last attempt.
    pub async fn ask_with_policy(
        &self,
        endpoint: &Endpoint,
        question: &Question,
        on_delta: Option<&mut (dyn FnMut(&str) + Send)>,
        policy: &mut impl RetryPolicy,
    ) -> Result<Answer, LlmError> {
        let listener = on_delta.map_or_else(Listener::none, Listener::new);
        self.ask_with(endpoint, question, listener, policy).await
    }

    async fn ask_with(
        &self,
        endpoint: &Endpoint,
        question: &Question,
        mut listener: Listener<'_>,
        policy: &mut impl RetryPolicy,
    ) -> Result<Answer, LlmError> {
        let started = Instant::now();
        let mut progress = Progress::default();
        let result = match timeout_at(
            started + self.limits.total,
            self.attempt(endpoint, question, &mut listener, policy, &mut progress),
        )
        .await
        {
            Ok(Ok(reply)) => finish(reply, question),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(LlmError::TimedOut { limit: Limit::Total }),
        };
        let duration = started.elapsed();
        log(endpoint, &result, progress.attempts, duration);
        result.map(|Reply { text, usage }| Answer {
            text,
            structured: progress.structured,
            usage,
            provider: endpoint.provider,
            model: endpoint.model.clone(),
            attempts: progress.attempts,
            duration,
        })
    }

    async fn attempt(
        &self,
        endpoint: &Endpoint,
        question: &Question,
        listener: &mut Listener<'_>,
        policy: &mut impl RetryPolicy,
        progress: &mut Progress,
    ) -> Result<Reply, LlmError> {
        if question.turns.last().is_none_or(|turn| turn.role != Role::User) {
            return Err(LlmError::misconfigured(Misconfigured::NoQuestion));
        }
        endpoint.check()?;
        let known = self.dialects.of(endpoint, Instant::now());
        let mut dialect = known;
        let structured = |dialect: &dialect::Dialect| dialect.structured && question.schema.is_some();
        let transport = match &self.backend {
            Backend::Network(transport) => transport,
            Backend::Script(script) => {
                progress.attempts = 1;
                progress.structured = structured(&dialect);
                return script.play(question, listener).await;
            }
        };
        if endpoint.provider == ProviderId::Scripted {
            return Err(LlmError::misconfigured(Misconfigured::NoScript));
        }

        let give_up_at = Instant::now() + self.limits.total;
        let target = Target::new(endpoint)?;
        let mut failures = 0;
        loop {
            progress.attempts += 1;
            progress.structured = structured(&dialect);
            let result = transport
                .exchange(endpoint.provider, &target, question, &dialect, &self.limits, listener)
                .await;
            let Failure { error, transient, complaint } = match result {
                Ok(reply) => {
                    if dialect != known {
                        self.dialects.remember(endpoint, dialect, Instant::now());
                    }
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            if listener.delivered {
                return Err(error);
            }
            let at_once = complaint.is_some_and(|part| dialect.give_up(part, target.protocol, question));
            if !at_once {
                failures += 1;
                if !transient || failures >= self.limits.attempts.max(1) {
                    return Err(error);
                }
                match self.pause(failures, &error) {
                    Some(pause) if Instant::now() + pause < give_up_at => sleep(pause).await,
                    _ => return Err(error),
                }
            }
            if error.may_have_cost() && !policy.allow_retry().await {
                return Err(error);
            }
        }
    }

    /// The pause after so many failures; `None` if the vendor requests a longer one than allowed.
    fn pause(&self, failures: u32, error: &LlmError) -> Option<Duration> {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let own = self.limits.backoff_base.saturating_mul(doubled).min(self.limits.backoff_max);
        match error {
            LlmError::Retry { after: Some(after), .. } => {
                (*after <= self.limits.backoff_max).then(|| own.max(*after))
            }
            _ => Some(own),
        }
    }
}

/// The last check, the same for every provider.
fn finish(reply: Reply, question: &Question) -> Result<Reply, LlmError> {
    let Reply { text, usage } = reply;
    let found = match &question.schema {
        Some(schema) => json::document(&text, &schema.json, false),
        None => Some(Cow::Borrowed(json::without_thoughts(&text))).filter(|rest| !rest.trim().is_empty()),
    };
    match found.map(Cow::into_owned) {
        Some(text) => Ok(Reply { text, usage }),
        None if question.schema.is_none() => Ok(Reply { text, usage }),
        None => Err(LlmError::BadReply { what: BadReply::NotJson, usage, reason: Reason::default() }),
    }
}

/// One log event per question. The model's name comes from a request header and is logged only if it is valid.
fn log(endpoint: &Endpoint, result: &Result<Reply, LlmError>, attempts: u32, duration: Duration) {
    let provider = endpoint.provider.name();
    let bad_name = matches!(result, Err(LlmError::Misconfigured { what: Misconfigured::BadModel, .. }));
    let model = if bad_name { "?" } else { endpoint.model.as_str() };
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let usage = match result {
        Ok(reply) => reply.usage,
        Err(error) => error.usage(),
    };
    match result {
        Ok(_) => tracing::info!(
            llm.provider = provider,
            llm.model = model,
            llm.attempts = attempts,
            llm.input_tokens = usage.input_tokens,
            llm.output_tokens = usage.output_tokens,
            llm.cost_micro_usd = usage.cost_micro_usd,
            duration_ms,
            "the model answered"
        ),
        Err(error) => tracing::warn!(
            llm.provider = provider,
            llm.model = model,
            llm.attempts = attempts,
            llm.input_tokens = usage.input_tokens,
            llm.output_tokens = usage.output_tokens,
            llm.cost_micro_usd = usage.cost_micro_usd,
            llm.error = error.code(),
            duration_ms,
            "no answer from the model: {error}"
        ),
    }
}
