//! Accounts and teams, used by browsers and by API clients.
//!
//! Runs on both databases.

use axum::http::Request;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, eventually},
    recovery::code_now,
    users::{Browser, PASSWORD, add, code_of, id_of, invite, letters, set_up},
};

const OTHER_PASSWORD: &str = "a quite different sentence";
const HOUR_S: u64 = 3600;

async fn bearer(app: &TestApp, path: &str, token: &str) -> crate::app::Reply {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    app.send(request.body("".into()).expect("a request")).await
}

#[tokio::test]
async fn first_account_owns_existing_data_and_makes_sign_in_required() {
    let app = TestApp::builtin().await;
    let message = json!({"message": "A customer places orders."});
    let before = app.post("/api/v1/generate/class-diagram", message.clone()).await.json();
    let diagram = before["response"]["metadata"]["diagram_id"].as_str().expect("an id").to_owned();
    let open = app.get(&format!("/api/v1/diagrams/{diagram}")).await;
    assert_eq!((open.status.as_u16(), &open.headers["etag"]), (200, &"\"1\"".parse().expect("a value")));
    app.get("/api/v1/me").await.problem(409, "conflict");

    let mut ada = set_up(&app).await;
    let me = ada.get(&app, "/api/v1/me").await.json();
    assert_eq!(
        (&me["email"], &me["admin"], &me["verified"]),
        (&json!("ada@example.com"), &json!(true), &json!(false)),
        "the e-mail address is not verified yet"
    );
    assert_eq!(ada.get(&app, &format!("/api/v1/diagrams/{diagram}")).await.status, 200);
    let refused = app.post("/api/v1/generate/class-diagram", message).await;
    assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"BA Copilot\"");
    refused.problem(401, "sign_in");
    app.get(&format!("/api/v1/diagrams/{diagram}")).await.problem(401, "sign_in");
    // API clients can still read the health status.
    assert_eq!(app.get("/").await.json()["service"], "BA Copilot AI Service");
    assert_eq!(app.get("/health").await.status, 200);
    // The set-up cannot be repeated.
    let mut eve = Browser::default();
    let again = eve
        .form(&app, "/set-up", &[("name", "Eve"), ("email", "eve@example.com"), ("password", PASSWORD)])
        .await;
    assert_eq!((again.status.as_u16(), eve.cookies.len()), (303, 0));
    assert_eq!(ada.get(&app, "/api/v1/users").await.json()["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn weak_passwords_are_rejected() {
    let app = TestApp::builtin().await;
    for (password, why) in [
        ("short", "12 to 256 characters; this one has 5"),
        (&"a".repeat(300), "this one has 300"),
        ("aaaaaaaaaaaaaaaa", "easy to guess"),
        ("ada@example.com", "easy to guess"),
    ] {
        let mut ada = Browser::default();
        let fields = [("name", "Ada"), ("email", "ada@example.com"), ("password", password)];
        let reply = ada.form(&app, "/set-up", &fields).await;
        assert_eq!((reply.status.as_u16(), ada.cookies.len()), (422, 0), "{password}");
        assert!(
            reply.text().contains(why) && reply.text().contains("value=\"ada@example.com\""),
            "{}",
            reply.text()
        );
        assert!(!reply.text().contains(&format!("value=\"{password}\"")) || password.contains('@'));
    }
}

#[tokio::test]
async fn password_guessing_is_limited_without_locking_out_the_owner() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut eve = Browser::default();
    let unknown = eve.sign_in(&app, "nobody@example.com", PASSWORD).await.problem(401, "sign_in");
    for _ in 0..10 {
        let wrong = eve.sign_in(&app, "ada@example.com", "not the password").await.problem(401, "sign_in");
        assert_eq!(wrong["detail"], unknown["detail"], "the error does not show whether the account exists");
    }
    // From an unknown browser even the correct password is now rejected.
    let stopped = eve.sign_in(&app, "ada@example.com", PASSWORD).await;
    assert_eq!(stopped.headers["retry-after"], "900");
    stopped.problem(429, "too_many");
    // A browser in which Ada has signed in before is a known device.
    assert_eq!(ada.sign_in(&app, "ada@example.com", PASSWORD).await.status, 200);
    app.wait_s(901);
    assert_eq!(eve.sign_in(&app, "ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn sessions_rotate_expire_and_can_be_revoked() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let first = ada.cookies["bac_session"].clone();
    app.wait_s(30 * 60);
    ada.get(&app, "/api/v1/me").await;
    assert_eq!(ada.cookies["bac_session"], first, "the secret is not rotated before its interval");
    app.wait_s(HOUR_S);
    let mut late = ada.clone();
    ada.get(&app, "/api/v1/me").await;
    assert_ne!(ada.cookies["bac_session"], first);
    // A concurrent request with the previous secret is answered and does not get a third secret.
    assert_eq!(late.get(&app, "/api/v1/me").await.status, 200);
    assert_eq!(late.cookies["bac_session"], first);
    app.wait_s(61);
    late.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    assert_eq!(ada.get(&app, "/api/v1/me").await.status, 200);

    let mut phone = Browser::default();
    phone.sign_in(&app, "ada@example.com", PASSWORD).await;
    let sessions = ada.get(&app, "/api/v1/sessions").await.json();
    let sessions = sessions.as_array().expect("sessions");
    assert_eq!(
        sessions.iter().map(|it| it["current"].as_bool()).collect::<Vec<_>>(),
        [Some(false), Some(true)]
    );
    let other = sessions[0]["id"].as_str().expect("an id");
    assert_eq!(ada.send(&app, "DELETE", &format!("/api/v1/sessions/{other}"), Value::Null).await.status, 204);
    phone.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    // A session expires after one week without use, and at the latest after thirty days.
    let mut idle = Browser::default();
    idle.sign_in(&app, "ada@example.com", PASSWORD).await;
    for _ in 0..8 {
        app.wait_s(24 * HOUR_S);
        assert_eq!(ada.get(&app, "/api/v1/me").await.status, 200);
    }
    idle.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    for _ in 0..23 {
        app.wait_s(24 * HOUR_S);
        ada.get(&app, "/api/v1/me").await;
    }
    ada.get(&app, "/api/v1/me").await.problem(401, "sign_in");
}

#[tokio::test]
async fn password_change_revokes_other_sessions() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut phone = Browser::default();
    phone.sign_in(&app, "ada@example.com", PASSWORD).await;
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    let path = "/api/v1/me/password";
    ada.send(&app, "PUT", path, change("wrong", OTHER_PASSWORD)).await.problem(422, "invalid_input");
    assert_eq!(ada.send(&app, "PUT", path, change(PASSWORD, OTHER_PASSWORD)).await.status, 204);
    phone.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    assert_eq!(ada.get(&app, "/api/v1/me").await.status, 200);
    phone.sign_in(&app, "ada@example.com", PASSWORD).await.problem(401, "sign_in");
    assert_eq!(phone.sign_in(&app, "ada@example.com", OTHER_PASSWORD).await.status, 200);

    // Password reset: the link works once and ends every session.
    for _ in 0..2 {
        let asked =
            phone.send(&app, "POST", "/api/v1/password-resets", json!({"email": "ADA@example.com"})).await;
        assert_eq!(asked.status, 202);
    }
    let unknown_account =
        phone.send(&app, "POST", "/api/v1/password-resets", json!({"email": "eve@example.com"})).await;
    assert_eq!(unknown_account.status, 202, "the response does not show whether the account exists");
    // Wait until both messages are complete.
    while letters(&app).iter().filter(|letter| letter.contains("password does not change")).count() < 2 {
        tokio::task::yield_now().await;
    }
    let codes: Vec<String> = letters(&app).iter().map(|letter| code_of(letter)).collect();
    let finish = |code: &str, password: &str| json!({"code": code, "password": password});
    let path = "/api/v1/password-resets/finish";
    let good = async |code: &str| {
        phone.clone().send(&app, "POST", path, finish(code, PASSWORD)).await.status.as_u16()
    };
    let weak = phone.clone().send(&app, "POST", path, finish(&codes[1], "weak")).await;
    assert_eq!(weak.status, 422);
    let mut answers = Vec::new();
    for code in [&codes[0], &codes[1], &codes[0], &codes[1]] {
        answers.push(good(code).await);
    }
    answers.sort_unstable();
    assert_eq!(answers, [204, 422, 422, 422], "only the newer link works, and only once");
    ada.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    assert_eq!(ada.sign_in(&app, "ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn tokens_are_limited_by_scope_and_expiry() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let body = json!({"name": "nightly", "scopes": ["generate", "read"], "days": 2});
    let made = ada.send(&app, "POST", "/api/v1/tokens", body).await.json();
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("bac_") && secret.len() == 47, "{secret}");
    assert_eq!(made["scopes"], json!(["read", "generate"]));
    assert_eq!(bearer(&app, "/api/v1/projects", secret).await.status, 200);
    bearer(&app, "/api/v1/me", secret).await.problem(403, "forbidden");
    bearer(&app, "/api/v1/projects", &secret.to_uppercase()).await.problem(401, "sign_in");
    let listed = ada.get(&app, "/api/v1/tokens").await;
    assert!(!listed.text().contains(secret), "the list shows no secret");
    let listed = listed.json();
    assert!(listed["items"][0]["used_at"].is_string(), "{listed}");
    app.wait_s(2 * 24 * HOUR_S - 1);
    assert_eq!(bearer(&app, "/api/v1/projects", secret).await.status, 200);
    app.wait_s(1);
    bearer(&app, "/api/v1/projects", secret).await.problem(401, "sign_in");

    let secret = ada.token(&app, &["read"]).await;
    let id =
        ada.get(&app, "/api/v1/tokens").await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ada.send(&app, "DELETE", &format!("/api/v1/tokens/{id}"), Value::Null).await.status, 204);
    bearer(&app, "/api/v1/projects", &secret).await.problem(401, "sign_in");
    for bad in [
        json!({"name": "x", "scopes": []}),
        json!({"name": "x", "scopes": ["root"]}),
        json!({"name": "x", "scopes": ["read"], "days": 0}),
    ] {
        ada.send(&app, "POST", "/api/v1/tokens", bad).await.problem(422, "invalid_input");
    }
}

#[tokio::test]
async fn second_factor_code_is_required_and_single_use() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let path = "/api/v1/me/second-factor";
    let offered = ada.send(&app, "POST", path, Value::Null).await.json();
    let secret = offered["secret"].as_str().expect("a secret").to_owned();
    assert!(
        offered["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("otpauth://totp/BA%20Copilot:ada%40example.com?")),
        "{offered}"
    );
    let set = |code: &str| json!({"secret": secret, "code": code, "password": PASSWORD});
    ada.send(&app, "PUT", path, set("000000")).await.problem(422, "invalid_input");
    let used = code_now(&app, &secret);
    assert_eq!(ada.send(&app, "PUT", path, set(&used)).await.status, 200);

    let mut phone = Browser::default();
    let half = phone.sign_in(&app, "ada@example.com", PASSWORD).await;
    assert_eq!(
        (half.status.as_u16(), phone.cookies.len()),
        (202, 0),
        "the password alone creates no session"
    );
    let ticket = half.json()["ticket"].as_str().expect("a ticket").to_owned();
    let finish = |code: &str| json!({"ticket": ticket, "code": code});
    let path = "/api/v1/sign-in/code";
    phone.send(&app, "POST", path, finish(&used)).await.problem(401, "sign_in");
    app.wait_s(30);
    let fresh = code_now(&app, &secret);
    assert_eq!(phone.send(&app, "POST", path, finish(&fresh)).await.status, 200);
    assert_eq!(phone.get(&app, "/api/v1/me").await.json()["second_factor"], true);
    Browser::default().send(&app, "POST", path, finish(&fresh)).await.problem(401, "sign_in");
    // The secret is not stored in plain text.
    let store = app.app.store.as_ref().expect("a store");
    let stored =
        store.find_user_by_email("ada@example.com").await.expect("Ada").second_factor.expect("a factor");
    assert!(!stored.contains(&secret) && stored.len() > 40);
    // A ticket expires after five minutes.
    let half = phone.sign_in(&app, "ada@example.com", PASSWORD).await.json();
    app.wait_s(301);
    let late = json!({"ticket": half["ticket"], "code": code_now(&app, &secret)});
    phone.send(&app, "POST", path, late).await.problem(401, "sign_in");
    let off = phone.send(&app, "DELETE", "/api/v1/me/second-factor", json!({"password": PASSWORD})).await;
    assert_eq!(off.status, 204);
    assert_eq!(Browser::default().sign_in(&app, "ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn users_are_invited_join_and_leave() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let project =
        ada.get(&app, "/api/v1/projects").await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/projects/{project}/invitations");
    let ask = |role: &str| json!({"email": "Grace@Example.com", "role": role});
    ada.send(&app, "POST", &path, ask("king")).await.problem(422, "invalid_input");
    let first = ada.send(&app, "POST", &path, ask("editor")).await.json();
    let second = ada.send(&app, "POST", &path, ask("viewer")).await.json();
    assert_eq!(second["sent"], true);
    let letter = letters(&app).pop().expect("a message");
    assert!(
        letter.contains("To: grace@example.com") && letter.contains("\"Ada Lovelace\" invites you"),
        "{letter}"
    );
    let stale = code_of(first["link"].as_str().expect("a link"));
    let code = code_of(second["link"].as_str().expect("a link"));
    // The message has a separate link, which is sent only to the mailbox.
    assert_ne!(code_of(&letter), code);

    let mut grace = Browser::default();
    assert_eq!(
        grace.get(&app, &format!("/invitation?code={stale}")).await.status,
        422,
        "the newer link replaces the older one"
    );
    let page = grace.get(&app, &format!("/invitation?code={code}")).await;
    assert!(page.text().contains("Default") && page.text().contains("as viewer"), "{}", page.text());
    let join = [("code", code.as_str()), ("name", "Grace"), ("password", PASSWORD)];
    assert_eq!(grace.form(&app, "/invitation", &join).await.status, 303);
    let mine = grace.get(&app, "/api/v1/projects").await.json();
    let roles: Vec<_> =
        mine["items"].as_array().expect("projects").iter().map(|it| it["role"].as_str()).collect();
    assert!(roles.contains(&Some("viewer")) && roles.contains(&Some("owner")), "{mine}");
    assert_eq!(Browser::default().form(&app, "/invitation", &join).await.status, 422, "the link works once");

    // The last owner cannot leave or be given a lower role.
    let (ada_id, grace_id) = (id_of(&app, &mut ada).await, id_of(&app, &mut grace).await);
    let member = |id: &str| format!("/api/v1/projects/{project}/members/{id}");
    ada.send(&app, "DELETE", &member(&ada_id), Value::Null).await.problem(409, "conflict");
    ada.send(&app, "PUT", &member(&ada_id), json!({"role": "editor"})).await.problem(409, "conflict");
    grace.send(&app, "DELETE", &member(&ada_id), Value::Null).await.problem(403, "forbidden");
    assert_eq!(ada.send(&app, "PUT", &member(&grace_id), json!({"role": "owner"})).await.status, 204);
    assert_eq!(ada.send(&app, "DELETE", &member(&ada_id), Value::Null).await.status, 204);
    ada.get(&app, &format!("/api/v1/projects/{project}")).await.problem(404, "not_found");
    assert_eq!(grace.get(&app, &format!("/api/v1/projects/{project}")).await.json()["role"], "owner");
}

#[tokio::test]
async fn account_can_be_exported_and_deleted() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let made = grace.send(&app, "POST", "/api/v1/projects", json!({"name": "Shared"})).await.json();
    let shared = made["id"].as_str().expect("an id").to_owned();
    invite(&app, &mut grace, &shared, &mut ada, "ada@example.com", "editor").await;
    let secret = grace.token(&app, &["read"]).await;
    let export = grace.get(&app, "/api/v1/me/export").await;
    let text = export.text().to_owned();
    for word in ["grace@example.com", "Shared", "token.create", "a browser"] {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    for word in [secret.as_str(), "argon2", grace.cookies["bac_session"].as_str(), "ada@example.com"] {
        assert!(!text.contains(word), "{word} must not be in {text}");
    }
    let delete = |password: &str| json!({"password": password});
    grace.send(&app, "DELETE", "/api/v1/me", delete("wrong")).await.problem(422, "invalid_input");
    // Deleting the account would leave a project with other members without an owner.
    grace.send(&app, "DELETE", "/api/v1/me", delete(PASSWORD)).await.problem(409, "conflict");
    let ada_id = id_of(&app, &mut ada).await;
    let path = format!("/api/v1/projects/{shared}/members/{ada_id}");
    assert_eq!(grace.send(&app, "PUT", &path, json!({"role": "owner"})).await.status, 204);
    assert_eq!(grace.send(&app, "DELETE", "/api/v1/me", delete(PASSWORD)).await.status, 204);
    grace.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    bearer(&app, "/api/v1/projects", &secret).await.problem(401, "sign_in");
    grace.sign_in(&app, "grace@example.com", PASSWORD).await.problem(401, "sign_in");
    let users = ada.get(&app, "/api/v1/users").await;
    assert!(!users.text().contains("grace"), "{}", users.text());
    // The address can be used again.
    add(&app, &mut ada, "grace@example.com").await;
}

#[tokio::test]
async fn audit_log_has_every_change_and_no_user_content() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let project = ada.send(&app, "POST", "/api/v1/projects", json!({"name": "Canaryproject"})).await.json();
    let project = project["id"].as_str().expect("an id").to_owned();
    let message = json!({"message": "A canarycustomer places orders.", "project_id": project});
    ada.send(&app, "POST", "/api/v1/generate/class-diagram", message).await;
    let body = json!({"title": "Canarytitle", "code": "classDiagram\n  class Canaryclass"});
    ada.send(&app, "POST", &format!("/api/v1/projects/{project}/diagrams"), body).await;
    let path = format!("/api/v1/projects/{project}");
    ada.send_with(&app, "PATCH", &path, json!({"archived": true}), &[("if-match", "*")]).await;
    let events = ada.get(&app, &format!("{path}/audit-events")).await;
    assert!(!events.text().to_lowercase().contains("canary"), "{}", events.text());
    let events = events.json();
    let actions: Vec<_> =
        events["items"].as_array().expect("events").iter().map(|it| it["action"].as_str()).collect();
    let expected = ["project.update", "diagram.create", "generation.create", "project.create"];
    assert_eq!(actions, expected.map(Some));
    let me = id_of(&app, &mut ada).await;
    assert!(
        events["items"].as_array().expect("events").iter().all(|it| it["user_id"] == me.as_str()),
        "{events}"
    );
    assert_eq!(events["items"][2]["details"]["provider"], "builtin");
    // Audit events are immutable.
    let body = json!({"title": "Late", "code": "classDiagram"});
    ada.send(&app, "POST", &format!("{path}/diagrams"), body).await.problem(409, "conflict");
    Browser::default().sign_in(&app, "ada@example.com", "wrong wrong wrong").await;
    // Written after the response, so that the response time does not show whether the account exists.
    eventually("the event", async || (app.app.after_response.queued() == 0).then_some(())).await;
    let all = ada.get(&app, "/api/v1/audit-events?limit=1").await.json();
    assert_eq!(
        (&all["items"][0]["action"], &all["items"][0]["subject"]),
        (&json!("session.refuse"), &json!(me))
    );
    let next = all["next"].as_str().expect("more").to_owned();
    let more = ada.get(&app, &format!("/api/v1/audit-events?limit=2&after={next}")).await.json();
    assert_eq!(more["items"][0]["action"], "project.update");
    for bad in ["limit=0", "limit=1000", "after=nonsense", "limit=x"] {
        ada.get(&app, &format!("/api/v1/audit-events?{bad}")).await.problem(422, "invalid_input");
    }
}

#[tokio::test]
async fn disabled_user_is_signed_out_immediately() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let secret = grace.token(&app, &["read"]).await;
    let path = format!("/api/v1/users/{}", id_of(&app, &mut grace).await);
    let disabled = ada.send(&app, "PATCH", &path, json!({"disabled": true})).await.json();
    assert_eq!(disabled["disabled"], true);
    grace.get(&app, "/api/v1/me").await.problem(401, "sign_in");
    bearer(&app, "/api/v1/projects", &secret).await.problem(401, "sign_in");
    grace.sign_in(&app, "grace@example.com", PASSWORD).await.problem(401, "sign_in");
    ada.send(&app, "PATCH", &path, json!({"disabled": false})).await;
    assert_eq!(grace.sign_in(&app, "grace@example.com", PASSWORD).await.status, 200);
    let own = format!("/api/v1/users/{}", id_of(&app, &mut ada).await);
    ada.send(&app, "PATCH", &own, json!({"admin": false})).await.problem(409, "conflict");
}

#[tokio::test]
async fn cross_site_requests_are_rejected() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://elsewhere.example"), ("host", "localhost")],
        &[("origin", "null"), ("host", "localhost")],
    ] {
        let reply = ada.send_with(&app, "POST", "/api/v1/projects", json!({"name": "x"}), headers).await;
        reply.problem(403, "cross_site");
    }
    let own = [("origin", "http://localhost:8000"), ("host", "localhost:8000")];
    assert_eq!(ada.send_with(&app, "POST", "/api/v1/projects", json!({"name": "x"}), &own).await.status, 201);
    // Sign-in redirects only to pages of this server, whatever a link contains.
    let mut grace = Browser::default();
    for (next, to) in [
        ("/projects", "/projects"),
        ("//elsewhere.example", "/"),
        ("https://elsewhere.example", "/"),
        ("/\\elsewhere", "/"),
    ] {
        let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let reply = grace.form(&app, "/sign-in", &fields).await;
        assert_eq!(
            (reply.status.as_u16(), reply.headers["location"].to_str().ok()),
            (303, Some(to)),
            "{next}"
        );
    }
}

#[tokio::test]
async fn rate_limited_request_gets_retry_after() {
    let app = TestApp::start(None, &[("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", "20")]).await;
    let mut ada = set_up(&app).await;
    let mut statuses = Vec::new();
    for _ in 0..25 {
        statuses.push(ada.get(&app, "/api/v1/me").await);
    }
    assert_eq!(statuses.iter().filter(|reply| reply.status == 200).count(), 20);
    let stopped = statuses.pop().expect("a reply");
    assert!(
        stopped.headers["retry-after"].to_str().is_ok_and(|wait| wait.parse::<u64>().is_ok_and(|s| s <= 4))
    );
    stopped.problem(429, "too_many");
    // Health checks are not rate-limited.
    assert_eq!(app.get("/health").await.status, 200);
}

#[tokio::test]
async fn account_from_another_process_is_seen_when_the_clock_goes_back() {
    use application::{
        access::Caller,
        accounts::users::{self, NewAccount},
    };
    let app = TestApp::builtin().await;
    assert_eq!(app.get("/api/v1/projects").await.status, 200);
    app.get("/.well-known/oauth-protected-resource/mcp").await.problem(404, "no_such_route");
    app.clock_s.fetch_sub(HOUR_S, std::sync::atomic::Ordering::Relaxed);
    let mut other = app.app.clone();
    other.account_presence = std::sync::Arc::default();
    let newcomer =
        NewAccount { email: "ada@example.com".into(), name: "Ada".into(), password: None, admin: true };
    users::create_user(&other, &Caller::local(), newcomer).await.expect("Ada");
    app.get("/api/v1/projects").await.problem(401, "sign_in");
    // The metadata for MCP clients names the address of the authorization server, and that address responds.
    let refused = app.post("/mcp", json!({})).await;
    let challenge = refused.headers["www-authenticate"].to_str().expect("text");
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp"), "{challenge}");
    refused.problem(401, "no_token");
    let metadata = app.get("/.well-known/oauth-protected-resource/mcp").await;
    assert_eq!((metadata.status.as_u16(), &metadata.json()["scopes_supported"]), (200, &json!(["mcp"])));
}
