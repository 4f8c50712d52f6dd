//! Worker of the job queue. Any number of processes on one database share the queue.
//!
//! A worker extends the lease of its job with heartbeats; without them, another worker takes the job. At shutdown no
//! new job is taken, running jobs get the time that requests get, and unfinished ones return to the queue.

use std::{sync::Arc, time::Duration};

use store::Job;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{app::App, jobs, standby::Standby};

/// Interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(8);
/// Poll interval without notifications: other processes may have created jobs.
const IDLE: Duration = Duration::from_secs(1);
/// Interval of deleting expired records.
const SWEEP: Duration = Duration::from_secs(600);
/// Part of the shutdown time that is reserved for returning jobs to the queue.
const RELEASE_TIME: Duration = Duration::from_secs(2);

/// Takes and runs jobs until `ending`; returns when no job is running. Takes no jobs while the process is on standby.
pub async fn run(app: App, mut standby: Standby, ending: CancellationToken) {
    let Some(store) = app.store.clone() else { return };
    let slots = Arc::new(Semaphore::new(app.config.jobs.at_once));
    // One user gets at most half of the slots, so that jobs of others are not blocked.
    let most_of_one = u32::try_from(app.config.jobs.at_once.div_ceil(2)).unwrap_or(u32::MAX);
    let mut running = JoinSet::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut database_down = false;
    while !ending.is_cancelled() {
        while running.try_join_next().is_some() {}
        tokio::select! {
            () = standby.over() => (),
            () = ending.cancelled() => break,
        }
        let woken = app.events.work_signal();
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = ending.cancelled() => break,
        };
        let Ok(slot) = slot else { break };
        let now = app.clock.now_us();
        let worker = app.clock.new_id("wrk");
        // A read first: taking a job is a write, and SQLite has a single writer.
        let taken = match store.has_job(now).await {
            Ok(true) => store.take_job(&worker, now, now.plus_seconds(jobs::LEASE_S), most_of_one).await,
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match taken {
            Ok(Some(job)) => {
                database_down = false;
                running.spawn(run_with_lease(app.clone(), job, worker, slot, ending.clone()));
                continue;
            }
            Ok(None) => database_down = false,
            Err(error) if !database_down => {
                database_down = true;
                tracing::warn!("The database is unavailable, so no jobs are taken: {error}");
            }
            Err(_) => (),
        }
        drop(slot);
        tokio::select! {
            () = woken => (),
            () = sleep(IDLE) => (),
            _ = sweep.tick() => {
                if let Err(error) = jobs::delete_expired(&app).await {
                    tracing::warn!("Deleting expired records failed: {error}");
                }
            }
            () = ending.cancelled() => break,
        }
    }
    while running.join_next().await.is_some() {}
}

async fn run_with_lease(
    app: App,
    job: Job,
    worker: String,
    slot: OwnedSemaphorePermit,
    ending: CancellationToken,
) {
    let kind = job.kind.as_str();
    let time_to_end = Duration::from_secs(app.config.server.shutdown_s).saturating_sub(RELEASE_TIME);
    let outcome = tokio::select! {
        done = jobs::run_job(&app, &job, &worker) => match done {
            Ok(true) => "ended",
            Ok(false) => "lost",
            Err(error) => {
                // Another worker takes the job when the lease expires.
                tracing::warn!(job.kind = kind, "Ending a job failed: {error}");
                "lost"
            }
        },
        () = renew_lease(&app, &job, &worker) => "lost",
        () = async { ending.cancelled().await; sleep(time_to_end).await } => {
            match timeout(RELEASE_TIME, jobs::release_job(&app, &job, &worker)).await {
                Ok(Ok(())) => "put_back",
                _ => "lost",
            }
        }
    };
    metrics::counter!("ba_copilot_jobs_total", "kind" => kind, "how" => outcome).increment(1);
    drop(slot);
}

/// Sends heartbeats; returns when the lease is lost.
async fn renew_lease(app: &App, job: &Job, worker: &str) {
    let Some(store) = &app.store else { return };
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    loop {
        heartbeat.tick().await;
        let until = app.clock.now_us().plus_seconds(jobs::LEASE_S);
        // The lease survives a database that is unavailable for a short time.
        if let Ok(false) = store.renew_job_lease(&job.id, worker, until).await {
            return;
        }
    }
}
