//! Finds the answer in a reply: code fences, remarks, thinking and envelopes around it are dropped.
//!
//! Never repairs JSON: a document that does not parse is none.

use std::borrow::Cow;

use serde_json::{Deserializer, Value};

/// Places at which a document may begin that are tried; a reply has a few.
const MAX_STARTS: usize = 10_000;

/// Documents that run to the end of the text without an end of their own.
const MAX_UNFINISHED: usize = 8;

/// The names of thinking in tags.
const THOUGHTS: [&str; 8] =
    ["think", "thinking", "thought", "thoughts", "reasoning", "reflection", "analysis", "scratchpad"];

/// The one document in `text` that can be the answer.
///
/// Of several, it is the last one with the required fields of the schema: drafts come before the answer. Without such
/// a document, it is the longest one after the thinking, unless `strict`.
pub(crate) fn document<'a>(text: &'a str, schema: &Value, strict: bool) -> Option<Cow<'a, str>> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (found, unfinished) = documents(text);
    if !required.is_empty()
        && let Some(answer) =
            found.iter().rev().find_map(|(_, text, value)| with_fields(text, value, &required))
    {
        return Some(answer);
    }
    if strict {
        return None;
    }
    let rest = without_thoughts(text);
    let after = text.len() - rest.len();
    // What stands in a document without an end is a part of it.
    let places = after..unfinished.unwrap_or(text.len());
    let answers = found.into_iter().filter(|(start, _, value)| places.contains(start) && !value.is_string());
    answers.map(|(_, document, _)| document).max_by_key(|document| document.len()).map(Cow::Borrowed)
}

/// The document itself if it has the fields, or the part of it that has them: models put an answer into a list, into
/// an envelope with the name of the schema, or into a string.
fn with_fields<'a>(text: &'a str, value: &Value, required: &[&str]) -> Option<Cow<'a, str>> {
    let has_fields = |value: &Value| required.iter().all(|name| value.get(name).is_some());
    if has_fields(value) {
        return Some(Cow::Borrowed(text));
    }
    let parts: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) if items.len() == 1 => items.iter().collect(),
        Value::String(_) => vec![value],
        _ => vec![],
    };
    let answer = parts.into_iter().find_map(|part| match part {
        Value::String(inner) => serde_json::from_str(inner).ok().filter(has_fields),
        part => Some(part.clone()).filter(has_fields),
    })?;
    Some(Cow::Owned(answer.to_string()))
}

/// All objects and lists of objects in the text that are in no other, with their places, and the text itself if it is
/// a JSON string; and the place of the first one without an end.
fn documents(text: &str) -> (Vec<(usize, &str, Value)>, Option<usize>) {
    let mut found = Vec::new();
    let whole = text.trim();
    if whole.starts_with('"')
        && let Ok(value @ Value::String(_)) = serde_json::from_str(whole)
    {
        found.push((0, whole, value));
    }
    let (mut at, mut unfinished, mut first_unfinished) = (0, 0, None);
    for _ in 0..MAX_STARTS {
        let Some(start) = text[at..].find(['{', '[']).map(|start| at + start) else { break };
        let mut values = Deserializer::from_str(&text[start..]).into_iter::<Value>();
        at = match values.next() {
            Some(Ok(value)) => {
                let end = start + values.byte_offset();
                // A list of plain values is a remark, such as [1].
                if value.is_object() || value.pointer("/0").is_some_and(Value::is_object) {
                    found.push((start, &text[start..end], value));
                }
                end
            }
            Some(Err(error)) if error.is_eof() && unfinished == MAX_UNFINISHED => break,
            Some(Err(error)) => {
                if error.is_eof() {
                    unfinished += 1;
                    first_unfinished = first_unfinished.or(Some(start));
                }
                start + 1
            }
            None => break,
        };
    }
    (found, first_unfinished)
}

/// The text after the thinking that some models write into their answer, in any spelling of the tag: `</think>`,
/// `[/THINK]`, `<|end_of_thought|>`. The opening tag is often missing, because it is part of the prompt.
pub(crate) fn without_thoughts(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let ends = ["/", "end_of_"].iter().flat_map(|mark| {
        lower.match_indices(mark).filter_map(|(at, mark)| tag_end(&lower, at, at + mark.len()))
    });
    &text[ends.max().unwrap_or(0)..]
}

/// Nothing, or thinking that does not end.
pub(crate) fn has_only_thoughts(text: &str) -> bool {
    let lower = without_thoughts(text).trim().to_ascii_lowercase();
    let name = lower.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
    lower.is_empty() || name <= "<|".len().max("◁".len()) && tag_end(&lower, name, name).is_some()
}

/// The end of a tag with the name of thinking, which begins at `name`; `before` is where its bracket must end.
fn tag_end(lower: &str, before: usize, name: usize) -> Option<usize> {
    let closes = |c: char| matches!(c, '>' | ']' | '|' | '▷');
    let opened = lower[..before].chars().next_back()?;
    let rest = &lower[name..];
    let end = rest.find(|c: char| !c.is_ascii_alphabetic())?;
    let after = rest[end..].find(|c: char| !closes(c)).unwrap_or(rest.len() - end);
    let is_tag = matches!(opened, '<' | '[' | '|' | '◁') && THOUGHTS.contains(&&rest[..end]) && after > 0;
    is_tag.then_some(name + end + after)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let schema = json!({"required": ["a"]});
        assert_eq!(document(text, &schema, false).as_deref(), expected, "{text}");
    }

    #[test]
    fn document_is_extracted_from_surrounding_text() {
        check(r#"{"a":1}"#, Some(r#"{"a":1}"#));
        check(" [1, 2]\n", None);
        check("[{\"b\": 2}]\n", Some("[{\"b\": 2}]"));
        check("```json\n{\"a\":1}\n```", Some("{\"a\":1}"));
        check("Here it is:\n```\n{\"a\":1}\n```\nAnything [else]?", Some("{\"a\":1}"));
        check("Sure! {\"a\":{\"b\":2}} is the model.", Some("{\"a\":{\"b\":2}}"));
        check("{\"a\":1} as in {\"b\":2222222}", Some("{\"a\":1}"));
        check("{\"a\":1", None);
        check("{\"b\":[{\"c\":1},{\"c\":", None);
        check("\"only a string\"", None);
        check("I cannot do that.", None);
        check("]é{", None);
        check("", None);
    }

    #[test]
    fn thinking_in_any_spelling_is_dropped() {
        for thoughts in [
            "<think>{maybe}</think>",
            "<thinking>Perhaps {\"a\":0}?</thinking>\n",
            "Okay, {\"kind\": maybe} or [JSON].\n</think>\n\n",
            "<think>{one}</think>\n<think>{\"a\":0}</think>",
            "<THINK>{\"b\":[1,2,3,4]}</THINK>",
            "[THINK]{\"b\":[1,2,3,4]}[/THINK]",
            "◁think▷{\"b\":[1,2,3,4]}◁/think▷",
            "<|begin_of_thought|>{\"b\":[1,2,3,4]}<|end_of_thought|>",
            "<|channel|>analysis<|message|>A draft {\"b\":1}.<|end|><|start|>assistant<|channel|>final<|message|>",
            "<reasoning>é {\"b\":[1,2,3,4]}</reasoning>",
            "<tool_call>\n",
            "<answer>",
        ] {
            check(&format!("{thoughts}{{\"a\":1}}"), Some("{\"a\":1}"));
            let closed =
                format!("{thoughts}{{\"a\":1}}\n</tool_call>\nLet me know if [anything] is {{missing}}!");
            check(&closed, Some("{\"a\":1}"));
        }
        // Without the fields, it is still not a draft.
        check("<think>{\"b\":[1,2,3,4]}</think>{\"c\":1}", Some("{\"c\":1}"));
        for (text, rest) in [
            ("<think>a</think>b", "b"),
            ("a</Thinking>b", "b"),
            ("x[/THINK] b", " b"),
            ("◁think▷x◁/think▷b", "b"),
            ("<|end_of_thought|>b", "b"),
            ("a / b and/or <b>thinking</b>", "a / b and/or <b>thinking</b>"),
            ("http://host/think", "http://host/think"),
            ("<think>a", "<think>a"),
            ("</think", "</think"),
        ] {
            assert_eq!(without_thoughts(text), rest, "{text}");
        }
        for (text, only) in [
            ("", true),
            (" <think>a", true),
            ("[THINK]a", true),
            ("◁think▷a", true),
            ("<think>a</think>\n", true),
            ("<think>a</think>{", false),
            ("think about it", false),
            ("{\"a\":", false),
        ] {
            assert_eq!(has_only_thoughts(text), only, "{text}");
        }
    }

    #[test]
    fn answer_is_taken_out_of_its_envelope() {
        for text in [
            r#"[{"a":1}]"#,
            r#"{"blueprint":{"a":1}}"#,
            r#"<tool_call>{"name":"blueprint","arguments":{"a":1}}</tool_call>"#,
            r#"{"name":"blueprint","arguments":"{\"a\":1}"}"#,
            r#""{\"a\":1}""#,
        ] {
            check(text, Some(r#"{"a":1}"#));
        }
    }

    #[test]
    fn strict_search_takes_no_part_of_a_document() {
        let schema = json!({"required": ["a"]});
        assert_eq!(document("{\"a\":[{\"b\":1},{\"b\":", &schema, true), None);
        assert_eq!(document("{\"a\":1}\n\n\n\n", &schema, true).as_deref(), Some("{\"a\":1}"));
        assert_eq!(document("{\"a\":1}", &json!({}), true), None);
    }

    #[test]
    fn hostile_text_is_searched_within_bounds() {
        let mut texts = vec!["{".repeat(1 << 20), "[\"".repeat(1 << 19), "{\"a\":".repeat(1 << 18)];
        texts.push(format!("[{}", "0,".repeat(1 << 19)));
        texts.push("</".repeat(1 << 19));
        for text in texts {
            check(&text, None);
        }
    }
}
