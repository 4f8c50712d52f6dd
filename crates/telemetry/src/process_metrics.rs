//! Process metrics under the standard names of Prometheus: memory, CPU time, open files.
//!
//! Read from `/proc` at each scrape; without `/proc` they are not exported.

use std::{
    fs,
    path::{Path, PathBuf},
};

use metrics::gauge;

use crate::process_limits;

/// `USER_HZ`, the unit of times in `/proc`: 100 on all supported architectures, independent of the kernel's own tick
/// rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// Updates the gauges.
pub fn measure() {
    if let Some(bytes) = kibibytes("/proc/self/status", "VmRSS:") {
        gauge!("process_resident_memory_bytes").set(bytes);
    }
    if let Some(bytes) = memory_limit() {
        gauge!("process_memory_limit_bytes").set(bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them is the open /proc/self/fd itself.
        gauge!("process_open_fds").set(entries.count().saturating_sub(1) as f64);
    }
    if let Some(files) = max_files() {
        gauge!("process_max_fds").set(files);
    }
}

/// The exposition of the CPU time: a counter with fractions, which the recorder does not support.
pub(crate) fn cpu_lines() -> String {
    const NAME: &str = "process_cpu_seconds_total";
    let metric = crate::metrics_table::METRICS.iter().find(|metric| metric.name == NAME);
    match (cpu_seconds(), metric) {
        (Some(seconds), Some(metric)) => {
            format!("# HELP {NAME} {}\n# TYPE {NAME} counter\n{NAME} {seconds:.2}\n", metric.help)
        }
        _ => String::new(),
    }
}

fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in brackets and may contain any character; user and system time are fields 14 and
    // 15.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The value of a line in kB of a file in `/proc`, in bytes.
fn kibibytes(file: &str, line: &str) -> Option<f64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|found| found.strip_prefix(line))?;
    Some(value.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1024.0)
}

fn max_files() -> Option<f64> {
    let (soft, _) = process_limits::open_files()?;
    (soft != u64::MAX).then_some(soft as f64)
}

/// The lowest limit of the control group and its ancestors, or else the memory of the machine.
fn memory_limit() -> Option<f64> {
    let machine = kibibytes("/proc/meminfo", "MemTotal:");
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = memory_groups(&groups).into_iter().flat_map(|(root, group, file)| {
        // In a container the path may be the host's, while the control group of the container is mounted as the root.
        let inside: PathBuf = root.join(group.strip_prefix("/").unwrap_or(&group));
        let folders: Vec<PathBuf> =
            inside.ancestors().take_while(|folder| folder.starts_with(&root)).map(Path::to_owned).collect();
        folders.into_iter().filter_map(move |folder| {
            // `max` is not a number and is skipped.
            fs::read_to_string(folder.join(file)).ok()?.trim().parse::<f64>().ok()
        })
    });
    // cgroup v1 reports "no limit" as a number larger than any memory.
    limits.chain(machine).min_by(f64::total_cmp)
}

/// The files with memory limits: mount point, control group, file name.
fn memory_groups(groups: &str) -> Vec<(PathBuf, PathBuf, &'static str)> {
    groups
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, group) = rest.split_once(':')?;
            match controllers {
                "" => Some((PathBuf::from("/sys/fs/cgroup"), PathBuf::from(group), "memory.max")),
                _ if controllers.split(',').any(|controller| controller == "memory") => Some((
                    PathBuf::from("/sys/fs/cgroup/memory"),
                    PathBuf::from(group),
                    "memory.limit_in_bytes",
                )),
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_v1_and_v2_are_supported() {
        let groups = "4:memory:/a/b\n2:cpu,cpuacct:/a\n0::/c\n";
        let found: Vec<_> = memory_groups(groups).into_iter().map(|(_, group, file)| (group, file)).collect();
        assert_eq!(
            found,
            [(PathBuf::from("/a/b"), "memory.limit_in_bytes"), (PathBuf::from("/c"), "memory.max")]
        );
    }
}
