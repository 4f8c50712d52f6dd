//! The switch: start the new version, verify it, send traffic to it, watch it; and the way back until the old version
//! is stopped.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::{
    context::{Context, Deployed},
    error::StepError,
    release::Release,
    slot::Slot,
    state::{Active, State},
};
use crate::{
    diagnostics::Outcome,
    prometheus::Samples,
    server_client::{Request, Response, ServerClient},
    verify::{Options, verify_server},
};
use application::clock::rfc3339;
use config::DeployTarget;

const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The timeout of one probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a process may take to follow its standby file.
const STANDBY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a proxy may take to notice that a process is ready: ours probes every 250 ms with a timeout of 2 s
/// (`infra/compose/Caddyfile`).
const PROXY_DELAY: Duration = Duration::from_secs(3);
/// So many probes in a row must fail before the version counts as failed.
const MAX_FAILED_PROBES: u32 = 3;
/// The share of requests that may fail with a server error.
const MAX_FAILURE_RATE: f64 = 0.05;

const NOTHING_SERVES: &str = "No version serves here, as before.";

pub(super) async fn bring_into_service(
    context: &mut Context<'_>,
    release: Release,
) -> Result<Deployed, StepError> {
    let old = context.state.active.clone();
    let slot = old.as_ref().map_or(Slot::Blue, |old| old.slot.other());
    start(context, &release, slot).await?;
    verify(context, slot).await?;
    switch(context, &release, slot, old.as_ref().map(|old| old.slot)).await?;
    watch(context, &release, slot).await?;
    // From here on the new version stays, whatever happens.
    context.started = None;
    if let Some(old) = &old {
        let stopped = context
            .step("Stop the old version", async |context| {
                let killed = context.target.stop(old.slot).await?;
                let how = match killed {
                    true => "killed, because it did not stop in time",
                    false => "stopped after its last request",
                };
                Ok(((), format!("{}: {how}", old.release)))
            })
            .await;
        if let Err(error) = stopped {
            context.note(format!("The old version was not stopped: {error} The next deployment retries."));
        }
    }
    let previous = context.state.previous.clone();
    let needed: Vec<&str> =
        [Some(release.name.as_str()), previous.as_deref()].into_iter().flatten().collect();
    let keep = context.config.deploy.keep_releases.saturating_sub(1);
    match context.releases.delete_old(keep, &needed) {
        Ok(deleted) if deleted.is_empty() => (),
        Ok(deleted) => context.note(format!("Deleted the releases {}.", deleted.join(", "))),
        Err(error) => context.note(error.to_string()),
    }
    Ok(Deployed { release: release.name, slot, previous })
}

fn active(context: &Context<'_>) -> Result<Active, StepError> {
    context.state.active.clone().ok_or(StepError::NothingDeployed)
}

/// Stops both slots after they have finished their requests.
pub(super) async fn stop(context: &mut Context<'_>) -> Result<Deployed, StepError> {
    let active = active(context)?;
    if context.plan.dry_run {
        context.skip("Stop", format!("a dry run; it stops {}", active.release));
    } else {
        context
            .step("Stop", async |context| {
                for slot in Slot::ALL {
                    context.target.stop(slot).await?;
                }
                Ok(((), "no version serves".to_owned()))
            })
            .await?;
    }
    let previous = context.state.previous.clone();
    Ok(Deployed { release: active.release, slot: active.slot, previous })
}

/// Starts the version that served last, in its slot.
pub(super) async fn start_again(context: &mut Context<'_>) -> Result<Deployed, StepError> {
    let active = active(context)?;
    let release = context.releases.find(&active.release);
    let release = release.ok_or_else(|| StepError::ReleaseDeleted(active.release.clone()))?;
    if context.plan.dry_run {
        context.skip("Start", format!("a dry run; it starts {}", active.release));
    } else {
        if !context.target.is_running(active.slot).await {
            start(context, &release, active.slot).await?;
        }
        context
            .step("Serve", async |context| {
                context.target.set_standby(active.slot, false)?;
                context.wait_until_ready(active.slot, true).await?;
                context.started = None;
                Ok(((), context.public_client()?.address()))
            })
            .await?;
    }
    let previous = context.state.previous.clone();
    Ok(Deployed { release: active.release, slot: active.slot, previous })
}

async fn start(context: &mut Context<'_>, release: &Release, slot: Slot) -> Result<(), StepError> {
    context
        .step("Start", async |context| {
            if context.target.is_running(slot).await {
                // Left by a deployment that was killed.
                context.target.set_standby(slot, true)?;
                context.target.stop(slot).await?;
            }
            context.started = Some(slot);
            context.target.start(release, slot, context.environment).await?;
            let client = context.slot_client(slot)?;
            let started = Instant::now();
            let timeout = Duration::from_secs(context.config.deploy.ready_s);
            loop {
                let found = match client.send(Request::get("/health").timeout(PROBE_TIMEOUT)).await {
                    Ok(response) if is_healthy(&response) => {
                        return Ok(((), format!("on standby in slot {slot}, at {}", client.address())));
                    }
                    Ok(response) => {
                        format!("it is {}", response.json()["status"].as_str().unwrap_or("not healthy"))
                    }
                    Err(error) => format!("it {error}"),
                };
                let exited = !context.target.is_running(slot).await;
                if exited || started.elapsed() > timeout {
                    let log = context.target.recent_logs(slot).await.trim_end().replace('\n', "\n  ");
                    return Err(match exited {
                        true => StepError::Exited { log },
                        false => StepError::NotReady { after_s: timeout.as_secs(), found, log },
                    });
                }
                sleep(POLL_INTERVAL).await;
            }
        })
        .await
}

async fn verify(context: &mut Context<'_>, slot: Slot) -> Result<(), StepError> {
    context
        .step("Verify", async |context| {
            let options = Options { standby: true, ..Options::default() };
            let client = context.slot_client(slot)?;
            let report = verify_server(client, options, context.clock.clone(), |_| ()).await?;
            let failed: Vec<String> = report
                .checks
                .iter()
                .filter_map(|check| match &check.outcome {
                    Outcome::Failed(problem) => {
                        Some(format!("\n  {}: {} {}", check.title, problem.found, problem.cure))
                    }
                    _ => None,
                })
                .collect();
            if !failed.is_empty() {
                return Err(StepError::VerificationFailed(failed));
            }
            for check in &report.checks {
                if let (Outcome::Skipped(reason), true) = (&check.outcome, check.id == "generate") {
                    context.note(format!("Generation was not verified: {reason}"));
                }
            }
            let (passed, _, skipped) = report.counts();
            Ok(((), format!("{passed} checks passed, {skipped} skipped")))
        })
        .await
}

async fn switch(
    context: &mut Context<'_>,
    release: &Release,
    slot: Slot,
    old: Option<Slot>,
) -> Result<(), StepError> {
    context
        .step("Switch", async |context| {
            context.target.set_standby(slot, false)?;
            context.wait_until_ready(slot, true).await?;
            if let Some(old) = old {
                if context.config.deploy.target == DeployTarget::Compose {
                    // Otherwise there can be a moment in which the proxy knows no process that is ready.
                    sleep(PROXY_DELAY).await;
                }
                context.target.set_standby(old, true)?;
                if context.target.is_running(old).await {
                    context.wait_until_ready(old, false).await?;
                }
            }
            let started = Instant::now();
            let public = context.public_client()?;
            loop {
                let found = match public.send(Request::get("/health").timeout(PROBE_TIMEOUT)).await {
                    Ok(response) if is_release(&response, release) => break,
                    Ok(response) => format!("answers as {}", response.json()["release"]),
                    Err(error) => error.to_string(),
                };
                if started.elapsed() > STANDBY_TIMEOUT {
                    return Err(StepError::NotPublic { address: public.address(), found });
                }
                sleep(POLL_INTERVAL).await;
            }
            let previous = context.state.active.as_ref().map(|active| active.release.clone());
            // Deploying the same version again keeps the one to roll back to.
            let previous = previous.filter(|name| *name != release.name).or(context.state.previous.clone());
            context.state = State {
                active: Some(Active::new(release, slot)),
                previous,
                since: rfc3339(context.clock.now_us()),
            };
            context.state.store(context.folder())?;
            context.target.enable_at_boot(slot).await?;
            Ok(((), format!("serving at {}", public.address())))
        })
        .await
}

async fn watch(context: &mut Context<'_>, release: &Release, slot: Slot) -> Result<(), StepError> {
    let duration = Duration::from_secs(context.config.deploy.observe_s);
    context
        .step("Watch", async |context| {
            let (public, client) = (context.public_client()?, context.slot_client(slot)?);
            let (started, before) = (Instant::now(), count_requests(&client).await?);
            let mut failed_probes = 0;
            while started.elapsed() < duration {
                let problem = match public.send(Request::get("/health").timeout(PROBE_TIMEOUT)).await {
                    Ok(response) if !is_healthy(&response) => Some("is not healthy".to_owned()),
                    Ok(response) if !is_release(&response, release) => {
                        Some("is not the new version".to_owned())
                    }
                    Ok(_) => None,
                    Err(error) => Some(error.to_string()),
                };
                failed_probes = if problem.is_some() { failed_probes + 1 } else { 0 };
                if let Some(found) = problem.filter(|_| failed_probes >= MAX_FAILED_PROBES) {
                    return Err(StepError::Unhealthy { address: public.address(), found });
                }
                sleep(POLL_INTERVAL.min(duration)).await;
            }
            let after = count_requests(&client).await?;
            let (requests, failures) = (after.all - before.all, after.failed - before.failed);
            if failures >= f64::from(MAX_FAILED_PROBES) && failures > requests * MAX_FAILURE_RATE {
                return Err(StepError::TooManyFailures { failures, requests });
            }
            let seconds = duration.as_secs();
            Ok(((), format!("{requests} requests in {seconds} s, {failures} of them failed")))
        })
        .await
}

struct RequestCounts {
    all: f64,
    failed: f64,
}

/// Requests that were answered, and those of them with a server error, without probes.
async fn count_requests(client: &ServerClient) -> Result<RequestCounts, StepError> {
    let response = client.send(Request::get("/metrics").timeout(PROBE_TIMEOUT)).await?;
    let samples = Samples::parse(&response.body)?;
    let count = |failed_only: bool| {
        let is_probe =
            |route: &str| matches!(route, "/health" | "/livez" | "/readyz" | "/startupz" | "/metrics");
        let fits = |name: &str, value: &str| match name {
            "route" => !is_probe(value),
            "status" => !failed_only || value.starts_with('5'),
            _ => true,
        };
        samples
            .sum_where("ba_copilot_http_requests_total", |labels| {
                labels.iter().all(|(name, value)| fits(name, value))
            })
            .unwrap_or(0.0)
    };
    Ok(RequestCounts { all: count(false), failed: count(true) })
}

fn is_healthy(response: &Response) -> bool {
    response.status == 200 && matches!(response.json()["status"].as_str(), Some("healthy" | "degraded"))
}

fn is_release(response: &Response, release: &Release) -> bool {
    response.json()["release"] == Value::String(release.name.clone())
}

impl Context<'_> {
    /// A client for a slot, which answers also on standby.
    fn slot_client(&self, slot: Slot) -> Result<ServerClient, StepError> {
        ServerClient::new(&self.target.address(slot), Some(&self.config.verify.token))
            .map_err(StepError::Address)
    }

    /// A client for the public address, from this machine, with a connection of its own.
    fn public_client(&self) -> Result<ServerClient, StepError> {
        if self.config.deploy.target == DeployTarget::Compose {
            return ServerClient::new(&self.config.public_url(), None).map_err(StepError::Address);
        }
        let mut address = self.config.listen(config::Role::All);
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        ServerClient::new(&format!("http://{address}"), None).map_err(StepError::Address)
    }

    async fn wait_until_ready(&self, slot: Slot, ready: bool) -> Result<(), StepError> {
        let client = self.slot_client(slot)?;
        let started = Instant::now();
        loop {
            let response = client.send(Request::get("/readyz").timeout(PROBE_TIMEOUT)).await;
            if response.is_ok_and(|response| (response.status == 200) == ready) {
                return Ok(());
            }
            if started.elapsed() > STANDBY_TIMEOUT {
                return Err(StepError::StandbyIgnored { slot, ready, after_s: STANDBY_TIMEOUT.as_secs() });
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// Restores the state from before the deployment, and says which version serves.
pub(super) async fn revert(context: &mut Context<'_>, before: State) -> String {
    let Some(slot) = context.started.take() else {
        return match &context.state.active {
            Some(active) => format!("{} serves in slot {}.", active.release, active.slot),
            None => NOTHING_SERVES.to_owned(),
        };
    };
    let mut errors = Vec::new();
    let serving = match &before.active {
        Some(active) => {
            errors.extend(context.target.set_standby(active.slot, false).err());
            if context.target.is_running(active.slot).await {
                errors.extend(context.wait_until_ready(active.slot, true).await.err());
                format!("{} still serves in slot {}.", active.release, active.slot)
            } else {
                format!(
                    "{} should serve in slot {}, and was not running before the deployment.",
                    active.release, active.slot
                )
            }
        }
        None => NOTHING_SERVES.to_owned(),
    };
    errors.extend(context.target.set_standby(slot, true).err());
    if before != context.state {
        errors.extend(before.store(context.folder()).err());
        if let Some(active) = &before.active {
            errors.extend(context.target.enable_at_boot(active.slot).await.err());
        }
        context.state = before;
    }
    errors.extend(context.target.stop(slot).await.err());
    match errors.is_empty() {
        true => serving,
        false => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("{serving} Not everything was restored: {}", errors.join(" "))
        }
    }
}
