//! Escalation with a stolen token or an unattended browser: a stronger token, another second factor, or an
//! administrator.
//!
//! Runs on both databases.

use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp, eventually},
    oidc::assert_signed_in,
    oidc_provider::FakeProvider,
    recovery::{code_now, second_factor},
    users::{Browser, PASSWORD, add, code_of, id_of, letters, set_up},
};

const OTHER_PASSWORD: &str = "a quite different sentence";
const FACTOR: &str = "/api/v1/me/second-factor";
const RECOVERY: &str = "/api/v1/me/recovery-codes";
const EVERY_SCOPE: [&str; 5] = ["read", "write", "generate", "mcp", "account"];

async fn by_token(app: &TestApp, token: &str, method: &str, path: &str, body: Value) -> Reply {
    let bearer = format!("Bearer {token}");
    Browser::default().send_with(app, method, path, body, &[("authorization", &bearer)]).await
}

/// A new secret for an authenticator app, and its current code.
async fn offered(app: &TestApp, browser: &mut Browser) -> (Value, Value) {
    let offered = browser.send(app, "POST", FACTOR, Value::Null).await.json();
    let code = code_now(app, offered["secret"].as_str().expect("a secret"));
    (offered["secret"].clone(), json!(code))
}

#[tokio::test]
async fn token_cannot_create_tokens_or_change_credentials() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let grace_id = id_of(&app, &mut add(&app, &mut ada, "grace@example.com").await).await;
    let (secret, code) = offered(&app, &mut ada).await;
    let factor = json!({"secret": secret, "code": code, "password": PASSWORD});
    let user = format!("/api/v1/users/{grace_id}");
    let eve = |admin: bool| json!({"email": "eve@example.com", "name": "Eve", "password": PASSWORD, "admin": admin});
    let calls = [
        ("POST", "/api/v1/tokens", json!({"name": "x", "scopes": ["account"], "days": 1})),
        ("POST", "/api/v1/tokens", json!({"name": "x", "scopes": EVERY_SCOPE})),
        ("PUT", "/api/v1/me/password", json!({"old": PASSWORD, "new": OTHER_PASSWORD})),
        ("PUT", "/api/v1/me/email", json!({"email": "eve@example.com", "password": PASSWORD})),
        ("POST", FACTOR, Value::Null),
        ("PUT", FACTOR, factor),
        ("DELETE", FACTOR, json!({"password": PASSWORD})),
        ("POST", RECOVERY, json!({"password": PASSWORD})),
        ("DELETE", "/api/v1/me/identities/idn_x", Value::Null),
        ("POST", "/api/v1/users", eve(true)),
        ("PATCH", user.as_str(), json!({"admin": true})),
    ];
    for scopes in [&["account"][..], &EVERY_SCOPE] {
        let body = json!({"name": "stolen", "scopes": scopes, "days": 1});
        let made = ada.send(&app, "POST", "/api/v1/tokens", body).await.json();
        let stolen = made["secret"].as_str().expect("a secret");
        assert_eq!(by_token(&app, stolen, "GET", "/api/v1/me", Value::Null).await.status, 200);
        for (method, path, body) in &calls {
            let refused = by_token(&app, stolen, method, path, body.clone()).await;
            let problem = refused.problem(403, "forbidden");
            let detail = problem["detail"].as_str().expect("a detail");
            assert!(detail.starts_with("A token cannot"), "{method} {path}: {detail}");
        }
        // The pages call the same use cases.
        let bearer = format!("Bearer {stolen}");
        let request = axum::http::Request::post("/account")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", bearer)
            .body("action=token&name=x&scope_read=read".into())
            .expect("a request");
        let page = app.send(request).await;
        assert!(page.status == 403 && !page.text().contains("id=\"token\""), "{}", page.text());
    }
    // None of it has happened, and operations that grant no access still work: people are added and disabled, tokens
    // and sessions end.
    let tokens = ada.get(&app, "/api/v1/tokens").await.json();
    assert_eq!(tokens["items"].as_array().map(Vec::len), Some(2), "{tokens}");
    assert_eq!(ada.get(&app, "/api/v1/me").await.json()["second_factor"], false);
    let token = ada.token(&app, &["account"]).await;
    for (method, path, body, status) in [
        ("POST", "/api/v1/users".to_owned(), eve(false), 201),
        ("PATCH", user.clone(), json!({"disabled": true}), 200),
        (
            "DELETE",
            format!("/api/v1/tokens/{}", tokens["items"][0]["id"].as_str().expect("an id")),
            Value::Null,
            204,
        ),
    ] {
        let done = by_token(&app, &token, method, &path, body).await;
        assert_eq!(done.status, status, "{method} {path}: {}", done.text());
    }
    // The owner can do all of it in a session.
    for (method, path, body) in calls.iter().filter(|(_, path, _)| *path == "/api/v1/tokens" || *path == user)
    {
        let done = ada.send(&app, method, path, body.clone()).await;
        assert!(done.status.is_success(), "{method} {path}: {}", done.text());
    }
}

#[tokio::test]
async fn secret_response_is_replayed_only_to_the_same_credential() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let narrow = ada.token(&app, &["read"]).await;
    let wide = ada.token(&app, &EVERY_SCOPE).await;
    let body = json!({"name": "nightly", "scopes": ["read", "write"]});
    let key = [("idempotency-key", "a-key-that-became-known")];
    let made = ada.send_with(&app, "POST", "/api/v1/tokens", body.clone(), &key).await;
    assert_eq!(made.status, 201);
    for token in [&narrow, &wide] {
        let bearer = format!("Bearer {token}");
        let headers = [key[0], ("authorization", bearer.as_str())];
        let again =
            Browser::default().send_with(&app, "POST", "/api/v1/tokens", body.clone(), &headers).await;
        let problem = again.problem(409, "conflict");
        assert!(!problem.to_string().contains("bac_"), "{problem}");
    }
    // From another browser of the same user it is the same request.
    let mut phone = Browser::default();
    phone.sign_in(&app, "ada@example.com", PASSWORD).await;
    let again = phone.send_with(&app, "POST", "/api/v1/tokens", body, &key).await;
    assert_eq!((again.status, &again.bytes), (made.status, &made.bytes));
}

#[tokio::test]
async fn second_factor_change_requires_reauthentication() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let is_set =
        async |browser: &mut Browser| browser.get(&app, "/api/v1/me").await.json()["second_factor"].clone();
    let bad = [json!({}), json!({"password": "wrong"}), json!({"code": "000000"}), json!({"code": ""})];
    // Setting up a second factor. Without one, no code is correct.
    let (secret, code) = offered(&app, &mut ada).await;
    for proof in &bad {
        let mut body = json!({"secret": secret, "code": code});
        if let Some(password) = proof.get("password") {
            body["password"] = password.clone();
        }
        if let Some(current) = proof.get("code") {
            body["current_code"] = current.clone();
        }
        ada.send(&app, "PUT", FACTOR, body).await.problem(422, "invalid_input");
    }
    assert_eq!(is_set(&mut ada).await, false);
    let (first, recovery) = second_factor(&app, &mut ada).await;

    // Replacing it, creating new recovery codes, removing it.
    app.wait_s(30);
    let (secret, code) = offered(&app, &mut ada).await;
    let replace = |proof: Value| {
        let mut body = json!({"secret": secret, "code": code});
        for (name, value) in proof.as_object().expect("an object") {
            body[if name == "code" { "current_code" } else { name }] = value.clone();
        }
        body
    };
    for proof in &bad {
        ada.send(&app, "PUT", FACTOR, replace(proof.clone())).await.problem(422, "invalid_input");
        ada.send(&app, "POST", RECOVERY, proof.clone()).await.problem(422, "invalid_input");
        ada.send(&app, "DELETE", FACTOR, proof.clone()).await.problem(422, "invalid_input");
    }
    let mine = ada.get(&app, RECOVERY).await.json();
    assert_eq!((is_set(&mut ada).await, &mine["left"]), (json!(true), &json!(10)));
    // A code of the new app is not a code of the one that it replaces.
    let new_code = json!({"code": code});
    ada.send(&app, "PUT", FACTOR, replace(new_code)).await.problem(422, "invalid_input");
    // The owner has the old app, or a recovery code; a mistyped new code does not consume a recovery code.
    let mut mistyped = replace(json!({"code": recovery[0]}));
    mistyped["code"] = json!("000000");
    ada.send(&app, "PUT", FACTOR, mistyped).await.problem(422, "invalid_input");
    let replaced = ada.send(&app, "PUT", FACTOR, replace(json!({"code": recovery[0]}))).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text());
    app.wait_s(30);
    let old = json!({"code": code_now(&app, &first)});
    ada.send(&app, "DELETE", FACTOR, old).await.problem(422, "invalid_input");
    let now = json!({"code": code_now(&app, secret.as_str().expect("a secret"))});
    assert_eq!(ada.send(&app, "DELETE", FACTOR, now).await.status, 204);
    assert_eq!(is_set(&mut ada).await, false);
    // The page requires the same.
    let page = ada.form(&app, "/account", &[("action", "offer")]).await;
    let secret = page.text().split("id=\"factor\">").nth(1).and_then(|rest| rest.split('<').next());
    let secret = secret.expect("a secret").to_owned();
    let code = code_now(&app, &secret);
    let fields = [("action", "factor"), ("secret", secret.as_str()), ("code", code.as_str())];
    let refused = ada.form(&app, "/account", &fields).await;
    assert!(refused.status == 422 && refused.text().contains(&secret), "{}", refused.text());
    let with_password: Vec<_> = fields.into_iter().chain([("password", PASSWORD)]).collect();
    let set = ada.form(&app, "/account", &with_password).await;
    assert!(set.status == 200 && set.text().contains("id=\"recovery\""), "{}", set.text());
}

#[tokio::test]
async fn user_without_a_password_must_have_signed_in_recently() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    set_up(&app).await;
    let mut grace = Browser::default();
    let who = ("subject-of-grace", "grace@example.com");
    assert_signed_in(&provider.sign_in(&app, &mut grace, who).await);
    app.wait_s(10 * 60);
    let (secret, code) = offered(&app, &mut grace).await;
    let body = json!({"secret": secret, "code": code});
    for proof in [Value::Null, json!("wrong")] {
        let mut body = body.clone();
        if !proof.is_null() {
            body["current_code"] = proof;
        }
        let refused = grace.send(&app, "PUT", FACTOR, body).await.problem(403, "forbidden");
        assert!(refused["detail"].as_str().is_some_and(|text| text.contains("sign in again")), "{refused}");
    }
    let page = grace.get(&app, "/account").await;
    assert!(
        page.status == 200 && page.text().contains("you sign in with an identity provider"),
        "{}",
        page.text()
    );
    let mut fresh = Browser::default();
    assert_signed_in(&provider.sign_in(&app, &mut fresh, who).await);
    assert_eq!(fresh.send(&app, "PUT", FACTOR, body).await.status, 200);
    // With a second factor, a code is accepted at any time; an old session without a code is not.
    app.wait_s(10 * 60);
    fresh.send(&app, "POST", RECOVERY, json!({})).await.problem(403, "forbidden");
    let now = json!({"code": code_now(&app, secret.as_str().expect("a secret"))});
    assert_eq!(fresh.send(&app, "POST", RECOVERY, now).await.status, 201);
}

#[tokio::test]
async fn password_reset_revokes_tokens_and_password_change_does_not() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let token = ada.token(&app, &["read"]).await;
    let works = async || by_token(&app, &token, "GET", "/api/v1/projects", Value::Null).await.status.as_u16();
    let fields = [("action", "password"), ("old", PASSWORD), ("password", OTHER_PASSWORD)];
    let changed = ada.form(&app, "/account", &fields).await;
    let to = changed.headers["location"].to_str().expect("text").to_owned();
    assert_eq!((to.as_str(), works().await), ("/account?done=password", 200));
    assert!(ada.get(&app, &to).await.text().contains("Your tokens still work"));

    let mut anywhere = Browser::default();
    anywhere.send(&app, "POST", "/api/v1/password-resets", json!({"email": "ada@example.com"})).await;
    let letter = eventually("a message", async || {
        letters(&app).into_iter().find(|letter| letter.contains("password does not change"))
    });
    let letter = letter.await;
    assert!(letter.contains("ends all sessions and tokens"), "{letter}");
    let code = code_of(&letter);
    let page = anywhere.get(&app, &format!("/reset-password?code={code}")).await;
    assert!(page.text().contains("all of its tokens end"), "{}", page.text());
    assert_eq!(works().await, 200, "tokens work until the new password is set");
    let done = anywhere.form(&app, "/reset-password", &[("code", &code), ("password", PASSWORD)]).await;
    let to = done.headers["location"].to_str().expect("text").to_owned();
    assert!(anywhere.get(&app, &to).await.text().contains("every token of the account has ended"));
    assert_eq!(works().await, 401);
    ada.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    assert_eq!(ada.sign_in(&app, "ada@example.com", PASSWORD).await.status, 200);
    let listed = ada.get(&app, "/api/v1/tokens").await.json();
    assert!(listed["items"][0]["revoked_at"].is_string(), "{listed}");
    // The documentation matches the behaviour.
    let document = serde_json::to_value(server::openapi_document()).expect("a document");
    let said = |path: &str, method: &str| document["paths"][path][method]["description"].to_string();
    assert!(said("/api/v1/me/password", "put").contains("Tokens do not end"));
    assert!(said("/api/v1/password-resets/finish", "post").contains("every token"));
}
