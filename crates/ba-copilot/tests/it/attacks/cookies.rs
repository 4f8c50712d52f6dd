//! Cookies set by another site of the same domain: over HTTPS the cookies have the `__Host-` prefix, so browsers accept
//! them only from this host.
//!
//! Runs on both databases.

use serde_json::Value;

use crate::{
    app::TestApp,
    oidc_provider::FakeProvider,
    users::{Browser, PASSWORD, add, set_up},
};

const HTTPS: (&str, &str) = ("PUBLIC_URL", "https://ba.example.com");

/// The names of the cookies in a browser that have a value.
fn stored_cookies(browser: &Browser) -> Vec<&str> {
    browser.cookies.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn cookies_over_https_have_the_host_prefix() {
    let app = TestApp::start(None, &[HTTPS]).await;
    let mut ada = set_up(&app).await;
    assert_eq!(stored_cookies(&ada), ["__Host-bac_device", "__Host-bac_session"]);
    let reply = Browser::default().sign_in(&app, "ada@example.com", PASSWORD).await;
    let set: Vec<&str> =
        reply.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().expect("text")).collect();
    assert_eq!(set.len(), 4, "{set:?}");
    for cookie in set {
        // The attributes that browsers require for the prefix, and the removal of the old cookie.
        let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
        assert!(attributes.contains(&"Secure") && attributes.contains(&"Path=/"), "{cookie}");
        assert!(!cookie.to_lowercase().contains("domain="), "{cookie}");
        assert_eq!(cookie.starts_with("__Host-"), !attributes.contains(&"Max-Age=0"), "{cookie}");
    }
    // The secret is rotated under the same name.
    let before = ada.cookies["__Host-bac_session"].clone();
    app.wait_s(3601);
    assert_eq!(ada.get(&app, "/api/v1/me").await.status, 200);
    assert_ne!(ada.cookies["__Host-bac_session"], before);
    // Signing out removes it.
    assert_eq!(ada.form(&app, "/sign-out", &[]).await.status, 303);
    assert_eq!(stored_cookies(&ada), ["__Host-bac_device"]);
    ada.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    // Over HTTP, browsers would reject the prefix.
    let app = TestApp::builtin().await;
    assert_eq!(stored_cookies(&set_up(&app).await), ["bac_device", "bac_session"]);
}

#[tokio::test]
async fn cookie_of_a_sibling_domain_is_ignored() {
    let app = TestApp::start(None, &[HTTPS]).await;
    let mut ada = set_up(&app).await;
    let eve = add(&app, &mut ada, "eve@example.com").await;
    let name = |reply: Value| reply["email"].as_str().map(str::to_owned);
    // A sibling site has set Eve's session under the name without the prefix.
    ada.cookies.insert("bac_session".to_owned(), eve.cookies["__Host-bac_session"].clone());
    let me = name(ada.get(&app, "/api/v1/me").await.json());
    assert_eq!(me.as_deref(), Some("ada@example.com"));
    // Sessions of the previous version stay valid until the next release.
    let mut old = Browser::default();
    old.cookies.insert("bac_session".to_owned(), eve.cookies["__Host-bac_session"].clone());
    let me = name(old.get(&app, "/api/v1/me").await.json());
    assert_eq!(me.as_deref(), Some("eve@example.com"));
    app.wait_s(3601);
    old.get(&app, "/api/v1/me").await;
    assert_eq!(
        stored_cookies(&old),
        ["__Host-bac_session"],
        "the rotated secret is in a cookie with the new name"
    );
}

#[tokio::test]
async fn single_sign_on_cookie_has_the_host_prefix() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    set_up(&app).await;
    let app = app.another(|config| config.server.public_url = HTTPS.1.to_owned()).await;
    let mut grace = Browser::default();
    let reply = grace.get(&app, "/sign-in/oidc").await;
    assert_eq!((reply.status.as_u16(), stored_cookies(&grace)), (303, vec!["__Host-bac_oidc"]));
}
