//! Errors of a question: one variant for each action of the caller.
//!
//! Never holds the key, the prompt, the reply's text or an address. The message of an error is written in this file
//! and safe to log; what the vendor said is apart from it, in [`Reason`]. Created in `failure.rs` from errors of
//! vendors and networks.

use std::time::Duration;

use crate::question::Usage;
use crate::reason::Reason;

/// Variants are named by what the caller does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// The vendor is busy and every attempt allowed by [`Limits`](crate::Limits) was used: ask again later.
    #[error("The model's vendor is busy (status {status}); ask again {}.", later(*.after))]
    Retry {
        /// The pause that the vendor asked for, if it named one.
        after: Option<Duration>,
        /// HTTP status of the last attempt: 429, 503 or 529.
        status: u16,
        reason: Reason,
    },
    /// The vendor was not reached or failed on its side, in every attempt: use another provider, or none.
    #[error("The model could not be used: {why}.")]
    Unavailable { why: Outage, reason: Reason },
    /// A time limit of [`Limits`](crate::Limits) passed.
    #[error("The model did not answer in time: {limit}.")]
    TimedOut { limit: Limit },
    /// The vendor or the model refused; the same question with the same key will be refused again.
    #[error("The model's vendor refused the question: {why}.")]
    Refused {
        why: Refusal,
        /// What the refusal cost; nothing if the vendor refused before the model ran.
        usage: Usage,
        reason: Reason,
    },
    /// The reply is not an answer. Asking in another way may help.
    #[error("The model's reply cannot be used: {what}.")]
    BadReply {
        what: BadReply,
        /// What the reply cost, as far as the vendor said.
        usage: Usage,
        reason: Reason,
    },
    /// The question could not be sent: the configuration must change.
    #[error("The model is not set up correctly: {what}.")]
    Misconfigured { what: Misconfigured, reason: Reason },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// No connection: wrong host or port, name not found, or nothing is listening.
    #[error("no connection to the vendor; check the network and the base URL")]
    NoConnection,
    /// The proxy was not reached, or did not connect to the vendor.
    #[error(
        "no connection to the vendor through the proxy; check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, and \
         whether the proxy allows the vendor"
    )]
    Proxy,
    /// The connection ended before the reply did.
    #[error("the connection was lost before the reply was complete; ask again")]
    ConnectionLost,
    /// The server's certificate is not trusted.
    #[error(
        "the vendor's certificate is not trusted; check the base URL, and if a proxy inspects TLS, name the file with \
         the certificate of its authority in SSL_CERT_FILE"
    )]
    Certificate,
    /// The vendor answered with a status that says the fault is on its side.
    #[error("the vendor failed (status {status}); ask again later")]
    Server {
        /// HTTP status: 408 or 500 and above.
        status: u16,
    },
}

/// A time limit, see [`Limits`](crate::Limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// TCP and TLS hand-shake.
    #[error("no connection within the limit; check the network and the base URL")]
    Connect,
    /// From sending the question to the end of the reply's header.
    #[error("no first byte within the limit; the vendor may be overloaded")]
    FirstByte,
    /// Silence inside the reply.
    #[error("the reply stopped half-way; ask again")]
    BetweenBytes,
    /// The whole question, with all attempts and pauses.
    #[error("the whole answer took longer than the limit; ask for less or raise the limit")]
    Total,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key is unknown, expired or malformed.
    #[error("the API key is not accepted; check the key")]
    Key,
    /// The key is known and may not use this model or region.
    #[error("the API key may not use this model; choose another model or key")]
    Forbidden,
    /// No money or quota left.
    #[error("the account has no credit left; top it up or use another key")]
    NoCredit,
    /// The vendor's filter or the model itself would not answer.
    #[error("its content rules forbid an answer; change the text")]
    Content,
    /// The question has more tokens than the model can read.
    #[error("the question is too long for this model; shorten it or choose another model")]
    TooLong,
    /// The vendor did not understand the request.
    #[error("the request is not accepted (status {status}); choose another model")]
    Request {
        /// HTTP status, 400 to 499.
        status: u16,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// Not a model's reply at all, for example an HTML page of a proxy, or in an encoding that is not supported.
    #[error(
        "it is not a model's reply; check the base URL, and whether a proxy answers in place of the vendor"
    )]
    NotAReply,
    /// A model's reply whose JSON envelope is broken.
    #[error("it is garbled; ask again")]
    Garbled,
    /// The model reached its token limit: the text is incomplete.
    #[error("it was cut off at the token limit; ask for less or allow more tokens")]
    CutOff,
    /// The model reached its token limit before it began to answer.
    #[error(
        "the model reached its token limit before it wrote an answer, because it was still thinking; raise \
         model.max_output_tokens or choose a model that thinks less"
    )]
    OnlyThoughts,
    /// The model ended without finishing, for a reason of its own.
    #[error("the model stopped before it was done; ask again")]
    Unfinished,
    /// No text.
    #[error("it is empty; ask again or choose another model")]
    Empty,
    /// More text than [`Limits::max_reply_bytes`](crate::Limits::max_reply_bytes).
    #[error("it is larger than allowed; ask for less")]
    TooLarge,
    /// A schema was given and the text is not JSON.
    #[error("it is not the JSON that was asked for; ask again or choose another model")]
    NotJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// The provider needs a key and there is none.
    #[error("no API key; set {variable}")]
    NoKey {
        /// The variable that sets the key.
        variable: &'static str,
    },
    /// The key has characters that no HTTP header can carry.
    #[error("the API key contains spaces or control characters; copy it again")]
    BadKey,
    /// No base URL, or one that cannot be used.
    #[error("the base URL must be http:// or https://, with a host and without user name, query or fragment")]
    BadBaseUrl,
    /// The model's name is empty or has characters that no vendor uses.
    #[error("the model's name is empty or contains unusual characters")]
    BadModel,
    /// The vendor knows no such model, or there is no such interface at the base URL.
    #[error("the vendor does not know this model, or the base URL is wrong")]
    NoSuchModel,
    /// The question has no turn, or the last turn is not the user's.
    #[error("a question must end with a turn of the user")]
    NoQuestion,
    /// The scripted provider has no script, or no further outcome.
    #[error("the script of the scripted provider has no further outcome")]
    NoScript,
    /// The HTTPS client could not be built.
    #[error("the HTTPS client could not be built")]
    Client,
}

impl LlmError {
    /// The message with the vendor's own words, for the person who asked. Not for logs.
    pub fn user_message(&self) -> String {
        match self.reason().and_then(Reason::as_str) {
            Some(reason) => format!("{self} The vendor's message: {reason}"),
            None => self.to_string(),
        }
    }

    fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Retry { reason, .. }
            | Self::Unavailable { reason, .. }
            | Self::Refused { reason, .. }
            | Self::BadReply { reason, .. }
            | Self::Misconfigured { reason, .. } => Some(reason),
            Self::TimedOut { .. } => None,
        }
    }

    /// The pause that the vendor asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, .. } => *after,
            _ => None,
        }
    }

    /// A stable name for metrics, logs and `application/problem+json`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "llm_busy",
            Self::Unavailable { .. } => "llm_unavailable",
            Self::TimedOut { .. } => "llm_timed_out",
            Self::Refused { .. } => "llm_refused",
            Self::BadReply { .. } => "llm_bad_reply",
            Self::Misconfigured { .. } => "llm_misconfigured",
        }
    }

    /// What the failed question cost, as far as it is known. Failed questions count in a budget too.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Refused { usage, .. } | Self::BadReply { usage, .. } => *usage,
            _ => Usage::default(),
        }
    }

    /// The vendor may charge for more than [`usage`](Self::usage) reports: the question was sent, and its outcome is
    /// unknown. False if the vendor was not reached, was busy, or refused before the model ran.
    pub fn may_have_cost(&self) -> bool {
        match self {
            Self::Retry { .. } | Self::Misconfigured { .. } => false,
            Self::Unavailable { why, .. } => match why {
                Outage::NoConnection | Outage::Proxy | Outage::Certificate => false,
                // A gateway answers 504 when it stops waiting; the model may have finished.
                Outage::ConnectionLost | Outage::Server { .. } => true,
            },
            Self::TimedOut { limit } => *limit != Limit::Connect,
            // The model has read the text before it refused.
            Self::Refused { why: Refusal::Content, usage, .. } => !usage.is_known(),
            Self::Refused { .. } => false,
            Self::BadReply { usage, .. } => !usage.is_known(),
        }
    }

    pub(crate) fn misconfigured(what: Misconfigured) -> Self {
        Self::Misconfigured { what, reason: Reason::default() }
    }

    pub(crate) fn unavailable(why: Outage) -> Self {
        Self::Unavailable { why, reason: Reason::default() }
    }

    pub(crate) fn refused(why: Refusal) -> Self {
        Self::Refused { why, usage: Usage::default(), reason: Reason::default() }
    }

    pub(crate) fn bad_reply(what: BadReply) -> Self {
        Self::BadReply { what, usage: Usage::default(), reason: Reason::default() }
    }

    /// The same, with the words of the vendor.
    pub(crate) fn because(mut self, said: Reason) -> Self {
        match &mut self {
            Self::Retry { reason, .. }
            | Self::Unavailable { reason, .. }
            | Self::Refused { reason, .. }
            | Self::BadReply { reason, .. }
            | Self::Misconfigured { reason, .. } => *reason = said,
            Self::TimedOut { .. } => {}
        }
        self
    }
}

fn later(after: Option<Duration>) -> String {
    match after.map(|after| after.as_secs().max(1)) {
        Some(seconds @ 0..=119) => format!("in {seconds} s"),
        Some(seconds @ 120..=7199) => format!("in {} min", seconds.div_ceil(60)),
        Some(seconds) => format!("in {} h", seconds.div_ceil(3600)),
        None => "later".to_owned(),
    }
}
