//! Mail abuse: many messages to one address, many from one sender, and sender text that imitates the program.
//!
//! Runs on both databases.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    app::{NO_LIMITS, TestApp, eventually},
    users::{Browser, PASSWORD, add, code_of, letters, set_up},
};

const RESETS: &str = "/api/v1/password-resets";

async fn done(app: &TestApp) {
    eventually("work after responses", async || (app.app.after_response.queued() == 0).then_some(())).await;
}

fn to(letters: &[String], address: &str) -> usize {
    letters.iter().filter(|letter| letter.contains(&format!("To: {address}\r\n"))).count()
}

/// Requests a password reset from a network.
async fn reset(app: &TestApp, email: &str, network: &str) {
    let body = json!({"email": email});
    let headers = [("x-forwarded-for", network)];
    let reply = Browser::default().send_with(app, "POST", RESETS, body, &headers).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn links_per_email_address_are_limited_and_the_newest_is_valid() {
    let app = TestApp::start(None, &[("BA_COPILOT__SERVER__PROXIES", "1")]).await;
    let other = app.another(|_| ()).await;
    let mut ada = set_up(&app).await;
    add(&app, &mut ada, "grace@example.com").await;
    for number in 0..61 {
        let process = if number % 2 == 0 { &app } else { &other };
        reset(process, "ada@example.com", &format!("192.0.2.{number}")).await;
        // In sequence, so that the newest one is known.
        done(process).await;
    }
    let sent = letters(&app);
    assert_eq!((sent.len(), to(&sent, "ada@example.com")), (5, 5));
    let newest = json!({"code": code_of(&sent[4]), "password": "a quite different sentence"});
    assert_eq!(app.post("/api/v1/password-resets/finish", newest).await.status, 204);
    // Other addresses are not affected, and the limit ends after an hour.
    reset(&app, "grace@example.com", "192.0.2.7").await;
    app.wait_s(3600);
    reset(&app, "ada@example.com", "192.0.2.7").await;
    done(&app).await;
    assert_eq!(letters(&app).len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn link_requests_per_network_are_limited() {
    let variables = [NO_LIMITS[0], NO_LIMITS[1], NO_LIMITS[2], ("BA_COPILOT__SERVER__PROXIES", "1")];
    let app = TestApp::start(None, &variables).await;
    set_up(&app).await;
    for number in 0..100 {
        reset(&app, &format!("{number}@example.com"), &format!("2001:db8::{number}")).await;
    }
    done(&app).await;
    reset(&app, "ada@example.com", "2001:db8::ffff").await;
    done(&app).await;
    assert_eq!(letters(&app).len(), 0);
    reset(&app, "ada@example.com", "2001:db8:0:1::1").await;
    done(&app).await;
    assert_eq!(letters(&app).len(), 1);
}

async fn project_of(app: &TestApp, browser: &mut Browser, name: &str) -> String {
    let made = browser.send(app, "POST", "/api/v1/projects", json!({"name": name})).await.json();
    format!("/api/v1/projects/{}/invitations", made["id"].as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_per_sender_are_limited() {
    let app = Arc::new(TestApp::start(None, &NO_LIMITS).await);
    let other = Arc::new(app.another(|_| ()).await);
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let paths = [project_of(&app, &mut ada, "One").await, project_of(&app, &mut ada, "Two").await];
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..300 {
        let process = Arc::clone(if number % 2 == 0 { &app } else { &other });
        let (mut ada, path) = (ada.clone(), paths[number / 2 % 2].clone());
        sending.spawn(async move {
            let body = json!({"email": format!("{number}@example.com"), "role": "viewer"});
            ada.send(&process, "POST", &path, body).await
        });
    }
    let mut statuses = BTreeMap::new();
    for reply in sending.join_all().await {
        if reply.status != 201 {
            assert_eq!(reply.headers["retry-after"], "3600");
            reply.problem(429, "too_many");
        }
        *statuses.entry(reply.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(201, 50), (429, 250)]));
    assert_eq!(letters(&app).len(), 50);
    // Other users are not affected.
    let path = project_of(&app, &mut grace, "Three").await;
    let body = json!({"email": "new@example.com", "role": "viewer"});
    assert_eq!(grace.send(&app, "POST", &path, body).await.json()["sent"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_per_mailbox_are_limited() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    let mut sent = Vec::new();
    for number in 0..12 {
        let sender = if number % 2 == 0 { &mut ada } else { &mut grace };
        let path = project_of(&app, sender, &format!("Project {number}")).await;
        // A tag is not a separate mailbox.
        let email = if number % 3 == 0 {
            "Victim@example.com".to_owned()
        } else {
            format!("victim+{number}@example.com")
        };
        let invited = sender.send(&app, "POST", &path, json!({"email": email, "role": "viewer"})).await;
        assert_eq!(invited.status, 201, "{}", invited.text());
        sent.push(invited.json()["sent"] == true);
    }
    // The invitation is created in any case, and its link can be shared.
    assert_eq!(sent, [[true; 10].as_slice(), &[false; 2]].concat());
    assert_eq!(letters(&app).len(), 10);
}

#[tokio::test]
async fn sender_text_in_mail_is_quoted_without_links() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let own = app.app.config.public_url();
    for (name, project, quotes) in [
        ("Ada Lovelace", "Default", ["\"Ada Lovelace\" invites you", "the project \"Default\" in"]),
        (
            "Your account is locked: https://evil.example/unlock",
            "\" in BA Copilot. Open http://evil.example now, or www.evil.example, or a@evil.example. \"",
            [
                "\"Your account is locked https evil example unlock\"",
                "\"in BA Copilot. Open http evil example now, or www evil examp…\"",
            ],
        ),
        (
            "<a href='https://evil.example'>BA Copilot</a> \u{202e}moc",
            "evil\u{3002}example evil\u{ff0e}example \u{200b}[x](//evil.example)",
            [
                "a href 'https evil example' BA Copilot a moc",
                "\"evil example evil example x ( evil example)\"",
            ],
        ),
    ] {
        assert_eq!(ada.send(&app, "PATCH", "/api/v1/me", json!({"name": name})).await.status, 200, "{name}");
        let path = project_of(&app, &mut ada, project).await;
        let body = json!({"email": "grace@example.com", "role": "viewer"});
        let invited = ada.send(&app, "POST", &path, body).await.json();
        assert_eq!(invited["sent"], true);
        let letter = newest_text(&app);
        for quote in quotes {
            assert!(letter.contains(quote), "{quote} is missing in {letter}");
        }
        // The only link in it is the mailed one, not the one displayed to the sender.
        let shown = invited["link"].as_str().expect("a link");
        let link = letter.split_whitespace().find(|word| word.starts_with(&format!("{own}/invitation?")));
        let link = link.unwrap_or_else(|| panic!("no link in {letter}"));
        assert_ne!(link, shown);
        let without = letter.replace(link, "");
        for bad in ["://", "www.", "evil.", "@evil", "<", ">", "\u{202e}", "\u{3002}", "\u{ff0e}"] {
            assert!(!without.contains(bad), "{bad} is in {without}");
        }
        assert_eq!(without.matches('"').count(), 4, "{without}");
    }
}

/// The text of the newest message, as a mail client displays it.
fn newest_text(app: &TestApp) -> String {
    let files = std::fs::read_dir(app.folder.path().join("data/mail")).expect("letters").flatten();
    let newest = files.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
    let letter = std::fs::read_to_string(newest.expect("a letter").path()).expect("a letter");
    let (head, body) = letter.split_once("\r\n\r\n").expect("a head and a body");
    let bytes = if head.contains("base64") {
        STANDARD.decode(body.split_whitespace().collect::<String>()).expect("base64")
    } else if head.contains("quoted-printable") {
        let mut parts = body.split('=');
        let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            match part.strip_prefix("\r\n") {
                Some(rest) => bytes.extend_from_slice(rest.as_bytes()),
                None => {
                    bytes.push(u8::from_str_radix(&part[..2], 16).expect("an encoded byte"));
                    bytes.extend_from_slice(&part.as_bytes()[2..]);
                }
            }
        }
        bytes
    } else {
        body.as_bytes().to_vec()
    };
    String::from_utf8(bytes).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmation_links_are_limited() {
    let app = TestApp::builtin().await;
    let mut ada = set_up(&app).await;
    let mut grace = add(&app, &mut ada, "grace@example.com").await;
    for number in 0..8 {
        let reply = grace.send(&app, "POST", "/api/v1/me/verification", Value::Null).await;
        match number {
            0..5 => assert_eq!(reply.status, 202),
            _ => drop(reply.problem(429, "too_many")),
        }
    }
    assert_eq!(to(&letters(&app), "grace@example.com"), 5);
    // Also to unknown addresses, and the response does not show whether a mailbox reached its limit.
    let change = |email: String| json!({"email": email, "password": PASSWORD});
    let mut statuses = BTreeMap::new();
    for number in 0..14 {
        let email =
            if number < 7 { "victim@example.com".to_owned() } else { format!("{number}@example.com") };
        let reply = grace.send(&app, "PUT", "/api/v1/me/email", change(email)).await;
        *statuses.entry(reply.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(202, 10), (429, 4)]));
    done(&app).await;
    let sent = letters(&app);
    assert_eq!(
        (to(&sent, "victim@example.com"), to(&sent, "7@example.com"), to(&sent, "grace@example.com")),
        (5, 1, 10)
    );
}
