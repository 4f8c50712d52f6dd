//! Classifies errors of vendors and networks: the error for the caller, whether a retry may help, and without which
//! optional part.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde_json::Value;

use crate::complaint::complaint;
use crate::dialect::Complaint;
use crate::error::{BadReply, Limit, LlmError, Misconfigured, Outage, Refusal};
use crate::reason::Reason;

/// The longest pause that is passed on.
const MAX_PAUSE: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: LlmError,
    /// The same request may succeed in a moment.
    pub(crate) transient: bool,
    /// The request may succeed at once without this part.
    pub(crate) complaint: Option<Complaint>,
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
        Self::transient(LlmError::unavailable(Outage::ConnectionLost))
    }

    pub(crate) fn bad_reply(what: BadReply) -> Self {
        LlmError::bad_reply(what).into()
    }

    pub(crate) fn timed_out(limit: Limit) -> Self {
        LlmError::TimedOut { limit }.into()
    }

    /// The same, after the reply has begun: a vendor that is busy now may charge for what it wrote.
    pub(crate) fn half_way(mut self) -> Self {
        if let LlmError::Retry { status, reason, .. } = self.error {
            self.error = LlmError::Unavailable { why: Outage::Server { status }, reason };
        }
        self
    }
}

/// An error of the HTTP client. `proxied`: a proxy is between this process and the vendor.
pub(crate) fn from_reqwest(error: &reqwest::Error, proxied: bool) -> Failure {
    if error.is_builder() {
        return LlmError::misconfigured(Misconfigured::BadBaseUrl).into();
    }
    if error.is_timeout() && error.is_connect() {
        // Nothing was sent yet, so a retry costs nothing but time.
        return Failure::transient(LlmError::TimedOut { limit: Limit::Connect });
    }
    if error.is_connect() {
        return if is_about_certificate(error) {
            LlmError::unavailable(Outage::Certificate).into()
        } else {
            let why = if proxied { Outage::Proxy } else { Outage::NoConnection };
            Failure::transient(LlmError::unavailable(why))
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

/// An error in the body of a reply with status 200: the whole body, or one event of a stream.
pub(crate) fn from_error_event(body: &str, asked_tokens: u32) -> Failure {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let error = value
        .pointer("/choices/0/error")
        .or_else(|| value.get("error"))
        .or_else(|| value.get("base_resp"))
        .unwrap_or(&value);
    let number =
        ["code", "status", "status_code", "http_code"].iter().find_map(|name| match error.get(name)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        });
    let number = number.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
    let word = ["type", "code", "status"].iter().find_map(|name| match error.get(name)?.as_str()? {
        "overloaded_error" => Some(529),
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "RESOURCE_EXHAUSTED" => Some(429),
        "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => Some(401),
        "billing_error" => Some(402),
        "permission_error" | "PERMISSION_DENIED" => Some(403),
        "not_found_error" | "model_not_found" | "NOT_FOUND" => Some(404),
        "request_too_large" => Some(413),
        "invalid_request_error" | "INVALID_ARGUMENT" => Some(400),
        "UNAVAILABLE" => Some(503),
        _ => None,
    });
    let lower = body.to_lowercase();
    let guess = ["rate limit", "rate-limit", "too many requests"].iter().any(|words| lower.contains(words));
    // An error without a status came from a server behind the vendor's gateway.
    let status = number.or(word).unwrap_or(if guess { 429 } else { 502 });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    from_status(status, &HeaderMap::new(), body, asked_tokens)
}

/// An HTTP status with its body, without keys. `asked_tokens` is the length of the answer that was asked for.
pub(crate) fn from_status(status: StatusCode, headers: &HeaderMap, body: &str, asked_tokens: u32) -> Failure {
    let reason = Reason::from_body(body);
    let lower = body.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let code = status.as_u16();

    if matches!(code, 400 | 404 | 422 | 500 | 501)
        && let Some(complaint) = complaint(&lower, asked_tokens)
    {
        let error = LlmError::refused(Refusal::Request { status: code }).because(reason);
        return Failure { complaint: Some(complaint), ..Failure::from(error) };
    }
    let refused = |why| Failure::from(LlmError::refused(why));
    let failure = match code {
        300..=399 => LlmError::misconfigured(Misconfigured::BadBaseUrl).into(),
        404 => LlmError::misconfigured(Misconfigured::NoSuchModel).into(),
        401 => refused(Refusal::Key),
        402 => refused(Refusal::NoCredit),
        403 if says(&["moderation", "flagged", "content_filter"]) => refused(Refusal::Content),
        403 => refused(Refusal::Forbidden),
        // Of the proxy, for an address without TLS; with TLS there is no connection.
        407 => LlmError::unavailable(Outage::Proxy).into(),
        408 => LlmError::unavailable(Outage::Server { status: code }).into(),
        413 => refused(Refusal::TooLong),
        429 if says(&["insufficient_quota"]) => refused(Refusal::NoCredit),
        429 | 503 | 529 => Failure::transient(LlmError::Retry {
            after: retry_after(headers, body),
            status: code,
            reason: Reason::default(),
        }),
        500.. => Failure::transient(LlmError::unavailable(Outage::Server { status: code })),
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
    };
    Failure { error: failure.error.because(reason), ..failure }
}

/// The requested pause: in milliseconds, in seconds, as a date, or in the body as Google sends it.
fn retry_after(headers: &HeaderMap, body: &str) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
    let until = |word: &str| {
        let date = httpdate::parse_http_date(word).ok()?;
        // By the clock of the vendor, which may differ from the one here.
        let now = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
        Some(date.duration_since(now.unwrap_or_else(SystemTime::now)).unwrap_or_default())
    };
    let asked = text(HeaderName::from_static("retry-after-ms"))
        .and_then(|ms| seconds(ms).map(|duration| duration / 1000))
        .or_else(|| text(RETRY_AFTER).and_then(|word| seconds(word).or_else(|| until(word))))
        .or_else(|| seconds(retry_delay(body)?.strip_suffix('s')?));
    asked.map(|pause| pause.min(MAX_PAUSE))
}

/// Google's `RetryInfo`.
fn retry_delay(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let error = body.get("error").or_else(|| body.pointer("/0/error"))?;
    let details = error.get("details")?.as_array()?;
    details.iter().find_map(|detail| detail.get("retryDelay")?.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str) {
        let failure =
            from_status(StatusCode::from_u16(status).expect("status"), &HeaderMap::new(), body, 8192);
        assert_eq!(line(failure), expected, "{status} {body}");
    }

    fn line(failure: Failure) -> String {
        let retried = if failure.transient { "again: " } else { "" };
        let without = failure.complaint.map_or(String::new(), |part| format!("without {part:?}: "));
        let told = match failure.error {
            LlmError::Retry { status, .. } => format!("busy {status}"),
            LlmError::Refused { why, .. } => format!("{why:?}"),
            LlmError::Unavailable { why, .. } => format!("{why:?}"),
            LlmError::Misconfigured { what, .. } => format!("{what:?}"),
            error => format!("{error:?}"),
        };
        format!("{retried}{without}{told}")
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
        check(401, "", "Key");
        check(402, "", "NoCredit");
        check(403, "", "Forbidden");
        check(403, "your input was flagged", "Content");
        check(404, "", "NoSuchModel");
        check(407, "", "Proxy");
        check(408, "", "Server { status: 408 }");
        check(413, "", "TooLong");
        check(429, "", "again: busy 429");
        check(429, r#"{"error":{"code":"insufficient_quota"}}"#, "NoCredit");
        check(500, "", "again: Server { status: 500 }");
        check(503, "", "again: busy 503");
        check(529, "", "again: busy 529");
    }

    #[track_caller]
    fn check_event(body: &str, expected: &str) {
        assert_eq!(line(from_error_event(body, 8192)), expected, "{body}");
    }

    #[test]
    fn error_in_a_good_reply_is_classified_as_its_status() {
        check_event(r#"{"error":{"code":502,"message":"x"}}"#, "again: Server { status: 502 }");
        check_event(r#"{"error":{"code":"429","message":"x"}}"#, "again: busy 429");
        check_event(r#"{"type":"error","error":{"type":"overloaded_error"}}"#, "again: busy 529");
        check_event(r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#, "again: busy 429");
        check_event(
            r#"{"error":{"code":1302,"message":"Rate limit reached for requests"}}"#,
            "again: busy 429",
        );
        check_event(r#"{"error":"out of memory"}"#, "again: Server { status: 502 }");
        check_event(
            r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#,
            "again: Server { status: 502 }",
        );
        check_event(r#"{"choices":[{"error":{"code":401}}]}"#, "Key");
        check_event("plain words", "again: Server { status: 502 }");
    }

    #[track_caller]
    fn check_pause(headers: &[(&'static str, &'static str)], body: &str, expected: Option<f64>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        assert_eq!(
            retry_after(&headers, body).map(|pause| pause.as_secs_f64()),
            expected,
            "{headers:?} {body}"
        );
    }

    #[test]
    fn pause_is_read_in_every_form() {
        let date = ("date", "Tue, 01 Dec 2026 10:00:00 GMT");
        check_pause(&[], "", None);
        check_pause(&[("retry-after", " 3 ")], "", Some(3.0));
        check_pause(&[("retry-after", "1.5")], "", Some(1.5));
        check_pause(&[("retry-after-ms", "250"), ("retry-after", "1")], "", Some(0.25));
        check_pause(&[date, ("retry-after", "Tue, 01 Dec 2026 10:00:04 GMT")], "", Some(4.0));
        check_pause(&[date, ("retry-after", "Tuesday, 01-Dec-26 11:00:00 GMT")], "", Some(3600.0));
        check_pause(&[date, ("retry-after", "Tue Dec  1 10:00:09 2026")], "", Some(9.0));
        check_pause(&[date, ("retry-after", "Tue, 01 Dec 2026 09:00:00 GMT")], "", Some(0.0));
        check_pause(&[("retry-after", "Mon, 01 Jan 2001 00:00:00 GMT")], "", Some(0.0));
        check_pause(&[("retry-after", "99999999999")], "", Some(MAX_PAUSE.as_secs_f64()));
        for nonsense in ["-1", "soon", "1e400", "NaN", "Tue, 99 Dec 2026 10:00:04 GMT"] {
            check_pause(&[("retry-after", nonsense)], "", None);
        }
        let google = r#"{"error":{"code":429,"details":[{"@type":"x"},{"retryDelay":"34s"}]}}"#;
        check_pause(&[], google, Some(34.0));
        check_pause(&[], &format!("[{google}]"), Some(34.0));
    }
}
