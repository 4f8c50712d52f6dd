//! Failed responses of every kind: the resulting error, the number of requests, and the cost.
//!
//! Time limits are in `time.rs`.

use llm::ProviderId::{Anthropic, Compatible, Gemini, OpenAi, OpenRouter};
use llm::{Llm, RetryPolicy};

use crate::check::{check, check_both, endpoint, limits, plain, stopped, with_text};
use crate::recorded::*;
use crate::server::{Act, Server, events, json, open_stream, reply};

#[test]
fn refusal_is_not_retried() {
    check(OpenAi, &plain(), &[json(401, r#"{"error":{"code":"invalid_api_key"}}"#)], "Refused Key | 1");
    check(
        Gemini,
        &plain(),
        &[json(400, r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}"#)],
        "Refused Key | 1",
    );
    check(OpenRouter, &plain(), &[json(402, "{}")], "Refused NoCredit | 1");
    check(OpenAi, &plain(), &[json(403, "{}")], "Refused Forbidden | 1");
    check(OpenAi, &plain(), &[json(404, "{}")], "Misconfigured NoSuchModel | 1");
    check(OpenAi, &plain(), &[json(400, "{}")], "Refused Request { status: 400 } | 1");
    check(
        Compatible,
        &plain(),
        &[json(400, r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#)],
        "Refused TooLong | 1",
    );
    let moved = Act::Reply {
        status: 302,
        headers: vec![("location", "http://127.0.0.1:1/".to_owned())],
        body: vec![],
    };
    check(OpenAi, &plain(), &[moved], "Misconfigured BadBaseUrl | 1");
}

#[test]
fn model_refusal_is_an_error() {
    let says = "\"delta\":{\"content\":\"Hello\"}";
    let refuses = events(&OPENAI.replace(says, "\"delta\":{\"refusal\":\"I cannot\"}"));
    check(OpenAi, &plain(), &[refuses], "Refused Content | 12/5 5µ$ | 1");
    check(OpenAi, &plain(), &[stopped(OPENAI, "stop", "content_filter")], "Refused Content | 12/5 5µ$ | 1");
    check(
        Anthropic,
        &plain(),
        &[stopped(ANTHROPIC, "end_turn", "refusal")],
        "Refused Content | 12/5 37µ$ | 1",
    );
    check(Gemini, &plain(), &[stopped(GEMINI, "STOP", "SAFETY")], "Refused Content | 12/5 16µ$ | 1");
    check(Gemini, &plain(), &[events(GEMINI_BLOCKED)], "Refused Content | 12/0 4µ$ | 1");
}

#[test]
fn truncated_text_is_an_error() {
    check(OpenAi, &plain(), &[stopped(OPENAI, "stop", "length")], "BadReply CutOff | 12/5 5µ$ | 1");
    check(OpenRouter, &plain(), &[stopped(OPENROUTER, "stop", "length")], "BadReply CutOff | 12/5 12µ$ | 1");
    check(
        Anthropic,
        &plain(),
        &[stopped(ANTHROPIC, "end_turn", "max_tokens")],
        "BadReply CutOff | 12/5 37µ$ | 1",
    );
    check(Gemini, &plain(), &[stopped(GEMINI, "STOP", "MAX_TOKENS")], "BadReply CutOff | 12/5 16µ$ | 1");
    check(Gemini, &plain(), &[stopped(GEMINI, "STOP", "OTHER")], "BadReply Unfinished | 12/5 16µ$ | 1");
    check(
        Anthropic,
        &plain(),
        &[stopped(ANTHROPIC, "end_turn", "pause_turn")],
        "BadReply Unfinished | 12/5 37µ$ | 1",
    );
    let whole = OPENAI_WHOLE.replace("\"stop\"", "\"length\"");
    check(Compatible, &plain(), &[json(200, &whole)], "BadReply CutOff | 12/5 | 1");
}

#[test]
fn non_reply_is_an_error() {
    check(OpenAi, &plain(), &[with_text(OPENAI, "")], "BadReply Empty | 12/5 5µ$ | 1");
    check(Anthropic, &plain(), &[with_text(ANTHROPIC, " ")], "BadReply Empty | 12/5 37µ$ | 1");
    let page = reply(200, "text/html", "<html>\n\n<body>Sign in</body>\n\n</html>");
    for provider in [OpenAi, OpenRouter, Anthropic, Compatible] {
        check(provider, &plain(), std::slice::from_ref(&page), "BadReply NotAReply | 1");
    }
    check(Gemini, &plain(), &[page], "BadReply NotAReply | 1");
    check(Compatible, &plain(), &[json(200, "")], "BadReply Empty | 1");
    check(Compatible, &plain(), &[json(200, &OPENAI_WHOLE[..120])], "BadReply Garbled | 1");
    let half = events("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\n\n");
    for provider in [OpenAi, Gemini] {
        check(provider, &plain(), std::slice::from_ref(&half), "BadReply Garbled | 1");
    }
    let binary = Act::Close(open_stream("data: ").into_iter().chain([0xff, 0xfe, b'\n', b'\n']).collect());
    check(OpenAi, &plain(), &[binary], "BadReply Garbled | 1");
}

#[test]
fn oversized_reply_is_an_error() {
    let flood = "Lorem ipsum dolor sit amet ".repeat(4096);
    check(OpenAi, &plain(), &[with_text(OPENAI, &flood)], "BadReply TooLarge | 1");
    check(Anthropic, &plain(), &[with_text(ANTHROPIC, &flood)], "BadReply TooLarge | 1");
    check(Gemini, &plain(), &[with_text(GEMINI, &flood)], "BadReply TooLarge | 1");
    check(
        Compatible,
        &plain(),
        &[json(200, &OPENAI_WHOLE.replace("Hello", &flood))],
        "BadReply TooLarge | 1",
    );
    let thoughts = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"reasoning_content\":\"{}\"}}}}]}}\n\n",
        "hm ".repeat(1024)
    );
    check(OpenRouter, &plain(), &[Act::Trickle(open_stream(""), thoughts.into())], "BadReply TooLarge | 1");
    let pieces = "data: {\"choices\":[{\"delta\":{\"content\":\"and so on \"}}]}\n\n".repeat(100);
    check(Compatible, &plain(), &[Act::Trickle(open_stream(""), pieces.into())], "BadReply TooLarge | 1");
}

#[test]
fn busy_or_failing_vendor_is_retried_within_limits() {
    let busy = |after: &str| Act::Reply {
        status: 429,
        headers: vec![("content-type", "application/json".to_owned()), ("retry-after", after.to_owned())],
        body: br#"{"error":{"message":"Rate limit reached"}}"#.to_vec(),
    };
    check(OpenAi, &plain(), &[busy("0"), events(OPENAI)], "Hello, world | 12/5 5µ$ | 2");
    check(OpenAi, &plain(), &[busy("0.02"), busy("0"), events(OPENAI)], "Hello, world | 12/5 5µ$ | 3");
    check(Anthropic, &plain(), &[busy("0")], "Retry 429 Some(0ns) | 3");
    // A pause longer than the limit is decided by the caller.
    check(Gemini, &plain(), &[busy("30"), events(GEMINI)], "Retry 429 Some(30s) | 1");
    check(
        OpenAi,
        &plain(),
        &[json(429, r#"{"error":{"code":"insufficient_quota"}}"#)],
        "Refused NoCredit | 1",
    );

    check(
        OpenAi,
        &plain(),
        &[json(500, "{}"), reply(502, "text/html", "<html>"), events(OPENAI)],
        "Hello, world | 12/5 5µ$ | 3",
    );
    check(OpenAi, &plain(), &[json(500, "{}")], "Unavailable Server { status: 500 } | 3");
    check(Anthropic, &plain(), &[json(529, "{}")], "Retry 529 None | 3");
    check(
        Anthropic,
        &plain(),
        &[events(ANTHROPIC_OVERLOADED), events(ANTHROPIC)],
        "Hello, world | 12/5 37µ$ | 2",
    );
    check_both(
        OpenRouter,
        &plain(),
        &[events(OPENROUTER_FAILS), events(OPENROUTER)],
        "Hello, world | 12/5 12µ$ | 2",
        "Unavailable Server { status: 502 } | 1",
    );
}

#[test]
fn lost_connection_is_retried_before_the_first_delta() {
    check(OpenAi, &plain(), &[Act::Close(vec![]), events(OPENAI)], "Hello, world | 12/5 5µ$ | 2");
    check(
        OpenAi,
        &plain(),
        &[Act::Close(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec())],
        "Unavailable ConnectionLost | 3",
    );

    // The response is shorter than its length, and the stream without a length has no end mark.
    let short = |recorded: &str, at: &str| {
        let start = &recorded[..recorded.find(at).expect("mark")];
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{start}",
            recorded.len()
        )
    };
    let lost = "Unavailable ConnectionLost | 1";
    let cut = Act::Close(
        short(
            OPENAI,
            "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\
         \"choices\":[{\"index\":0,\"delta\":{}",
        )
        .into(),
    );
    check_both(OpenAi, &plain(), &[cut, events(OPENAI)], "Hello, world | 12/5 5µ$ | 2", lost);
    let first =
        |recorded: &str, mark: &str| Act::Close(open_stream(&recorded[..recorded.find(mark).expect("mark")]));
    check_both(
        Gemini,
        &plain(),
        &[
            first(GEMINI, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\", world"),
            events(GEMINI),
        ],
        "Hello, world | 12/5 16µ$ | 2",
        lost,
    );
    check_both(
        Anthropic,
        &plain(),
        &[first(ANTHROPIC, "event: content_block_stop"), events(ANTHROPIC)],
        "Hello, world | 12/5 37µ$ | 2",
        lost,
    );

    // Some small servers omit the end mark; the finish reason is enough.
    check(Compatible, &plain(), &[first(OPENAI, "data: [DONE]")], "Hello, world | 12/5 | 1");
}

/// Permits this many retries, and counts its calls.
struct LimitedRetries {
    left: u32,
    asked: u32,
}

impl RetryPolicy for LimitedRetries {
    async fn allow_retry(&mut self) -> bool {
        self.asked += 1;
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }
}

/// Runs with a policy that permits a limited number of charged retries: the number of its calls, the number of
/// requests, and whether there was an answer.
#[track_caller]
fn check_retry_policy(acts: &[Act], expected: (u32, usize, bool)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let found = runtime.block_on(async {
        let llm = Llm::new(limits()).expect("client");
        let server = Server::start(acts.to_vec()).await;
        let mut payer = LimitedRetries { left: 2, asked: 0 };
        let result = llm.ask_with_policy(&endpoint(OpenAi, &server), &plain(), None, &mut payer).await;
        (payer.asked, server.requests().len(), result.is_ok())
    });
    assert_eq!(found, expected);
}

#[test]
fn retry_policy_is_asked_before_a_charged_retry() {
    let lost = Act::Close(vec![]);
    check_retry_policy(&[events(OPENAI)], (0, 1, true));
    check_retry_policy(&[lost.clone(), events(OPENAI)], (1, 2, true));
    check_retry_policy(&[lost.clone(), lost.clone(), events(OPENAI)], (2, 2, false));
    check_retry_policy(&[json(500, "{}"), json(504, "{}"), events(OPENAI)], (2, 2, false));
    // A whole reply in place of a stream is paid once.
    check_retry_policy(&[json(200, OPENAI_WHOLE)], (0, 1, true));
    // An overloaded server, or one that rejects a parameter, has not generated anything.
    check_retry_policy(&[json(429, "{}"), json(529, "{}"), events(OPENAI)], (0, 3, true));
    let temperature = r#"{"error":{"param":"temperature"}}"#;
    check_retry_policy(&[json(400, temperature), lost, events(OPENAI)], (1, 3, true));
    // A server that is overloaded after the first delta has generated a part.
    let began = OPENAI.split_inclusive("\n\n").next().unwrap_or_default();
    let half = format!("{began}data: {{\"error\":{{\"code\":529,\"message\":\"Overloaded\"}}}}\n\n");
    check_retry_policy(&[events(&half), events(OPENAI)], (1, 2, true));
}
