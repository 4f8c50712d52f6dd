//! Successful responses: the request to each vendor, the parsed result, and the parameters that are left out when a
//! server rejects them.
//!
//! The responses are in `recorded.rs`.

use llm::ProviderId::{Anthropic, Compatible, Gemini, OpenAi, OpenRouter};
use llm::{Endpoint, Llm, Question};
use serde_json::json;

use crate::check::{check, endpoint, limits, plain, structured, with_text};
use crate::recorded::*;
use crate::server::{Server, events, json};

#[test]
fn good_reply_of_every_vendor_is_an_answer() {
    check(OpenAi, &plain(), &[events(OPENAI)], "Hello, world | 12/5 5µ$ | 1");
    check(OpenRouter, &plain(), &[events(OPENROUTER)], "Hello, world | 12/5 12µ$ | 1");
    check(Anthropic, &plain(), &[events(ANTHROPIC)], "Hello, world | 12/5 37µ$ | 1");
    check(Gemini, &plain(), &[events(GEMINI)], "Hello, world | 12/5 16µ$ | 1");
    check(Compatible, &plain(), &[events(OPENAI)], "Hello, world | 12/5 | 1");
}

#[test]
fn request_has_the_vendors_format() {
    let sent = |provider, recorded| {
        check(
            provider,
            &plain(),
            &[events(recorded)],
            match provider {
                OpenAi => "Hello, world | 12/5 5µ$ | 1",
                OpenRouter => "Hello, world | 12/5 12µ$ | 1",
                Anthropic => "Hello, world | 12/5 37µ$ | 1",
                _ => "Hello, world | 12/5 16µ$ | 1",
            },
        )
        .remove(0)
    };

    let request = sent(OpenAi, OPENAI);
    assert_eq!(request.path, "/v1/chat/completions");
    assert!(request.head.contains("authorization: Bearer sk-test"));
    assert_eq!(
        request.body,
        json!({
            "model": "gpt-4o-mini", "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 4096, "temperature": 0.0,
            "messages": [
                {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Greet the world."}
            ]
        })
    );
    // The transport would parse an effort at the end of the name.
    assert_eq!(sent(OpenRouter, OPENROUTER).body["model"], "qwen/qwen3-max");

    let request = sent(Anthropic, ANTHROPIC);
    assert_eq!(request.path, "/v1/messages");
    assert!(request.head.contains("x-api-key: sk-test") && !request.head.contains("authorization"));
    assert_eq!(request.body["system"], "Be brief.");

    let request = sent(Gemini, GEMINI);
    assert_eq!(request.path, "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    assert!(request.head.contains("x-goog-api-key: sk-test"));
}

#[test]
fn traceparent_is_sent_to_every_vendor() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = Question { traceparent: Some(trace.to_owned()), ..plain() };
    for (provider, recorded, expected) in [
        (OpenAi, OPENAI, "Hello, world | 12/5 5µ$ | 1"),
        (OpenRouter, OPENROUTER, "Hello, world | 12/5 12µ$ | 1"),
        (Anthropic, ANTHROPIC, "Hello, world | 12/5 37µ$ | 1"),
        (Gemini, GEMINI, "Hello, world | 12/5 16µ$ | 1"),
        (Compatible, OPENAI, "Hello, world | 12/5 | 1"),
    ] {
        let head = check(provider, &traced, &[events(recorded)], expected).remove(0).head;
        assert!(head.contains(&format!("traceparent: {trace}\r\n")), "{head}");
        let head = check(provider, &plain(), &[events(recorded)], expected).remove(0).head;
        assert!(!head.contains("traceparent"), "{head}");
    }
    // A server without a key gets a different request.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let head = runtime.block_on(async {
        let server = Server::start(vec![events(OPENAI)]).await;
        let keyless = Endpoint::new(Compatible).with_model("m").with_base_url(format!("{}/v1", server.url));
        Llm::new(limits()).expect("client").ask(&keyless, &traced).await.expect("an answer");
        server.requests().remove(0).head
    });
    assert!(head.contains(&format!("traceparent: {trace}\r\n")), "{head}");
}

#[test]
fn schema_is_sent_and_json_is_returned() {
    let ok = "{\"ok\":true}";
    let sent =
        check(OpenAi, &structured(), &[with_text(OPENAI, ok)], "structured {\"ok\":true} | 12/5 5µ$ | 1");
    assert_eq!(sent[0].body["response_format"]["json_schema"]["name"], "verdict");
    let sent = check(
        OpenRouter,
        &structured(),
        &[with_text(OPENROUTER, ok)],
        "structured {\"ok\":true} | 12/5 12µ$ | 1",
    );
    assert_eq!(sent[0].body["response_format"]["type"], "json_schema");
    let sent = check(
        Anthropic,
        &structured(),
        &[with_text(ANTHROPIC, ok)],
        "structured {\"ok\":true} | 12/5 37µ$ | 1",
    );
    assert_eq!(sent[0].body["output_config"]["format"]["type"], "json_schema");
    let sent =
        check(Gemini, &structured(), &[with_text(GEMINI, ok)], "structured {\"ok\":true} | 12/5 16µ$ | 1");
    assert_eq!(sent[0].body["generationConfig"]["responseJsonSchema"]["required"], json!(["ok"]));

    check(Compatible, &structured(), &[with_text(OPENAI, "I think so.")], "BadReply NotJson | 12/5 | 1");
    check(Compatible, &structured(), &[with_text(OPENAI, "{\"ok\":tr")], "BadReply NotJson | 12/5 | 1");
}

#[test]
fn rejected_part_is_left_out_once() {
    let no_schema = json(
        400,
        r#"{"error":{"message":"This model does not support response_format json_schema","code":400}}"#,
    );
    let fenced = with_text(OPENAI, "```json\n{\"ok\":true}\n```");
    let sent = check(Compatible, &structured(), &[no_schema.clone(), fenced], "{\"ok\":true} | 12/5 | 2");
    assert!(sent[0].body.get("response_format").is_some());
    assert!(sent[1].body.get("response_format").is_none());
    let prompt = sent[1].body["messages"][0]["content"].as_str().expect("system");
    assert!(
        prompt.starts_with("Be brief.\n\n") && prompt.contains("\"additionalProperties\":false"),
        "{prompt}"
    );
    check(Compatible, &structured(), &[no_schema], "Refused Request { status: 400 } | 2");

    let no_temperature = json(
        400,
        r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.","param":"temperature"}}"#,
    );
    let sent = check(OpenAi, &plain(), &[no_temperature, events(OPENAI)], "Hello, world | 12/5 5µ$ | 2");
    assert!(sent[1].body.get("temperature").is_none());

    let no_stream = json(
        400,
        r#"{"error":{"message":"Your organization must be verified to stream this model.","param":"stream"}}"#,
    );
    let sent =
        check(OpenAi, &plain(), &[no_stream.clone(), json(200, OPENAI_WHOLE)], "Hello, world | 12/5 5µ$ | 2");
    assert_eq!(sent[1].body["stream"], false);
    // A whole reply in place of a stream is used as it is.
    check(Compatible, &plain(), &[json(200, OPENAI_WHOLE)], "Hello, world | 12/5 | 1");
}

#[test]
fn connections_are_reused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let server = Server::start(vec![events(OPENAI)]).await;
        let llm = Llm::new(limits()).expect("client");
        for _ in 0..5 {
            llm.ask(&endpoint(OpenAi, &server), &plain()).await.expect("answer");
        }
        assert_eq!((server.requests().len(), server.connections()), (5, 1));
    });
}
