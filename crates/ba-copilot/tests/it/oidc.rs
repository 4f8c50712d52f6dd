//! Single sign-on with a fake identity provider that returns valid and invalid responses. A certified provider is
//! tested in `oidc_certified.rs`.
//!
//! Runs on both databases.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp},
    oidc_provider::{FakeProvider, Grant, Signed, begin},
    recovery::{code_now, second_factor},
    users::{Browser, PASSWORD, add, code_of, id_of, percent, set_up, verify},
};

const GRACE: (&str, &str) = ("subject-of-grace", "Grace@Example.com");

async fn is_in(app: &TestApp, browser: &mut Browser) -> bool {
    browser.get(app, "/api/v1/me").await.status == 200
}

pub(crate) async fn people(app: &TestApp, admin: &mut Browser) -> usize {
    admin.get(app, "/api/v1/users").await.json()["items"].as_array().map_or(0, Vec::len)
}

/// The user is signed in and redirected to the requested page.
pub(crate) fn assert_signed_in(reply: &Reply) {
    let to = reply.headers.get("location").and_then(|to| to.to_str().ok());
    assert_eq!((reply.status.as_u16(), to), (303, Some("/projects")), "{}", reply.text());
}

/// The user is not signed in, and the page states the reason and offers another attempt.
async fn assert_rejected(app: &TestApp, browser: &mut Browser, reply: &Reply, status: u16, words: &str) {
    let page = reply.text().replace("&quot;", "\"");
    assert_eq!(reply.status.as_u16(), status, "{page}");
    assert!(page.contains(words), "`{words}` is missing in {page}");
    assert!(page.contains("Sign in with Example"), "no second attempt offered in {page}");
    assert!(!is_in(app, browser).await, "{words}");
}

#[tokio::test]
async fn identity_is_linked_to_an_account_by_verified_email() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[]).await;
    // Without accounts, there is no sign-in.
    let early = Browser::default().get(&app, "/sign-in/oidc").await;
    assert_eq!(early.headers["location"], "/", "without accounts, no sign-in is required");
    let mut ada = set_up(&app).await;
    let page = Browser::default().get(&app, "/sign-in?next=/projects").await;
    assert!(page.text().contains("href=\"/sign-in/oidc?next=%2Fprojects\""), "{}", page.text());

    verify(&app, &mut add(&app, &mut ada, "grace@example.com").await).await;
    let mut grace = Browser::default();
    assert_signed_in(&provider.sign_in(&app, &mut grace, GRACE).await);
    let me = grace.get(&app, "/api/v1/me").await.json();
    assert_eq!((&me["email"], &me["verified"]), (&json!("grace@example.com"), &json!(true)), "{me}");
    assert_eq!(people(&app, &mut ada).await, 2, "no account was created");
    // The same subject is the same user, with another or an invalid address.
    for email in ["other@example.com", "not an address"] {
        let mut phone = Browser::default();
        assert_signed_in(&provider.sign_in(&app, &mut phone, (GRACE.0, email)).await);
        assert_eq!(id_of(&app, &mut phone).await, me["id"].as_str().expect("an id"));
    }
    // Discovery and keys were fetched once.
    let asked = [&provider.asked.0, &provider.asked.1].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(asked, [1, 1]);

    let listed = grace.get(&app, "/api/v1/me/identities").await.json();
    assert_eq!(
        (&listed[0]["issuer"], &listed[0]["name"], listed.as_array().map(Vec::len)),
        (&json!(provider.issuer()), &json!("Example"), Some(1))
    );
    assert!(!listed.to_string().contains(GRACE.0), "{listed}");
    let path = format!("/api/v1/me/identities/{}", listed[0]["id"].as_str().expect("an id"));
    ada.send(&app, "DELETE", &path, Value::Null).await.problem(404, "not_found");
    assert!(grace.get(&app, "/account").await.text().contains("Unlink"));
    let export = grace.get(&app, "/api/v1/me/export").await.json();
    assert_eq!(export["identities"][0]["subject"], GRACE.0);
    assert_eq!(grace.send(&app, "DELETE", &path, Value::Null).await.status, 204);
    grace.send(&app, "DELETE", &path, Value::Null).await.problem(404, "not_found");
    let events = ada.get(&app, "/api/v1/audit-events").await;
    assert!(events.text().contains("identity.create") && events.text().contains("identity.delete"));
    assert!(!events.text().contains(GRACE.0), "{}", events.text());
}

#[tokio::test]
async fn unknown_identity_needs_an_invitation_or_open_registration() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[]).await;
    let mut ada = set_up(&app).await;
    let mut grace = Browser::default();
    let uninvited = provider.sign_in(&app, &mut grace, GRACE).await;
    assert_rejected(&app, &mut grace, &uninvited, 403, "there is no invitation").await;
    let project = ada.get(&app, "/api/v1/projects").await.json()["items"][0]["id"].clone();
    let path = format!("/api/v1/projects/{}/invitations", project.as_str().expect("an id"));
    let asked = json!({"email": "grace@example.com", "role": "editor"});
    let link = ada.send(&app, "POST", &path, asked).await.json()["link"].clone();
    let code = code_of(link.as_str().expect("a link"));
    // The page of the invitation links to the provider and returns to the invitation.
    let page = grace.get(&app, &format!("/invitation?code={code}")).await;
    let way = page.text().split("href=\"/sign-in/oidc?next=").nth(1).and_then(|rest| rest.split('"').next());
    let sent = begin(&app, &mut grace, way.expect("a button")).await;
    let back = provider.way_back(&sent, provider.grant(&app, &sent, GRACE.0, GRACE.1));
    let reply = grace.get(&app, &back).await;
    assert_eq!(reply.headers["location"], format!("/invitation?code={code}"), "{}", reply.text());
    let me = grace.get(&app, "/api/v1/me").await.json();
    assert_eq!(
        (&me["email"], &me["name"], &me["admin"], &me["verified"]),
        (&json!("grace@example.com"), &json!("Grace Hopper"), &json!(false), &json!(true))
    );
    assert_eq!(grace.form(&app, "/invitation", &[("code", &code)]).await.status, 303);
    let mine = grace.get(&app, "/api/v1/projects").await;
    assert!(mine.text().contains("editor"), "{}", mine.text());
    // The identity is the only credential, so it cannot be removed.
    let account = grace.get(&app, "/account").await;
    assert!(account.text().contains("Get a link to set one"), "{}", account.text());
    let listed = grace.get(&app, "/api/v1/me/identities").await.json();
    let path = format!("/api/v1/me/identities/{}", listed[0]["id"].as_str().expect("an id"));
    grace.send(&app, "DELETE", &path, Value::Null).await.problem(409, "conflict");
    let fields = [("action", "unlink"), ("id", listed[0]["id"].as_str().expect("an id"))];
    let page = grace.form(&app, "/account", &fields).await;
    assert!(page.status == 409 && page.text().contains("choose a password first"), "{}", page.text());
    let without = json!({"password": PASSWORD});
    let refused = grace.send(&app, "DELETE", "/api/v1/me", without).await.problem(422, "invalid_input");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("/forgot-password")), "{refused}");

    let open = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    let mut ada = set_up(&open).await;
    let (mut one, mut two) = (Browser::default(), Browser::default());
    let (first, second) =
        tokio::join!(provider.sign_in(&open, &mut one, GRACE), provider.sign_in(&open, &mut two, GRACE));
    assert_signed_in(&first);
    assert_signed_in(&second);
    assert_eq!(people(&open, &mut ada).await, 2, "concurrent sign-ins create one account");
}

#[tokio::test]
async fn only_verified_emails_of_allowed_domains_sign_in() {
    let provider = FakeProvider::start().await;
    let settings = [
        ("BA_COPILOT__OIDC__SIGN_UP", "true"),
        ("BA_COPILOT__OIDC__EMAIL_DOMAINS", "example.com, Example.ORG"),
    ];
    let app = provider.product(&settings).await;
    let mut ada = set_up(&app).await;
    for (subject, email, accepted) in [
        ("1", "one@example.com", true),
        ("2", "two@example.org", true),
        ("3", "three@example.net", false),
        ("4", "four@sub.example.com", false),
        ("5", "five@notexample.com", false),
        ("6", "six@example.com@example.net", false),
        ("1", "one@example.net", false),
    ] {
        let mut browser = Browser::default();
        let reply = provider.sign_in(&app, &mut browser, (subject, email)).await;
        match accepted {
            true => assert_signed_in(&reply),
            false => assert_rejected(&app, &mut browser, &reply, 403, "of an allowed domain").await,
        }
    }
    assert_eq!(people(&app, &mut ada).await, 3);

    // An address that changes under lowercase conversion does not match another user.
    add(&app, &mut ada, "kate@example.com").await;
    let mut eve = Browser::default();
    let reply = provider.sign_in(&app, &mut eve, ("subject-of-eve", "\u{212a}ate@example.com")).await;
    assert_rejected(&app, &mut eve, &reply, 403, "of an allowed domain").await;

    // An address that the provider does not verify is rejected, with or without an account.
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    set_up(&app).await;
    let invalid_tokens: [fn(&mut Value); 4] = [
        |claims| claims["email_verified"] = json!(false),
        |claims| claims["email_verified"] = json!("false"),
        |claims| drop(claims.as_object_mut().expect("claims").remove("email_verified")),
        |claims| drop(claims.as_object_mut().expect("claims").remove("email")),
    ];
    for change in invalid_tokens {
        for email in ["ada@example.com", "nobody@example.com"] {
            let mut browser = Browser::default();
            let sent = begin(&app, &mut browser, "/projects").await;
            let mut grant = provider.grant(&app, &sent, "subject-of-eve", email);
            change(&mut grant.claims);
            let back = provider.way_back(&sent, grant);
            let reply = browser.get(&app, &back).await;
            assert_rejected(&app, &mut browser, &reply, 403, "reports no verified e-mail address").await;
        }
    }
}

#[tokio::test]
async fn single_sign_on_requires_second_factor_and_rejects_disabled_users() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[]).await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    verify(&app, &mut grace).await;
    let (secret, _) = second_factor(&app, &mut grace).await;
    app.wait_s(30);
    let mut phone = Browser::default();
    let page = provider.sign_in(&app, &mut phone, GRACE).await;
    assert!(page.status == 200 && page.text().contains("Second factor"), "{}", page.text());
    assert!(!is_in(&app, &mut phone).await, "the first factor alone does not sign in");
    let ticket = page.text().split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let fields =
        [("ticket", ticket.expect("a ticket")), ("next", "/projects"), ("code", &code_now(&app, &secret))];
    assert_signed_in(&phone.form(&app, "/sign-in/code", &fields).await);

    let path = format!("/api/v1/users/{}", id_of(&app, &mut phone).await);
    ada.send(&app, "PATCH", &path, json!({"disabled": true})).await;
    for subject in [GRACE.0, "another-subject"] {
        let mut out = Browser::default();
        let reply = provider.sign_in(&app, &mut out, (subject, GRACE.1)).await;
        assert_rejected(&app, &mut out, &reply, 403, "disabled").await;
    }
}

#[tokio::test]
async fn invalid_id_token_is_rejected() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    let mut ada = set_up(&app).await;
    let claim =
        |name: &'static str, value: Value| move |grant: &mut Grant| grant.claims[name] = value.clone();
    let without = |name: &'static str| {
        move |grant: &mut Grant| drop(grant.claims.as_object_mut().expect("claims").remove(name))
    };
    let signed = |how: Signed| move |grant: &mut Grant| grant.signed = how;
    let instead = |status: u16, text: &'static str| {
        move |grant: &mut Grant| grant.instead = Some((status, text.to_owned()))
    };
    let unverified = "could not be verified";
    let misconfigured = "is misconfigured";
    let invalid_tokens: Vec<(&str, Box<dyn Fn(&mut Grant)>, u16, &str)> = vec![
        ("a nonce of another sign-in", Box::new(claim("nonce", json!("another"))), 401, unverified),
        ("no nonce", Box::new(without("nonce")), 401, unverified),
        ("another audience", Box::new(claim("aud", json!("another-client"))), 401, unverified),
        ("an additional audience", Box::new(claim("aud", json!(["ba-copilot", "other"]))), 401, unverified),
        ("no audience", Box::new(claim("aud", json!([]))), 401, unverified),
        ("another issuer", Box::new(claim("iss", json!("https://evil.example"))), 401, unverified),
        ("expired", Box::new(claim("exp", json!(1_799_999_999))), 401, unverified),
        ("empty subject", Box::new(claim("sub", json!(""))), 401, unverified),
        ("subject too long", Box::new(claim("sub", json!("x".repeat(256)))), 401, unverified),
        ("not signed", Box::new(signed(Signed::Not)), 401, unverified),
        ("signed with the client secret", Box::new(signed(Signed::BySecret)), 401, unverified),
        ("signed with another key", Box::new(signed(Signed::ByAnother)), 401, unverified),
        ("signed with an unknown key", Box::new(signed(Signed::ByUnknown)), 401, unverified),
        ("another access token", Box::new(claim("at_hash", json!("x".repeat(22)))), 401, unverified),
        (
            "no token",
            Box::new(instead(200, r#"{"access_token":"x","token_type":"Bearer"}"#)),
            401,
            unverified,
        ),
        ("not JSON", Box::new(instead(200, "<html>")), 503, misconfigured),
        (
            "an invalid JWT",
            Box::new(instead(200, r#"{"access_token":"x","token_type":"Bearer","id_token":"a.b.c"}"#)),
            503,
            misconfigured,
        ),
        ("server error", Box::new(instead(500, "canary")), 503, misconfigured),
        ("invalid client", Box::new(instead(401, r#"{"error":"invalid_client"}"#)), 503, misconfigured),
    ];
    for (what, change, status, words) in invalid_tokens {
        let mut eve = Browser::default();
        let sent = begin(&app, &mut eve, "/projects").await;
        let mut grant = provider.grant(&app, &sent, "subject-of-ada", "ada@example.com");
        change(&mut grant);
        let back = provider.way_back(&sent, grant);
        let reply = eve.get(&app, &back).await;
        assert!(!reply.text().contains("canary"), "{what}");
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert_rejected(&app, &mut eve, &reply, status, words).await;
    }
    assert_eq!(people(&app, &mut ada).await, 1);
    // A valid token signs in.
    assert_signed_in(
        &provider.sign_in(&app, &mut Browser::default(), ("subject-of-ada", "ada@example.com")).await,
    );
    let metrics = app.get("/metrics").await;
    assert!(
        metrics.text().contains("ba_copilot_oidc_sign_ins_total{outcome=\"token_refused\"}"),
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn callback_is_valid_once_in_one_browser_for_ten_minutes() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    set_up(&app).await;
    let begun = "was not started in this browser";
    let back = async |browser: &mut Browser| {
        let sent = begin(&app, browser, "/projects").await;
        provider.way_back(&sent, provider.grant(&app, &sent, GRACE.0, GRACE.1))
    };
    let mut eve = Browser::default();
    let eves = back(&mut eve).await;

    // Another browser opens the callback address, without and with a sign-in in progress.
    let mut grace = Browser::default();
    let reply = grace.get(&app, &eves).await;
    assert_rejected(&app, &mut grace, &reply, 401, begun).await;
    back(&mut grace).await;
    let reply = grace.get(&app, &eves).await;
    assert_rejected(&app, &mut grace, &reply, 401, begun).await;
    // Every attempt ends the sign-in.
    assert_eq!(grace.cookies["bac_oidc"], "");
    // A modified cookie is rejected.
    let mut forged = eve.clone();
    forged.cookies.entry("bac_oidc".to_owned()).or_default().push('A');
    let reply = forged.get(&app, &eves).await;
    assert_rejected(&app, &mut forged, &reply, 401, begun).await;

    let mut copy = eve.clone();
    assert_signed_in(&eve.get(&app, &eves).await);
    let mut later = Browser { cookies: BTreeMap::from([("bac_oidc".to_owned(), String::new())]) };
    let reply = later.get(&app, &eves).await;
    assert_rejected(&app, &mut later, &reply, 401, begun).await;
    // An authorization code is valid once, also with the deleted cookie.
    let reply = copy.get(&app, &eves).await;
    assert_rejected(&app, &mut copy, &reply, 401, "has expired").await;

    let mut slow = Browser::default();
    let late = back(&mut slow).await;
    app.wait_s(600);
    let reply = slow.get(&app, &late).await;
    assert_rejected(&app, &mut slow, &reply, 401, "longer than ten minutes").await;

    // Error responses of the provider.
    for (error, status, words) in [
        ("access_denied", 401, "you cancelled it"),
        ("temporarily_unavailable", 503, "Try again in a minute"),
        ("<script>alert(1)</script>", 401, "could not complete the sign-in"),
    ] {
        let mut grace = Browser::default();
        let sent = begin(&app, &mut grace, "/projects").await;
        let path = format!(
            "/sign-in/oidc/callback?error={}&error_description=canary&state={}",
            percent(error),
            sent.get("state")
        );
        let reply = grace.get(&app, &path).await;
        assert_rejected(&app, &mut grace, &reply, status, words).await;
        assert!(!reply.text().contains("alert(1)") && !reply.text().contains("canary"));
        // The user is still redirected to the requested page.
        assert!(reply.text().contains("name=\"next\" value=\"/projects\""), "{}", reply.text());
    }
    // A response of another issuer is rejected.
    let mut grace = Browser::default();
    let path = format!("{}&iss=https%3A%2F%2Fevil.example", back(&mut grace).await);
    let reply = grace.get(&app, &path).await;
    assert_rejected(&app, &mut grace, &reply, 401, begun).await;
    // The redirect target must be a path of this server.
    for (next, to) in [("//evil.example", "/"), ("https://evil.example", "/"), ("/account", "/account")] {
        let mut grace = Browser::default();
        let sent = begin(&app, &mut grace, next).await;
        let path = provider.way_back(&sent, provider.grant(&app, &sent, GRACE.0, GRACE.1));
        assert_eq!(grace.get(&app, &path).await.headers["location"], to, "{next}");
    }
}

#[tokio::test]
async fn provider_outage_and_key_rotation_recover() {
    let provider = FakeProvider::start().await;
    provider.set_down(true);
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    set_up(&app).await;
    let mut grace = Browser::default();
    for _ in 0..3 {
        let reply = grace.get(&app, "/sign-in/oidc").await;
        assert_rejected(&app, &mut grace, &reply, 503, "Example does not respond").await;
    }
    assert_eq!(provider.asked.0.load(Ordering::Relaxed), 1, "no request during the retry delay");
    provider.set_down(false);
    app.wait_s(5);
    assert_signed_in(&provider.sign_in(&app, &mut grace, GRACE).await);

    let keys = || provider.asked.1.load(Ordering::Relaxed);
    assert_eq!(keys(), 1);
    provider.change_keys();
    assert_signed_in(&provider.sign_in(&app, &mut Browser::default(), GRACE).await);
    assert_signed_in(&provider.sign_in(&app, &mut Browser::default(), GRACE).await);
    assert_eq!(keys(), 2, "fetched once for each rotation");
    // Cached keys remain valid while the provider is unavailable.
    provider.set_down(true);
    app.wait_s(3601);
    assert_signed_in(&provider.sign_in(&app, &mut Browser::default(), GRACE).await);

    // A provider with an unexpected issuer is rejected.
    let other = FakeProvider::start().await;
    other.call_itself("https://accounts.example.org");
    let app = other.product(&[]).await;
    set_up(&app).await;
    let reply = grace.get(&app, "/sign-in/oidc").await;
    assert_rejected(&app, &mut Browser::default(), &reply, 503, "is misconfigured").await;
}

#[tokio::test]
async fn missing_claims_are_fetched_for_the_same_subject() {
    for (subject, verified, accepted) in [
        (GRACE.0, json!(true), true),
        (GRACE.0, json!("true"), true),
        (GRACE.0, json!(false), false),
        ("somebody-else", json!(true), false),
    ] {
        let provider = FakeProvider::start().await;
        provider.set_userinfo(
            json!({"sub": subject, "email": GRACE.1, "email_verified": verified, "name": "Grace"}),
        );
        let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
        set_up(&app).await;
        let mut grace = Browser::default();
        let sent = begin(&app, &mut grace, "/projects").await;
        let mut grant = provider.grant(&app, &sent, GRACE.0, GRACE.1);
        for name in ["email", "email_verified", "name"] {
            grant.claims.as_object_mut().expect("claims").remove(name);
        }
        let path = provider.way_back(&sent, grant);
        let reply = grace.get(&app, &path).await;
        assert_eq!(is_in(&app, &mut grace).await, accepted, "{subject} {verified}: {}", reply.text());
    }
}

#[test]
fn unsafe_settings_are_rejected() {
    use config::{Config, Environment};
    let good = [("OIDC_ISSUER", "https://accounts.example.com"), ("OIDC_CLIENT_ID", "ba-copilot")];
    assert!(Config::load(None, &Environment::from_pairs(good)).is_ok());
    for (name, value, word) in [
        ("OIDC_ISSUER", "http://accounts.example.com", "oidc.issuer"),
        ("OIDC_ISSUER", "accounts.example.com", "oidc.issuer"),
        ("OIDC_ISSUER", "https://a:b@accounts.example.com", "oidc.issuer"),
        ("OIDC_ISSUER", "https://accounts.example.com?x=y", "oidc.issuer"),
        ("OIDC_CLIENT_ID", "", "oidc.client_id"),
        ("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:8000", "server.public_url"),
        ("BA_COPILOT__OIDC__SCOPES", "email profile", "oidc.scopes"),
        ("BA_COPILOT__OIDC__EMAIL_DOMAINS", "@example.com", "oidc.email_domains"),
        ("BA_COPILOT__OIDC__NAME", "a\nb", "oidc.name"),
    ] {
        let pairs = good.into_iter().filter(|(known, _)| *known != name).chain([(name, value)]);
        let refused = Config::load(None, &Environment::from_pairs(pairs)).expect_err(value).to_string();
        assert!(refused.contains(word), "{value}: {refused}");
    }
}
