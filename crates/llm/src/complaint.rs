//! Which optional part of a request a vendor rejects, by the body of its error.
//!
//! There is no common form: most vendors name the parameter in their message only.

use serde_json::Value;

use crate::dialect::{Complaint, MIN_OUTPUT_TOKENS};

/// The part that the body (in lower case) rejects. `asked` is the length of the answer that was asked for, in tokens.
pub(crate) fn complaint(body: &str, asked: u32) -> Option<Complaint> {
    let json = serde_json::from_str::<Value>(body).unwrap_or_default();
    let parameter = json.pointer("/error/param").and_then(Value::as_str).unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| body.contains(word));
    if says(&["stream_options", "include_usage"]) {
        Some(Complaint::StreamOptions)
    } else if parameter == "stream"
        || says(&[
            "verified to stream",
            "streaming is not supported",
            "streaming not supported",
            "does not support streaming",
            "stream is not supported",
        ])
    {
        Some(Complaint::Stream)
    } else if let Some(complaint) = length(body, asked) {
        Some(complaint)
    } else if parameter == "temperature"
        || says(&["`temperature`", "'temperature'", "\"temperature\"", "temperature is", "temperature does"])
    {
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

/// A complaint about the length of the answer: its size, else the name of its parameter.
fn length(body: &str, asked: u32) -> Option<Complaint> {
    let says = |words: &[&str]| words.iter().any(|word| body.contains(word));
    let context = ["maximum context length", "context window", "context length"]
        .iter()
        .find_map(|words| body.find(words).map(|at| at + words.len()));
    if let Some(at) = context
        && says(&["completion", "max_tokens", "output tokens"])
    {
        return room_in_context(&body[at..], &numbers(body), asked).map(|most| Complaint::Length { most });
    }
    let named = says(&[
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "maxoutputtokens",
        "max_new_tokens",
        "max tokens",
        "maximum tokens",
        "output tokens",
    ]);
    if !named {
        return None;
    }
    let about_size = says(&[
        "too large",
        "too high",
        "too big",
        "at most",
        "less than",
        "lower than",
        "maximum",
        "exceed",
        "range",
        "greater than",
        "limit",
        " > ",
        "up to",
        "<=",
    ]);
    let about_name = says(&[
        "unsupported",
        "not supported",
        "not permitted",
        "not allowed",
        "extra_forbidden",
        "unrecognized",
        "unknown",
        "unexpected",
        "deprecated",
        "instead",
        "additional propert",
        "no such",
    ]);
    let smaller = numbers(body).into_iter().filter(|number| (MIN_OUTPUT_TOKENS..asked).contains(number));
    match (about_size, smaller.max(), about_name) {
        (true, Some(most), false) => {
            let exclusive = says(&["exclusive", "less than", "lower than"]) && !says(&["equal"]);
            Some(Complaint::Length { most: most - u32::from(exclusive) })
        }
        (_, _, true) => Some(Complaint::LengthName),
        (true, None, false) => {
            Some(Complaint::Length { most: asked / 2 }).filter(|_| asked / 2 >= MIN_OUTPUT_TOKENS)
        }
        (false, _, false) => None,
    }
}

/// What is left of the context after the question; `None` if it is too little.
fn room_in_context(after: &str, all: &[u32], asked: u32) -> Option<u32> {
    let context = numbers(after).first().copied()?;
    // The length of the question: as the difference to the sum, or as a number of its own.
    let by_sum =
        all.iter().filter_map(|sum| sum.checked_sub(asked)).filter(|rest| *rest > 0 && *rest < context);
    let by_name = all.iter().copied().filter(|number| *number < context && *number != asked);
    let read = by_sum.max().or_else(|| by_name.max())?;
    let most = context - read;
    (MIN_OUTPUT_TOKENS..asked).contains(&most).then_some(most)
}

/// The numbers in a text, with or without separators of thousands.
fn numbers(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let count = digits(at);
        if count == 0 {
            at += 1;
            continue;
        }
        let mut number = text[at..at + count].to_owned();
        at += count;
        while count <= 3 && bytes.get(at) == Some(&b',') && digits(at + 1) == 3 {
            number.push_str(&text[at + 1..at + 4]);
            at += 4;
        }
        found.extend(number.parse::<u32>());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<Complaint>) {
        assert_eq!(complaint(&body.to_lowercase(), 8192), expected, "{body}");
    }

    #[test]
    fn rejected_part_is_found_in_the_words_of_vendors() {
        use Complaint::*;
        check("nonsense", None);
        check(r#"{"error":{"param":"stream"}}"#, Some(Stream));
        check("Your organization must be verified to stream this model", Some(Stream));
        check("Unrecognized request argument supplied: stream_options", Some(StreamOptions));
        check(
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}"#,
            Some(StreamOptions),
        );
        check("Unsupported value: 'temperature' does not support 0 with this model", Some(Temperature));
        check("`temperature` is deprecated for this model", Some(Temperature));
        check("response_format: extra fields not permitted", Some(Schema));
        check("failed to parse grammar", Some(Schema));
        check("'response_format.type' must be 'json_object' or 'text'", Some(Schema));
    }

    #[test]
    fn name_of_the_length_is_told_from_its_size() {
        use Complaint::*;
        let most = |most| Some(Length { most });
        check(
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            Some(LengthName),
        );
        check(
            "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'input': 4096}]",
            Some(LengthName),
        );
        check(
            "max_tokens is too large: 8192. This model supports at most 4096 completion tokens.",
            most(4096),
        );
        check(
            "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for claude-3-haiku-20240307",
            most(4096),
        );
        check("Invalid max_tokens value, the valid range of max_tokens is [1, 4096]", most(4096));
        check("`max_tokens` must be less than or equal to `4,096`, the maximum value", most(4096));
        check(
            "it has a maxOutputTokens value of 8192 but the supported range is from 1 (inclusive) to 4097 (exclusive).",
            most(4096),
        );
        check(
            "The maximum tokens you requested exceeds the limit of 4096. Try a value lower than 4096.",
            most(4095),
        );
        check("max_tokens is too large", most(4096));
        // The question and the answer share the context.
        check(
            "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (808 in the \
             messages, 8192 in the completion).",
            most(7384),
        );
        check(
            "'max_tokens' is too large: 8192. This model's maximum context length is 4096 tokens and your request has \
             808 input tokens (8192 > 4096 - 808).",
            most(3288),
        );
        check(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9100 tokens.",
            None,
        );
        check(
            "maximum context length is 8192 tokens, you requested 16300 (8108 in the messages, 8192 in the completion)",
            None,
        );
    }

    #[test]
    fn numbers_are_read_with_and_without_separators() {
        assert_eq!(
            numbers("[1, 8192], 4,096 and 1,2,3 of 99999999999; 1,8192"),
            [1, 8192, 4096, 1, 2, 3, 1, 8192]
        );
    }
}
