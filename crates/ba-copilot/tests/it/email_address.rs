//! Changing an e-mail address: it takes effect only when the link that was sent to the new address is opened.
//!
//! Runs on both databases.

use serde_json::json;

use crate::{
    app::TestApp,
    users::{Browser, PASSWORD, add, code_of, letters, percent, set_up},
};

const PATH: &str = "/api/v1/me/email";

/// The complete messages, once there are this many.
async fn wait_for_letters(app: &TestApp, count: usize) -> Vec<String> {
    loop {
        let letters = letters(app);
        let ends = ["ignore this message.", "become invalid.", "Sign in to that account."];
        let whole = letters.iter().filter(|letter| ends.iter().any(|end| letter.contains(end)));
        if whole.count() >= count {
            return letters;
        }
        tokio::task::yield_now().await;
    }
}

fn to<'a>(letters: &'a [String], address: &str) -> Vec<&'a String> {
    letters.iter().filter(|letter| letter.contains(&format!("To: {address}\r\n"))).collect()
}

async fn address(app: &TestApp, browser: &mut Browser) -> String {
    browser.get(app, "/api/v1/me").await.json()["email"].as_str().expect("an address").to_owned()
}

#[tokio::test]
async fn email_address_changes_when_the_link_is_opened() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let change = |email: &str, password: &str| json!({"email": email, "password": password});
    for (email, password) in
        [("new@example.com", "wrong"), ("no address", PASSWORD), ("GRACE@example.com", PASSWORD)]
    {
        grace.send(&app, "PUT", PATH, change(email, password)).await.problem(422, "invalid_input");
    }
    assert!(letters(&app).is_empty());
    let asked = grace.send(&app, "PUT", PATH, change("New@Example.com", PASSWORD)).await;
    assert_eq!((asked.status.as_u16(), asked.text()), (202, ""));
    let sent = wait_for_letters(&app, 2).await;
    let notice = to(&sent, "grace@example.com");
    assert!(notice[0].contains("/forgot-password") && !notice[0].contains("code="), "{notice:?}");
    let code = code_of(to(&sent, "new@example.com")[0]);
    // The address has not changed yet.
    assert_eq!(address(&app, &mut grace).await, "grace@example.com");
    // A password reset link was sent to the old mailbox, which may soon belong to another person.
    let forgot = json!({"email": "grace@example.com"});
    grace.send(&app, "POST", "/api/v1/password-resets", forgot).await;
    let sent = loop {
        let sent = letters(&app);
        if sent.iter().any(|letter| letter.contains("password does not change")) {
            break sent;
        }
        tokio::task::yield_now().await;
    };
    let reset = sent.iter().find(|letter| letter.contains("password does not change")).expect("a link");

    // In a browser without a session, she signs in first.
    let mut anywhere = Browser::default();
    let path = format!("/verify-email?code={code}");
    assert!(anywhere.get(&app, &path).await.text().contains("Sign in to confirm"));
    let sent = anywhere.form(&app, "/verify-email", &[("code", &code)]).await;
    assert_eq!(
        sent.headers["location"],
        format!("/sign-in?next={}", percent(&path).replace("%2D", "-").replace("%5F", "_"))
    );
    assert_eq!(address(&app, &mut grace).await, "grace@example.com");
    assert!(grace.get(&app, &path).await.text().contains("You are signed in as"));
    assert_eq!(
        grace.form(&app, "/verify-email", &[("code", &code)]).await.headers["location"],
        "/account?done=verified"
    );
    assert_eq!(address(&app, &mut grace).await, "new@example.com", "and she is still signed in");
    assert_eq!(grace.get(&app, "/api/v1/me").await.json()["verified"], true);
    assert_eq!(
        grace.form(&app, "/verify-email", &[("code", &code)]).await.status,
        422,
        "the link works once"
    );
    let old = json!({"code": code_of(reset), "password": "a quite different sentence"});
    anywhere.send(&app, "POST", "/api/v1/password-resets/finish", old).await.problem(422, "invalid_input");
    anywhere.sign_in(&app, "grace@example.com", PASSWORD).await.problem(401, "sign_in");
    assert_eq!(anywhere.sign_in(&app, "new@example.com", PASSWORD).await.status, 200);
    let events = ada.get(&app, "/api/v1/audit-events").await;
    assert!(events.text().contains("email.change") && !events.text().contains("new@example.com"));

    // The old address can be used again, and an invitation of the new one is hers.
    add(&app, &mut ada, "grace@example.com").await;
    let project = ada.get(&app, "/api/v1/projects").await.json()["items"][0]["id"].clone();
    let path = format!("/api/v1/projects/{}/invitations", project.as_str().expect("an id"));
    let asked = json!({"email": "new@example.com", "role": "viewer"});
    let invited = ada.send(&app, "POST", &path, asked).await.json();
    let code = code_of(invited["link"].as_str().expect("a link"));
    let page = Browser::default().get(&app, &format!("/invitation?code={code}")).await;
    assert!(page.text().contains("Sign in to join"), "{}", page.text());
    let accepted = grace.send(&app, "POST", "/api/v1/invitations/accept", json!({"code": code})).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
}

#[tokio::test]
async fn only_its_owner_learns_that_an_email_address_is_taken() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let change = |email: &str| json!({"email": email, "password": PASSWORD});
    let taken = grace.send(&app, "PUT", PATH, change("ada@example.com")).await;
    let free = grace.send(&app, "PUT", PATH, change("free@example.com")).await;
    assert_eq!((taken.status, &taken.bytes), (free.status, &free.bytes));
    let sent = wait_for_letters(&app, 4).await;
    let notices = to(&sent, "ada@example.com");
    assert!(notices.len() == 1 && !notices[0].contains("code="), "{notices:?}");
    assert_eq!(to(&sent, "grace@example.com").len(), 2, "the old address is notified of both");

    // The address is taken between the message and its use: nothing changes, including the account that has it.
    let code = code_of(to(&sent, "free@example.com")[0]);
    add(&app, &mut ada, "free@example.com").await;
    let late = grace.form(&app, "/verify-email", &[("code", &code)]).await;
    assert!(late.status == 409 && late.text().contains("Another account uses"), "{}", late.text());
    assert_eq!(address(&app, &mut grace).await, "grace@example.com");
    assert_eq!(Browser::default().sign_in(&app, "free@example.com", PASSWORD).await.status, 200);

    // Only the newer link works; and a new password revokes it, as the notice says.
    grace.send(&app, "PUT", PATH, change("one@example.com")).await;
    wait_for_letters(&app, 6).await;
    grace.send(&app, "PUT", PATH, change("two@example.com")).await;
    let sent = wait_for_letters(&app, 8).await;
    let [one, two] = ["one", "two"].map(|name| code_of(to(&sent, &format!("{name}@example.com"))[0]));
    assert_eq!(grace.form(&app, "/verify-email", &[("code", &one)]).await.status, 422);
    let body = json!({"old": PASSWORD, "new": "a quite different sentence"});
    assert_eq!(grace.send(&app, "PUT", "/api/v1/me/password", body).await.status, 204);
    assert_eq!(grace.form(&app, "/verify-email", &[("code", &two)]).await.status, 422);
    assert_eq!(address(&app, &mut grace).await, "grace@example.com");

    // The page works in the same way.
    let fields =
        [("action", "email"), ("email", "three@example.com"), ("password", "a quite different sentence")];
    let reply = grace.form(&app, "/account", &fields).await;
    assert_eq!(reply.headers["location"], "/account?done=email");
    let sent = wait_for_letters(&app, 10).await;
    assert_eq!(to(&sent, "three@example.com").len(), 1);
}
