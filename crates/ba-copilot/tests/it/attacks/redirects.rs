//! Links that redirect to another server after signing in here. The target of a `Location` is computed by a WHATWG URL
//! parser, as in browsers.
//!
//! Runs on both databases.

use axum::{
    body::Body,
    http::{Request, header},
};
use reqwest::Url;
use serde_json::json;

use crate::{
    app::{Reply, TestApp},
    oidc_provider::{FakeProvider, begin},
    recovery::{code_now, second_factor},
    users::{Browser, PASSWORD, percent, set_up},
};

const HERE: &str = "https://here.example/sign-in";

/// Values of `next` after decoding.
const HOSTILE: [&str; 27] = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\0/evil.example",
    "/\u{b}/evil.example",
    "/\u{2028}/evil.example",
    "/\u{ff0f}evil.example",
    "/%09/evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%252f/evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//..//evil.example",
    "@evil.example",
    "evil.example",
    "/#//evil.example",
];

const HARMLESS: [&str; 4] =
    ["/projects", "/projects/prj_1?folder=fld_2&done=renamed", "/invitation?code=abc-DEF_1", "/?q=a%20b//c"];

/// The URL that a browser opens.
fn redirect_target(reply: &Reply) -> Url {
    let to = std::str::from_utf8(reply.headers[header::LOCATION].as_bytes()).expect("text");
    Url::parse(HERE).expect("an address").join(to).expect("an address")
}

#[track_caller]
fn check(what: &str, next: &str, reply: &Reply) {
    assert_eq!(reply.status, 303, "{what} {next:?}: {}", reply.text());
    let there = redirect_target(reply);
    assert_eq!(there.host_str(), Some("here.example"), "{what} {next:?} leads to {there}");
    let expected = if HARMLESS.contains(&next) { next } else { "/" };
    assert_eq!(reply.headers[header::LOCATION], expected, "{what} {next:?}");
}

#[tokio::test]
async fn sign_in_redirects_only_to_local_paths() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    for next in HOSTILE.into_iter().chain(HARMLESS) {
        let path = format!("/sign-in?next={}", percent(next));
        check("GET /sign-in of a user who is signed in", next, &ada.get(&app, &path).await);
        let mut browser = Browser::default();
        let page = browser.get(&app, &path).await;
        let asked =
            page.text().split("name=\"next\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let expected = if HARMLESS.contains(&next) { next.replace('&', "&amp;") } else { "/".to_owned() };
        assert_eq!(asked, Some(expected.as_str()), "the page for {next:?}");
        let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        check("POST /sign-in", next, &browser.form(&app, "/sign-in", &fields).await);
    }
    let (secret, _) = second_factor(&app, &mut ada).await;
    for next in HOSTILE.into_iter().chain(HARMLESS) {
        app.wait_s(30);
        let mut browser = Browser::default();
        let half = browser.sign_in(&app, "ada@example.com", PASSWORD).await.json();
        let code = code_now(&app, &secret);
        let fields =
            [("ticket", half["ticket"].as_str().expect("a ticket")), ("code", &code), ("next", next)];
        check("POST /sign-in/code", next, &browser.form(&app, "/sign-in/code", &fields).await);
    }
}

#[tokio::test]
async fn single_sign_on_redirects_only_to_local_paths() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    let mut ada = set_up(&app).await;
    for next in HOSTILE.into_iter().chain(HARMLESS) {
        let path = format!("/sign-in/oidc?next={}", percent(next));
        check("GET /sign-in/oidc of a user who is signed in", next, &ada.get(&app, &path).await);
        let mut grace = Browser::default();
        let sent = begin(&app, &mut grace, &percent(next)).await;
        let grant = provider.grant(&app, &sent, "subject-of-grace", "grace@example.com");
        let back = provider.way_back(&sent, grant);
        check("GET /sign-in/oidc/callback", next, &grace.get(&app, &back).await);
    }
}

#[tokio::test]
async fn ambiguous_urls_do_not_redirect_to_other_sites() {
    let app = TestApp::builtin().await;
    set_up(&app).await;
    for path in [
        "/projects/%2f%2fevil.example",
        "/account?x=//evil.example",
        "/projects/%09",
        "/diagrams/%5cevil.example",
    ] {
        let request = Request::get(path).header("accept", "text/html").body(Body::empty());
        let reply = app.send(request.expect("a request")).await;
        assert_eq!(reply.status, 303, "{path}");
        let there = redirect_target(&reply);
        assert_eq!((there.host_str(), there.path()), (Some("here.example"), "/sign-in"), "{path}");
        let (_, next) = there.query_pairs().find(|(name, _)| name == "next").expect("a redirect target");
        let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", &*next)];
        let reply = Browser::default().form(&app, "/sign-in", &fields).await;
        assert_eq!(redirect_target(&reply).host_str(), Some("here.example"), "{path}");
    }
}

#[tokio::test]
async fn redirect_after_a_change_is_local() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let project = ada.get(&app, "/api/v1/projects").await.json()["items"][0]["id"].clone();
    let path = format!("/projects/{}", project.as_str().expect("an id"));
    for here in ["//evil.example", "\t//evil.example", "../../evil", "?x=//evil.example"] {
        let fields = [("action", "make-folder"), ("name", "New"), ("here", here)];
        let reply = ada.form(&app, &path, &fields).await;
        if let Some(to) = reply.headers.get(header::LOCATION) {
            assert_eq!(redirect_target(&reply).host_str(), Some("here.example"), "{here:?} leads to {to:?}");
        }
    }
    let body = json!({"name": "//evil.example"});
    let made = ada.send(&app, "POST", "/api/v1/projects", body).await;
    assert_eq!(made.status, 201);
    let reply = ada.form(&app, "/projects", &[("name", "//evil.example")]).await;
    assert_eq!(redirect_target(&reply).host_str(), Some("here.example"));
}
