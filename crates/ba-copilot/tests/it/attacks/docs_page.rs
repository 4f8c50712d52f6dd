//! The page of the API documentation runs only scripts and styles that are files of this server.
//!
//! Runs on SQLite only: the page reads nothing from the database.

use axum::http::Method;
use fantoccini::{Locator, wd::WebDriverCompatibleCommand};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    app::TestApp,
    pages::{Driver, browser, installed},
    process::Server,
};

/// The directives of a policy, with the sources of each.
fn directives(policy: &str) -> Vec<(&str, Vec<&str>)> {
    let each = policy.split(';').map(str::trim).filter(|part| !part.is_empty());
    each.map(|part| {
        let mut words = part.split_whitespace();
        (words.next().unwrap_or_default(), words.collect())
    })
    .collect()
}

#[tokio::test]
async fn every_response_has_a_content_security_policy_without_inline_code() {
    let app = TestApp::builtin().await;
    for path in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js", "/docs/index.html"] {
        let reply = app.get(path).await;
        let policy = reply.headers["content-security-policy"].to_str().expect("text");
        let found = directives(policy);
        assert_eq!(found[0], ("default-src", vec!["'none'"]), "{path}: {policy}");
        for (directive, sources) in &found {
            for source in sources {
                let known =
                    ["'none'", "'self'"].contains(source) || (*directive, *source) == ("img-src", "data:");
                assert!(known, "{path}: {directive} allows {source}");
            }
        }
        for directive in ["base-uri", "form-action", "frame-ancestors"] {
            assert!(found.contains(&(directive, vec!["'none'"])), "{path}: {directive}");
        }
    }
    for path in ["/health", "/openapi.json", "/api/v1/projects", "/nothing", "/assets/page.css", "/metrics"] {
        let policy =
            app.get(path).await.headers["content-security-policy"].to_str().expect("text").to_owned();
        assert_eq!(directives(&policy)[0], ("default-src", vec!["'none'"]), "{path}: {policy}");
    }
}

/// The console messages of the page and of the browser.
#[derive(Debug)]
struct Console;

impl WebDriverCompatibleCommand for Console {
    fn endpoint(
        &self,
        base: &reqwest::Url,
        session: Option<&str>,
    ) -> Result<reqwest::Url, <reqwest::Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &reqwest::Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_shows_the_docs_without_policy_violation() {
    if !installed("chromium") || !installed("chromedriver") {
        return;
    }
    let (data, profile) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let server = Server::start(data.path(), &[]);
    let driver = Driver::start();
    let client = browser(&driver, &profile).await;
    client.goto(&format!("http://{}/docs/", server.address)).await.expect("the page");
    // An operation is opened and tried out, which loads all resources of the page.
    let operation = Locator::Css("#operations-operations-find_livez .opblock-summary-control");
    client.wait().for_element(operation).await.expect("an operation").click().await.expect("opened");
    let execute = Locator::Css("#operations-operations-find_livez .execute");
    client.wait().for_element(execute).await.expect("a button").click().await.expect("sent");
    let status = Locator::Css("#operations-operations-find_livez .live-responses-table .response-col_status");
    client.wait().for_element(status).await.expect("an answer");
    let said: Value = client.issue_cmd(Console).await.expect("the console");
    assert_eq!(said, json!([]), "{said:#}");
    // A violation of the policy is a console message, so the test would detect it.
    client
        .execute(
            "const it = document.createElement('script'); it.textContent = 'window.evil = 1'; \
             document.body.append(it);",
            vec![],
        )
        .await
        .expect("a script");
    let said: Value = client.issue_cmd(Console).await.expect("the console");
    assert!(said.to_string().contains("Content Security Policy"), "{said:#}");
    assert_eq!(
        client.execute("return window.evil === undefined", vec![]).await.expect("a value"),
        json!(true)
    );
    client.close().await.expect("closed");
}
