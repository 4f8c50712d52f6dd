//! The switch: a version is started, tried, let in, watched; and the way back, at any moment before the old one ends.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::{
    Came, Deployed, Release, Site, Slot,
    state::{Active, State},
};
use crate::{
    prometheus::Samples,
    target::{Answer, Question, Target},
    verify::{Options, Outcome, verify_server},
};
use application::clock::rfc3339;
use config::DeployTarget;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long an answer to that may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long it may take until a process does what its file says.
const HEED: Duration = Duration::from_secs(30);
/// How long a proxy may take until it has noticed that a process is ready: ours asks every 250 ms, and waits 2 s for an answer
/// (`ops/compose/Caddyfile`).
const NOTICED: Duration = Duration::from_secs(3);
/// So many looks in a row must go wrong before it is not a mishap.
const MISHAPS: u32 = 3;
/// This share of the answers may be failures of the server.
const FAILURES: f64 = 0.05;

/// Brings a release into service.
pub(super) async fn bring_in(site: &mut Site<'_>, release: Release) -> Came<Deployed> {
    let old = site.state.active.clone();
    let slot = old.as_ref().map_or(Slot::Blue, |old| old.slot.other());
    start(site, &release, slot).await?;
    verify(site, slot).await?;
    switch(site, &release, slot, old.as_ref().map(|old| old.slot)).await?;
    watch(site, &release, slot).await?;
    // From here on the new version serves, whatever happens.
    site.started = None;
    if let Some(old) = &old {
        let ended = site
            .step("End the old one", async |site| {
                let cut = site.fleet.stop(old.slot).await?;
                let how = if cut {
                    "it did not end in time, and was cut off"
                } else {
                    "it answered what it had begun"
                };
                Ok(((), format!("{}: {how}", old.release)))
            })
            .await;
        if let Err(why) = ended {
            site.note(format!("The old version did not end: {why} The next deployment tries again."));
        }
    }
    let previous = site.state.previous.clone();
    let needed: Vec<&str> =
        [Some(release.name.as_str()), previous.as_deref()].into_iter().flatten().collect();
    match site.releases.delete_old(site.config.deploy.keep_releases.saturating_sub(1), &needed) {
        Ok(deleted) if deleted.is_empty() => (),
        Ok(deleted) => site.note(format!("Deleted the releases {}.", deleted.join(", "))),
        Err(why) => site.note(why),
    }
    Ok(Deployed { release: release.name, slot, previous })
}

/// What is said to serve.
fn active(site: &Site<'_>) -> Came<Active> {
    site.state.active.clone().ok_or_else(|| "Nothing was deployed here yet.".to_owned())
}

/// Ends what runs in either slot, after what it has begun.
pub(super) async fn stop(site: &mut Site<'_>) -> Came<Deployed> {
    let active = active(site)?;
    if site.order.dry_run {
        site.leave("Stop", format!("a dry run; {} would end", active.release));
    } else {
        site.step("Stop", async |site| {
            for slot in Slot::ALL {
                site.fleet.stop(slot).await?;
            }
            Ok(((), "nothing serves".to_owned()))
        })
        .await?;
    }
    Ok(Deployed { release: active.release, slot: active.slot, previous: site.state.previous.clone() })
}

/// Starts the version that served, in its slot.
pub(super) async fn start_again(site: &mut Site<'_>) -> Came<Deployed> {
    let active = active(site)?;
    let release = site.releases.find(&active.release);
    let release = release.ok_or_else(|| format!("The release {} is not kept any more.", active.release))?;
    if site.order.dry_run {
        site.leave("Start", format!("a dry run; {} would be started", active.release));
    } else {
        if !site.fleet.is_running(active.slot).await {
            start(site, &release, active.slot).await?;
        }
        site.step("Serve", async |site| {
            site.fleet.stand_by(active.slot, false)?;
            site.wait_until_ready(active.slot, true).await?;
            site.started = None;
            Ok(((), site.front()?.address()))
        })
        .await?;
    }
    Ok(Deployed { release: active.release, slot: active.slot, previous: site.state.previous.clone() })
}

async fn start(site: &mut Site<'_>, release: &Release, slot: Slot) -> Came<()> {
    site.step("Start", async |site| {
        if site.fleet.is_running(slot).await {
            // Left by a deployment that was cut off.
            site.fleet.stand_by(slot, true)?;
            site.fleet.stop(slot).await?;
        }
        site.started = Some(slot);
        site.fleet.start(release, slot, site.environment).await?;
        let target = site.target(slot)?;
        let begun = Instant::now();
        let time = Duration::from_secs(site.config.deploy.ready_s);
        loop {
            let seen = match target.ask(Question::get("/health").within(ANSWER)).await {
                Ok(answer) if is_well(&answer) => {
                    return Ok(((), format!("it stands by in the slot {slot}, at {}", target.address())));
                }
                Ok(answer) => format!("it is {}", answer.json()["status"].as_str().unwrap_or("not well")),
                Err(error) => format!("it {error}"),
            };
            let ended = !site.fleet.is_running(slot).await;
            if ended || begun.elapsed() > time {
                let how = if ended {
                    "ended by itself".to_owned()
                } else {
                    format!("was not ready after {} s: {seen}", time.as_secs())
                };
                let words = site.fleet.last_words(slot).await.trim_end().replace('\n', "\n  ");
                return Err(format!("The new version {how}. Its last words:\n  {words}"));
            }
            sleep(LOOK).await;
        }
    })
    .await
}

async fn verify(site: &mut Site<'_>, slot: Slot) -> Came<()> {
    site.step("Verify", async |site| {
        let options = Options { stands_by: true, ..Options::default() };
        let report = verify_server(site.target(slot)?, options, site.clock.clone(), |_| ())
            .await
            .map_err(|error| format!("The new version {error}."))?;
        let failed: Vec<String> = report
            .checks
            .iter()
            .filter_map(|check| match &check.outcome {
                Outcome::Failed { found, cure } => Some(format!("\n  {}: {found} {cure}", check.title)),
                _ => None,
            })
            .collect();
        if !failed.is_empty() {
            return Err(format!("The new version does not do what it should:{}", failed.concat()));
        }
        let (passed, _, skipped) = report.counts();
        for check in &report.checks {
            if let (Outcome::Skipped(why), true) = (&check.outcome, check.id == "generate") {
                site.note(format!("No diagram was drawn to try it: {why}"));
            }
        }
        Ok(((), format!("{passed} checks passed, {skipped} could not be made")))
    })
    .await
}

async fn switch(site: &mut Site<'_>, release: &Release, slot: Slot, old: Option<Slot>) -> Came<()> {
    site.step("Switch", async |site| {
        site.fleet.stand_by(slot, false)?;
        site.wait_until_ready(slot, true).await?;
        if let Some(old) = old {
            if site.config.deploy.target == DeployTarget::Compose {
                // Else there may be a moment in which the proxy knows of nobody whom it could ask.
                sleep(NOTICED).await;
            }
            site.fleet.stand_by(old, true)?;
            if site.fleet.is_running(old).await {
                site.wait_until_ready(old, false).await?;
            }
        }
        let begun = Instant::now();
        let front = site.front()?;
        loop {
            let seen = match front.ask(Question::get("/health").within(ANSWER)).await {
                Ok(answer) if answer.json()["release"] == Value::String(release.name.clone()) => break,
                Ok(answer) => format!("answers as {}", answer.json()["release"]),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() > HEED {
                return Err(format!(
                    "Where people reach it, {}, the new version does not answer: it {seen}.",
                    front.address()
                ));
            }
            sleep(LOOK).await;
        }
        let previous = site.state.active.as_ref().map(|active| active.release.clone());
        // The same version again leaves the one to go back to as it was.
        let previous = previous.filter(|name| *name != release.name).or(site.state.previous.clone());
        site.state =
            State { active: Some(Active::of(release, slot)), previous, since: rfc3339(site.clock.now_us()) };
        site.state.keep(site.folder())?;
        site.fleet.settle(slot).await?;
        Ok(((), format!("{} serves", front.address())))
    })
    .await
}

async fn watch(site: &mut Site<'_>, release: &Release, slot: Slot) -> Came<()> {
    let time = Duration::from_secs(site.config.deploy.observe_s);
    site.step("Watch", async |site| {
        let (front, target) = (site.front()?, site.target(slot)?);
        let (begun, before) = (Instant::now(), counted(&target).await?);
        let mut mishaps = 0;
        while begun.elapsed() < time {
            let seen = match front.ask(Question::get("/health").within(ANSWER)).await {
                Ok(answer) if !is_well(&answer) => Some("is not well".to_owned()),
                Ok(answer) if answer.json()["release"] != Value::String(release.name.clone()) => {
                    Some("is not the new version".to_owned())
                }
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            };
            mishaps = if seen.is_some() { mishaps + 1 } else { 0 };
            if let Some(seen) = seen.filter(|_| mishaps >= MISHAPS) {
                return Err(format!("Where people reach it, {}, it {seen}.", front.address()));
            }
            sleep(LOOK.min(time)).await;
        }
        let after = counted(&target).await?;
        let (answers, failures) = (after.0 - before.0, after.1 - before.1);
        if failures >= f64::from(MISHAPS) && failures > answers * FAILURES {
            return Err(format!("{failures} of {answers} requests failed in the new version."));
        }
        Ok(((), format!("{answers} requests answered in {} s, {failures} failures", time.as_secs())))
    })
    .await
}

/// How many requests were answered, and how many of those with a failure of the server; what only asks how it is does not count.
async fn counted(target: &Target) -> Came<(f64, f64)> {
    let answer = target.ask(Question::get("/metrics").within(ANSWER)).await;
    let answer = answer.map_err(|error| format!("The new version {error}."))?;
    let samples = Samples::parse(&answer.body)?;
    let count = |failed: bool| {
        let of_people =
            |route: &str| !matches!(route, "/health" | "/livez" | "/readyz" | "/startupz" | "/metrics");
        let fits = |name: &str, value: &str| match name {
            "route" => of_people(value),
            "status" => !failed || value.starts_with('5'),
            _ => true,
        };
        samples
            .sum_where("ba_copilot_http_requests_total", |labels| {
                labels.iter().all(|(name, value)| fits(name, value))
            })
            .unwrap_or(0.0)
    };
    Ok((count(false), count(true)))
}

fn is_well(answer: &Answer) -> bool {
    answer.status == 200 && matches!(answer.json()["status"].as_str(), Some("healthy" | "degraded"))
}

impl Site<'_> {
    /// A slot, where it answers in any state.
    fn target(&self, slot: Slot) -> Came<Target> {
        Target::new(&self.fleet.address(slot), Some(&self.config.verify.token))
            .map_err(|error| error.to_string())
    }

    /// Where people reach the version that serves, from this machine, over a connection of its own.
    fn front(&self) -> Came<Target> {
        if self.config.deploy.target == DeployTarget::Compose {
            return Target::new(&self.config.public_url(), None).map_err(|error| error.to_string());
        }
        let mut address = self.config.listen(config::Role::All);
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Target::new(&format!("http://{address}"), None).map_err(|error| error.to_string())
    }

    async fn wait_until_ready(&self, slot: Slot, ready: bool) -> Came<()> {
        let target = self.target(slot)?;
        let begun = Instant::now();
        loop {
            let answer = target.ask(Question::get("/readyz").within(ANSWER)).await;
            if answer.is_ok_and(|answer| (answer.status == 200) == ready) {
                return Ok(());
            }
            if begun.elapsed() > HEED {
                let what = if ready { "is not ready" } else { "goes on serving" };
                return Err(format!(
                    "The version in the slot {slot} {what}, {} s after it was told.",
                    HEED.as_secs()
                ));
            }
            sleep(LOOK).await;
        }
    }
}

/// Makes everything as it was before; says who serves.
pub(super) async fn go_back(site: &mut Site<'_>, before: State) -> String {
    let Some(slot) = site.started.take() else {
        return match &site.state.active {
            Some(active) => format!("{} serves in the slot {}.", active.release, active.slot),
            None => "Nothing serves here, as before.".to_owned(),
        };
    };
    let mut troubles = Vec::new();
    let serving = match &before.active {
        Some(active) => {
            troubles.extend(site.fleet.stand_by(active.slot, false).err());
            if site.fleet.is_running(active.slot).await {
                troubles.extend(site.wait_until_ready(active.slot, true).await.err());
                format!("{} serves on in the slot {}.", active.release, active.slot)
            } else {
                format!(
                    "{} should serve in the slot {}, and did not run before either.",
                    active.release, active.slot
                )
            }
        }
        None => "Nothing serves here, as before.".to_owned(),
    };
    troubles.extend(site.fleet.stand_by(slot, true).err());
    if before != site.state {
        troubles.extend(before.keep(site.folder()).err());
        if let Some(active) = &before.active {
            troubles.extend(site.fleet.settle(active.slot).await.err());
        }
        site.state = before;
    }
    troubles.extend(site.fleet.stop(slot).await.err());
    match troubles.is_empty() {
        true => serving,
        false => format!("{serving} Look after this: {}", troubles.join(" ")),
    }
}
