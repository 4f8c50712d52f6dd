//! Replies as gateways and local servers send them: thinking around the answer, other framings, errors with status
//! 200, parameters that are refused, pauses, and the words of the vendor.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use llm::ProviderId::{Anthropic, Compatible, Gemini, OpenAi, OpenRouter};
use llm::{Llm, ProviderId, Question};
use serde_json::{Value, json};

use crate::check::{check, check_both, endpoint, limits, plain, structured, with_text};
use crate::recorded::*;
use crate::server::{Act, Request, Server, events, json, open_stream, reply};

const OK: &str = "{\"ok\":true}";

/// One event of a stream.
fn chunk(delta: Value, stop: Option<&str>) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": stop}]}))
}

/// A whole reply.
fn whole(message: Value, stop: Option<&str>) -> String {
    json!({"choices": [{"index": 0, "message": message, "finish_reason": stop}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5}})
    .to_string()
}

const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":5}}\n\n";

/// The answer is found with one request.
#[track_caller]
fn check_found(act: Act) {
    check(Compatible, &structured(), &[act], "structured {\"ok\":true} | 12/5 | 1");
}

#[test]
fn thinking_around_the_answer_costs_no_second_question() {
    for text in [
        "<think>\nThe user wants {a class} [list].\n</think>\n\n```json\n{\"ok\":true}\n```\n",
        "Okay, the user wants {\"kind\": maybe} [JSON].\n</think>\n\n{\"ok\":true}",
        "<think>{one}</think>\n<think>{two}</think>\n{\"ok\":true}\n\nLet me know if [anything] is missing!",
        "<thinking>Perhaps {\"ok\":false}?</thinking>\n{\"ok\":true}",
        "<tool_call>\n{\"ok\":true}\n</tool_call>",
        // Not in any report.
        "<Thought>{\"ok\": maybe}</Thought>{\"ok\":true}",
        "[THINK]A draft: {\"ok\":false}[/THINK]{\"ok\":true}",
        "◁think▷Is it [well]?◁/think▷{\"ok\":true}",
        "<|channel|>analysis<|message|>{\"no\":[1]}<|end|><|start|>assistant<|channel|>final<|message|>{\"ok\":true}",
        "<output>{\"ok\":true}</output> (see {appendix})",
        "First draft:\n```json\n{\"ok\":false}\n```\nCorrected:\n```json\n{\"ok\":true}\n```",
        "<|begin_of_thought|>{\"x\":{\"y\":[1,2,3]}}<|end_of_thought|>\n{\"ok\":true}",
    ] {
        check_found(with_text(OPENAI, text));
        check_found(json(200, &whole(json!({"role": "assistant", "content": text}), Some("stop"))));
    }
    // Without a schema, the thinking is dropped too.
    check(Compatible, &plain(), &[with_text(OPENAI, "<thinking>Hm.</thinking>Hi")], "Hi | 12/5 | 1");
}

#[test]
fn answer_apart_from_the_content_is_used() {
    let halves = |name: &str| {
        let delta = |text: &str| chunk(json!({name: text, "content": null}), None);
        events(&[&delta("{\"ok\""), &delta(":true}"), STOP, USAGE].concat())
    };
    for name in ["reasoning_content", "reasoning", "thinking", "reasoning_text"] {
        check_found(halves(name));
        check_found(json(200, &whole(json!({"content": null, name: OK}), Some("stop"))));
    }
    // Thinking, and the answer in the content; the same thinking under two names.
    let both = chunk(json!({"reasoning": "{\"ok\":false}", "reasoning_content": "{\"ok\":false}"}), None);
    check_found(events(&[&both, &chunk(json!({"content": OK}), None), STOP, USAGE].concat()));
    // A function call, although none was offered.
    let call = |arguments: &str, id: Option<&str>| {
        chunk(json!({"tool_calls": [{"index": 0, "id": id, "function": {"arguments": arguments}}]}), None)
    };
    let stop = chunk(json!({}), Some("tool_calls"));
    check_found(events(&[&call("{\"ok\"", Some("t1")), &call(":true}", None), &stop, USAGE].concat()));
    let calls =
        json!([{"id": "t", "type": "function", "function": {"name": "verdict", "arguments": {"ok": true}}}]);
    check_found(json(200, &whole(json!({"content": "", "tool_calls": calls}), Some("tool_calls"))));
    // Parts with types.
    let thinking = json!({"type": "thinking", "thinking": [{"type": "text", "text": "{hm}"}]});
    let parts = json!([thinking, {"type": "text", "text": OK}]);
    check_found(json(200, &whole(json!({"content": parts.clone()}), Some("stop"))));
    check_found(events(&[&chunk(json!({"content": parts}), None), STOP, USAGE].concat()));
    // The last event repeats the message.
    let last = format!(
        "data: {}\n\n",
        json!({"choices": [{"index": 0, "message": {"content": OK}, "finish_reason": "stop"}]})
    );
    check_found(events(&[&chunk(json!({"content": OK}), None), &last, USAGE].concat()));
    // An answer in the thinking of the other protocols.
    let thought = ANTHROPIC
        .replace(
            "\"type\":\"text_delta\",\"text\":\"Hello\"",
            "\"type\":\"thinking_delta\",\"thinking\":\"{\\\"ok\\\":true}\"",
        )
        .replace(
            "\"type\":\"text_delta\",\"text\":\", world\"",
            "\"type\":\"signature_delta\",\"signature\":\"x\"",
        );
    check(Anthropic, &structured(), &[events(&thought)], "structured {\"ok\":true} | 12/5 37µ$ | 1");
}

#[test]
fn token_limit_before_the_answer_is_named() {
    let limit = chunk(json!({}), Some("length"));
    let thinking = chunk(json!({"reasoning": "hmm "}), None).repeat(5);
    let only = "BadReply OnlyThoughts | 12/5 | 1";
    check(Compatible, &structured(), &[events(&[&thinking, &limit, USAGE].concat())], only);
    check(Compatible, &plain(), &[json(200, &whole(json!({"content": ""}), Some("length")))], only);
    let open = chunk(json!({"content": "<think>The user wants"}), None);
    check(Compatible, &plain(), &[events(&[&open, &limit, USAGE].concat())], only);
    // Half an answer.
    let half = chunk(json!({"content": "{\"o"}), None);
    check(
        Compatible,
        &structured(),
        &[events(&[&half, &limit, USAGE].concat())],
        "BadReply CutOff | 12/5 | 1",
    );
    // A complete answer, after which the model repeated line feeds.
    let endless = chunk(json!({"content": format!("{OK}{}", "\n".repeat(100))}), None);
    check_found(events(&[&endless, &limit, USAGE].concat()));
}

#[test]
fn every_framing_is_read() {
    let halves =
        [chunk(json!({"content": "{\"ok\""}), None), chunk(json!({"content": ":true}"}), None)].concat();
    let done = "data: [DONE]\n\n";
    let good = [&halves, STOP, USAGE, done].concat();
    let usage_last = format!(
        "{halves}data: {}\n\n",
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5}})
    );
    for body in [
        good.replace("data: ", "data:").replace("\n\n", "\r\n\r\n"),
        good.replace("\n\n", "\r\r"),
        format!(": OPENROUTER PROCESSING\n\n:\n\nevent: message\nid: 1\nretry: 500\n{good}: x-cost=0.1\n\n"),
        format!("data: : keepalive\n\n{good}"),
        [&halves, STOP, USAGE].concat(),
        // No finish reason.
        [&halves, USAGE, done].concat(),
        // Azure's first event.
        format!("data: {{\"choices\":[],\"prompt_filter_results\":[{{\"prompt_index\":0}}]}}\n\n{good}"),
        usage_last,
        // Not in any report: other keep-alives, no end at all, no blank lines, JSON lines, a byte-order mark.
        good.replace("data: [DONE]", "data: ping\n\ndata:\n\ndata: {}\n\ndata: [done]"),
        [&halves, USAGE].concat(),
        good.replace("\n\n", "\n"),
        good.replace("data: [DONE]\n\n", "").replace("data: ", "").replace("\n\n", "\n"),
        format!("\u{feff}\n\n{good}"),
        format!("event: ping\ndata: {{\"type\":\"ping\"}}\n\n{good}"),
        good.replace("data: [DONE]", "event: done\ndata: \"[DONE]\""),
    ] {
        check_found(events(&body));
        check_found(reply(200, "text/plain", &body));
    }
}

#[test]
fn whole_reply_in_place_of_a_stream_is_paid_once() {
    let body = whole(json!({"role": "assistant", "content": OK}), Some("stop"));
    check_found(json(200, &body));
    check_found(json(200, &format!("{}{body}", "         \n".repeat(5))));
    check_found(events(&body));
    check_found(json(200, &whole(json!({"content": OK}), None)));
    let anthropic = json!({"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 5}});
    check(Anthropic, &plain(), &[json(200, &anthropic.to_string())], "Hi | 12/5 37µ$ | 1");
    // Google's stream without server-sent events is a list.
    let gemini = format!("[{}]", GEMINI.replace("data: ", "").trim().replace("\r\n\r\n", ",\r\n"));
    check(Gemini, &plain(), &[json(200, &gemini)], "Hello, world | 12/5 16µ$ | 1");
}

#[test]
fn compressed_replies_are_expanded_within_limits() {
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("gzip")
    };
    let deflate = |text: &str| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("deflate")
    };
    let encoded = |status, encoding: &str, body: Vec<u8>| Act::Reply {
        status,
        headers: vec![("content-type", "x/y".to_owned()), ("content-encoding", encoding.to_owned())],
        body,
    };
    let stream = &OPENAI.replace("\"Hello\"", "\"{\\\"ok\\\":\"").replace("\", world\"", "\"true}\"");
    check_found(encoded(200, "gzip", gzip(stream)));
    check_found(encoded(200, "X-GZIP", gzip(stream)));
    check_found(encoded(200, "deflate", deflate(stream)));
    check_found(encoded(200, "identity", stream.clone().into()));
    check_found(encoded(200, "gzip", gzip(&whole(json!({"content": OK}), Some("stop")))));
    let no_schema = gzip(r#"{"error":{"message":"response_format is not supported"}}"#);
    check(
        Compatible,
        &structured(),
        &[encoded(400, "gzip", no_schema), with_text(OPENAI, OK)],
        "{\"ok\":true} | 12/5 | 2",
    );
    // 100 MB in 100 kB, another encoding, and bytes that are not compressed.
    let bomb = gzip(&"data: {\"x\":\"".repeat(1 << 23));
    check(Compatible, &plain(), &[encoded(200, "gzip", bomb)], "BadReply TooLarge | 1");
    check(Compatible, &plain(), &[encoded(200, "br", vec![1, 2])], "BadReply NotAReply | 1");
    check(Compatible, &plain(), &[encoded(200, "gzip", OPENAI.into())], "BadReply Garbled | 1");
}

/// The message for the person who asked, after all attempts.
#[track_caller]
fn check_message(provider: ProviderId, acts: &[Act], requests: usize, expected: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let (error, found) = runtime.block_on(async {
        let server = Server::start(acts.to_vec()).await;
        let llm = Llm::new(limits()).expect("client");
        let result = llm.ask(&endpoint(provider, &server), &plain()).await;
        (result.expect_err("an error"), server.requests().len())
    });
    assert_eq!((error.user_message().as_str(), found), (expected, requests));
}

#[test]
fn errors_with_status_200_are_the_failures_they_are() {
    let raw = "upstream pool is temporarily rate-limited; add your own key";
    let metadata = json!({"raw": raw, "provider_name": "BaseTen"});
    let upstream =
        json!({"error": {"message": "Provider returned error", "code": 502, "metadata": metadata}});
    let upstream = &upstream.to_string();
    let failed = "The model could not be used: the vendor failed (status 502); ask again later. The vendor's message: \
                  upstream pool is temporarily rate-limited; add your own key (BaseTen)";
    check_message(OpenRouter, &[json(200, upstream)], 3, failed);
    check_message(OpenRouter, &[events(&format!("data: {upstream}\n\n"))], 3, failed);
    check(OpenRouter, &plain(), &[json(200, upstream), events(OPENROUTER)], "Hello, world | 12/5 12µ$ | 2");

    let start = chunk(json!({"content": "Hel"}), None);
    let busy = format!(
        "{start}data: {}\n\n",
        json!({"error": {"code": 429, "message": "Provider error", "metadata": {"raw": "rate-limited upstream"}},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]})
    );
    check_both(
        OpenRouter,
        &plain(),
        &[events(&busy), events(OPENROUTER)],
        "Hello, world | 12/5 12µ$ | 2",
        "Unavailable Server { status: 429 } | 1",
    );
    check_message(
        OpenRouter,
        &[events(&busy)],
        3,
        "The model could not be used: the vendor failed (status 429); ask again later. The vendor's message: \
         rate-limited upstream",
    );
    // Not in any report.
    for (body, expected) in [
        (
            r#"{"error":"model 'x' not found, try pulling it first"}"#,
            "Unavailable Server { status: 502 } | 3",
        ),
        (r#"{"code":1302,"msg":"Rate limit reached for requests","success":false}"#, "Retry 429 None | 3"),
        (
            r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#,
            "Unavailable Server { status: 502 } | 3",
        ),
        (
            r#"{"choices":[{"index":0,"error":{"code":401,"message":"No auth"},"finish_reason":"error"}]}"#,
            "Refused Key | 1",
        ),
        (
            r#"{"object":"error","message":"max_tokens is wrong","code":400}"#,
            "Refused Request { status: 400 } | 1",
        ),
        (r#"{"detail":"Not authenticated"}"#, "Unavailable Server { status: 502 } | 3"),
        (r#"[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]"#, "Retry 429 None | 3"),
    ] {
        check(Compatible, &plain(), &[json(200, body)], expected);
    }
    check(
        Compatible,
        &plain(),
        &[events("event: error\ndata: out of memory\n\n")],
        "Unavailable Server { status: 502 } | 3",
    );
    // An error that is none.
    let null = OPENAI.replace("\"usage\":null", "\"usage\":null,\"error\":null");
    check(Compatible, &plain(), &[events(&null)], "Hello, world | 12/5 | 1");
}

#[test]
fn words_of_the_vendor_reach_the_person() {
    check_message(
        OpenAi,
        &[json(400, r#"{"error":{"message":"The seed must be an integer.","param":"seed"}}"#)],
        1,
        "The model's vendor refused the question: the request is not accepted (status 400); choose another model. \
         The vendor's message: The seed must be an integer.",
    );
    check_message(
        OpenAi,
        &[json(401, r#"{"error":{"message":"Incorrect API key provided: sk-test."}}"#)],
        1,
        "The model's vendor refused the question: the API key is not accepted; check the key. The vendor's message: \
         Incorrect API key provided: [removed].",
    );
    check_message(
        Compatible,
        &[json(404, r#"{"error":"model 'qwen' not found, try pulling it first"}"#)],
        1,
        "The model is not set up correctly: the vendor does not know this model, or the base URL is wrong. The \
         vendor's message: model 'qwen' not found, try pulling it first",
    );
    check_message(
        Compatible,
        &[reply(502, "text/html", "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>")],
        3,
        "The model could not be used: the vendor failed (status 502); ask again later. The vendor's message: 502 Bad \
         Gateway",
    );
    check_message(
        Compatible,
        &[reply(200, "text/html", "<html><title>Sign in to the corporate proxy</title></html>")],
        1,
        "The model's reply cannot be used: it is not a model's reply; check the base URL, and whether a proxy answers \
         in place of the vendor. The vendor's message: Sign in to the corporate proxy",
    );
}

fn busy(after: &str) -> Act {
    Act::Reply {
        status: 429,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("date", "Tue, 01 Dec 2026 10:00:00 GMT".to_owned()),
            ("retry-after", after.to_owned()),
        ],
        body: br#"{"error":{"message":"slow down"}}"#.to_vec(),
    }
}

#[test]
fn pause_is_kept_in_seconds_and_as_a_date() {
    let good = "Hello, world | 12/5 | 2";
    check(Compatible, &plain(), &[busy("0.01"), events(OPENAI)], good);
    check(Compatible, &plain(), &[busy("Tue, 01 Dec 2026 09:59:00 GMT"), events(OPENAI)], good);
    // A pause longer than the limit is not waited for, and is passed on.
    check(Compatible, &plain(), &[busy("Tue, 01 Dec 2026 10:00:04 GMT")], "Retry 429 Some(4s) | 1");
    check(Compatible, &plain(), &[busy("Tuesday, 01-Dec-26 11:00:00 GMT")], "Retry 429 Some(3600s) | 1");
    check_message(
        Compatible,
        &[busy("Tue, 01 Dec 2026 11:00:00 GMT")],
        1,
        "The model's vendor is busy (status 429); ask again in 60 min. The vendor's message: slow down",
    );
    let google = r#"{"error":{"code":429,"message":"Quota","details":[{"retryDelay":"34s"}]}}"#;
    check(Gemini, &plain(), &[json(429, google)], "Retry 429 Some(34s) | 1");
}

/// The parameters of the requests for two questions: the first adapts, the second knows.
#[track_caller]
fn check_adapted(provider: ProviderId, refusals: &[&str], question: &Question, expected: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let sent: Vec<Request> = runtime.block_on(async {
        let answer = match provider {
            Anthropic => with_text(ANTHROPIC, OK),
            Gemini => with_text(GEMINI, OK),
            _ => with_text(OPENAI, OK),
        };
        let acts = refusals.iter().map(|body| json(400, body)).chain([answer]).collect();
        let server = Server::start(acts).await;
        let llm = Llm::new(limits()).expect("client");
        for _ in 0..2 {
            llm.ask(&endpoint(provider, &server), question).await.expect("an answer");
        }
        server.requests()
    });
    let shown: Vec<String> = sent.iter().map(|request| parameters(&request.body)).collect();
    assert_eq!(shown, expected);
}

fn parameters(body: &Value) -> String {
    let names = ["max_tokens", "max_completion_tokens", "temperature"];
    let mut shown: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}={}", body.get(name)?))).collect();
    if let Some(length) = body.pointer("/generationConfig/maxOutputTokens") {
        shown.push(format!("maxOutputTokens={length}"));
    }
    let optional = ["stream_options", "response_format"].into_iter().filter(|name| body.get(name).is_some());
    shown.extend(optional.map(str::to_owned));
    if body["stream"] == false {
        shown.push("whole".to_owned());
    }
    shown.join(" ")
}

#[test]
fn refused_parameters_are_adapted_once_and_remembered() {
    let all = "max_tokens=4096 temperature=0.0 stream_options response_format";
    for (refusal, adapted) in [
        (
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                "param":"max_tokens","code":"unsupported_parameter"}}"#,
            "max_completion_tokens=4096 temperature=0.0 stream_options response_format",
        ),
        (
            r#"{"error":{"message":"max_tokens is too large: 4096. This model supports at most 2048 completion tokens.",
                "param":"max_tokens","code":"invalid_value"}}"#,
            "max_tokens=2048 temperature=0.0 stream_options response_format",
        ),
        (
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","param":null}}"#,
            "max_tokens=4096 temperature=0.0 response_format",
        ),
        (
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model.",
                "param":"temperature"}}"#,
            "max_tokens=4096 stream_options response_format",
        ),
        (
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"provider_name":"Azure",
                "raw":"{\"error\":{\"message\":\"Invalid schema for response_format 'blueprint'\"}}"}}}"#,
            "max_tokens=4096 temperature=0.0 stream_options",
        ),
        // Not in any report.
        (
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs"}]}"#,
            "max_tokens=4096 temperature=0.0 response_format",
        ),
        (
            r#"{"message":"<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 2000]"}"#,
            "max_tokens=2000 temperature=0.0 stream_options response_format",
        ),
        (
            r#"{"error":{"message":"maximum context length is 4096, you requested 5096 (1000 + 4096 completion)"}}"#,
            "max_tokens=3096 temperature=0.0 stream_options response_format",
        ),
        (
            r#"{"error":"streaming is not supported for this deployment"}"#,
            "max_tokens=4096 temperature=0.0 response_format whole",
        ),
    ] {
        check_adapted(Compatible, &[refusal], &structured(), &[all, adapted, adapted]);
    }
    let question = Question { max_output_tokens: 8192, ..structured() };
    check_adapted(
        Anthropic,
        &[r#"{"type":"error","error":{"type":"invalid_request_error",
            "message":"max_tokens: 8192 > 4096, which is the maximum allowed number for claude-3-haiku-20240307"}}"#],
        &question,
        &[
            "max_tokens=8192 temperature=0.0",
            "max_tokens=4096 temperature=0.0",
            "max_tokens=4096 temperature=0.0",
        ],
    );
    check_adapted(
        Gemini,
        &[r#"{"error":{"code":400,"status":"INVALID_ARGUMENT",
            "message":"maxOutputTokens is 8192 but the supported range is from 1 (inclusive) to 4097 (exclusive)."}}"#],
        &question,
        &["maxOutputTokens=8192", "maxOutputTokens=4096", "maxOutputTokens=4096"],
    );
}

#[test]
fn several_refusals_are_adapted_one_after_another() {
    check_adapted(
        Compatible,
        &[
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs"}]}"#,
            r#"{"error":{"message":"Unknown parameter: 'max_tokens'."}}"#,
            r#"{"error":{"message":"Unknown parameter: 'max_completion_tokens'."}}"#,
            r#"{"error":{"message":"temperature is not supported"}}"#,
            r#"{"error":{"message":"json_schema is not supported"}}"#,
        ],
        &structured(),
        &[
            "max_tokens=4096 temperature=0.0 stream_options response_format",
            "max_tokens=4096 temperature=0.0 response_format",
            "max_completion_tokens=4096 temperature=0.0 response_format",
            "temperature=0.0 response_format",
            "response_format",
            "",
            "",
        ],
    );
}

#[test]
fn refusal_that_cannot_be_adapted_is_returned_once() {
    let again = json(400, r#"{"error":{"message":"temperature is not supported"}}"#);
    check(Compatible, &plain(), &[again], "Refused Request { status: 400 } | 2");
    // A server that refuses every length.
    let large = json(400, r#"{"error":{"message":"max_tokens is too large"}}"#);
    check(Compatible, &plain(), &[large], "Refused Request { status: 400 } | 4");
    let context = json(
        400,
        r#"{"error":{"code":"context_length_exceeded",
        "message":"The maximum context length is 4096 tokens. You requested 8192 (4096 messages, 4096 completion)."}}"#,
    );
    check(Compatible, &plain(), &[context], "Refused TooLong | 1");
}

#[test]
fn connection_that_stays_open_after_the_end_is_left() {
    let body = [&chunk(json!({"content": OK}), None), STOP, USAGE, "data: [DONE]\n\n"].concat();
    check_found(Act::Hang(open_stream(&body)));
    // A reset after the finish reason loses nothing.
    let cut = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n{}{STOP}{USAGE}",
        chunk(json!({"content": OK}), None)
    );
    check_found(Act::Close(cut.into()));
}
