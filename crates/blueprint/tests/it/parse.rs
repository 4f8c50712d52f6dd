//! What a model answers, into a blueprint, and the schema that it answers to.

use blueprint::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn model_of(blueprint: &Blueprint) -> Value {
    let mut value = serde_json::to_value(blueprint).unwrap();
    value.as_object_mut().unwrap().remove("kind");
    value
}

#[test]
fn samples_are_parsed_as_they_are() {
    for row in KINDS {
        let sample = (row.sample)();
        assert_eq!(parse(row.kind, &model_of(&sample).to_string()), Ok(sample), "{}", row.id);
    }
}

/// `text` is a class diagram with these classes and these relationships.
fn check(text: &str, classes: &[&str], relationships: usize) {
    let Ok(Blueprint::Class(model)) = parse(Kind::Class, text) else {
        panic!("{text}: {:?}", parse(Kind::Class, text));
    };
    let names: Vec<&str> = model.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, classes, "{text}");
    assert_eq!(model.relationships.len(), relationships, "{text}");
}

#[test]
fn takes_what_models_write() {
    for (text, classes, relationships) in [
        (r#"{"classes":[{"name":"A"}],"relationships":[]}"#, &["A"][..], 0),
        ("Here it is:\n```json\n{\"classes\": [{\"name\": \"A\"}]}\n```\nEnjoy {it}!", &["A"], 0),
        ("{not this} but {\"classes\": [{\"name\": \"A\"}]}", &["A"], 0),
        (r#"{"class_diagram": {"classes": [{"name": "A"}]}}"#, &["A"], 0),
        (r#"[{"classes": [{"name": "A"}]}]"#, &["A"], 0),
        (
            r#"{"classes": [{"name": "A", "evidence": null, "literals": null, "more": {"x": 1}}], "relationships":
            null}"#,
            &["A"],
            0,
        ),
        (r#"{"classes": [{"name": 7, "kind": "Abstract Class"}, "B", null]}"#, &["7", "B"], 0),
        (r#"{"classes": {"name": "A"}}"#, &["A"], 0),
        (r#"{"classes": [{"name": "A",},], "relationships": [],}"#, &["A"], 0),
        (
            r#"{"Classes": [{"name": "A"}], "relationships": [{"source": "A", "target": "A", "kind":
            "Generalization", "multiplicityFrom": 1}]}"#,
            &["A"],
            1,
        ),
        (r#"{"classes": []}"#, &[], 0),
    ] {
        check(text, classes, relationships);
    }
    let text = r#"{"classes":[{"name":"A","kind":"enumeration","attributes":["x: Int"],
        "methods":[{"name":"f","parameters":[{"name":"d","type":"Date"},"n"],"visibility":"-"}]}]}"#;
    let Ok(Blueprint::Class(model)) = parse(Kind::Class, text) else { panic!() };
    let class = &model.classes[0];
    assert_eq!((class.kind, class.attributes[0].name.as_str()), (ClassKind::Enum, "x: Int"));
    assert_eq!(class.methods[0].parameters, ["d: Date", "n"]);
    assert_eq!(class.methods[0].visibility, Visibility::Private);
}

#[test]
fn tells_what_it_cannot_take() {
    let many = json!({"classes": vec![json!({"name": "A"}); 81]}).to_string();
    let long = json!({"classes": [{"name": "A".repeat(121), "evidence": "e".repeat(999)}]}).to_string();
    for (text, want) in [
        ("", "There is no JSON object with the fields `classes`, `relationships`."),
        ("I cannot do that.", "There is no JSON object with the fields `classes`, `relationships`."),
        ("{\"steps\": []}", "There is no JSON object with the fields `classes`, `relationships`."),
        (&many, "classes: has 81 entries; at most 80 are allowed"),
        (&long, "classes[0].name: has 121 characters; at most 120 are allowed"),
        (r#"{"classes": [{"name": []}]}"#, "classes[0].name: must be a string, but is a list"),
        (r#"{"classes": [3]}"#, "classes[0]: must be an object, but is a number"),
        (
            r#"{"classes": [], "relationships": [{"from": "A", "to": "B", "kind": "friendship"}]}"#,
            "relationships[0].kind: must be one of `association`, `aggregation`, `composition`, `inheritance`, \
             `realization`, `dependency`, but is `friendship`",
        ),
    ] {
        let problems = parse(Kind::Class, text).unwrap_err();
        assert_eq!(problems[0].to_string(), want, "{problems:?}");
    }
    let problems = parse(Kind::Class, &"[".repeat(MOST_BYTES + 1)).unwrap_err();
    assert!(problems[0].message.contains("longer than"));
}

#[test]
fn deep_and_broken_texts_end() {
    for text in [
        "{\"classes\":".repeat(10_000),
        "[".repeat(100_000),
        "{".repeat(100_000),
        "{\"a\":[{,".repeat(50_000),
    ] {
        assert!(parse(Kind::Class, &text).is_err());
    }
}

/// Only keywords that every vendor of structured output takes, and everything closed and required.
fn check_strict(schema: &Value, path: &str) {
    const KNOWN: [&str; 7] =
        ["type", "properties", "required", "additionalProperties", "items", "enum", "description"];
    let object = schema.as_object().unwrap();
    assert!(object.contains_key("type"), "{path}");
    assert_eq!(object.keys().find(|key| !KNOWN.contains(&key.as_str())), None, "{path}");
    if object["type"] == "object" {
        let properties = object["properties"].as_object().unwrap();
        let names: Vec<&String> = properties.keys().collect();
        assert_eq!(object["required"], json!(names), "{path}");
        assert_eq!(object["additionalProperties"], false, "{path}");
        assert!(!properties.contains_key("sources"), "{path}");
        for (name, inner) in properties {
            check_strict(inner, &format!("{path}.{name}"));
        }
    }
    if let Some(items) = object.get("items") {
        check_strict(items, &format!("{path}[]"));
    }
}

/// `value` with `null` for what is missing, as a model has to write it.
fn written_out(value: &Value, schema: &Value) -> Value {
    match (value, schema.get("properties").and_then(Value::as_object)) {
        (Value::Object(object), Some(properties)) => Value::Object(
            properties
                .iter()
                .map(|(name, inner)| {
                    let value = object.get(name).map_or(Value::Null, |value| written_out(value, inner));
                    (name.clone(), value)
                })
                .collect(),
        ),
        (Value::Array(list), _) => list.iter().map(|item| written_out(item, &schema["items"])).collect(),
        _ => value.clone(),
    }
}

#[test]
fn schemas_are_strict_and_take_the_samples() {
    for row in KINDS {
        let schema = schema(row.kind);
        check_strict(&schema, row.id);
        let answer = written_out(&model_of(&(row.sample)()), &schema);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", row.id);
        assert_eq!(parse(row.kind, &answer.to_string()), Ok((row.sample)()), "{}", row.id);
        assert!(validator.validate(&json!({})).is_err());
    }
}

#[test]
fn the_name_of_a_thing_comes_first() {
    // A model writes the fields in this order: what it is before what belongs to it.
    let schema = schema(Kind::Class);
    let first =
        schema["properties"]["classes"]["items"]["properties"].as_object().unwrap().keys().next().cloned();
    assert_eq!(first.as_deref(), Some("name"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics(text in prop_oneof![any::<String>(), "[\\[\\]{}\":,a-e0-9\\\\ ]{0,80}"]) {
        for row in KINDS {
            let _ = parse(row.kind, &text);
        }
    }

    #[test]
    fn never_panics_on_odd_shapes(
        field in prop::sample::select(vec!["classes", "relationships", "actors", "links", "nodes", "edges", "system"]),
        inner in prop::sample::select(vec!["name", "kind", "from", "attributes", "literals", "external_system", "id"]),
        odd in prop::sample::select(vec![
            "null", "true", "-1e300", "\"x\"", "[]", "{}", "[[1]]", "{\"name\":{}}", "[null]"]),
    ) {
        for row in KINDS {
            let _ = parse(row.kind, &format!("{{\"{field}\":{odd}}}"));
            let _ = parse(row.kind, &format!("{{\"{field}\":[{{\"{inner}\":{odd}}}]}}"));
        }
    }
}
