//! Extracts the JSON document from a reply: code fences, remarks and thinking around it are dropped.
//!
//! Never repairs JSON: a document that does not parse is an error.

use serde_json::Value;

/// The one document in `text`, as it was written.
pub(crate) fn document(text: &str) -> Option<&str> {
    let text = without_thoughts(text).trim();
    let fenced = || {
        let (_, after) = text.split_once("```")?;
        let (_, body) = after.split_once('\n')?;
        let (body, _) = body.rsplit_once("```")?;
        Some(body.trim())
    };
    let bracketed = || {
        let start = text.find(['{', '['])?;
        let end = text.rfind(['}', ']'])?;
        text.get(start..=end)
    };
    [Some(text), fenced(), bracketed()].into_iter().flatten().find(|candidate| is_document(candidate))
}

fn is_document(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_) | Value::Array(_)))
}

/// Small models write their thinking into the answer.
fn without_thoughts(text: &str) -> &str {
    let start = text.trim_start();
    match start.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>")) {
        Some((_, answer)) => answer,
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::document;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(document(text), expected, "{text}");
    }

    #[test]
    fn document_is_extracted_from_surrounding_text() {
        check(r#"{"a":1}"#, Some(r#"{"a":1}"#));
        check(" [1, 2]\n", Some("[1, 2]"));
        check("```json\n{\"a\":1}\n```", Some("{\"a\":1}"));
        check("Here it is:\n```\n{\"a\":1}\n```\nAnything else?", Some("{\"a\":1}"));
        check("Sure! {\"a\":{\"b\":2}} is the model.", Some("{\"a\":{\"b\":2}}"));
        check("<think>{maybe}</think>{\"a\":1}", Some("{\"a\":1}"));
        check("{\"a\":1", None);
        check("\"only a string\"", None);
        check("I cannot do that.", None);
        check("]é{", None);
        check("", None);
    }
}
