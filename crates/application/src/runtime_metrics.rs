//! Gauges of `/metrics`: health, jobs, disk, process. Measured at a scrape, within its time limit.

use std::time::Duration;

use metrics::gauge;

use super::health::Probes;
use crate::app::App;
use telemetry::process_metrics;

/// Time limit of counting jobs.
const DATABASE_TIME: Duration = Duration::from_millis(500);

/// Updates the gauges.
pub async fn measure(app: &App, probes: &Probes) {
    gauge!("ba_copilot_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("process_start_time_seconds").set(app.started_us.as_micros() as f64 / 1e6);
    process_metrics::measure();
    let (running, waiting) = app.cpu.counts();
    gauge!("ba_copilot_work_running").set(running as f64);
    gauge!("ba_copilot_work_waiting").set(waiting as f64);
    let health = probes.health(app).await;
    for (check, found) in health.checks.as_object().into_iter().flatten() {
        let value = match found["status"].as_str() {
            Some("healthy" | "configured") => 1.0,
            Some("degraded") => 0.5,
            _ => 0.0,
        };
        gauge!("ba_copilot_health", "check" => check.clone()).set(value);
    }
    let Some(store) = &app.store else { return };
    if let Ok(found) = rustix::fs::statvfs(&app.config.data.dir) {
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize) as f64;
        gauge!("ba_copilot_disk_free_bytes").set(bytes(found.f_bavail));
        gauge!("ba_copilot_disk_total_bytes").set(bytes(found.f_blocks));
    }
    let counted = tokio::time::timeout(DATABASE_TIME, store.count_jobs(app.clock.now_us())).await;
    // NaN if counting failed: a stale value would be misleading.
    let (waiting, later, running) = match counted {
        Ok(Ok(jobs)) => (jobs.waiting as f64, jobs.later as f64, jobs.running as f64),
        _ => (f64::NAN, f64::NAN, f64::NAN),
    };
    for (state, jobs) in [("waiting", waiting), ("later", later), ("running", running)] {
        gauge!("ba_copilot_jobs_open", "state" => state).set(jobs);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn metrics_list_every_error_reason_of_the_store() {
        assert_eq!(telemetry::metrics_table::STORE_ERROR_REASONS, store::ERROR_REASONS);
    }
}
