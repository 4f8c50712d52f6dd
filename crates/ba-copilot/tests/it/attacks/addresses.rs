//! Network addresses: all addresses of one customer are counted as one network, and webhook URLs of internal addresses
//! are rejected.
//!
//! Runs on both databases.

use axum::{body::Body, http::Request};
use serde_json::json;

use crate::{
    app::{Reply, TestApp},
    users::set_up,
};

const BEHIND_A_PROXY: (&str, &str) = ("BA_COPILOT__SERVER__PROXIES", "1");

/// Spellings of one IPv4 address, IPv6 addresses of the network of one customer, and values that are not addresses.
const NETWORKS: [&[&str]; 5] = [
    &[
        "192.0.2.7",
        "192.0.2.7:1",
        "192.0.2.7:4711",
        "::ffff:192.0.2.7",
        "[::ffff:192.0.2.7]:80",
        "64:ff9b::192.0.2.7",
        "2002:c000:207::1",
        "2002:c000:207:ffff::1",
        "\"192.0.2.7:9\"",
    ],
    &[
        "2001:db8:1:2::1",
        "2001:db8:1:2::2",
        "2001:db8:1:2:ffff:ffff:ffff:ffff",
        "[2001:db8:1:2::3]:80",
        "[2001:db8:1:2::3]",
        "2001:DB8:1:2:0::4",
    ],
    &["2001:db8:1:3::1", "2001:db8:1:3:1::1"],
    &["unknown", "_hidden", "what is this"],
    &["192.0.2.8"],
];

async fn from(app: &TestApp, address: &str, email: &str) -> Reply {
    let body = json!({"email": email, "password": "wrong wrong wrong"}).to_string();
    let request = Request::post("/api/v1/sign-in")
        .header("content-type", "application/json")
        // Entries before the address that the trusted proxy added were written by the caller.
        .header("x-forwarded-for", format!("203.0.113.9, {address}"))
        .body(Body::from(body));
    app.send(request.expect("a request")).await
}

#[tokio::test]
async fn sign_in_failures_are_counted_by_network() {
    let app = TestApp::start(None, &[BEHIND_A_PROXY]).await;
    set_up(&app).await;
    for (network, addresses) in NETWORKS.iter().enumerate() {
        for number in 0..100 {
            let email = format!("{network}-{number}@example.com");
            from(&app, addresses[number % addresses.len()], &email).await.problem(401, "sign_in");
        }
        for address in *addresses {
            let late = from(&app, address, "late@example.com").await;
            assert_eq!(late.status, 429, "{address}");
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_network() {
    let limit = ("BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "1");
    let app = TestApp::start(None, &[BEHIND_A_PROXY, limit]).await;
    // Without accounts requests are not counted.
    let fields = "name=Ada&email=ada%40example.com&password=correct%20horse%20battery%20staple";
    let request = Request::post("/set-up")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(fields));
    assert_eq!(app.send(request.expect("a request")).await.status, 303);
    for addresses in NETWORKS {
        let mut answered = 0;
        for address in addresses {
            let request = Request::get("/api/v1/projects").header("x-forwarded-for", *address);
            let reply = app.send(request.body(Body::empty()).expect("a request")).await;
            answered += usize::from(reply.status == 401);
        }
        assert_eq!(answered, 1, "{addresses:?}");
    }
}

#[tokio::test]
async fn webhook_urls_of_internal_addresses_are_rejected() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let project = ada.get(&app, "/api/v1/projects").await.json()["items"][0]["id"].clone();
    let path = format!("/api/v1/projects/{}/webhooks", project.as_str().expect("an id"));
    for host in [
        "10.0.0.1",
        "127.1",
        "0x7f000001",
        "169.254.169.254",
        "192.0.0.170",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.175.48.1",
        "198.51.100.1",
        "203.0.113.1",
        "240.0.0.1",
        "[::]",
        "[::1]",
        "[::8.8.8.8]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::8.8.8.8]",
        "[100::1]",
        "[2001::1]",
        "[2001:0:4136:e378:8000:63bf:f7f7:f7f7]",
        "[2001:20::1]",
        "[2001:db8::1]",
        "[2002:a00:1::]",
        "[2002:808:808::]",
        "[2620:4f:8000::1]",
        "[3fff::1]",
        "[3fff:fff::1]",
        "[5f00::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "localhost",
        "db.internal",
    ] {
        let body = json!({"url": format!("https://{host}/hook"), "events": ["diagram.create"]});
        ada.send(&app, "POST", &path, body).await.problem(422, "invalid_input");
    }
    for host in
        ["93.184.215.14", "[2606:4700::1111]", "[64:ff9b::93.184.215.14]", "[3fff:1000::1]", "example.com"]
    {
        let body = json!({"url": format!("https://{host}/hook"), "events": ["diagram.create"]});
        let made = ada.send(&app, "POST", &path, body).await;
        assert_eq!(made.status, 201, "{host}: {}", made.text());
    }
}
