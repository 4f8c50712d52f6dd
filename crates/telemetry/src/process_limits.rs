//! What the system allows this process: the number of open files, raised at start as far as that is possible without rights.
//!
//! Reads /proc, because a filter of system calls may forbid to ask the kernel itself.

use std::fs;

use rustix::process::{Resource, Rlimit, setrlimit};

/// More are of no use, and a kernel without a limit would make tables for all of them.
const ENOUGH_FILES: u64 = 1 << 20;

/// The soft and the hard limit of open files; none where the system does not say. No limit is `u64::MAX`.
pub fn open_files() -> Option<(u64, u64)> {
    read(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn read(limits: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    };
    Some((limit()?, limit()?))
}

/// What the soft limit becomes; none if it stays.
fn raised((soft, hard): (u64, u64)) -> Option<u64> {
    let wanted = hard.min(ENOUGH_FILES);
    (wanted > soft).then_some(wanted)
}

/// Raises the soft limit of open files to the hard one: each connection is a file, and 1,024 of them are soon used up.
pub fn raise_open_files() {
    let Some(limits) = open_files() else { return };
    let Some(wanted) = raised(limits) else { return };
    let maximum = (limits.1 != u64::MAX).then_some(limits.1);
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => tracing::debug!("The limit of open files was raised from {} to {wanted}", limits.0),
        // Under a filter of system calls the limit is what the service manager says.
        Err(error) => tracing::debug!("The limit of open files stays {}: {error}", limits.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_raised_to_the_hard_one() {
        let text = |soft: &str, hard: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max cpu time              unlimited            unlimited            seconds   \n\
                 Max open files            {soft:<20} {hard:<20} files     \n"
            )
        };
        for (soft, hard, wanted) in [
            ("1024", "4096", Some(4096)),
            ("1024", "1048576", Some(1 << 20)),
            ("1024", "unlimited", Some(1 << 20)),
            ("4096", "4096", None),
            ("unlimited", "unlimited", None),
            ("2097152", "unlimited", None),
        ] {
            assert_eq!(raised(read(&text(soft, hard)).unwrap()), wanted, "{soft} {hard}");
        }
        assert_eq!(read("Max open files            many"), None);
        let (soft, hard) = open_files().unwrap();
        assert!(soft <= hard);
    }
}
