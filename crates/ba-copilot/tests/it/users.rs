//! Users for tests: sign-in and requests.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use crate::app::{Reply, TestApp};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A browser that stores cookies.
#[derive(Default, Clone)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    /// The value of the `Cookie` header.
    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Stores the cookies of a response.
    fn store_cookies(&mut self, reply: &Reply) {
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Sends a request with the cookies and an optional JSON body, and stores the cookies of the response.
    pub(crate) async fn send(&mut self, app: &TestApp, method: &str, path: &str, body: Value) -> Reply {
        self.send_with(app, method, path, body, &[]).await
    }

    pub(crate) async fn send_with(
        &mut self,
        app: &TestApp,
        method: &str,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).expect("a method"))
            .uri(path)
            .header("content-type", "application/json")
            .header("cookie", self.cookie_header())
            .header("user-agent", "a browser");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let reply = app.send(request.body(body).expect("a request")).await;
        self.store_cookies(&reply);
        reply
    }

    pub(crate) async fn get(&mut self, app: &TestApp, path: &str) -> Reply {
        self.send(app, "GET", path, Value::Null).await
    }

    /// Sends a form, as a page does.
    pub(crate) async fn form(&mut self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", self.cookie_header())
            .body(Body::from(body.join("&")))
            .expect("a request");
        let reply = app.send(request).await;
        self.store_cookies(&reply);
        reply
    }

    pub(crate) async fn sign_in(&mut self, app: &TestApp, email: &str, password: &str) -> Reply {
        self.send(app, "POST", "/api/v1/sign-in", json!({"email": email, "password": password})).await
    }

    /// Creates a token with these scopes.
    pub(crate) async fn token(&mut self, app: &TestApp, scopes: &[&str]) -> String {
        let reply =
            self.send(app, "POST", "/api/v1/tokens", json!({"name": "a test", "scopes": scopes})).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["secret"].as_str().expect("a secret").to_owned()
    }
}

pub(crate) fn percent(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Sets up the server; returns the signed-in first user.
pub(crate) async fn set_up(app: &TestApp) -> Browser {
    let mut ada = Browser::default();
    let fields = [("name", "Ada Lovelace"), ("email", "Ada@Example.com"), ("password", PASSWORD)];
    let reply = ada.form(app, "/set-up", &fields).await;
    assert_eq!((reply.status.as_u16(), &reply.headers["location"]), (303, &"/".parse().expect("a value")));
    ada
}

/// Adds a user and signs in.
pub(crate) async fn add(app: &TestApp, admin: &mut Browser, email: &str) -> Browser {
    let body = json!({"email": email, "name": email.split('@').next(), "password": PASSWORD});
    let reply = admin.send(app, "POST", "/api/v1/users", body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(app, email, PASSWORD).await.status, 200);
    browser
}

/// The id of the signed-in user.
pub(crate) async fn id_of(app: &TestApp, browser: &mut Browser) -> String {
    browser.get(app, "/api/v1/me").await.json()["id"].as_str().expect("an id").to_owned()
}

/// Adds a user to a project.
pub(crate) async fn invite(
    app: &TestApp,
    owner: &mut Browser,
    project: &str,
    guest: &mut Browser,
    email: &str,
    role: &str,
) {
    let path = format!("/api/v1/projects/{project}/invitations");
    let invited = owner.send(app, "POST", &path, json!({"email": email, "role": role})).await;
    assert_eq!(invited.status, 201, "{}", invited.text());
    let code = code_of(invited.json()["link"].as_str().expect("a link"));
    let accepted = guest.send(app, "POST", "/api/v1/invitations/accept", json!({"code": code})).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    assert_eq!(accepted.json()["project_id"], project);
}

/// Verifies the e-mail address of a signed-in user with the mailed link.
pub(crate) async fn verify(app: &TestApp, person: &mut Browser) {
    assert_eq!(person.send(app, "POST", "/api/v1/me/verification", Value::Null).await.status, 202);
    let me = person.get(app, "/api/v1/me").await.json();
    let letter = letter_to(app, me["email"].as_str().expect("an address"));
    let reply = person.form(app, "/verify-email", &[("code", &code_of(&letter))]).await;
    assert_eq!(reply.headers["location"], "/account?done=verified", "{}", reply.text());
}

/// The newest message to an address.
pub(crate) fn letter_to(app: &TestApp, address: &str) -> String {
    let to = format!("To: {address}\r\n");
    letters(app).into_iter().rfind(|letter| letter.contains(&to)).expect("a message")
}

/// The value of `code=` in a text.
pub(crate) fn code_of(text: &str) -> String {
    let (_, code) = text.split_once("code=").expect("a link with a code");
    code.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect()
}

/// The decoded messages that were sent, oldest first.
pub(crate) fn letters(app: &TestApp) -> Vec<String> {
    let folder = app.folder.path().join("data/mail");
    let mut files: Vec<_> = match std::fs::read_dir(folder) {
        Ok(files) => files.flatten().collect(),
        Err(_) => Vec::new(),
    };
    files.sort_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
    let read = |file: &std::fs::DirEntry| std::fs::read_to_string(file.path()).expect("a message");
    // Long lines are folded with a `=` at the end, and a `=` is written as `=3D`.
    files.iter().map(|file| read(file).replace("=\r\n", "").replace("=3D", "=")).collect()
}
