//! Two concurrent requests, where the second changes what the first has checked. Check and write are one transaction,
//! so the requests are serialized.
//!
//! Runs on both databases.

use application::{
    Error,
    access::Caller,
    accounts::{
        confirm::Proof,
        recovery::create_recovery_codes,
        second_factor,
        sign_in::find_session,
        tokens::{NewToken, create_token},
        users::{change_password, create_reset_link, update_me},
    },
    clock::Clock,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    app::{NO_LIMITS, TestApp},
    recovery::second_factor as set_second_factor,
    users::{Browser, PASSWORD, add, code_of, id_of, invite, letter_to, set_up},
};

const GRACE: &str = "grace@example.com";
const OTHER_PASSWORD: &str = "a quite different sentence";

async fn own_project(app: &TestApp, owner: &mut Browser) -> String {
    let made = owner.send(app, "POST", "/api/v1/projects", json!({"name": "Shared"})).await.json();
    made["id"].as_str().expect("an id").to_owned()
}

/// Sends the same request this many times concurrently, and returns the statuses.
async fn at_once(
    app: &TestApp,
    browser: &Browser,
    times: usize,
    method: &str,
    path: &str,
    body: impl Fn(usize) -> Value,
) -> Vec<u16> {
    let one = async |n| browser.clone().send(app, method, path, body(n)).await.status.as_u16();
    join_all((0..times).map(one)).await
}

#[tokio::test]
async fn concurrent_creation_keeps_the_webhook_limit() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let project = own_project(&app, &mut ada).await;
    let path = format!("/api/v1/projects/{project}/webhooks");
    let body = |n| json!({"url": format!("https://hooks.example.com/{n}")});
    let mut statuses = at_once(&app, &ada, 40, "POST", &path, body).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[201; 20], [409; 20]].concat());
    let listed = ada.get(&app, &format!("{path}?limit=100")).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(20));
    let refused = ada.send(&app, "POST", &path, body(40)).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("20 webhooks")), "{refused}");
    // Another project has a separate limit.
    let other = own_project(&app, &mut ada).await;
    let made = ada.send(&app, "POST", &format!("/api/v1/projects/{other}/webhooks"), body(0)).await;
    assert_eq!(made.status, 201);
}

#[tokio::test]
async fn concurrent_creation_keeps_the_folder_limit() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let project = own_project(&app, &mut ada).await;
    let path = format!("/api/v1/projects/{project}/folders");
    let statuses =
        at_once(&app, &ada, 1_010, "POST", &path, |n| json!({"name": format!("Folder {n}")})).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1_000);
}

#[tokio::test]
async fn invitation_revoked_during_acceptance_creates_no_account() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let project = own_project(&app, &mut ada).await;
    let path = format!("/api/v1/projects/{project}/invitations");
    for round in 0..8 {
        let email = format!("grace{round}@example.com");
        let asked = json!({"email": email, "role": "editor"});
        let invited = ada.send(&app, "POST", &path, asked).await.json();
        let code = code_of(&letter_to(&app, &email));
        let withdraw = format!("{path}/{}", invited["id"].as_str().expect("an id"));
        let mut grace = Browser::default();
        let fields = [("code", code.as_str()), ("name", "Grace"), ("password", PASSWORD)];
        // Acceptance hashes the password, so the invitation is revoked before the account is created.
        let (joined, withdrawn) = tokio::join!(
            grace.form(&app, "/invitation", &fields),
            ada.send(&app, "DELETE", &withdraw, Value::Null)
        );
        let people = ada.get(&app, "/api/v1/users?limit=200").await;
        let members = ada.get(&app, &format!("/api/v1/projects/{project}/members")).await;
        match joined.status.as_u16() {
            303 => assert!(withdrawn.status == 404 && members.text().contains(&email), "{}", members.text()),
            422 => {
                assert_eq!(withdrawn.status, 204, "{}", withdrawn.text());
                assert!(!people.text().contains(&email), "an account was created without an invitation");
                assert!(grace.cookies.is_empty());
            }
            other => panic!("{other}: {}", joined.text()),
        }
    }
}

#[tokio::test]
async fn invitation_is_accepted_once() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let project = own_project(&app, &mut ada).await;
    let path = format!("/api/v1/projects/{project}/invitations");
    ada.send(&app, "POST", &path, json!({"email": GRACE, "role": "editor"})).await;
    let code = code_of(&letter_to(&app, GRACE));
    let join = async || {
        let fields = [("code", code.as_str()), ("name", "Grace"), ("password", PASSWORD)];
        Browser::default().form(&app, "/invitation", &fields).await.status.as_u16()
    };
    let mut statuses = join_all((0..4).map(|_| join())).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 303);
    assert!(statuses[1..].iter().all(|status| [409, 422].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn concurrent_invitations_of_one_email_leave_one() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let project = own_project(&app, &mut ada).await;
    let path = format!("/api/v1/projects/{project}/invitations");
    let asked = |_| json!({"email": GRACE, "role": "owner"});
    assert_eq!(at_once(&app, &ada, 6, "POST", &path, asked).await, [201; 6]);
    let listed = ada.get(&app, &path).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn session_created_during_a_password_change_is_revoked() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    add(&app, &mut ada, GRACE).await;
    let store = app.app.store.as_ref().expect("a store");
    let event = async || {
        let subject = store.find_user_by_email(GRACE).await.expect("Grace").id;
        (subject.clone(), an_event(&app, "password.change", subject.as_str()))
    };
    let old = store.find_user_by_email(GRACE).await.expect("Grace").password_hash.expect("a hash");
    for _ in 0..8 {
        let (id, event) = event().await;
        let mut eve = Browser::default();
        // While the old password is compared, another one is set.
        let (_, changed) = tokio::join!(
            eve.sign_in(&app, GRACE, PASSWORD),
            store.change_password(&id, "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA", None, &event)
        );
        changed.expect("changed");
        eve.get(&app, "/api/v1/me").await.problem(401, "sign_in");
        let back = an_event(&app, "password.change", id.as_str());
        store.change_password(&id, &old, None, &back).await.expect("as before");
    }
}

fn an_event(app: &TestApp, action: &'static str, subject: &str) -> store::NewAuditEvent {
    let clock: &Clock = &app.app.clock;
    store::NewAuditEvent {
        id: store::AuditEventId::parse(clock.new_id("aud")).expect("an id"),
        at: clock.now_us(),
        user_id: None,
        token_id: None,
        action,
        project_id: None,
        subject: subject.to_owned(),
        details: store::JsonText::parse("{}").expect("an object"),
        fence: None,
    }
}

/// Authenticates a request of a session, before the next change.
async fn let_in(app: &TestApp, browser: &Browser) -> Caller {
    let known = find_session(&app.app, &browser.cookies["bac_session"]).await.expect("an answer");
    known.expect("a session").caller
}

#[tokio::test]
async fn request_of_a_revoked_session_creates_no_credential() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, GRACE).await;
    set_second_factor(&app, &mut grace).await;
    let caller = let_in(&app, &grace).await;
    let link = create_reset_link(&app.app, &Caller::local(), GRACE).await.expect("a link");
    // The same password as before, so that the password confirmation does not reject the request.
    let body = json!({"code": code_of(&link), "password": PASSWORD});
    assert_eq!(grace.send(&app, "POST", "/api/v1/password-resets/finish", body).await.status, 204);
    let proof = || Proof { password: Some(PASSWORD.into()), code: None };
    let wanted = NewToken { name: "late".to_owned(), scopes: vec!["read".to_owned()], days: None };
    let late = [
        create_token(&app.app, &caller, wanted).await.err(),
        change_password(&app.app, &caller, &PASSWORD.into(), &OTHER_PASSWORD.into()).await.err(),
        create_recovery_codes(&app.app, &caller, proof()).await.err(),
        second_factor::delete(&app.app, &caller, &proof()).await.err(),
    ];
    for (which, error) in late.iter().enumerate() {
        assert!(matches!(error, Some(Error::Unauthenticated(_))), "{which}: {error:?}");
    }
    // A change of the name neither enables a disabled user nor restores the role.
    assert_eq!(grace.sign_in(&app, GRACE, PASSWORD).await.status, 202, "the second factor is still active");
    let caller = let_in(&app, &ada).await;
    let mut mary = add(&app, &mut ada, "mary@example.com").await;
    let path = format!("/api/v1/users/{}", id_of(&app, &mut mary).await);
    ada.send(&app, "PATCH", &path, json!({"admin": true})).await;
    let ada_path = format!("/api/v1/users/{}", id_of(&app, &mut ada).await);
    let demoted = mary.send(&app, "PATCH", &ada_path, json!({"admin": false, "disabled": true})).await;
    assert_eq!(demoted.status, 200, "{}", demoted.text());
    let renamed = update_me(&app.app, &caller, "Ada King").await.expect("a name");
    assert!(renamed.disabled_at.is_some() && !renamed.admin);
}

#[tokio::test]
async fn token_created_during_a_password_reset_is_revoked() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let eve = ada.clone();
    for (round, password) in [OTHER_PASSWORD, PASSWORD].into_iter().enumerate() {
        let eve = if round == 0 { eve.clone() } else { ada.clone() };
        let link = create_reset_link(&app.app, &Caller::local(), "ada@example.com").await.expect("a link");
        let code = code_of(&link);
        let finish = json!({"code": code, "password": password});
        let mut anywhere = Browser::default();
        let make = async |n: usize| {
            let body = json!({"name": format!("{n}"), "scopes": ["read"]});
            eve.clone().send(&app, "POST", "/api/v1/tokens", body).await
        };
        let (made, done) = tokio::join!(
            join_all((0..60).map(make)),
            anywhere.send(&app, "POST", "/api/v1/password-resets/finish", finish)
        );
        assert_eq!(done.status, 204, "{}", done.text());
        for made in made {
            if made.status != 201 {
                made.problem(401, "sign_in");
                continue;
            }
            let bearer = format!("Bearer {}", made.json()["secret"].as_str().expect("a secret"));
            let headers = [("authorization", bearer.as_str())];
            let mut anywhere = Browser::default();
            let used = anywhere.send_with(&app, "GET", "/api/v1/projects", Value::Null, &headers).await;
            used.problem(401, "sign_in");
        }
        assert_eq!(ada.sign_in(&app, "ada@example.com", password).await.status, 200);
    }
}

#[tokio::test]
async fn disabled_user_stays_disabled_during_concurrent_changes() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, GRACE).await;
    let path = format!("/api/v1/users/{}", id_of(&app, &mut grace).await);
    for round in 0..4 {
        let admin = json!({"admin": true});
        assert_eq!(ada.send(&app, "PATCH", &path, admin).await.json()["admin"], true);
        let body = json!({"disabled": true, "admin": false});
        let rename = |n| json!({"name": format!("Grace {n}")});
        let (_, changed) = tokio::join!(
            at_once(&app, &grace, 20, "PATCH", "/api/v1/me", rename),
            ada.send(&app, "PATCH", &path, body)
        );
        assert_eq!(changed.status, 200, "{}", changed.text());
        let people = ada.get(&app, "/api/v1/users").await.json();
        let seen = people["items"].as_array().expect("people").iter().find(|it| it["email"] == GRACE);
        let seen = seen.expect("Grace");
        assert_eq!((&seen["disabled"], &seen["admin"]), (&json!(true), &json!(false)), "{round}: {seen}");
        ada.send(&app, "PATCH", &path, json!({"disabled": false})).await;
        assert_eq!(grace.sign_in(&app, GRACE, PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn removed_member_is_not_restored_by_a_role_change() {
    let app = TestApp::start(None, &NO_LIMITS).await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, GRACE).await;
    let project = own_project(&app, &mut ada).await;
    let id = id_of(&app, &mut grace).await;
    let path = format!("/api/v1/projects/{project}/members/{id}");
    for round in 0..4 {
        invite(&app, &mut ada, &project, &mut grace, GRACE, "viewer").await;
        let (mut one, role) = (ada.clone(), json!({"role": "editor"}));
        let (statuses, gone) = tokio::join!(
            at_once(&app, &ada, 20, "PUT", &path, |_| role.clone()),
            one.send(&app, "DELETE", &path, Value::Null)
        );
        assert_eq!(gone.status, 204, "{}", gone.text());
        assert!(statuses.iter().all(|status| [204, 404].contains(status)), "{statuses:?}");
        let seen = grace.get(&app, &format!("/api/v1/projects/{project}")).await;
        assert_eq!(seen.status, 404, "round {round}: {}", seen.text());
    }
}
