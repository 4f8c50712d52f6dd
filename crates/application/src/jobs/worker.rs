//! Takes up jobs for as long as the process serves: any number of processes on one database share them.
//!
//! A job that is worked on is spoken of every few seconds; whoever stops speaking loses it to another process. When the
//! process is asked to end, no job is taken up any more, those under way get the time that requests get, and what is not done then is
//! put back.

use std::{sync::Arc, time::Duration};

use store::Job;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{app::App, jobs, standby::Standby};

/// How often a job under way is spoken of.
const BEAT: Duration = Duration::from_secs(8);
/// How long to wait when nobody tells of new work: other programs may have written some.
const IDLE: Duration = Duration::from_secs(1);
/// How often what is old is forgotten.
const SWEEP: Duration = Duration::from_secs(600);
/// The part of the time to end that is left for putting back.
const PUTTING_BACK: Duration = Duration::from_secs(2);

/// Works until `ending`, and returns when nothing is under way any more. Takes nothing up while the process stands by.
pub async fn run(app: App, mut standby: Standby, ending: CancellationToken) {
    let Some(store) = app.store.clone() else { return };
    let slots = Arc::new(Semaphore::new(app.config.jobs.at_once));
    // Half of the places, so that the jobs of one person leave room for those of the others.
    let most_of_one = u32::try_from(app.config.jobs.at_once.div_ceil(2)).unwrap_or(u32::MAX);
    let mut under_way = JoinSet::new();
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    while !ending.is_cancelled() {
        while under_way.try_join_next().is_some() {}
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
        // Asked first, because taking is a write, and there is one writer.
        let taken = match store.has_job(now).await {
            Ok(true) => store.take_job(&worker, now, now.plus_seconds(jobs::LEASE_S), most_of_one).await,
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match taken {
            Ok(Some(job)) => {
                away = false;
                under_way.spawn(work(app.clone(), job, worker, slot, ending.clone()));
                continue;
            }
            Ok(None) => away = false,
            Err(error) if !away => {
                away = true;
                tracing::warn!("No work is taken up until the database is back: {error}");
            }
            Err(_) => (),
        }
        drop(slot);
        tokio::select! {
            () = woken => (),
            () = sleep(IDLE) => (),
            _ = sweep.tick() => {
                if let Err(error) = jobs::forget_old(&app).await {
                    tracing::warn!("What is old could not be forgotten: {error}");
                }
            }
            () = ending.cancelled() => break,
        }
    }
    while under_way.join_next().await.is_some() {}
}

async fn work(app: App, job: Job, worker: String, slot: OwnedSemaphorePermit, ending: CancellationToken) {
    let kind = job.kind.as_str();
    let time_to_end = Duration::from_secs(app.config.server.shutdown_s).saturating_sub(PUTTING_BACK);
    let how = tokio::select! {
        done = jobs::carry_out(&app, &job, &worker) => match done {
            Ok(true) => "ended",
            Ok(false) => "lost",
            Err(error) => {
                // Another one takes it up when the hold is over.
                tracing::warn!(job.kind = kind, "A job could not be ended: {error}");
                "lost"
            }
        },
        () = keep_holding(&app, &job, &worker) => "lost",
        () = async { ending.cancelled().await; sleep(time_to_end).await } => {
            match timeout(PUTTING_BACK, jobs::put_back(&app, &job, &worker)).await {
                Ok(Ok(())) => "put_back",
                _ => "lost",
            }
        }
    };
    metrics::counter!("ba_copilot_jobs_total", "kind" => kind, "how" => how).increment(1);
    drop(slot);
}

/// Returns when the job is not held any more.
async fn keep_holding(app: &App, job: &Job, worker: &str) {
    let Some(store) = &app.store else { return };
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.tick().await;
    loop {
        beat.tick().await;
        let until = app.clock.now_us().plus_seconds(jobs::LEASE_S);
        // A database that is away for a moment takes the job from nobody.
        if let Ok(false) = store.renew_job_lease(&job.id, worker, until).await {
            return;
        }
    }
}
