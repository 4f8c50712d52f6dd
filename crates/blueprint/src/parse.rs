//! JSON, such as the answer of a model, into a blueprint.
//!
//! Tolerant of what does not matter (prose and fences around the JSON, `null`, a number for a string, unknown fields,
//! another spelling of a field, one thing where a list is wanted), strict on what does (bounds, choices). The bounded
//! schema of the kind decides, so a new field needs no change here. Never panics; reads at most [`MOST_BYTES`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{schema, text};

/// Longest answer that is read, in bytes.
pub const MOST_BYTES: usize = 2_000_000;

/// The most problems of an answer: a model pays for each.
const MOST_PROBLEMS: usize = 30;

/// Something in the JSON that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where, for example `classes[2].name`; empty for the whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// The JSON object in `text`, brought into the shape of `bounded`.
pub(crate) fn read(text: &str, bounded: &Value) -> Result<Value, Vec<Problem>> {
    let whole = |message: String| vec![Problem { path: String::new(), message }];
    if text.len() > MOST_BYTES {
        return Err(whole(format!("The answer is longer than {MOST_BYTES} bytes.")));
    }
    let fields = bounded.get("properties").and_then(Value::as_object);
    let known = |value: &Value| {
        value
            .as_object()
            .is_some_and(|object| object.keys().any(|key| fields.is_some_and(|f| field(f, key).is_some())))
    };
    let Some(found) = find_object(text, &known) else {
        let wanted = fields.map(|f| f.keys().cloned().collect::<Vec<_>>().join("`, `")).unwrap_or_default();
        return Err(whole(format!("There is no JSON object with the fields `{wanted}`.")));
    };
    let mut problems = Vec::new();
    let value = shape(found, bounded, "", &mut problems);
    if problems.is_empty() { Ok(value) } else { Err(problems) }
}

/// The first object in `text` that `known` takes, itself or one level down.
fn find_object(text: &str, known: &dyn Fn(&Value) -> bool) -> Option<Value> {
    let fits = |value: Value| match value {
        Value::Object(_) if known(&value) => Some(value),
        // `{"class_diagram": {…}}` and `[{…}]`.
        Value::Object(object) => object.into_iter().map(|(_, inner)| inner).find(known),
        Value::Array(list) => list.into_iter().find(known),
        _ => None,
    };
    if let Some(found) = serde_json::from_str(text.trim()).ok().and_then(fits) {
        return Some(found);
    }
    // Each try may read to the end of the text, so there are not many.
    let mut at = 0;
    for _ in 0..40 {
        at += text.get(at..)?.find('{')?;
        let rest = text.get(at..)?;
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let step = match stream.next() {
            Some(Ok(value)) => {
                let length = stream.byte_offset();
                if let Some(found) = fits(value) {
                    return Some(found);
                }
                length
            }
            _ => {
                let corrected = without_stray_commas(rest);
                let mut stream = serde_json::Deserializer::from_str(&corrected).into_iter::<Value>();
                if let Some(found) = stream.next().and_then(Result::ok).and_then(fits) {
                    return Some(found);
                }
                1
            }
        };
        at += step.max(1);
    }
    None
}

/// `[1, 2,]` and `{"a": 1,}` without the last comma, which JSON forbids and models write.
fn without_stray_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                let next = text.get(at + 1..).unwrap_or_default().trim_start();
                if next.starts_with([']', '}']) {
                    continue;
                }
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

fn kind_of(schema: &Value) -> (&str, bool) {
    match schema.get("type") {
        Some(Value::String(kind)) => (kind, false),
        Some(Value::Array(kinds)) => {
            let kind = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
            (kind.unwrap_or_default(), true)
        }
        _ => ("", false),
    }
}

fn shape(value: Value, schema: &Value, path: &str, problems: &mut Vec<Problem>) -> Value {
    if problems.len() >= MOST_PROBLEMS {
        return Value::Null;
    }
    if let Some(choices) = schema::choices(schema) {
        return shape_choice(&value, &choices, path, problems);
    }
    match kind_of(schema).0 {
        "object" => shape_object(value, schema, path, problems),
        "array" => shape_list(value, schema, path, problems),
        "string" => shape_text(&value, schema, path, problems),
        "boolean" => Value::Bool(match &value {
            Value::Bool(flag) => *flag,
            Value::String(text) => matches!(text.trim().to_lowercase().as_str(), "true" | "yes" | "1"),
            Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
            _ => false,
        }),
        _ => value,
    }
}

fn problem(problems: &mut Vec<Problem>, path: &str, message: impl Into<String>) {
    problems.push(Problem { path: path.to_owned(), message: message.into() });
}

/// The field of the schema that `key` is a spelling of: `multiplicityFrom` is `multiplicity_from`.
fn field<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    let plain =
        |key: &str| key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(key);
    let wanted = match wanted.as_str() {
        "source" if !fields.contains_key("source") => "from",
        "target" if !fields.contains_key("target") => "to",
        "typename" | "datatype" => "type",
        "returntype" => "returns",
        "operations" => "methods",
        "values" => "literals",
        "associations" if fields.contains_key("relationships") => "relationships",
        "relationships" if fields.contains_key("links") => "links",
        other => other,
    };
    fields.keys().map(String::as_str).find(|field| plain(field) == wanted)
}

fn shape_object(value: Value, schema: &Value, path: &str, problems: &mut Vec<Problem>) -> Value {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        return value;
    };
    let object = match value {
        Value::Object(object) => object,
        // A model that wants to be short writes `"name"` for `{"name": "name"}`.
        Value::String(name) if fields.contains_key("name") => {
            Map::from_iter([("name".to_owned(), Value::String(name))])
        }
        other => {
            problem(problems, path, format!("must be an object, but is {}", noun(&other)));
            return Value::Null;
        }
    };
    let mut out = Map::new();
    for (key, inner) in object {
        let Some(field) = field(fields, &key) else {
            continue;
        };
        // An exact spelling wins over a free one.
        if inner.is_null() || (out.contains_key(field) && key != field) {
            continue;
        }
        let Some(schema) = fields.get(field) else { continue };
        let path = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        let inner = shape(inner, schema, &path, problems);
        out.insert(field.to_owned(), inner);
    }
    Value::Object(out)
}

fn shape_list(value: Value, schema: &Value, path: &str, problems: &mut Vec<Problem>) -> Value {
    let list = match value {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let most = schema.get("maxItems").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    if let Some(most) = most.filter(|most| list.len() > *most) {
        problem(problems, path, format!("has {} entries; at most {most} are allowed", list.len()));
        return Value::Null;
    }
    let Some(items) = schema.get("items") else {
        return Value::Array(list);
    };
    let list = list.into_iter().enumerate().filter(|(_, item)| !item.is_null());
    Value::Array(list.map(|(at, item)| shape(item, items, &format!("{path}[{at}]"), problems)).collect())
}

fn shape_text(value: &Value, schema: &Value, path: &str, problems: &mut Vec<Problem>) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        // A parameter as `{"name": "day", "type": "Date"}`.
        Value::Object(object) => {
            let part =
                |key: &str| object.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
            match (part("name"), part("type")) {
                (Some(name), Some(kind)) => format!("{name}: {kind}"),
                (Some(name), None) => name.to_owned(),
                _ => {
                    problem(problems, path, "must be a string, but is an object");
                    return Value::Null;
                }
            }
        }
        Value::Array(_) => {
            problem(problems, path, "must be a string, but is a list");
            return Value::Null;
        }
    };
    let most = schema.get("maxLength").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let count = text.chars().count();
    match most.filter(|most| count > *most) {
        None => Value::String(text),
        // A quotation is as good when it is shorter; another call for it would be wasted.
        Some(most) if path.ends_with("evidence") => Value::String(text.chars().take(most).collect()),
        Some(most) => {
            problem(problems, path, format!("has {count} characters; at most {most} are allowed"));
            Value::Null
        }
    }
}

fn shape_choice(
    value: &Value,
    choices: &[(&str, Option<&str>)],
    path: &str,
    problems: &mut Vec<Problem>,
) -> Value {
    let said = value.as_str().unwrap_or_default();
    let plain: String = said.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = match (said.trim(), plain.as_str()) {
        ("+", _) => "public",
        ("-", _) => "private",
        ("#", _) => "protected",
        ("~", _) => "package",
        (_, "enumeration") => "enum",
        (_, "abstractclass") => "abstract",
        (_, "generalisation" | "isa") => "generalization",
        (_, "extends") if choices.iter().any(|(value, _)| *value == "extend") => "extend",
        (_, "extends") => "generalization",
        (_, "implementation" | "implements") => "realization",
        (_, "extension") => "extend",
        (_, "inclusion" | "includes") => "include",
        (_, "initial" | "begin") => "start",
        (_, "final" | "stop" | "finish") => "end",
        (_, plain) => plain,
    };
    let has =
        |wanted: &str| choices.iter().map(|(value, _)| *value).find(|value| value.replace('_', "") == wanted);
    // One word means the same line in two kinds of diagrams.
    let found = has(plain).or_else(|| match plain {
        "generalization" => has("inheritance"),
        "inheritance" => has("generalization"),
        _ => None,
    });
    match found {
        Some(value) => Value::String(value.to_owned()),
        None => {
            let allowed: Vec<&str> = choices.iter().map(|(value, _)| *value).collect();
            let said: String =
                if said.is_empty() { noun(value).to_owned() } else { format!("`{}`", text::shorten(said)) };
            problem(problems, path, format!("must be one of `{}`, but is {said}", allowed.join("`, `")));
            Value::Null
        }
    }
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
