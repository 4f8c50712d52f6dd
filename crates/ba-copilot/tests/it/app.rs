//! `TestApp`: the router with a separate database, a scripted model and a controllable clock.
//!
//! The database is a temporary SQLite file, or, with `BA_COPILOT_TEST_ON_POSTGRES` set, one on the server of
//! `BA_COPILOT_TEST_POSTGRES_URL`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use application::{app::App, clock::Clock, event_stream, health::Probes, jobs};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use config::{Config, Environment, Role};
use http_body_util::BodyExt;
use llm::{Script, Scripted};
use serde_json::Value;
use server::{AppState, Limiter, router};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::PageRequest;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

/// Settings without rate limits, for tests that send many requests.
pub(crate) const NO_LIMITS: [(&str, &str); 3] = [
    ("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", "1000000"),
    ("BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE", "1000000"),
    ("BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "1000000"),
];

/// An application for the duration of a test.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) script: Script,
    router: Router,
    /// Seconds since 1970, as the application sees them.
    pub(crate) clock_s: Arc<AtomicU64>,
    pub(crate) folder: TempDir,
}

/// A complete response.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Checks an error of the API contract: the media type, the fields, and that they agree with the response.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(self.status.as_u16(), status, "{problem}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {problem}");
        }
        problem
    }
}

impl TestApp {
    /// An application whose model returns these results, in this order.
    pub(crate) async fn scripted(outcomes: impl IntoIterator<Item = Scripted>) -> Self {
        Self::start(Some(Script::new(outcomes)), &[]).await
    }

    /// An application without a model.
    pub(crate) async fn builtin() -> Self {
        Self::start(None, &[]).await
    }

    /// An application with these variables set.
    pub(crate) async fn start(script: Option<Script>, variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data").display().to_string();
        let pairs = variables.iter().copied().chain([("BA_COPILOT__CHECK__THREADS", "1")]);
        let environment = Environment::from_pairs(pairs);
        let mut config = Config::load(None, &environment).expect("a configuration");
        config.data.dir = data.into();
        if let Some(url) = postgres_database().await {
            config.data.database_url = url.into();
        }
        Self::assemble(config, script, Arc::new(AtomicU64::new(1_800_000_000)), folder).await
    }

    /// Another process on the same database, with separate memory and a modified configuration.
    pub(crate) async fn another(&self, differ: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut config = Config::clone(&self.app.config);
        differ(&mut config);
        Self::assemble(config, None, Arc::clone(&self.clock_s), folder).await
    }

    async fn assemble(
        config: Config,
        script: Option<Script>,
        clock_s: Arc<AtomicU64>,
        folder: TempDir,
    ) -> Self {
        let seconds = Arc::clone(&clock_s);
        let clock = Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed)));
        let app = match script.clone() {
            Some(script) => App::scripted(config, clock, script),
            None => App::stateless(config, clock),
        }
        .expect("an app");
        let app = app.with_store().await.expect("a store");
        if let Some(memory) = &app.shared_memory {
            // As at the start of a server; a failure does not stop the server.
            let _ = memory.connect().await;
        }
        let metrics = telemetry::install_metrics();
        let router = router(AppState {
            app: app.clone(),
            role: Role::All,
            probes: Probes::default(),
            metrics,
            limiter: Limiter::new(&app),
            leaving: Default::default(),
            standby: Default::default(),
            draining: Default::default(),
        });
        TestApp { app, script: script.unwrap_or_default(), router, clock_s, folder }
    }

    /// Advances the clock.
    pub(crate) fn wait_s(&self, seconds: u64) {
        self.clock_s.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The response as soon as its headers are sent; its body follows and may never end.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    /// Runs the background tasks of a process until the guard is dropped.
    pub(crate) fn work(&self) -> DropGuard {
        let ending = CancellationToken::new();
        tokio::spawn(event_stream::follow(self.app.clone(), ending.clone()));
        tokio::spawn(jobs::worker::run(self.app.clone(), Default::default(), ending.clone()));
        ending.drop_guard()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.open(request).await.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_bytes(path, body.to_string()).await
    }

    pub(crate) async fn post_bytes(&self, path: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post(path).header("content-type", "application/json").body(body.into());
        self.send(request.expect("a request")).await
    }

    /// The stored generations, newest first.
    pub(crate) async fn generations(&self) -> Vec<store::Generation> {
        let store = self.app.store.as_ref().expect("a store");
        store.list_generations(&PageRequest::first(200)).await.expect("generations").items
    }
}

/// A new database on the test server, if the tests are to run on it. It is deleted with the server.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment names the test server, and a test has no config"
)]
async fn postgres_database() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    std::env::var("BA_COPILOT_TEST_ON_POSTGRES").ok()?;
    let server = std::env::var("BA_COPILOT_TEST_POSTGRES_URL").expect("BA_COPILOT_TEST_POSTGRES_URL");
    let name = format!("app_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server).await.expect("the server");
    let create = sqlx::query(AssertSqlSafe(format!("create database {name}")));
    create.execute(&mut admin).await.expect("a database");
    let (before, _) = server.rsplit_once('/').expect("a URL with a database");
    Some(format!("{before}/{name}"))
}

/// Polls until there is a result, for at most a minute, which is longer than every time limit of the program.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let look = async {
        loop {
            match ask().await {
                Some(answer) => break answer,
                None => tokio::task::yield_now().await,
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(60), look).await {
        Ok(answer) => answer,
        Err(_) => panic!("timed out: {what}"),
    }
}
