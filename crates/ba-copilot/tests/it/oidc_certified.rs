//! Single sign-on with a certified identity provider in a separate process, and the log of the real program.
//!
//! Runs on SQLite only: `oidc.rs` runs the same steps on both.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::Ordering,
    time::UNIX_EPOCH,
};

use serde_json::json;
use test_support::skip;

use crate::{
    app::TestApp,
    oidc::{assert_signed_in, people},
    oidc_provider::{CALLBACK, CLIENT, FakeProvider, Grant, SECRET, Sent, Signed},
    process::Server,
    users::{Browser, PASSWORD, letters, percent, set_up},
};

/// The certified provider. The process is ended by its own id.
struct RealProvider {
    child: Child,
    issuer: String,
    /// Kept open, because the provider continues to write to it.
    _output: BufReader<ChildStdout>,
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RealProvider {
    /// `None`, counted as a skip, where it is not installed.
    fn start() -> Option<RealProvider> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let packages = tests.join("../../target/oidc-provider");
        let node = std::fs::read_to_string(packages.join("node")).ok();
        let Some(node) = node.map(|node| PathBuf::from(node.trim())).filter(|node| node.exists()) else {
            skip("oidc-provider is not installed; `cargo xtask test` installs it into target/oidc-provider");
            return None;
        };
        let mut child = Command::new(node)
            .arg(tests.join("tests/oidc/provider.mjs"))
            .arg(packages.canonicalize().expect("a folder"))
            .arg(CALLBACK)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the provider starts");
        let mut issuer = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        output.read_line(&mut issuer).expect("its address");
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http://127.0.0.1:"), "{issuer}");
        Some(RealProvider { child, issuer, _output: output })
    }

    /// Opens the address, signs in and consents, as a browser does. Returns the final redirect address.
    async fn visit(&self, address: &str, login: &str) -> String {
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let mut cookies: BTreeMap<String, String> = BTreeMap::new();
        let mut request = client.get(address);
        // Sign-in, consent and a few redirects; more would be a redirect loop.
        for _ in 0..12 {
            let sent: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let reply = request.header("cookie", sent.join("; ")).send().await.expect("an answer");
            for cookie in reply.headers().get_all("set-cookie") {
                let pair = cookie.to_str().expect("text").split(';').next().expect("a cookie");
                let (name, value) = pair.split_once('=').expect("a cookie");
                match value {
                    "" => drop(cookies.remove(name)),
                    value => drop(cookies.insert(name.to_owned(), value.to_owned())),
                }
            }
            if let Some(to) = reply.headers().get("location") {
                let to = to.to_str().expect("text").to_owned();
                if to.starts_with(CALLBACK) {
                    return to;
                }
                let to = if to.starts_with('/') { format!("{}{to}", self.issuer) } else { to };
                request = client.get(to);
                continue;
            }
            let page = reply.text().await.expect("a page");
            let between = |before: &str| {
                page.split(before).nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned)
            };
            let form = between("action=\"").unwrap_or_else(|| panic!("no form in {page}"));
            let form = if form.starts_with('/') { format!("{}{form}", self.issuer) } else { form };
            let prompt = between("name=\"prompt\" value=\"").expect("a prompt");
            request = client
                .post(form)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(format!("prompt={prompt}&login={}&password=x", percent(login)));
        }
        panic!("redirect loop for {login}")
    }
}

/// The complete sign-in with a provider that the OpenID Foundation has certified.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the other process lives by the clock of this machine")]
async fn users_sign_in_with_a_certified_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(provider) = RealProvider::start() else { return };
    let settings = [
        ("OIDC_ISSUER", provider.issuer.as_str()),
        ("OIDC_CLIENT_ID", "ba-copilot"),
        ("OIDC_CLIENT_SECRET", "a-secret-of-this-test"),
        ("BA_COPILOT__OIDC__NAME", "Example"),
        ("BA_COPILOT__OIDC__SIGN_UP", "true"),
    ];
    let app = TestApp::start(None, &settings).await;
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    app.clock_s.store(now, Ordering::Relaxed);
    let mut ada = set_up(&app).await;
    for (login, status) in
        [("grace@example.com", 303), ("ada@example.com", 303), ("unconfirmed@example.com", 403)]
    {
        let mut browser = Browser::default();
        let begun = browser.get(&app, "/sign-in/oidc?next=/projects").await;
        let address = begun.headers["location"].to_str().expect("text").to_owned();
        assert_eq!(Sent::of(&address).get("response_type"), "code", "{address}");
        let back = provider.visit(&address, login).await;
        let path = back.strip_prefix("http://127.0.0.1:8000").expect("our own address");
        let reply = browser.get(&app, path).await;
        assert_eq!(reply.status, status, "{login}: {}", reply.text());
        if status == 303 {
            assert_signed_in(&reply);
            let me = browser.get(&app, "/api/v1/me").await.json();
            assert_eq!(me["email"], login);
            // A callback address is valid once.
            let again = Browser::default().get(&app, path).await;
            assert_eq!(again.status, 401);
        }
        if login == "ada@example.com" {
            // The provider verified the e-mail address for the first time, so earlier credentials are revoked.
            assert_eq!(ada.get(&app, "/api/v1/me").await.status, 401);
            ada = browser;
        }
    }
    assert_eq!(people(&app, &mut ada).await, 2, "Ada was known by her address");
    assert!(letters(&app).is_empty(), "no message is sent");
}

/// The log of the real program states that a sign-in failed and why, without content from the user or the provider.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the other process lives by the clock of this machine")]
async fn log_has_no_provider_content() {
    let provider = FakeProvider::start().await;
    // An unavailable provider does not prevent the server from starting.
    provider.set_down(true);
    let issuer = provider.issuer();
    let settings = [
        ("OIDC_ISSUER", issuer.as_str()),
        ("OIDC_CLIENT_ID", CLIENT),
        ("OIDC_CLIENT_SECRET", SECRET),
        ("PUBLIC_URL", "http://127.0.0.1:8000"),
        ("BA_COPILOT__OIDC__SIGN_UP", "true"),
        ("LOG_LEVEL", "debug"),
    ];
    let folder = tempfile::TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &settings);
    provider.set_down(false);
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let at = |path: &str| format!("http://{}{path}", server.address);
    let ada = format!("name=Ada&email=ada%40example.com&password={}", percent(PASSWORD));
    let form = client.post(at("/set-up")).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body(ada).send().await.expect("an answer").status(), 303);

    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    for (nonce, more, status) in [("", "", 303), ("canary-nonce", "", 401), ("", "&error=canary-error", 401)]
    {
        let begun = client.get(at("/sign-in/oidc?next=/canary-next")).send().await.expect("an answer");
        let header = |name: &str| begun.headers()[name].to_str().expect("text").to_owned();
        let sent = Sent::of(&header("location"));
        let nonce = if nonce.is_empty() { sent.get("nonce") } else { nonce };
        let claims = json!({
            "iss": issuer, "sub": "canary-subject", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
            "email": "canary@example.com", "email_verified": true, "name": "Canary",
        });
        let back = provider.way_back(&sent, Grant { claims, signed: Signed::Well, instead: None });
        let cookie = header("set-cookie").split(';').next().expect("a cookie").to_owned();
        let reply = client.get(at(&format!("{back}{more}"))).header("cookie", cookie).send().await;
        assert_eq!(reply.expect("an answer").status(), status, "{nonce}{more}");
    }
    server.signal("-TERM");
    let (_, log) = server.wait();
    assert!(log.contains("its nonce is of another sign-in"), "{log}");
    assert!(log.contains("/sign-in/oidc/callback"), "{log}");
    for secret in ["canary", "Canary", "code-", "an-access-token", SECRET, "state=", "ada@example.com"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
