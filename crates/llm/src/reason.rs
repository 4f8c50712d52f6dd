//! The vendor's own words about a failure, cleaned for the person who asked.
//!
//! Vendors repeat keys, addresses and prompts in their messages. Keys and addresses are removed here. The words are
//! shown to the caller only: neither `Debug` nor the message of an error contains them, so that no log does.

use std::fmt;

use serde_json::Value;

/// Longest message of a vendor, in characters.
const MAX_CHARS: usize = 300;

/// Bodies in bodies: OpenRouter quotes the JSON of the server behind it.
const MAX_DEPTH: u8 = 6;

/// A run of letters and digits of this length is a key or an id, not a word.
const MIN_TOKEN_CHARS: usize = 20;

/// What the vendor said about a failure; often nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reason(Option<Box<str>>);

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Reason(_)" } else { "Reason" })
    }
}

impl Reason {
    /// One line of at most 300 characters, without keys and private addresses.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// From the body of a reply: JSON of any vendor, a page, or text.
    pub(crate) fn from_body(body: &str) -> Self {
        let body = body.trim();
        let text = match serde_json::from_str::<Value>(body) {
            Ok(value) => from_json(&value, MAX_DEPTH),
            Err(_) if body.starts_with('<') => page_title(body).map(str::to_owned),
            // The beginning of a JSON document that was cut.
            Err(_) if body.starts_with(['{', '[']) => None,
            Err(_) => Some(body.to_owned()),
        };
        Self::from_text(&text.unwrap_or_default())
    }

    fn from_text(text: &str) -> Self {
        let line = clean(text);
        Self((!line.is_empty()).then(|| line.into_boxed_str()))
    }
}

/// The most specific message in the body. A gateway's own message says only that another server failed.
fn from_json(body: &Value, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match body {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => from_json(&inner, depth),
            _ => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        },
        Value::Array(items) => items.iter().find_map(|item| from_json(item, depth)),
        Value::Object(fields) => {
            let nested = ["/metadata/raw", "/error", "/errors", "/base_resp"];
            let words = [
                "/message",
                "/msg",
                "/Message",
                "/detail",
                "/details",
                "/error_msg",
                "/error_message",
                "/status_msg",
                "/error_description",
                "/title",
                "/reason",
            ];
            let mut found = nested.iter().chain(&words).filter_map(|path| body.pointer(path));
            let text = found.find_map(|value| from_json(value, depth))?;
            // Which part of the request a validator means.
            let place = fields
                .get("loc")
                .and_then(Value::as_array)
                .map(|parts| parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."));
            let source = body.pointer("/metadata/provider_name").and_then(Value::as_str);
            Some(match (place, source) {
                (Some(place), _) if !place.is_empty() => format!("{place}: {text}"),
                (_, Some(source)) if !text.contains(source) => format!("{text} ({source})"),
                _ => text,
            })
        }
        _ => None,
    }
}

fn page_title(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find('<')?;
    page.get(start..end)
}

/// One line without control characters, keys and private addresses, of bounded length.
fn clean(text: &str) -> String {
    let mut line = String::new();
    let mut chars = 0;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut after_bearer = false;
    for word in words {
        let shown = match after_bearer || is_secret(word) {
            true => "[removed]".to_owned(),
            false if is_private_address(word) => "[address]".to_owned(),
            false => without_query(word).chars().filter(|c| !is_direction_mark(*c)).collect(),
        };
        after_bearer = word.eq_ignore_ascii_case("bearer");
        let length = shown.chars().count();
        if chars + length > MAX_CHARS {
            let room = MAX_CHARS.saturating_sub(chars);
            line.extend(shown.chars().take(room));
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&shown);
        chars += length + 1;
    }
    line
}

fn is_secret(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let known = ["sk-", "sk_", "pk-", "rk-", "gsk_", "xai-", "AIza", "Bearer", "eyJ"];
    if known.iter().any(|prefix| word.len() > prefix.len() + 3 && word.starts_with(prefix)) {
        return true;
    }
    word.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|run| {
        run.len() >= MIN_TOKEN_CHARS
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

/// An address that is not a public web page: an IP address, or a host without a dot.
fn is_private_address(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '[' || c == ']'));
    let (scheme, rest) = word.split_once("://").unwrap_or(("", word));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let is_address = |host: &str| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    is_address(host)
        || is_address(name)
        || rest.contains('@') && !scheme.is_empty()
        || !scheme.is_empty()
            && (!name.contains('.') || [".local", ".internal", ".lan"].iter().any(|end| name.ends_with(end)))
}

/// A query may hold a key.
fn without_query(word: &str) -> &str {
    match word.contains("://") {
        true => word.split('?').next().unwrap_or(word),
        false => word,
    }
}

/// Characters that would change the order of the text around them.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        assert_eq!(Reason::from_body(body).as_str(), expected, "{body}");
    }

    #[test]
    fn message_is_found_in_the_body_of_every_vendor() {
        check(
            r#"{"error":{"message":"Rate limit reached","type":"requests","code":null}}"#,
            Some("Rate limit reached"),
        );
        check(
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Some("Overloaded"),
        );
        check(
            r#"{"error":{"message":"Provider error","metadata":{"raw":"upstream is busy","provider_name":"Acme"}}}"#,
            Some("upstream is busy (Acme)"),
        );
        check(
            r#"{"error":{"message":"Provider error","metadata":{"raw":"{\"error\":{\"message\":\"Bad schema\"}}"}}}"#,
            Some("Bad schema"),
        );
        check(r#"{"error":"model 'x' not found"}"#, Some("model 'x' not found"));
        check(
            r#"{"object":"error","message":"max_tokens is wrong","code":400}"#,
            Some("max_tokens is wrong"),
        );
        check(r#"{"detail":"Not authenticated"}"#, Some("Not authenticated"));
        check(
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs"}]}"#,
            Some("body.stream_options: Extra inputs"),
        );
        check(r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#, Some("login fail"));
        check(r#"{"code":500,"msg":"404 NOT_FOUND","success":false}"#, Some("404 NOT_FOUND"));
        check(
            r#"[{"error":{"code":400,"message":"Invalid value","status":"INVALID_ARGUMENT"}}]"#,
            Some("Invalid value"),
        );
        check("<html><head><title>502 Bad\n Gateway</title></head></html>", Some("502 Bad Gateway"));
        check("upstream connect error", Some("upstream connect error"));
        check("<html><body>x</body></html>", None);
        check(r#"{"error":null}"#, None);
        check(r#"{"error":{"message":""}}"#, None);
        check("{\"error\":{\"mess", None);
        check("", None);
    }

    #[test]
    fn keys_and_addresses_are_removed() {
        check("Incorrect API key provided: sk-proj-abcd1234.", Some("Incorrect API key provided: [removed]"));
        check("Authorization: Bearer abc is wrong", Some("Authorization: Bearer [removed] is wrong"));
        check("id req_011CSHoEeqs5C35K2UUqR7Fy", Some("id [removed]"));
        check("dial tcp 10.0.0.7:8080: refused", Some("dial tcp [address] refused"));
        check(
            "see http://gateway:4000/x and https://a.example/limits?key=1",
            Some("see [address] and https://a.example/limits"),
        );
        check(
            "model claude-haiku-4-5-20251001 has max_completion_tokens",
            Some("model claude-haiku-4-5-20251001 has max_completion_tokens"),
        );
        check("a\u{202e}b\u{0}c\td", Some("ab c d"));
        let long = "wörd ".repeat(200);
        assert!(Reason::from_body(&long).as_str().is_some_and(|text| text.chars().count() <= MAX_CHARS + 1));
        assert!(!format!("{:?}", Reason::from_body("the model is wrong")).contains("wrong"));
    }

    #[test]
    fn deep_or_hostile_bodies_are_read_within_bounds() {
        check(&"[".repeat(100_000), None);
        let mut nested = "\"end\"".to_owned();
        for _ in 0..20 {
            nested = format!("{{\"error\":{nested}}}");
        }
        check(&nested, None);
    }
}
