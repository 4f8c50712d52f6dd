//! JSON Schemas of inputs and answers, in the subset that all clients and vendors of models accept.
//!
//! Many refuse references, `oneOf`, `const`, properties without a type, or the keywords of one draft, and then refuse
//! every request of the session. So schemas are flat, and arguments are read more generously than they are described.

use std::sync::Arc;

use rmcp::{
    model::JsonObject,
    schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings},
};
use serde_json::{Map, Value, json};

const KEPT: [&str; 8] =
    ["type", "description", "properties", "required", "items", "enum", "minimum", "maximum"];

/// The schema of an input.
pub(super) fn of_input<T: JsonSchema>() -> Arc<JsonObject> {
    object(SchemaSettings::draft2020_12(), Use::Input, |generator| {
        generator.into_root_schema_for::<T>().to_value()
    })
}

/// The schema of an answer.
pub(super) fn of_answer<T: JsonSchema>() -> Arc<JsonObject> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    object(settings, Use::Answer, |generator| generator.into_root_schema_for::<T>().to_value())
}

fn object(
    settings: SchemaSettings,
    place: Use,
    generate: impl FnOnce(SchemaGenerator) -> Value,
) -> Arc<JsonObject> {
    let settings = settings.with(|settings| settings.inline_subschemas = true);
    let mut schema = flat(generate(settings.into_generator()), place, 0);
    // The description of a Rust type has no meaning for a model.
    schema.remove("description");
    schema.entry("properties").or_insert(json!({}));
    Arc::new(schema)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Input,
    Answer,
}

/// The schema without alternatives: an object or a value that may be any of them, and whose description tells them
/// apart. What the alternatives exclude is found when the arguments are read.
fn flat(schema: Value, place: Use, depth: usize) -> JsonObject {
    let Value::Object(mut fields) = schema else { return Map::new() };
    let mut nullable = false;
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        nullable = types.iter().any(|name| name == "null");
        types.retain(|name| name != "null");
        if let Some(first) = types.first().cloned() {
            fields.insert("type".to_owned(), first);
        }
    }
    for keyword in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = fields.remove(keyword) else { continue };
        let given = choices.len();
        let choices: Vec<JsonObject> = choices
            .into_iter()
            .filter(|choice| choice.get("type").is_none_or(|name| name != "null"))
            .map(|choice| flat(choice, place, depth))
            .collect();
        nullable |= choices.len() < given;
        merge(&mut fields, choices);
    }
    if let Some(value) = fields.remove("const") {
        fields.insert("enum".to_owned(), json!([value]));
    }
    if fields.get("enum").is_some() {
        fields.entry("type").or_insert(json!("string"));
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        for property in properties.values_mut() {
            *property = Value::Object(flat(property.take(), place, depth + 1));
        }
    }
    if let Some(items) = fields.get_mut("items") {
        *items = Value::Object(flat(items.take(), place, depth + 1));
    }
    fields.retain(|keyword, _| KEPT.contains(&keyword.as_str()));
    if place == Use::Answer && depth > 1 {
        // Names say enough about parts of an answer, and models read the whole list of tools in every session.
        fields.remove("description");
    }
    if place == Use::Answer && nullable {
        // An optional argument may be left out; an answer has null.
        let kind = fields.remove("type").unwrap_or(json!("object"));
        fields.insert("type".to_owned(), json!([kind, "null"]));
        if let Some(Value::Array(values)) = fields.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    fields
}

/// Adds flat alternatives to a schema.
fn merge(fields: &mut JsonObject, choices: Vec<JsonObject>) {
    if let [only] = choices.as_slice() {
        for (key, value) in only {
            // The description of the argument replaces that of its type.
            fields.entry(key).or_insert_with(|| value.clone());
        }
        return;
    }
    let mut values = Vec::new();
    let mut properties = Map::new();
    let mut described = Vec::new();
    for choice in &choices {
        fields.entry("type").or_insert_with(|| choice.get("type").cloned().unwrap_or(json!("string")));
        values.extend(choice.get("enum").and_then(Value::as_array).cloned().unwrap_or_default());
        described.extend(describe(choice));
        for (name, property) in choice.get("properties").and_then(Value::as_object).into_iter().flatten() {
            join(properties.entry(name).or_insert(json!({})), property);
        }
    }
    let text =
        fields.get("description").and_then(Value::as_str).into_iter().map(str::to_owned).chain(described);
    let text = text.collect::<Vec<_>>().join(" ");
    if !text.is_empty() {
        fields.insert("description".to_owned(), json!(text));
    }
    if !values.is_empty() {
        fields.insert("enum".to_owned(), json!(values));
    }
    if !properties.is_empty() {
        fields.insert("properties".to_owned(), json!(properties));
        let always = required(choices.first());
        let always: Vec<&str> = always
            .into_iter()
            .filter(|name| choices.iter().all(|choice| required(Some(choice)).contains(name)))
            .collect();
        fields.insert("required".to_owned(), json!(always));
    }
}

fn required(choice: Option<&JsonObject>) -> Vec<&str> {
    let names = choice.and_then(|choice| choice.get("required")).and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `add_node (id, label?, shape?): Add a box.`
fn describe(choice: &JsonObject) -> Option<String> {
    let text = choice.get("description").and_then(Value::as_str)?;
    let only = |schema: &JsonObject| match schema.get("enum").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(value)]) => Some(value.clone()),
        _ => None,
    };
    if let Some(value) = only(choice) {
        return Some(format!("`{value}`: {text}"));
    }
    let properties = choice.get("properties").and_then(Value::as_object)?;
    let tag = properties.values().find_map(|property| property.as_object().and_then(only))?;
    let needed = required(Some(choice));
    let names: Vec<String> = properties
        .iter()
        .filter(|(_, property)| property.as_object().and_then(only).is_none())
        .map(|(name, _)| format!("{name}{}", if needed.contains(&name.as_str()) { "" } else { "?" }))
        .collect();
    Some(format!("`{tag}` ({}): {text}", names.join(", ")))
}

/// Joins a property of one alternative to that of the others: all their values and descriptions, each once.
fn join(known: &mut Value, property: &Value) {
    let (Value::Object(known), Value::Object(property)) = (known, property) else { return };
    for (key, value) in property {
        match (known.get_mut(key), value) {
            (None, value) => {
                known.insert(key.clone(), value.clone());
            }
            (Some(Value::Array(known)), Value::Array(values)) => {
                let new: Vec<Value> = values.iter().filter(|value| !known.contains(value)).cloned().collect();
                known.extend(new);
            }
            (Some(Value::String(known)), Value::String(text))
                if key == "description" && !known.contains(text.as_str()) =>
            {
                known.push_str(&format!(" {text}"));
            }
            _ => (),
        }
    }
}

/// Reads what a client has sent as text although the schema has an array, an object, a number or a boolean there: some
/// clients write JSON into a string.
pub(super) fn read_strings(schema: &JsonObject, arguments: &mut JsonObject) {
    let Some(properties) = schema.get("properties") else { return };
    for (name, value) in arguments {
        if let Some(schema) = properties.get(name) {
            read_string(schema, value);
        }
    }
}

fn read_string(schema: &Value, value: &mut Value) {
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let fits = |value: &Value| match kind {
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    if let Value::String(text) = value
        && let Ok(read) = serde_json::from_str::<Value>(text)
        && fits(&read)
    {
        *value = read;
    }
    match (value, schema.get("items"), schema.get("properties")) {
        (Value::Array(items), Some(schema), _) => items.iter_mut().for_each(|item| read_string(schema, item)),
        (Value::Object(fields), _, Some(properties)) => {
            for (name, value) in fields {
                if let Some(schema) = properties.get(name) {
                    read_string(schema, value);
                }
            }
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_strings_is_read_where_the_schema_has_no_string() {
        let schema = json!({"properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "scale": {"type": "number"},
            "on": {"type": "boolean"},
            "text": {"type": "string"},
            "any": {},
        }});
        for (sent, read) in [
            (json!({"list": "[{\"n\": 1}]"}), json!({"list": [{"n": 1}]})),
            (json!({"list": ["{\"n\": \"1\"}"]}), json!({"list": [{"n": 1}]})),
            (json!({"list": " [] "}), json!({"list": []})),
            (json!({"scale": "2"}), json!({"scale": 2})),
            (json!({"scale": "2.5", "on": "true"}), json!({"scale": 2.5, "on": true})),
            // Not what the schema has: left for the error.
            (json!({"list": "{\"n\": 1}"}), json!({"list": "{\"n\": 1}"})),
            (json!({"list": "no json", "scale": "two"}), json!({"list": "no json", "scale": "two"})),
            (json!({"list": [{"n": "1.5"}]}), json!({"list": [{"n": "1.5"}]})),
            // Text stays text, whatever it looks like.
            (
                json!({"text": "[1]", "any": "2", "other": "3"}),
                json!({"text": "[1]", "any": "2", "other": "3"}),
            ),
        ] {
            let mut arguments = sent.as_object().unwrap().clone();
            read_strings(schema.as_object().unwrap(), &mut arguments);
            assert_eq!(Value::Object(arguments), read, "{sent}");
        }
    }
}
