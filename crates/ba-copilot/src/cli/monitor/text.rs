//! The state of a server as lines of text.

use operations::monitor::Reading;

/// A server as a heading and lines below it.
pub(super) fn block(reading: &Reading) -> String {
    let mut out = format!("{}\n", heading(reading));
    for (name, line) in lines(reading) {
        out.push_str(&format!("  {name:<9}{line}\n"));
    }
    out
}

/// Address, state, version and age.
fn heading(reading: &Reading) -> String {
    let version = reading.version.as_deref().map(|version| format!("  {version}")).unwrap_or_default();
    let age = reading.uptime_s.map(|seconds| format!(", up {}", age(seconds))).unwrap_or_default();
    clean(&format!("{}  {}{version}{age}", reading.url, reading.state.name()))
}

/// Named lines.
fn lines(reading: &Reading) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(error) = &reading.error {
        lines.push(("error", clean(error)));
    }
    if reading.health_ms.is_none() {
        return lines;
    }
    let parts: Vec<String> = reading
        .parts
        .iter()
        .map(|part| match &part.error {
            Some(error) => format!("{} {} ({error})", part.name, part.status),
            None => format!("{} {}", part.name, part.status),
        })
        .collect();
    lines.push(("parts", clean(&parts.join(", "))));
    let rate = with(reading.requests_per_s, |rate| format!("{rate:.1} requests/s"));
    let errors = with(reading.errors_percent, |share| format!("{share:.1} % errors"));
    let latency = reading.latency.map_or_else(String::new, |latency| {
        format!("p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", latency.p50_ms, latency.p95_ms, latency.p99_ms)
    });
    let health = with(reading.health_ms, |ms| format!("health in {ms:.0} ms"));
    lines.push(("load", joined([rate, errors, latency, health])));
    let memory = with(reading.memory_bytes, |bytes| format!("{:.0} MB memory", bytes / 1e6));
    let share = with(reading.memory_percent, |share| format!("{share:.1} % of what it may use"));
    let cpu = with(reading.cpu_percent, |share| format!("{share:.0} % of a processor"));
    let files = with(reading.open_files, |files| format!("{files} open files"));
    let disk = with(reading.disk_free_percent, |share| format!("{share:.0} % of the disk free"));
    lines.push(("process", joined([memory, share, cpu, files, disk])));
    let drawn = with(reading.generations, |count| format!("diagrams since the start: {count}"));
    let retries = with(reading.retry_percent, |share| format!("{share:.0} % retries"));
    let jobs = with(reading.jobs_open, |jobs| format!("open jobs: {jobs}"));
    let budgets = format!("refused by budgets: {}", reading.budget_refusals);
    lines.push(("work", joined([drawn, retries, jobs, budgets])));
    for failing in &reading.failing {
        lines.push(("failing", clean(&format!("{} {} × {}", failing.count, failing.status, failing.route))));
    }
    lines
}

fn with(value: Option<f64>, say: impl FnOnce(f64) -> String) -> String {
    value.map(say).unwrap_or_default()
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "nothing is known".to_owned() } else { parts.join(", ") }
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

/// A server could send control characters to the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
