//! The limit of open files of this process, raised at start to the hard limit, which needs no privileges.
//!
//! Read from /proc, because a seccomp filter may forbid the system call.

use std::fs;

use rustix::process::{Resource, Rlimit, setrlimit};

/// The program never needs more, and the kernel allocates tables for as many as are allowed.
const MAX_USEFUL_FILES: u64 = 1 << 20;

/// The soft and the hard limit of open files; `u64::MAX` is unlimited, `None` unknown.
pub fn open_files() -> Option<(u64, u64)> {
    parse(&fs::read_to_string("/proc/self/limits").ok()?)
}

fn parse(limits: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    };
    Some((limit()?, limit()?))
}

/// The new soft limit; `None` if it does not change.
fn raised((soft, hard): (u64, u64)) -> Option<u64> {
    let wanted = hard.min(MAX_USEFUL_FILES);
    (wanted > soft).then_some(wanted)
}

/// Raises the soft limit of open files to the hard limit: each connection is an open file, and the usual 1,024 are
/// too few.
pub fn raise_open_files() {
    let Some(limits) = open_files() else { return };
    let Some(wanted) = raised(limits) else { return };
    let maximum = (limits.1 != u64::MAX).then_some(limits.1);
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => tracing::debug!("Raised the limit of open files from {} to {wanted}", limits.0),
        // A seccomp filter may forbid it; the service manager then sets the limit.
        Err(error) => {
            tracing::debug!("The limit of open files could not be raised from {}: {error}", limits.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_limit_is_raised_to_the_hard_limit() {
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
            assert_eq!(raised(parse(&text(soft, hard)).unwrap()), wanted, "{soft} {hard}");
        }
        assert_eq!(parse("Max open files            many"), None);
        let (soft, hard) = open_files().unwrap();
        assert!(soft <= hard);
    }
}
