//! Every wait has its own limit. The error names the limit that expired; a missing limit would show as a later one.

use std::time::Duration;

use llm::{BadReply, Endpoint, Limit, Limits, Llm, LlmError, Outage, ProviderId, Question, Reason, Usage};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::check::{endpoint, limits};
use crate::recorded::OPENAI;
use crate::server::{Act, Server, json, open_stream};

const SHORT: Duration = Duration::from_millis(100);

/// The timeout of a test that waits for a condition.
const HUNG: Duration = Duration::from_secs(15);

fn unavailable(why: Outage) -> LlmError {
    LlmError::Unavailable { why, reason: Reason::default() }
}

async fn check(limits: Limits, act: Act, expected: Limit) {
    for streaming in [false, true] {
        let server = Server::start(vec![act.clone()]).await;
        let llm = Llm::new(limits).expect("client");
        let endpoint = endpoint(ProviderId::OpenAi, &server);
        let question = Question::new("", "Greet the world.");
        let result = if streaming {
            llm.ask_streaming(&endpoint, &question, |_| ()).await
        } else {
            llm.ask(&endpoint, &question).await
        };
        assert_eq!(result, Err(LlmError::TimedOut { limit: expected }));
        assert_eq!(server.requests().len(), 1);
    }
}

fn first_byte() -> Limits {
    Limits { first_byte: SHORT, ..limits() }
}

fn between_bytes() -> Limits {
    Limits { first_byte: SHORT, between_bytes: SHORT, ..limits() }
}

fn total() -> Limits {
    Limits { total: SHORT, ..limits() }
}

#[tokio::test]
async fn server_without_an_answer_times_out() {
    check(first_byte(), Act::Hang(vec![]), Limit::FirstByte).await;
    check(total(), Act::Hang(vec![]), Limit::Total).await;
}

#[tokio::test]
async fn incomplete_header_times_out() {
    check(first_byte(), Act::Hang(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec()), Limit::FirstByte).await;
    check(first_byte(), Act::Trickle(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), b"y".to_vec()), Limit::FirstByte)
        .await;
}

#[tokio::test]
async fn stalled_stream_times_out() {
    let beginning = &OPENAI[..OPENAI.find(", world").expect("mark")];
    check(between_bytes(), Act::Hang(open_stream(beginning)), Limit::BetweenBytes).await;
    check(between_bytes(), Act::Hang(open_stream("")), Limit::BetweenBytes).await;
    check(total(), Act::Hang(open_stream(beginning)), Limit::Total).await;
}

#[tokio::test]
async fn trickling_server_times_out() {
    // Bytes without a complete event, at the start and in the middle; then events without end.
    check(between_bytes(), Act::Trickle(open_stream(""), b"x".to_vec()), Limit::BetweenBytes).await;
    let beginning = open_stream(&OPENAI[..OPENAI.find(", world").expect("mark")]);
    check(between_bytes(), Act::Trickle(beginning, b"y".to_vec()), Limit::BetweenBytes).await;
    let comments = Act::Trickle(open_stream(""), b": still working\n\n".to_vec());
    check(Limits { total: SHORT * 4, ..between_bytes() }, comments, Limit::Total).await;
}

/// On several threads, where reading never blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flooding_server_times_out() {
    check(total(), Act::Flood(open_stream(""), b": still working\n\n".repeat(1024)), Limit::Total).await;
    check(total(), Act::Flood(open_stream(""), b" ".repeat(1024)), Limit::Total).await;
}

/// What completes no event, a page and the body of an error end at a size, long before a limit of time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flooding_server_is_left_at_a_size() {
    let bad = |what| LlmError::BadReply { what, usage: Usage::default(), reason: Reason::default() };
    for (head, again, expected) in [
        (open_stream(""), "z", bad(BadReply::TooLarge)),
        (open_stream(""), "data: z\n", bad(BadReply::TooLarge)),
        (open_stream("{"), "\"z", bad(BadReply::TooLarge)),
        (open_stream("<"), "<p>", bad(BadReply::NotAReply)),
        (b"HTTP/1.1 500 X\r\n\r\n{".to_vec(), "z", unavailable(Outage::Server { status: 500 })),
    ] {
        let server = Server::start(vec![Act::Flood(head, again.repeat(1024).into())]).await;
        let llm = Llm::new(Limits { attempts: 1, ..limits() }).expect("client");
        let result = llm.ask(&endpoint(ProviderId::OpenAi, &server), &Question::new("", "Greet.")).await;
        assert_eq!(result, Err(expected), "{again}");
    }
}

#[tokio::test]
async fn stalled_error_body_times_out() {
    let head = b"HTTP/1.1 500 X\r\ncontent-length: 1000\r\n\r\n{".to_vec();
    let server = Server::start(vec![Act::Hang(head)]).await;
    let llm = Llm::new(Limits { attempts: 1, ..between_bytes() }).expect("client");
    let result = llm.ask(&endpoint(ProviderId::OpenAi, &server), &Question::new("", "Greet.")).await;
    assert_eq!(result, Err(unavailable(Outage::Server { status: 500 })));
}

#[tokio::test]
async fn dropped_question_closes_the_connection() {
    let server = Server::start(vec![Act::Hang(open_stream(""))]).await;
    let llm = Llm::new(limits()).expect("client");
    let (endpoint, question) = (endpoint(ProviderId::OpenAi, &server), Question::new("", "Greet."));
    assert!(tokio::time::timeout(SHORT, llm.ask(&endpoint, &question)).await.is_err());
    tokio::time::timeout(HUNG, server.left()).await.expect("the connection is closed");
}

#[tokio::test]
async fn stalled_whole_reply_times_out() {
    let no_stream = json(400, r#"{"error":{"param":"stream"}}"#);
    for (rest, expected) in [
        (vec![], Limit::FirstByte),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{".to_vec(),
            Limit::BetweenBytes,
        ),
    ] {
        let server = Server::start(vec![no_stream.clone(), Act::Hang(rest)]).await;
        let llm = Llm::new(between_bytes()).expect("client");
        let result = llm.ask(&endpoint(ProviderId::OpenAi, &server), &Question::new("", "Greet.")).await;
        assert_eq!(result, Err(LlmError::TimedOut { limit: expected }));
    }
}

#[tokio::test]
async fn unaccepted_connection_times_out() {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let listener = socket.listen(0).expect("listen");
    let address = listener.local_addr().expect("address");
    // No connection is accepted: the queue fills, and further handshakes are dropped.
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let llm = Llm::new(Limits { connect: SHORT, attempts: 2, ..limits() }).expect("client");
    let endpoint = Endpoint::new(ProviderId::Compatible).with_base_url(format!("http://{address}/"));
    let result = llm.ask(&endpoint, &Question::new("", "Greet.")).await;
    assert_eq!(result, Err(LlmError::TimedOut { limit: Limit::Connect }));
}

#[tokio::test]
async fn closed_port_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let llm = Llm::new(limits()).expect("client");
    let endpoint = Endpoint::new(ProviderId::Compatible).with_base_url(format!("http://{address}/"));
    let result = llm.ask(&endpoint, &Question::new("", "Greet.")).await;
    assert_eq!(result, Err(unavailable(Outage::NoConnection)));
}

#[tokio::test]
async fn pause_longer_than_the_total_limit_is_skipped() {
    let server = Server::start(vec![json(500, "{}")]).await;
    let limits = Limits {
        backoff_base: Duration::from_secs(3600),
        backoff_max: Duration::from_secs(3600),
        ..limits()
    };
    let result = Llm::new(limits)
        .expect("client")
        .ask(&endpoint(ProviderId::OpenAi, &server), &Question::new("", "Greet."))
        .await;
    assert_eq!(result, Err(unavailable(Outage::Server { status: 500 })));
    assert_eq!(server.requests().len(), 1);
}
