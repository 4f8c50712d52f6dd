//! JSON Schema of the blueprints: one for the parser, with every bound, and one for models, with only what every vendor
//! of structured output understands.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of `T` with every bound, references written out.
pub(crate) fn bounded<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// A bounded schema made strict: closed objects, every property required, optional ones nullable, bounds as words.
///
/// The keywords left are `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`, `description`.
pub(crate) fn strict(bounded: &Value) -> Value {
    let mut out = Map::new();
    let mut notes: Vec<String> = Vec::new();
    let text = |key: &str| bounded.get(key).and_then(Value::as_str);
    let number = |key: &str| bounded.get(key).and_then(Value::as_u64);
    if let Some(description) = text("description") {
        notes.push(description.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    if let Some(choices) = choices(bounded) {
        out.insert("type".into(), json!("string"));
        notes.extend(choices.iter().filter_map(|(value, what)| {
            what.as_ref().map(|what| format!("{value}: {}.", what.trim_end_matches('.')))
        }));
        out.insert("enum".into(), choices.iter().map(|(value, _)| json!(value)).collect());
    } else if let Some(kind) = bounded.get("type") {
        out.insert("type".into(), kind.clone());
    }
    if let Some(properties) = bounded.get("properties").and_then(Value::as_object) {
        out.insert("required".into(), properties.keys().map(|key| json!(key)).collect());
        out.insert("additionalProperties".into(), json!(false));
        let properties = properties.iter().map(|(key, schema)| (key.clone(), strict(schema))).collect();
        out.insert("properties".into(), Value::Object(properties));
    }
    if let Some(items) = bounded.get("items") {
        out.insert("items".into(), strict(items));
    }
    if let Some(most) = number("maxItems") {
        notes.push(format!("At most {most}."));
    }
    if let Some(most) = number("maxLength") {
        notes.push(format!("At most {most} characters."));
    }
    if let Some(pattern) = text("pattern") {
        notes.push(format!("Matches {pattern}."));
    }
    if !notes.is_empty() {
        out.insert("description".into(), json!(notes.join(" ")));
    }
    Value::Object(out)
}

/// The values of an enumeration and what each means.
pub(crate) fn choices(schema: &Value) -> Option<Vec<(&str, Option<&str>)>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(|value| Some((value.as_str()?, None))).collect();
    }
    let branches = schema.get("oneOf")?.as_array()?;
    branches
        .iter()
        .map(|branch| {
            Some((branch.get("const")?.as_str()?, branch.get("description").and_then(Value::as_str)))
        })
        .collect()
}
