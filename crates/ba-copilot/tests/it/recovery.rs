//! Sign-in without the second factor: recovery codes.
//!
//! Runs on both databases.

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    users::{Browser, PASSWORD, set_up},
};

/// The current code of an authenticator app (RFC 6238).
pub(crate) fn code_now(app: &TestApp, secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("a secret");
    let totp = totp_rs::Builder::new().with_secret(secret).with_account_name("a").build().expect("a clock");
    totp.generate(app.clock_s.load(std::sync::atomic::Ordering::Relaxed)).to_string()
}

fn codes_of(reply: &Value) -> Vec<String> {
    let codes = reply["recovery_codes"].as_array().expect("codes");
    codes.iter().map(|code| code.as_str().expect("a code").to_owned()).collect()
}

/// Sets up a second factor; returns its secret and the recovery codes.
pub(crate) async fn second_factor(app: &TestApp, browser: &mut Browser) -> (String, Vec<String>) {
    let path = "/api/v1/me/second-factor";
    let offered = browser.send(app, "POST", path, Value::Null).await.json();
    let secret = offered["secret"].as_str().expect("a secret").to_owned();
    let body = json!({"secret": secret, "code": code_now(app, &secret), "password": PASSWORD});
    let set = browser.send(app, "PUT", path, body).await;
    assert_eq!(set.status, 200, "{}", set.text());
    (secret, codes_of(&set.json()))
}

async fn start_sign_in(app: &TestApp, browser: &mut Browser) -> String {
    let half = browser.sign_in(app, "ada@example.com", PASSWORD).await;
    assert_eq!(half.status, 202, "{}", half.text());
    half.json()["ticket"].as_str().expect("a ticket").to_owned()
}

async fn remaining_codes(app: &TestApp, browser: &mut Browser) -> Value {
    browser.get(app, "/api/v1/me/recovery-codes").await.json()["left"].clone()
}

#[tokio::test]
async fn recovery_codes_are_shown_once_and_single_use() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    ada.send(&app, "POST", "/api/v1/me/recovery-codes", json!({"password": PASSWORD}))
        .await
        .problem(409, "conflict");
    let (_, codes) = second_factor(&app, &mut ada).await;
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.len() == 19 && code.split('-').count() == 4), "{codes:?}");
    let page = ada.get(&app, "/account").await;
    assert!(page.text().contains("You have 10 recovery codes left") && !page.text().contains(&codes[0]));

    // Both steps of sign-in accept a code, with different spellings.
    let mut phone = Browser::default();
    let finish = |ticket: &str, code: &str| json!({"ticket": ticket, "code": code});
    let path = "/api/v1/sign-in/code";
    let ticket = start_sign_in(&app, &mut phone).await;
    let typed = format!(" {} ", codes[0].to_uppercase().replace('-', " "));
    assert_eq!(phone.send(&app, "POST", path, finish(&ticket, &typed)).await.status, 200);
    let at_once = |code: &str| json!({"email": "ada@example.com", "password": PASSWORD, "code": code});
    assert_eq!(phone.send(&app, "POST", "/api/v1/sign-in", at_once(&codes[1])).await.status, 200);
    // A code is valid once, also in concurrent requests, and only for its user.
    for code in [&codes[0], &codes[1], "abcd-efgh-jkmn-2345"] {
        let ticket = start_sign_in(&app, &mut phone).await;
        phone.clone().send(&app, "POST", path, finish(&ticket, code)).await.problem(401, "sign_in");
    }
    let (one, two) = (start_sign_in(&app, &mut phone).await, start_sign_in(&app, &mut phone).await);
    let (mut first, mut second) = (Browser::default(), Browser::default());
    let (first, second) = tokio::join!(
        first.send(&app, "POST", path, finish(&one, &codes[2])),
        second.send(&app, "POST", path, finish(&two, &codes[2]))
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(remaining_codes(&app, &mut ada).await, 7);
    let events = ada.get(&app, "/api/v1/audit-events").await;
    assert_eq!(events.text().matches("recovery_code.use").count(), 3);
    assert!(!events.text().contains(codes[0].as_str()));
    let export = ada.get(&app, "/api/v1/me/export").await;
    assert_eq!(export.json()["user"]["recovery_codes_left"], 7);
    assert!(!export.text().contains(codes[5].as_str()));
}

#[tokio::test]
async fn new_recovery_codes_revoke_old_ones_and_require_a_credential() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let (secret, old) = second_factor(&app, &mut ada).await;
    let path = "/api/v1/me/recovery-codes";
    for bad in [json!({}), json!({"password": "wrong"}), json!({"code": "000000"})] {
        ada.send(&app, "POST", path, bad).await.problem(422, "invalid_input");
    }
    assert_eq!(remaining_codes(&app, &mut ada).await, 10, "nothing has changed");
    let made = ada.send(&app, "POST", path, json!({"password": PASSWORD})).await;
    assert_eq!(made.status, 201);
    let second = codes_of(&made.json());
    let with = |code: &str| json!({"code": code});
    ada.send(&app, "POST", path, with(&old[0])).await.problem(422, "invalid_input");
    app.wait_s(30);
    let third = ada.send(&app, "POST", path, with(&code_now(&app, &secret))).await;
    assert_eq!(third.status, 201);
    ada.send(&app, "POST", path, with(&second[0])).await.problem(422, "invalid_input");
    let third = codes_of(&third.json());
    let fourth = ada.send(&app, "POST", path, with(&third[9])).await;
    assert_eq!((fourth.status.as_u16(), remaining_codes(&app, &mut ada).await), (201, json!(10)));

    // The page does the same.
    let fields = [("action", "recovery-codes"), ("password", PASSWORD), ("code", "")];
    let page = ada.form(&app, "/account", &fields).await;
    let shown = page.text().split("id=\"recovery\">").nth(1).and_then(|rest| rest.split('<').next());
    let shown: Vec<String> = shown.expect("codes").lines().map(str::to_owned).collect();
    assert_eq!(shown.len(), 10, "{}", page.text());

    // Attempts to guess codes in an open session are limited, and the password remains valid.
    for _ in 0..10 {
        ada.send(&app, "POST", path, with("000000")).await.problem(422, "invalid_input");
    }
    ada.send(&app, "POST", path, with(&shown[0])).await.problem(429, "too_many");
    assert_eq!(ada.send(&app, "POST", path, json!({"password": PASSWORD})).await.status, 201);

    // Recovery codes are deleted with the second factor.
    let off = ada.send(&app, "DELETE", "/api/v1/me/second-factor", json!({"password": PASSWORD})).await;
    assert_eq!((off.status.as_u16(), remaining_codes(&app, &mut ada).await), (204, json!(0)));
}
