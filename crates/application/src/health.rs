//! Health checks of a process, cached for two seconds.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::app::App;

/// Lifetime of a cached result.
const FRESH: Duration = Duration::from_secs(2);
/// Time limit of the database check.
const DATABASE_TIME: Duration = Duration::from_millis(500);
/// Time limit of the check of MCP_SERVER_URL.
const REMOTE_TIME: Duration = Duration::from_millis(500);
/// Free disk space below which the status is degraded.
const DISK_LOW_BYTES: u64 = 256 << 20;

/// Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Healthy,
    /// A secondary function is impaired.
    Degraded,
    /// The main function is not available.
    Unhealthy,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Unhealthy => "unhealthy",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Health {
    /// The worst status of the checks.
    pub status: Status,
    /// The checks in the format of the API.
    pub checks: Value,
}

/// Cached health checks.
#[derive(Clone, Default)]
pub struct Probes(Arc<Mutex<Option<(Instant, Health)>>>);

impl Probes {
    /// The health of the process, at most two seconds old.
    pub async fn health(&self, app: &App) -> Health {
        let known = self.0.lock().ok().and_then(|known| known.clone());
        if let Some((at, health)) = known
            && at.elapsed() < FRESH
        {
            return health;
        }
        let health = probe(app).await;
        if let Ok(mut known) = self.0.lock() {
            *known = Some((Instant::now(), health.clone()));
        }
        health
    }
}

async fn probe(app: &App) -> Health {
    // Concurrent, so that the total takes no longer than the slowest check.
    let ((database, database_check), (checker, checker_check), redis, generator) =
        tokio::join!(database(app), checker(app), redis(app), generator(app));
    let providers = app.config.configured_providers();
    let llm_check = match providers.is_empty() {
        true => {
            json!({"status": "healthy", "providers": [], "note": "no model is configured; the built-in drafter \
                writes"})
        }
        false => json!({"status": "configured", "providers": providers}),
    };
    let (disk, disk_check) = disk(app);
    let mut health = Health {
        status: database.max(checker).max(disk),
        checks: json!({"database": database_check, "mcp_server": checker_check, "llm": llm_check, "disk": disk_check}),
    };
    for (name, found) in [("redis", redis), ("ai_service", generator)] {
        if let Some((status, check)) = found {
            health.status = health.status.max(status);
            health.checks[name] = check;
        }
    }
    health
}

async fn database(app: &App) -> (Status, Value) {
    match &app.store {
        None => (Status::Healthy, json!({"status": "healthy", "mode": "none"})),
        Some(store) => match store.ping(DATABASE_TIME).await {
            Ok(()) => (
                Status::Healthy,
                json!({"status": "healthy", "mode": store.backend().to_string().to_lowercase()}),
            ),
            Err(error) => (Status::Unhealthy, json!({"status": "unhealthy", "error": error.to_string()})),
        },
    }
}

/// Checks Redis. Every process continues without it, so a failure is only degraded.
async fn redis(app: &App) -> Option<(Status, Value)> {
    let memory = app.shared_memory.as_ref()?;
    let address = memory.address();
    Some(match memory.probe().await {
        Ok(latency) => {
            let mut check =
                json!({"status": "healthy", "address": address, "latency_ms": latency.as_secs_f64() * 1e3});
            if app.verdicts.is_none() {
                check["note"] = json!("limits are shared, checks are not: SECRET_KEY is not set");
            }
            (Status::Healthy, check)
        }
        Err(error) => (
            Status::Degraded,
            json!({"status": "degraded", "address": address, "error": error.to_string(), "note": "each process \
                counts and checks by itself until it is back"}),
        ),
    })
}

/// Checks the remote generator. This process generates while it is down, so a failure is only degraded.
async fn generator(app: &App) -> Option<(Status, Value)> {
    let remote = app.generator.as_ref()?;
    let url = remote.address();
    Some(match remote.probe(REMOTE_TIME).await {
        Ok(latency) => (
            Status::Healthy,
            json!({"status": "healthy", "url": url, "latency_ms": latency.as_secs_f64() * 1e3}),
        ),
        Err(error) => (
            Status::Degraded,
            json!({"status": "degraded", "url": url, "error": error.to_string(), "note": "this process generates \
                by itself until it answers"}),
        ),
    })
}

/// Checks the remote checker. This process checks while it is down, so a failure is only degraded.
async fn checker(app: &App) -> (Status, Value) {
    if let Some(remote) = &app.remote {
        let url = remote.address();
        return match remote.probe(REMOTE_TIME).await {
            Ok(latency) => (
                Status::Healthy,
                json!({"status": "healthy", "mode": "remote", "url": url, "latency_ms": latency.as_secs_f64() * 1e3}),
            ),
            Err(error) => (
                Status::Degraded,
                json!({
                    "status": "degraded",
                    "mode": "remote",
                    "url": url,
                    "error": error.to_string(),
                    "note": "this process checks by itself until it answers",
                }),
            ),
        };
    }
    match mermend::MERMAID_VERSION {
        Some(version) => (
            Status::Healthy,
            json!({"status": "healthy", "mode": "in_process", "engine": "mermaid", "version": version}),
        ),
        None => (
            Status::Degraded,
            json!({"status": "degraded", "mode": "in_process", "engine": "fast", "error": "this build has no \
                Mermaid engine, so verdicts are the fast parser's"}),
        ),
    }
}

fn disk(app: &App) -> (Status, Value) {
    if app.store.is_none() {
        return (Status::Healthy, json!({"status": "healthy", "mode": "none"}));
    }
    match rustix::fs::statvfs(&app.config.data.dir) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let status = if free < DISK_LOW_BYTES { Status::Degraded } else { Status::Healthy };
            (status, json!({"status": status.word(), "free_bytes": free}))
        }
        Err(error) => (
            Status::Degraded,
            json!({"status": "degraded", "error": format!("the data folder cannot be looked at: {error}")}),
        ),
    }
}
