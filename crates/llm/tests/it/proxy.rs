//! Requests through a proxy: which ones, and what is said when the proxy fails.

use llm::{Endpoint, Llm, LlmError, Outage, ProviderId, Proxies, Question, Reason};
use tokio::net::TcpListener;

use crate::check::limits;
use crate::recorded::OPENAI;
use crate::server::{Act, Server, events, reply};

async fn ask(proxies: &Proxies, base_url: &str) -> Result<String, LlmError> {
    let llm = Llm::with_proxies(limits(), proxies).expect("client");
    let endpoint = Endpoint::new(ProviderId::Compatible).with_base_url(base_url);
    llm.ask(&endpoint, &Question::new("", "Greet the world.")).await.map(|answer| answer.text)
}

fn proxies(http: &str, https: &str, exceptions: &str) -> Proxies {
    Proxies::new(http.into(), https.into(), "".into(), exceptions)
}

fn address(server: &Server) -> String {
    server.url.trim_start_matches("http://").to_owned()
}

#[tokio::test]
async fn requests_go_through_the_proxy_of_their_scheme() {
    let proxy = Server::start(vec![events(OPENAI)]).await;
    let with_password = format!("http://ada:secret@{}", address(&proxy));
    let answer = ask(&proxies(&with_password, "", ""), "http://models.example/v1").await;
    assert_eq!(answer.as_deref(), Ok("Hello, world"));
    let request = proxy.requests().remove(0);
    assert_eq!(request.path, "http://models.example/v1/chat/completions");
    assert!(request.head.contains("proxy-authorization: Basic YWRhOnNlY3JldA=="), "{}", request.head);

    // With TLS the proxy sees the name of the host only.
    let proxy = Server::start(vec![reply(403, "text/html", "<title>Blocked</title>")]).await;
    let blocked = ask(&proxies("", &proxy.url, ""), "https://models.example/v1").await;
    assert_eq!(blocked, Err(LlmError::Unavailable { why: Outage::Proxy, reason: Reason::default() }));
    let tunnels = proxy.requests();
    assert_eq!((tunnels.len(), tunnels[0].path.as_str()), (3, "models.example:443"));
    assert!(tunnels[0].head.starts_with("CONNECT "), "{}", tunnels[0].head);
}

#[tokio::test]
async fn this_machine_and_exceptions_are_reached_directly() {
    let proxy = Server::start(vec![Act::Close(vec![])]).await;
    let model = Server::start(vec![events(OPENAI)]).await;
    let port = model.url.rsplit(':').next().expect("port");
    for host in ["127.0.0.1", "localhost"] {
        let answer = ask(&proxies(&proxy.url, &proxy.url, ""), &format!("http://{host}:{port}/v1")).await;
        assert_eq!(answer.as_deref(), Ok("Hello, world"), "{host}");
    }
    let named = format!("http://models.localhost:{port}/v1");
    let answer = ask(&proxies(&proxy.url, "", "models.localhost"), &named).await;
    assert!(!matches!(answer, Err(LlmError::Unavailable { why: Outage::Proxy, .. })), "{answer:?}");
    assert_eq!(proxy.requests().len(), 0);
}

#[tokio::test]
async fn unreachable_proxy_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let closed = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    for url in ["http://models.example/v1", "https://models.example/v1"] {
        let result = ask(&proxies(&closed, &closed, ""), url).await;
        let error = result.expect_err("no proxy");
        assert_eq!(error, LlmError::Unavailable { why: Outage::Proxy, reason: Reason::default() });
        assert!(error.to_string().contains("HTTPS_PROXY") && !error.may_have_cost());
    }
}
