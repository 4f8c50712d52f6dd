//! Links that are opened by a different person than the owner of the e-mail address: invitations, password resets,
//! address confirmations. Only a link that was sent by mail and not displayed verifies an address.
//!
//! Runs on both databases.

use application::{
    access::Caller,
    accounts::users::{create_reset_link, create_user},
};
use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp, eventually},
    oidc::assert_signed_in,
    oidc_provider::FakeProvider,
    recovery::second_factor,
    users::{Browser, PASSWORD, add, code_of, id_of, invite, letter_to, letters, set_up, verify},
};

const GRACE: &str = "grace@example.com";
const SUBJECT: &str = "subject-of-grace";
const OTHER_PASSWORD: &str = "a quite different sentence";

/// The project that a user owns.
async fn own_project(app: &TestApp, owner: &mut Browser) -> String {
    let made = owner.send(app, "POST", "/api/v1/projects", json!({"name": "Shared"})).await.json();
    made["id"].as_str().expect("an id").to_owned()
}

/// Both links of an invitation: the displayed one and the mailed one.
async fn links(app: &TestApp, owner: &mut Browser, project: &str, email: &str) -> [String; 2] {
    let path = format!("/api/v1/projects/{project}/invitations");
    let invited = owner.send(app, "POST", &path, json!({"email": email, "role": "editor"})).await;
    assert_eq!(invited.status, 201, "{}", invited.text());
    let shown = code_of(invited.json()["link"].as_str().expect("a link"));
    let mailed = code_of(&letter_to(app, email));
    assert!(!invited.text().contains(&mailed), "the mailed link is displayed");
    [shown, mailed]
}

async fn join(app: &TestApp, browser: &mut Browser, code: &str) -> Reply {
    browser.form(app, "/invitation", &[("code", code), ("name", "Grace"), ("password", PASSWORD)]).await
}

async fn status_with(app: &TestApp, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let reply = Browser::default().send_with(app, "GET", "/api/v1/projects", Value::Null, &headers).await;
    reply.status.as_u16()
}

async fn actions(app: &TestApp, admin: &mut Browser) -> Vec<String> {
    let events = admin.get(app, "/api/v1/audit-events?limit=200").await.json();
    let actions = events["items"].as_array().expect("events").iter().map(|it| it["action"].as_str());
    actions.map(|action| action.expect("an action").to_owned()).collect()
}

/// Credentials that an attacker leaves in an account registered with the address of another person.
struct Planted {
    browser: Browser,
    token: String,
    invited: String,
}

async fn plant(app: &TestApp, mut browser: Browser) -> Planted {
    let token = browser.token(app, &["read", "write", "account"]).await;
    second_factor(app, &mut browser).await;
    let key = json!({"key": "sk-or-0123456789"});
    let saved = browser.send(app, "PUT", "/api/v1/me/provider-keys/openrouter", key).await;
    assert_eq!(saved.status, 204, "{}", saved.text());
    let project = own_project(app, &mut browser).await;
    let [invited, _] = links(app, &mut browser, &project, "later@example.com").await;
    Planted { browser, token, invited }
}

/// Checks that these credentials are revoked, and that the owner has access.
async fn check_credentials_are_revoked(
    app: &TestApp,
    mut planted: Planted,
    admin: &mut Browser,
    owner: &mut Browser,
) {
    planted.browser.get(app, "/api/v1/me").await.problem(401, "sign_in");
    planted.browser.sign_in(app, GRACE, PASSWORD).await.problem(401, "sign_in");
    assert_eq!(status_with(app, &planted.token).await, 401);
    let invitation = Browser::default().get(app, &format!("/invitation?code={}", planted.invited)).await;
    assert_eq!(invitation.status, 422);
    let me = owner.get(app, "/api/v1/me").await.json();
    assert_eq!((&me["verified"], &me["second_factor"]), (&json!(true), &json!(false)), "{me}");
    assert_eq!(owner.get(app, "/api/v1/me/recovery-codes").await.json()["left"], 0);
    assert_eq!(owner.get(app, "/api/v1/me/provider-keys").await.json(), json!([]));
    let actions = actions(app, admin).await;
    assert_eq!(actions.iter().filter(|action| *action == "credentials.revoke").count(), 1, "{actions:?}");
    let export = owner.get(app, "/api/v1/me/export").await;
    assert!(export.text().contains("credentials.revoke"), "its owner can read what happened");
}

#[tokio::test]
async fn pre_registered_account_is_reset_when_its_owner_signs_in() {
    let provider = FakeProvider::start().await;
    let app = provider.product(&[("BA_COPILOT__OIDC__SIGN_UP", "true")]).await;
    let mut ada = set_up(&app).await;
    let mut eve = add(&app, &mut ada, "eve@example.com").await;
    let project = own_project(&app, &mut eve).await;
    let [shown, _] = links(&app, &mut eve, &project, GRACE).await;
    let mut squatter = Browser::default();
    assert_eq!(join(&app, &mut squatter, &shown).await.status, 303);
    assert_eq!(squatter.get(&app, "/api/v1/me").await.json()["verified"], false);
    let planted = plant(&app, squatter).await;

    let mut grace = Browser::default();
    assert_signed_in(&provider.sign_in(&app, &mut grace, (SUBJECT, GRACE)).await);
    check_credentials_are_revoked(&app, planted, &mut ada, &mut grace).await;
    // It is the same account with its memberships.
    assert_eq!(grace.get(&app, &format!("/api/v1/projects/{project}")).await.json()["role"], "editor");
    // After verification, nothing is revoked again.
    let token = grace.token(&app, &["read"]).await;
    assert_signed_in(&provider.sign_in(&app, &mut Browser::default(), ("another subject", GRACE)).await);
    assert_eq!(status_with(&app, &token).await, 200);
}

#[tokio::test]
async fn pre_registered_account_is_reset_when_its_owner_resets_the_password() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut eve = add(&app, &mut ada, "eve@example.com").await;
    let project = own_project(&app, &mut eve).await;
    let [shown, _] = links(&app, &mut eve, &project, GRACE).await;
    let mut squatter = Browser::default();
    assert_eq!(join(&app, &mut squatter, &shown).await.status, 303);
    let planted = plant(&app, squatter).await;

    let mut grace = Browser::default();
    let code = reset_code(&app, &mut grace).await;
    let body = json!({"code": code, "password": OTHER_PASSWORD});
    assert_eq!(grace.send(&app, "POST", "/api/v1/password-resets/finish", body).await.status, 204);
    // The second factor of the attacker is not required.
    assert_eq!(grace.sign_in(&app, GRACE, OTHER_PASSWORD).await.status, 200);
    check_credentials_are_revoked(&app, planted, &mut ada, &mut grace).await;
}

/// The code of the mailed password reset link.
async fn reset_code(app: &TestApp, browser: &mut Browser) -> String {
    let asked = browser.send(app, "POST", "/api/v1/password-resets", json!({"email": GRACE})).await;
    assert_eq!(asked.status, 202);
    let letter = eventually("a message", async || {
        letters(app).into_iter().find(|letter| letter.contains("password does not change"))
    });
    code_of(&letter.await)
}

#[tokio::test]
async fn displayed_invitation_link_does_not_verify_the_email() {
    let provider = FakeProvider::start().await;
    let signs_up = ("BA_COPILOT__OIDC__SIGN_UP", "true");
    let domains = ("BA_COPILOT__OIDC__EMAIL_DOMAINS", "example.com");
    let other = "grace@example.net";
    // Whether there is a provider, settings, the invited address; whether the displayed and the mailed link create an
    // account.
    let cases: [(bool, &[(&str, &str)], &str, [bool; 2]); 7] = [
        (false, &[], GRACE, [true, true]),
        (false, &[domains], GRACE, [true, true]),
        (false, &[domains], other, [false, true]),
        (true, &[], GRACE, [false, true]),
        (true, &[signs_up], GRACE, [true, true]),
        (true, &[signs_up, domains], GRACE, [true, true]),
        (true, &[signs_up, domains], other, [false, true]),
    ];
    for (with_provider, settings, email, made) in cases {
        for (which, made) in made.into_iter().enumerate() {
            let case = format!("{with_provider} {settings:?} {email} {which}");
            let app = match with_provider {
                true => provider.product(settings).await,
                false => TestApp::start(None, settings).await,
            };
            let mut ada = set_up(&app).await;
            let project = own_project(&app, &mut ada).await;
            let code = &links(&app, &mut ada, &project, email).await[which];
            let mut grace = Browser::default();
            let page = grace.get(&app, &format!("/invitation?code={code}")).await;
            assert_eq!(page.text().contains("id=\"password\""), made, "{case}: {}", page.text());
            let reply = join(&app, &mut grace, code).await;
            if made {
                assert_eq!(reply.status, 303, "{case}: {}", reply.text());
                let me = grace.get(&app, "/api/v1/me").await.json();
                assert_eq!((&me["email"], &me["verified"]), (&json!(email), &json!(which == 1)), "{case}");
            } else {
                assert_eq!(reply.status, 403, "{case}: {}", reply.text());
                assert!(reply.text().contains("the message that was sent"), "{case}: {}", reply.text());
                let people = ada.get(&app, "/api/v1/users").await;
                assert!(!people.text().contains(email) && grace.cookies.is_empty(), "{case}");
                // The invitation stays open for its owner.
                assert_eq!(
                    join(&app, &mut grace, &links(&app, &mut ada, &project, email).await[1]).await.status,
                    303
                );
            }
        }
    }
}

/// Ways to revoke the permission to invite or archive the project, and to restore it.
type Change = (&'static str, &'static str, Value, &'static str, Value);

#[tokio::test]
async fn invitation_expires_with_the_permission_of_its_author() {
    let provider = FakeProvider::start().await;
    let user = "/api/v1/users/{eve}";
    let member = "/api/v1/projects/{project}/members/{eve}";
    let cases: [Change; 4] = [
        (user, "PATCH", json!({"disabled": true}), "PATCH", json!({"disabled": false})),
        (member, "PUT", json!({"role": "editor"}), "PUT", json!({"role": "owner"})),
        (member, "DELETE", Value::Null, "", Value::Null),
        ("/api/v1/me", "DELETE", json!({"password": PASSWORD}), "", Value::Null),
    ];
    for (path, method, change, back, undo) in cases {
        let app = provider.product(&[]).await;
        let mut ada = set_up(&app).await;
        let mut eve = add(&app, &mut ada, "eve@example.com").await;
        let project = own_project(&app, &mut eve).await;
        invite(&app, &mut eve, &project, &mut ada, "ada@example.com", "owner").await;
        let codes = links(&app, &mut eve, &project, GRACE).await;
        for code in &codes {
            let page = Browser::default().get(&app, &format!("/invitation?code={code}")).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text());
        }
        let path = path.replace("{project}", &project).replace("{eve}", &id_of(&app, &mut eve).await);
        let by = if path == "/api/v1/me" { &mut eve } else { &mut ada };
        let changed = by.send(&app, method, &path, change.clone()).await;
        assert!(changed.status.is_success(), "{path}: {}", changed.text());
        none_works(&app, &mut ada, &codes, &path).await;
        let uninvited = provider.sign_in(&app, &mut Browser::default(), (SUBJECT, GRACE)).await;
        assert_eq!(uninvited.status, 403, "{path}: an expired invitation gives no access");
        let listed = ada.get(&app, &format!("/api/v1/projects/{project}/invitations")).await.json();
        assert_eq!(listed["items"], json!([]), "{path}");
        // Restoring the permission does not restore the invitation.
        if !back.is_empty() {
            let undone = ada.send(&app, back, &path, undo.clone()).await;
            assert!(undone.status.is_success(), "{path}: {}", undone.text());
            none_works(&app, &mut ada, &codes, &path).await;
        }
    }

    // An archived project accepts no members until it is restored.
    let app = provider.product(&[]).await;
    let mut ada = set_up(&app).await;
    let project = own_project(&app, &mut ada).await;
    let codes = links(&app, &mut ada, &project, GRACE).await;
    let path = format!("/api/v1/projects/{project}");
    let any = [("if-match", "*")];
    let archived = ada.send_with(&app, "PATCH", &path, json!({"archived": true}), &any).await;
    assert_eq!(archived.status, 200, "{}", archived.text());
    none_works(&app, &mut ada, &codes, "archived").await;
    ada.send_with(&app, "PATCH", &path, json!({"archived": false}), &any).await;
    assert_eq!(join(&app, &mut Browser::default(), &codes[1]).await.status, 303);
}

/// Checks that neither link of an invitation works, for a new or a signed-in user.
async fn none_works(app: &TestApp, signed_in: &mut Browser, codes: &[String; 2], case: &str) {
    for code in codes {
        let mut grace = Browser::default();
        let page = grace.get(app, &format!("/invitation?code={code}")).await;
        assert_eq!(page.status, 422, "{case}: {}", page.text());
        let joined = join(app, &mut grace, code).await;
        assert_eq!((joined.status.as_u16(), grace.cookies.len()), (422, 0), "{case}: {}", joined.text());
        let accept = json!({"code": code});
        let accepted = signed_in.send(app, "POST", "/api/v1/invitations/accept", accept).await;
        accepted.problem(422, "invalid_input");
    }
}

#[tokio::test]
async fn displayed_reset_link_does_not_verify_the_email() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let verified =
        async |browser: &mut Browser| browser.get(&app, "/api/v1/me").await.json()["verified"].clone();
    assert_eq!(verified(&mut ada).await, false, "the first address was never verified");
    let finish = async |link: &str, password: &str| {
        let body = json!({"code": code_of(link), "password": password});
        let mut grace = Browser::default();
        let reply = grace.send(&app, "POST", "/api/v1/password-resets/finish", body).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        assert_eq!(grace.sign_in(&app, GRACE, password).await.status, 200);
        grace
    };
    // Displayed to an administrator, and printed by the command line.
    let made = ada.send(&app, "POST", "/api/v1/users", json!({"email": GRACE, "name": "Grace"})).await.json();
    let mut grace = finish(made["link"].as_str().expect("a link"), PASSWORD).await;
    assert_eq!(verified(&mut grace).await, false);
    let printed = create_reset_link(&app.app, &Caller::local(), GRACE).await.expect("a link");
    let mut grace = finish(&printed, OTHER_PASSWORD).await;
    assert_eq!(verified(&mut grace).await, false);
    // A mailed link verifies the address; and it stays verified, whatever link is used next.
    let code = reset_code(&app, &mut Browser::default()).await;
    let mut grace = finish(&format!("code={code}"), PASSWORD).await;
    assert_eq!(verified(&mut grace).await, true);
    let printed = create_reset_link(&app.app, &Caller::local(), GRACE).await.expect("a link");
    assert_eq!(verified(&mut finish(&printed, OTHER_PASSWORD).await).await, true);
    // The same for the first account created by the command line.
    let app = TestApp::builtin().await;
    let newcomer = application::accounts::users::NewAccount {
        email: GRACE.to_owned(),
        name: "Grace".to_owned(),
        password: Some(PASSWORD.into()),
        admin: true,
    };
    let added = create_user(&app.app, &Caller::local(), newcomer).await.expect("Grace");
    assert!(added.person.verified_at.is_none());
}

#[tokio::test]
async fn confirmation_link_works_only_for_its_account() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut eve = add(&app, &mut ada, "eve@example.com").await;
    let mut mary = add(&app, &mut ada, "mary@example.com").await;
    // Eve requests an address of another person, and its owner opens the link: without an account, with another
    // account, with a token.
    let asked = json!({"email": GRACE, "password": PASSWORD});
    assert_eq!(eve.send(&app, "PUT", "/api/v1/me/email", asked).await.status, 202);
    let letter = eventually("a message", async || {
        letters(&app).into_iter().find(|it| it.contains(GRACE) && it.contains("ignore this message."))
    });
    let code = code_of(&letter.await);
    let address = async |browser: &mut Browser| browser.get(&app, "/api/v1/me").await.json()["email"].clone();
    let signed_out = Browser::default().form(&app, "/verify-email", &[("code", &code)]).await;
    assert_eq!(signed_out.status, 303, "redirected to the sign-in page");
    let other = mary.form(&app, "/verify-email", &[("code", &code)]).await;
    assert!(other.status == 422 && other.text().contains("another account"), "{}", other.text());
    assert_eq!(
        (address(&mut eve).await, address(&mut mary).await),
        (json!("eve@example.com"), json!("mary@example.com"))
    );
    // These attempts did not consume the link.
    assert_eq!(eve.form(&app, "/verify-email", &[("code", &code)]).await.status, 303);
    assert_eq!(address(&mut eve).await, GRACE);
    verify(&app, &mut mary).await;
    assert_eq!(mary.get(&app, "/api/v1/me").await.json()["verified"], true);
}
