//! Stored data: writes are visible to others, survive a restart, and are backed up.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::header::IF_MATCH;
use serde_json::{Value, json};
use uuid::Uuid;

use super::run::{DEFAULT_BACKUP_AGE, VerifyRun};
use crate::{
    diagnostics::{CheckFailure, CheckResult, ensure, passed},
    server_client::{Request, ServerClient},
};

/// The project for everything that the checks write.
const PROJECT: &str = "Deployment checks";
const DIAGRAM: &str = "Deployment check";
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The time of the newest verified backup, in seconds since 1970.
const BACKUP_METRIC: &str = "ba_copilot_backup_last_verified_timestamp_seconds";

fn id_of(resource: &Value) -> Result<String, CheckFailure> {
    let id =
        resource["id"].as_str().ok_or_else(|| CheckFailure::failed("A created resource has no `id`."))?;
    Ok(id.to_owned())
}

/// The id of the project, which is created if it does not exist.
pub(super) async fn project(run: &mut VerifyRun) -> Result<String, CheckFailure> {
    if let Some(known) = &run.project {
        return Ok(known.clone());
    }
    if run.is_stateless() {
        return Err(CheckFailure::skipped("This server stores nothing."));
    }
    let mut after = String::new();
    let found = loop {
        let path = format!("/api/v1/projects?limit=200{after}");
        let page = run.api(Request::get(&path)).await?.json();
        let projects = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = |project: &&Value| project["name"] == PROJECT && project["archived_at"].is_null();
        if let Some(found) = projects.iter().find(fits) {
            break id_of(found)?;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", encoded(next)),
            None => {
                let wanted = json!({"name": PROJECT});
                break id_of(&run.api(Request::post("/api/v1/projects", &wanted)).await?.json())?;
            }
        }
    };
    run.project = Some(found.clone());
    Ok(found)
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(super) async fn write(run: &mut VerifyRun) -> CheckResult {
    let project = project(run).await?;
    let code = format!("flowchart LR\n  written --> {}", Uuid::now_v7().simple());
    let path = format!("/api/v1/projects/{project}/diagrams");
    let search = format!("{path}?q={}", encoded(DIAGRAM));
    let listed = run.api(Request::get(&search)).await?.json();
    let listed = listed["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let known = listed.iter().find(|diagram| diagram["title"] == DIAGRAM);
    // One diagram, and a version for each run.
    let (path, body) = match known {
        Some(known) => (format!("/api/v1/diagrams/{}/versions", id_of(known)?), json!({"code": code})),
        None => (path, json!({"title": DIAGRAM, "code": code})),
    };
    let made = run.api(Request::post(&path, &body).with_header(IF_MATCH, "*")).await?.json();
    let number = made["newest"]["number"].as_u64();
    let number = number.ok_or_else(|| CheckFailure::failed("The response to a write names no version."))?;
    let place = format!("/api/v1/diagrams/{}/versions/{number}", id_of(&made)?);
    let client = run.client.reconnect()?;
    read(&client, &place, &code).await?;
    run.written = Some((place, code));
    passed(format!("version {number} of “{DIAGRAM}”, read over another connection"))
}

async fn read(client: &ServerClient, place: &str, code: &str) -> Result<(), CheckFailure> {
    let response = client.send(Request::get(place)).await?;
    ensure(response.status == 200, || {
        format!("The written version is missing: reading it answered {}.", response.status)
    })?;
    ensure(response.json()["code"] == code, || "The written version has other contents.".to_owned())
}

pub(super) async fn restart(run: &mut VerifyRun) -> CheckResult {
    let Some(command) = run.options.restart_command.clone() else {
        return Err(CheckFailure::skipped("No restart: --restart-command is not set."));
    };
    let Some((place, code)) = run.written.clone() else {
        return Err(CheckFailure::skipped("No restart: nothing was written before."));
    };
    let within = run.options.restart_within;
    let started = Instant::now();
    let ran = tokio::task::spawn_blocking(move || {
        // Standard output is for the report.
        Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null()).status()
    });
    let status = match ran.await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            return Err(CheckFailure::failed(format!("The command could not be run: {error}.")));
        }
        Err(error) => return Err(CheckFailure::failed(format!("The command could not be run: {error}."))),
    };
    ensure(status.success(), || format!("The restart command failed ({status})."))?;
    loop {
        let client = run.client.reconnect()?;
        if client
            .send(Request::get("/readyz").timeout(POLL_INTERVAL * 5))
            .await
            .is_ok_and(|response| response.status == 200)
        {
            read(&client, &place, &code).await?;
            return passed(format!("ready after {:.1} s, nothing lost", started.elapsed().as_secs_f64()));
        }
        ensure(started.elapsed() < within, || {
            format!("Not ready {} s after the restart.", within.as_secs())
        })?;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

pub(super) async fn backup(run: &mut VerifyRun) -> CheckResult {
    let verified = run.metrics.sum(BACKUP_METRIC).filter(|at| *at > 0.0);
    let Some(verified) = verified else {
        let reason = format!("The server reports no verified backup (`{BACKUP_METRIC}`).");
        return match run.options.backup_within {
            Some(_) => Err(CheckFailure::failed(reason)),
            None => Err(CheckFailure::skipped(reason)),
        };
    };
    let within = run.options.backup_within.unwrap_or(DEFAULT_BACKUP_AGE);
    let now_s = run.clock.now_us().as_micros() as f64 / 1e6;
    let hours = (now_s - verified).max(0.0) / 3600.0;
    ensure(hours * 3600.0 <= within.as_secs_f64(), || {
        let limit = within.as_secs_f64() / 3600.0;
        format!("The newest verified backup is {hours:.1} hours old; the limit is {limit:.1} hours.")
    })?;
    passed(format!("the newest verified backup is {hours:.1} hours old"))
}
