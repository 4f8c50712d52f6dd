//! What is kept: writes that others read, that survive a restart, and of which there is a backup.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::header::IF_MATCH;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BACKUP_WITHIN, Came, Not, Question, Target, Visit, holds};

/// Where everything goes that is written here.
const PROJECT: &str = "Deployment checks";
const DIAGRAM: &str = "Deployment check";
/// Between two looks whether a server is back.
const PAUSE: Duration = Duration::from_millis(200);
/// When the newest backup was made that was verified, in seconds since 1970.
const BACKUP: &str = "ba_copilot_backup_last_verified_timestamp_seconds";

fn id_of(thing: &Value) -> Result<String, Not> {
    let id =
        thing["id"].as_str().ok_or_else(|| Not::Well("Something was made without an `id`.".to_owned()))?;
    Ok(id.to_owned())
}

/// The project for what is written here, made if it is not there.
pub(super) async fn project(visit: &mut Visit) -> Result<String, Not> {
    if let Some(known) = &visit.project {
        return Ok(known.clone());
    }
    if visit.keeps_nothing() {
        return Err(Not::Possible("This server keeps nothing.".to_owned()));
    }
    let mut after = String::new();
    let found = loop {
        let path = format!("/api/v1/projects?limit=200{after}");
        let page = visit.api(Question::get(&path)).await?.json();
        let projects = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = |project: &&Value| project["name"] == PROJECT && project["archived_at"].is_null();
        if let Some(found) = projects.iter().find(fits) {
            break id_of(found)?;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", encoded(next)),
            None => {
                let wanted = json!({"name": PROJECT});
                break id_of(&visit.api(Question::post("/api/v1/projects", &wanted)).await?.json())?;
            }
        }
    };
    visit.project = Some(found.clone());
    Ok(found)
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(super) async fn write(visit: &mut Visit) -> Came {
    let project = project(visit).await?;
    let code = format!("flowchart LR\n  written --> {}", Uuid::now_v7().simple());
    let path = format!("/api/v1/projects/{project}/diagrams");
    let search = format!("{path}?q={}", encoded(DIAGRAM));
    let listed = visit.api(Question::get(&search)).await?.json();
    let listed = listed["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let known = listed.iter().find(|diagram| diagram["title"] == DIAGRAM);
    // One diagram, and a version for each visit.
    let (path, body) = match known {
        Some(known) => (format!("/api/v1/diagrams/{}/versions", id_of(known)?), json!({"code": code})),
        None => (path, json!({"title": DIAGRAM, "code": code})),
    };
    let made = visit.api(Question::post(&path, &body).with(IF_MATCH, "*")).await?.json();
    let number = made["newest"]["number"].as_u64();
    let number = number.ok_or_else(|| Not::Well("The answer to a write names no version.".to_owned()))?;
    let place = format!("/api/v1/diagrams/{}/versions/{number}", id_of(&made)?);
    let target = visit.target.anew()?;
    read(&target, &place, &code).await?;
    visit.written = Some((place, code));
    Ok(format!("version {number} of “{DIAGRAM}”, read over another connection"))
}

/// Reads what was written.
async fn read(target: &Target, place: &str, code: &str) -> Result<(), Not> {
    let answer = target.ask(Question::get(place)).await?;
    holds(answer.status == 200, || {
        format!("What was written is not there: reading it was answered with {}.", answer.status)
    })?;
    holds(answer.json()["code"] == code, || "What was written is there with other contents.".to_owned())
}

pub(super) async fn restart(visit: &mut Visit) -> Came {
    let Some(command) = visit.options.restart_command.clone() else {
        return Err(Not::Possible("It was not restarted: give --restart-command.".to_owned()));
    };
    let Some((place, code)) = visit.written.clone() else {
        return Err(Not::Possible("Nothing was written, so it was not restarted.".to_owned()));
    };
    let within = visit.options.restart_within;
    let begun = Instant::now();
    let ran = tokio::task::spawn_blocking(move || {
        // What it says belongs to standard error: standard output is for the result.
        Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null()).status()
    });
    let status = match ran.await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(Not::Well(format!("The command could not be run: {error}."))),
        Err(error) => return Err(Not::Well(format!("The command could not be run: {error}."))),
    };
    holds(status.success(), || format!("The command to restart it failed ({status})."))?;
    loop {
        let target = visit.target.anew()?;
        if target
            .ask(Question::get("/readyz").within(PAUSE * 5))
            .await
            .is_ok_and(|answer| answer.status == 200)
        {
            read(&target, &place, &code).await?;
            return Ok(format!("ready and complete after {:.1} s", begun.elapsed().as_secs_f64()));
        }
        holds(begun.elapsed() < within, || format!("It is not ready again after {} s.", within.as_secs()))?;
        tokio::time::sleep(PAUSE).await;
    }
}

pub(super) async fn backup(visit: &mut Visit) -> Came {
    let verified = visit.metrics.sum(BACKUP).filter(|at| *at > 0.0);
    let Some(verified) = verified else {
        let why = format!("The server tells of no backup that was verified (`{BACKUP}`).");
        return match visit.options.backup_within {
            Some(_) => Err(Not::Well(why)),
            None => Err(Not::Possible(why)),
        };
    };
    let within = visit.options.backup_within.unwrap_or(BACKUP_WITHIN);
    let now_s = visit.clock.now_us().as_micros() as f64 / 1e6;
    let hours = (now_s - verified).max(0.0) / 3600.0;
    let said = format!("the newest verified backup is {hours:.1} hours old");
    holds(hours * 3600.0 <= within.as_secs_f64(), || {
        format!("T{}, and {:.1} are the most.", &said[1..], within.as_secs_f64() / 3600.0)
    })?;
    Ok(said)
}
