//! A fake OpenID provider with keys that the test controls: it signs tokens correctly, incorrectly or not at all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    app::{Reply, TestApp},
    users::Browser,
};

pub(crate) const CLIENT: &str = "ba-copilot";
pub(crate) const SECRET: &str = "a-secret-of-this-test";
/// The redirect URI.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:8000/sign-in/oidc/callback";

/// The signature of an ID token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// Signed with the provider's key.
    Well,
    /// Signed with another key under the key id of the provider.
    ByAnother,
    /// Signed with another key under its own key id.
    ByUnknown,
    /// Signed with the shared client secret (HS256), as some providers do.
    BySecret,
    /// Not signed.
    Not,
}

/// The response to an authorization code.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) claims: Value,
    pub(crate) signed: Signed,
    /// The error response that replaces the token.
    pub(crate) instead: Option<(u16, String)>,
}

/// The parameters of the authorization request.
#[derive(Clone)]
pub(crate) struct Sent(pub(crate) BTreeMap<String, String>);

impl Sent {
    /// Parses the query string of an address.
    pub(crate) fn of(url: &str) -> Sent {
        let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        Sent(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

struct Inner {
    issuer: String,
    key: EcdsaKeyPair,
    key_id: String,
    /// The grant and the PKCE challenge of each code.
    grants: BTreeMap<String, (Grant, String)>,
    userinfo: Option<Value>,
    down: bool,
    calls_itself: Option<String>,
}

/// A running provider; it stops with the test.
#[derive(Clone)]
pub(crate) struct FakeProvider {
    inner: Arc<Mutex<Inner>>,
    /// The number of requests for discovery and for keys.
    pub(crate) asked: Arc<(AtomicU64, AtomicU64)>,
}

fn new_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).expect("a key")
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl FakeProvider {
    pub(crate) async fn start() -> FakeProvider {
        // The program installs the same cryptography provider at start.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let provider = FakeProvider {
            inner: Arc::new(Mutex::new(Inner {
                issuer,
                key: new_key(),
                key_id: "one".to_owned(),
                grants: BTreeMap::new(),
                userinfo: None,
                down: false,
                calls_itself: None,
            })),
            asked: Arc::default(),
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("the provider")
    }

    pub(crate) fn issuer(&self) -> String {
        self.inner().issuer.clone()
    }

    /// A server that is configured with this provider and these additional settings.
    pub(crate) async fn product(&self, more: &[(&str, &str)]) -> TestApp {
        let issuer = self.issuer();
        let known = [
            ("OIDC_ISSUER", issuer.as_str()),
            ("OIDC_CLIENT_ID", CLIENT),
            ("OIDC_CLIENT_SECRET", SECRET),
            ("BA_COPILOT__OIDC__NAME", "Example"),
        ];
        let all: Vec<(&str, &str)> = known.into_iter().chain(more.iter().copied()).collect();
        TestApp::start(None, &all).await
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.inner().down = down;
    }

    pub(crate) fn call_itself(&self, other: &str) {
        self.inner().calls_itself = Some(other.to_owned());
    }

    /// Enables the userinfo endpoint with this response.
    pub(crate) fn set_userinfo(&self, userinfo: Value) {
        self.inner().userinfo = Some(userinfo);
    }

    /// Rotates the signing key.
    pub(crate) fn change_keys(&self) {
        let mut inner = self.inner();
        (inner.key, inner.key_id) = (new_key(), format!("{}, and then another", inner.key_id));
    }

    /// A valid grant for this user.
    pub(crate) fn grant(&self, app: &TestApp, sent: &Sent, subject: &str, email: &str) -> Grant {
        let now = app.clock_s.load(Ordering::Relaxed);
        let claims = json!({
            "iss": self.issuer(), "sub": subject, "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": sent.get("nonce"), "email": email, "email_verified": true, "name": "Grace Hopper",
        });
        Grant { claims, signed: Signed::Well, instead: None }
    }

    /// Stores the grant of a new code and returns the callback address.
    pub(crate) fn way_back(&self, sent: &Sent, grant: Grant) -> String {
        let mut inner = self.inner();
        let code = format!("code-{}", inner.grants.len());
        inner.grants.insert(code.clone(), (grant, sent.get("code_challenge").to_owned()));
        format!("/sign-in/oidc/callback?code={code}&state={}", sent.get("state"))
    }

    /// A complete sign-in with a valid token.
    pub(crate) async fn sign_in(&self, app: &TestApp, browser: &mut Browser, who: (&str, &str)) -> Reply {
        let sent = begin(app, browser, "/projects").await;
        let back = self.way_back(&sent, self.grant(app, &sent, who.0, who.1));
        browser.get(app, &back).await
    }

    fn signed(&self, grant: &Grant) -> String {
        let inner = self.inner();
        let (algorithm, key_id) = match grant.signed {
            Signed::Well | Signed::ByAnother => ("ES256", inner.key_id.as_str()),
            Signed::ByUnknown => ("ES256", "another"),
            Signed::BySecret => ("HS256", inner.key_id.as_str()),
            Signed::Not => ("none", inner.key_id.as_str()),
        };
        let text =
            format!("{}.{}", encoded(&json!({"alg": algorithm, "kid": key_id})), encoded(&grant.claims));
        let other = new_key();
        let by = |key: &EcdsaKeyPair| {
            let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
            URL_SAFE_NO_PAD.encode(signature.as_ref())
        };
        let signature = match grant.signed {
            Signed::Well => by(&inner.key),
            Signed::ByAnother | Signed::ByUnknown => by(&other),
            Signed::BySecret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()).as_ref())
            }
            Signed::Not => String::new(),
        };
        format!("{text}.{signature}")
    }
}

/// Starts a sign-in and returns the parameters of the authorization request.
pub(crate) async fn begin(app: &TestApp, browser: &mut Browser, next: &str) -> Sent {
    let reply = browser.get(app, &format!("/sign-in/oidc?next={next}")).await;
    assert_eq!(reply.status, 303, "{}", reply.text());
    let sent = Sent::of(reply.headers["location"].to_str().expect("text"));
    for (name, value) in [
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(sent.get(name), value, "{name}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(sent.get(name).len(), 43, "{name}");
    }
    sent
}

async fn discovery(State(provider): State<FakeProvider>) -> Response {
    provider.asked.0.fetch_add(1, Ordering::Relaxed);
    let inner = provider.inner();
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let at = |path: &str| format!("{}{path}", inner.issuer);
    let mut document = json!({
        "issuer": inner.calls_itself.as_ref().unwrap_or(&inner.issuer),
        "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    });
    if inner.userinfo.is_some() {
        document["userinfo_endpoint"] = json!(at("/userinfo"));
    }
    Json(document).into_response()
}

async fn keys(State(provider): State<FakeProvider>) -> Json<Value> {
    provider.asked.1.fetch_add(1, Ordering::Relaxed);
    let inner = provider.inner();
    // An uncompressed point: 4, x, y.
    let (x, y) = inner.key.public_key().as_ref()[1..].split_at(32);
    let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
    Json(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": inner.key_id, "x": x, "y": y
    }]}))
}

async fn userinfo(State(provider): State<FakeProvider>, headers: HeaderMap) -> Response {
    match (headers["authorization"].to_str(), provider.inner().userinfo.clone()) {
        (Ok("Bearer an-access-token"), Some(userinfo)) => Json(userinfo).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Exchanges a code once, for a caller with the client secret and the PKCE verifier.
async fn token(State(provider): State<FakeProvider>, headers: HeaderMap, body: Bytes) -> Response {
    let given = Sent(form_urlencoded::parse(&body).into_owned().collect());
    let grant = provider
        .inner()
        .grants
        .get_mut(given.get("code"))
        .map(|(grant, challenge)| (grant.clone(), std::mem::take(challenge)));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(given.get("code_verifier")));
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response();
    if headers["authorization"] != basic.as_str() {
        return refused("invalid_client");
    }
    match grant {
        Some((grant, expected)) if expected == challenge && given.get("redirect_uri") == CALLBACK => {
            if let Some((status, text)) = grant.instead {
                let status = StatusCode::from_u16(status).expect("a status");
                return (status, [("content-type", "application/json")], text).into_response();
            }
            let token = provider.signed(&grant);
            Json(json!({"access_token": "an-access-token", "token_type": "Bearer", "id_token": token}))
                .into_response()
        }
        _ => refused("invalid_grant"),
    }
}
