//! Every wait ends, within its limit and under its own name.

use std::time::{Duration, Instant};

use llm::{Endpoint, Limit, Limits, Llm, LlmError, Outage, ProviderId, Question};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::check::{endpoint, limits};
use crate::recorded::OPENAI;
use crate::server::{Act, Server, json, open_stream};

const SHORT: Duration = Duration::from_millis(100);

/// Far above a limit and far below the next: a slow machine does not fail the test, a missing limit does.
const SOON: Duration = Duration::from_secs(15);

async fn check(limits: Limits, act: Act, expected: Limit) {
    for streaming in [false, true] {
        let server = Server::start(vec![act.clone()]).await;
        let llm = Llm::new(limits).expect("client");
        let endpoint = endpoint(ProviderId::OpenAi, &server);
        let question = Question::new("", "Greet the world.");
        let started = Instant::now();
        let result = if streaming {
            llm.ask_streaming(&endpoint, &question, |_| ()).await
        } else {
            llm.ask(&endpoint, &question).await
        };
        assert_eq!(result, Err(LlmError::TimedOut { limit: expected }));
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
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
async fn a_server_that_accepts_and_never_answers() {
    check(first_byte(), Act::Hang(vec![]), Limit::FirstByte).await;
    check(total(), Act::Hang(vec![]), Limit::Total).await;
}

#[tokio::test]
async fn a_server_that_sends_half_a_header() {
    check(first_byte(), Act::Hang(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec()), Limit::FirstByte).await;
    check(first_byte(), Act::Trickle(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), b"y".to_vec()), Limit::FirstByte)
        .await;
}

#[tokio::test]
async fn a_server_that_stops_inside_the_reply() {
    let beginning = &OPENAI[..OPENAI.find(", world").expect("mark")];
    check(between_bytes(), Act::Hang(open_stream(beginning)), Limit::BetweenBytes).await;
    check(between_bytes(), Act::Hang(open_stream("")), Limit::BetweenBytes).await;
    check(total(), Act::Hang(open_stream(beginning)), Limit::Total).await;
}

#[tokio::test]
async fn a_server_that_trickles() {
    // Bytes that complete no event, at the start and in the middle; then events that never end.
    check(between_bytes(), Act::Trickle(open_stream(""), b"x".to_vec()), Limit::BetweenBytes).await;
    let beginning = open_stream(&OPENAI[..OPENAI.find(", world").expect("mark")]);
    check(between_bytes(), Act::Trickle(beginning, b"y".to_vec()), Limit::BetweenBytes).await;
    let comments = Act::Trickle(open_stream(""), b": still working\n\n".to_vec());
    check(Limits { total: SHORT * 4, ..between_bytes() }, comments, Limit::Total).await;
}

/// On several threads, where reading never has to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_floods() {
    let flood = || Act::Flood(open_stream(""), vec![b'z'; 64 * 1024]);
    check(between_bytes(), flood(), Limit::BetweenBytes).await;
    check(total(), flood(), Limit::Total).await;
    check(total(), Act::Flood(open_stream(""), b": still working\n\n".repeat(1024)), Limit::Total).await;
    check(total(), Act::Flood(b"HTTP/1.1 500 X\r\n\r\n".to_vec(), vec![b'z'; 1024]), Limit::Total).await;
}

#[tokio::test]
async fn a_server_that_stops_inside_an_error() {
    let head = b"HTTP/1.1 500 X\r\ncontent-length: 1000\r\n\r\n{".to_vec();
    let server = Server::start(vec![Act::Hang(head)]).await;
    let llm = Llm::new(Limits { attempts: 1, ..between_bytes() }).expect("client");
    let result = llm.ask(&endpoint(ProviderId::OpenAi, &server), &Question::new("", "Greet.")).await;
    assert_eq!(result, Err(LlmError::Unavailable { why: Outage::Server { status: 500 } }));
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_any_more() {
    let server = Server::start(vec![Act::Hang(open_stream(""))]).await;
    let llm = Llm::new(limits()).expect("client");
    let (endpoint, question) = (endpoint(ProviderId::OpenAi, &server), Question::new("", "Greet."));
    assert!(tokio::time::timeout(SHORT, llm.ask(&endpoint, &question)).await.is_err());
    tokio::time::timeout(SOON, server.left()).await.expect("the connection is given up");
}

#[tokio::test]
async fn a_whole_reply_that_stops() {
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
async fn a_host_that_does_not_take_the_connection() {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let listener = socket.listen(0).expect("listen");
    let address = listener.local_addr().expect("address");
    // Nobody accepts: the queue fills, and further hand-shakes are dropped.
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let llm = Llm::new(Limits { connect: SHORT, attempts: 2, ..limits() }).expect("client");
    let endpoint = Endpoint::new(ProviderId::Compatible).with_base_url(format!("http://{address}/"));
    let started = Instant::now();
    let result = llm.ask(&endpoint, &Question::new("", "Greet.")).await;
    assert_eq!(result, Err(LlmError::TimedOut { limit: Limit::Connect }));
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn a_port_where_nothing_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    drop(listener);
    let llm = Llm::new(limits()).expect("client");
    let endpoint = Endpoint::new(ProviderId::Compatible).with_base_url(format!("http://{address}/"));
    let result = llm.ask(&endpoint, &Question::new("", "Greet.")).await;
    assert_eq!(result, Err(LlmError::Unavailable { why: Outage::NoConnection }));
}

#[tokio::test]
async fn a_pause_that_would_outlast_the_total_limit_is_not_begun() {
    let server = Server::start(vec![json(500, "{}")]).await;
    let limits = Limits {
        backoff_base: Duration::from_secs(3600),
        backoff_max: Duration::from_secs(3600),
        ..limits()
    };
    let started = Instant::now();
    let result = Llm::new(limits)
        .expect("client")
        .ask(&endpoint(ProviderId::OpenAi, &server), &Question::new("", "Greet."))
        .await;
    assert_eq!(result, Err(LlmError::Unavailable { why: Outage::Server { status: 500 } }));
    assert!(started.elapsed() < SOON);
    assert_eq!(server.requests().len(), 1);
}
