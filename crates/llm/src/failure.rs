//! Classifies errors of vendors and networks: the error for the caller, whether a retry may help, and without which
//! optional part.
//!
//! Reads error bodies, and never passes their text on: vendors repeat prompts and keys in them.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::error::{BadReply, Limit, LlmError, Misconfigured, Outage, Refusal};

/// Upper bound of the part of an error body that is searched.
const BODY_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: LlmError,
    /// The same request may succeed in a moment.
    pub(crate) transient: bool,
    /// The request may succeed at once without this part.
    pub(crate) complaint: Option<Complaint>,
}

/// A part of the request that not every model or server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Complaint {
    Stream,
    Schema,
    Temperature,
}

impl From<LlmError> for Failure {
    fn from(error: LlmError) -> Self {
        Self { error, transient: false, complaint: None }
    }
}

impl Failure {
    fn transient(error: LlmError) -> Self {
        Self { error, transient: true, complaint: None }
    }

    pub(crate) fn connection_lost() -> Self {
        Self::transient(LlmError::Unavailable { why: Outage::ConnectionLost })
    }

    pub(crate) fn bad_reply(what: BadReply) -> Self {
        LlmError::bad_reply(what).into()
    }

    pub(crate) fn timed_out(limit: Limit) -> Self {
        LlmError::TimedOut { limit }.into()
    }

    /// The same, after the reply has begun: a vendor that is busy now may charge for what it wrote.
    pub(crate) fn half_way(mut self) -> Self {
        if let LlmError::Retry { status, .. } = self.error {
            self.error = LlmError::Unavailable { why: Outage::Server { status } };
        }
        self
    }

    pub(crate) fn complaining(mut self, complaint: Complaint) -> Self {
        self.complaint = Some(complaint);
        self
    }
}

/// Classifies an error of the transport.
pub(crate) fn from_transport(error: genai::Error) -> Failure {
    use genai::Error as E;
    match error {
        E::HttpError { status, headers, body, .. } => from_status(status, &headers, &body),
        E::WebModelCall { webc_error, .. } | E::WebAdapterCall { webc_error, .. } => from_web(webc_error),
        E::WebStream { error, .. } => from_boxed(error),
        E::ChatResponse { body, .. } => from_error_event(&body),
        E::StreamParse { .. }
        | E::SerdeJson(_)
        | E::JsonValueExt(_)
        | E::InvalidJsonResponseElement { .. }
        | E::NoChatResponse { .. }
        | E::ChatResponseGeneration { .. } => Failure::bad_reply(BadReply::Garbled),
        // The remaining errors are about the request: an unusable address or name.
        _ => LlmError::misconfigured(Misconfigured::BadBaseUrl).into(),
    }
}

fn from_web(error: genai::webc::Error) -> Failure {
    use genai::webc::Error as E;
    match error {
        E::ResponseFailedStatus { status, headers, body } => from_status(status, &headers, &body),
        E::ResponseFailedNotJson { .. } => Failure::bad_reply(BadReply::NotAReply),
        E::ResponseFailedInvalidJson { .. } | E::JsonValueExt(_) => Failure::bad_reply(BadReply::Garbled),
        E::Reqwest(error) => from_reqwest(&error),
    }
}

fn from_boxed(error: genai::BoxError) -> Failure {
    let error = match error.downcast::<genai::Error>() {
        Ok(error) => return from_transport(*error),
        Err(error) => error,
    };
    if let Some(timeout) = error.downcast_ref::<genai::webc::StreamTimeout>() {
        return Failure::timed_out(match timeout {
            genai::webc::StreamTimeout::Headers => Limit::FirstByte,
            genai::webc::StreamTimeout::Read => Limit::BetweenBytes,
        });
    }
    match error.downcast_ref::<reqwest::Error>() {
        Some(error) => from_reqwest(error),
        // Text that is not UTF-8.
        None => Failure::bad_reply(BadReply::Garbled),
    }
}

fn from_reqwest(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return LlmError::misconfigured(Misconfigured::BadBaseUrl).into();
    }
    if error.is_timeout() {
        return if error.is_connect() {
            // Nothing was sent yet, so a retry costs nothing but time.
            Failure::transient(LlmError::TimedOut { limit: Limit::Connect })
        } else if error.is_body() || error.is_decode() {
            Failure::timed_out(Limit::BetweenBytes)
        } else {
            Failure::timed_out(Limit::FirstByte)
        };
    }
    if error.is_connect() {
        return if is_about_certificate(error) {
            LlmError::Unavailable { why: Outage::Certificate }.into()
        } else {
            Failure::transient(LlmError::Unavailable { why: Outage::NoConnection })
        };
    }
    Failure::connection_lost()
}

fn is_about_certificate(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An i/o error hides what it wraps from `source` and shows it by `get_ref`.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = wrapped
            .and_then(|wrapped| wrapped.downcast_ref::<rustls::Error>())
            .or_else(|| error.downcast_ref::<rustls::Error>());
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

/// An error inside a reply that began well.
fn from_error_event(body: &Value) -> Failure {
    let error = body.get("error").unwrap_or(body);
    let number = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = number.or_else(|| match error.get("type").or_else(|| error.get("code"))?.as_str()? {
        "overloaded_error" => Some(529),
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => Some(429),
        "authentication_error" => Some(401),
        "billing_error" => Some(402),
        "permission_error" => Some(403),
        "not_found_error" => Some(404),
        "request_too_large" => Some(413),
        "invalid_request_error" => Some(400),
        _ => None,
    });
    // An error without a status came from a server behind the vendor's gateway.
    let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    from_status(status, &HeaderMap::new(), &body.to_string())
}

fn from_status(status: StatusCode, headers: &HeaderMap, body: &str) -> Failure {
    let body = head(body).to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| body.contains(word));
    let code = status.as_u16();

    if matches!(code, 400 | 404 | 422 | 500 | 501)
        && let Some(complaint) = complaint(&body)
    {
        return Failure::from(LlmError::refused(Refusal::Request { status: code })).complaining(complaint);
    }
    let refused = |why| Failure::from(LlmError::refused(why));
    match code {
        300..=399 => LlmError::misconfigured(Misconfigured::BadBaseUrl).into(),
        404 => LlmError::misconfigured(Misconfigured::NoSuchModel).into(),
        401 => refused(Refusal::Key),
        402 => refused(Refusal::NoCredit),
        403 if says(&["moderation", "flagged", "content_filter"]) => refused(Refusal::Content),
        403 => refused(Refusal::Forbidden),
        408 => LlmError::Unavailable { why: Outage::Server { status: code } }.into(),
        413 => refused(Refusal::TooLong),
        429 if says(&["insufficient_quota"]) => refused(Refusal::NoCredit),
        429 | 503 | 529 => Failure::transient(LlmError::Retry { after: retry_after(headers), status: code }),
        500.. => Failure::transient(LlmError::Unavailable { why: Outage::Server { status: code } }),
        // Some vendors use 400 where others have a specific status.
        _ if says(&["api_key_invalid", "api key not valid", "invalid_api_key"]) => refused(Refusal::Key),
        _ if says(&["credit balance is too low", "insufficient_quota"]) => refused(Refusal::NoCredit),
        _ if says(&["content_filter", "content_policy", "content management policy"]) => {
            refused(Refusal::Content)
        }
        _ if says(&[
            "context_length_exceeded",
            "maximum context length",
            "exceed_context_size",
            "prompt is too long",
            "exceeds the maximum number of tokens",
        ]) =>
        {
            refused(Refusal::TooLong)
        }
        _ => refused(Refusal::Request { status: code }),
    }
}

/// The part of the request that the body (in lower case) rejects.
fn complaint(body: &str) -> Option<Complaint> {
    let parameter = serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|body| Some(body.pointer("/error/param")?.as_str()?.to_owned()))
        .unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| body.contains(word));
    if parameter == "stream" || says(&["verified to stream", "streaming is not supported"]) {
        Some(Complaint::Stream)
    } else if parameter == "temperature" || says(&["`temperature`", "'temperature'", "temperature is"]) {
        Some(Complaint::Temperature)
    } else if says(&[
        "response_format",
        "response_schema",
        "responsejsonschema",
        "responseschema",
        "response_json_schema",
        "json_schema",
        "json schema",
        "output_config",
        "output_format",
        "structured output",
        "grammar",
        "response mime type",
    ]) {
        Some(Complaint::Schema)
    } else {
        None
    }
}

/// The requested pause. Only the form in seconds: a date would need synchronized clocks.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |value: &reqwest::header::HeaderValue| value.to_str().ok()?.trim().parse::<f64>().ok();
    let milliseconds = headers.get("retry-after-ms").and_then(number).map(|ms| ms / 1000.0);
    let seconds = milliseconds.or_else(|| headers.get(RETRY_AFTER).and_then(number))?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn head(body: &str) -> &str {
    let mut end = body.len().min(BODY_BYTES);
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    &body[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        let failure = from_status(StatusCode::from_u16(status).expect("status"), &HeaderMap::new(), body);
        let retried = if failure.transient { "again: " } else { "" };
        let without = failure.complaint.map_or(String::new(), |part| format!("without {part:?}: "));
        let told = match failure.error {
            LlmError::Retry { status, .. } => format!("busy {status}"),
            LlmError::Refused { why, .. } => format!("{why:?}"),
            LlmError::Unavailable { why } => format!("{why:?}"),
            LlmError::Misconfigured { what } => format!("{what:?}"),
            error => format!("{error:?}"),
        };
        assert_eq!(format!("{retried}{without}{told}"), expected, "{status} {body}");
    }

    #[test]
    fn every_status_is_classified() {
        check(302, "", "BadBaseUrl");
        check(400, "nonsense", "Request { status: 400 }");
        check(400, r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#, "Key");
        check(400, "Your credit balance is too low to access the API", "NoCredit");
        check(400, r#"{"error":{"code":"context_length_exceeded"}}"#, "TooLong");
        check(400, r#"{"error":{"code":"content_filter"}}"#, "Content");
        check(400, r#"{"error":{"param":"stream"}}"#, "without Stream: Request { status: 400 }");
        check(
            400,
            "Unsupported value: 'temperature' does not support 0 with this model",
            "without Temperature: Request { status: 400 }",
        );
        check(422, "response_format: extra fields not permitted", "without Schema: Request { status: 422 }");
        check(500, "failed to parse grammar", "without Schema: Request { status: 500 }");
        check(401, "", "Key");
        check(402, "", "NoCredit");
        check(403, "", "Forbidden");
        check(403, "your input was flagged", "Content");
        check(404, "", "NoSuchModel");
        check(408, "", "Server { status: 408 }");
        check(413, "", "TooLong");
        check(429, "", "again: busy 429");
        check(429, r#"{"error":{"code":"insufficient_quota"}}"#, "NoCredit");
        check(500, "", "again: Server { status: 500 }");
        check(503, "", "again: busy 503");
        check(529, "", "again: busy 529");
    }

    #[test]
    fn long_error_body_is_cut_at_a_character_boundary() {
        let body = "ä".repeat(BODY_BYTES);
        assert!(head(&body).len() <= BODY_BYTES);
    }
}
