//! The answer to input that is not a message, so that a client learns of it instead of waiting.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rmcp::{ErrorData, model::RequestId};
use serde::Deserialize;
use serde_json::{Value, json};

/// What can be read of a message that is broken elsewhere.
#[derive(Default, Deserialize)]
struct Envelope {
    #[serde(default)]
    id: Option<RequestId>,
    #[serde(default)]
    method: Option<String>,
}

/// What is wrong with the input, as a JSON-RPC error. Logs it without its content.
pub(super) fn explain(input: &[u8]) -> Value {
    let (error, why) = match serde_json::from_slice::<Value>(input) {
        // A message of serde_json about the syntax has the position and no content.
        Err(why) => (
            ErrorData::parse_error(
                format!("The message is not JSON: {why}. Send it again as JSON in UTF-8."),
                None,
            ),
            why.to_string(),
        ),
        Ok(Value::Array(_)) => (
            ErrorData::invalid_request("Batches are not a part of MCP. Send one message at a time.", None),
            "it is a batch".to_owned(),
        ),
        Ok(_) => (
            ErrorData::invalid_request(
                "The message is not one of MCP. Send `jsonrpc`, `id`, `method` and `params` as the method needs them; \
                 `arguments` of a tool are an object.",
                None,
            ),
            "it is not a message of the protocol".to_owned(),
        ),
    };
    tracing::warn!("An MCP message could not be read and was answered with an error: {why}");
    // rmcp would leave the id out; JSON-RPC wants it to be null.
    json!({"jsonrpc": "2.0", "id": envelope(input).id, "error": error})
}

/// Whether the input is a notification, which is never answered.
pub(super) fn is_notification(input: &[u8]) -> bool {
    let envelope = envelope(input);
    envelope.method.is_some() && envelope.id.is_none()
}

/// Values that are skipped may hold what no string of ours can, such as one half of a surrogate pair.
fn envelope(input: &[u8]) -> Envelope {
    // Without an id there is nobody whose call could be answered, so that the answer has none.
    serde_json::from_slice(input).unwrap_or_default()
}

pub(super) fn respond(input: &[u8]) -> Response {
    (StatusCode::BAD_REQUEST, Json(explain(input))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], code: i64, id: Value) {
        let answer = explain(input);
        let text = String::from_utf8_lossy(input);
        assert_eq!(
            (&answer["error"]["code"], answer.get("id")),
            (&json!(code), Some(&id)),
            "{text}: {answer}"
        );
        assert_eq!(answer["jsonrpc"], "2.0");
    }

    #[test]
    fn unreadable_input_has_an_answer() {
        for (input, code, id) in [
            (&b"nope"[..], -32700, Value::Null),
            (b"", -32700, Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", -32700, Value::Null),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}", -32700, Value::Null),
            (b"\xff\xfe{}", -32700, Value::Null),
            (b"{\"id\":7,\"a\":\"\xff\"}", -32700, json!(7)),
            // One half of a surrogate pair: the rest can be read, and with the id the client finds its call.
            (br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x":"a\ud800"}}"#, -32700, json!(7)),
            (br#"{"params":{"x":"\udc00 b"},"id":"seven"}"#, -32700, json!("seven")),
            (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null),
            (br#"{"id":7,"method":"ping"}"#, -32600, json!(7)),
            (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, Value::Null),
            (b"7", -32600, Value::Null),
        ] {
            check(input, code, id);
        }
        assert!(is_notification(br#"{"jsonrpc":"2.0","method":"notifications/x","params":"\ud800"}"#));
        assert!(!is_notification(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#));
        assert!(!is_notification(b"nope"));
    }
}
