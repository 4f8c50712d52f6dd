//! JSON Schemas of inputs and answers, in the subset that all clients accept.
//!
//! Some clients do not support references, Rust's number formats or lists of types, so that inputs have none.

use std::sync::Arc;

use rmcp::{
    model::JsonObject,
    schemars::{JsonSchema, generate::SchemaSettings},
};
use serde_json::Value;

/// The schema of an input.
pub(super) fn of_input<T: JsonSchema>() -> Arc<JsonObject> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema, true);
    object(schema)
}

/// The schema of an answer.
pub(super) fn of_answer<T: JsonSchema>() -> Arc<JsonObject> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    simplify(&mut schema, false);
    object(schema)
}

/// Inputs and answers are structs, so this is always an object; a test reads every one.
fn object(schema: Value) -> Arc<JsonObject> {
    let Value::Object(mut schema) = schema else { return Arc::default() };
    // The name of a Rust type has no meaning for a model.
    schema.remove("title");
    schema.remove("description");
    Arc::new(schema)
}

fn simplify(schema: &mut Value, input: bool) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| simplify(item, input)),
        Value::Object(fields) => {
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| !format.contains('-')) {
                fields.remove("format");
            }
            if input {
                without_null(fields);
            }
            fields.values_mut().for_each(|value| simplify(value, input));
        }
        _ => {}
    }
}

/// An optional argument may be left out; the schema does not offer null too.
fn without_null(fields: &mut JsonObject) {
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = fields.get("anyOf") {
        let rest: Vec<&Value> =
            choices.iter().filter(|choice| choice.get("type").is_none_or(|name| name != "null")).collect();
        if let ([Value::Object(only)], true) = (rest.as_slice(), rest.len() < choices.len()) {
            let only = only.clone();
            fields.remove("anyOf");
            for (key, value) in only {
                // The description of the argument replaces that of its type.
                fields.entry(key).or_insert(value);
            }
        }
    }
}
