//! Settings of checks and pictures.

use std::time::Duration;

use serde::Deserialize;

use super::Config;

/// `[check]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub threads: usize,
    pub time_s: u64,
    pub max_text_bytes: usize,
    pub cache_entries: usize,
}

/// `[picture]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    pub time_s: u64,
}

impl Config {
    /// Timeout of one check, repair, comparison or patch, including the time in the queue.
    pub fn check_time(&self) -> Duration {
        Duration::from_secs(self.check.time_s)
    }

    /// Timeout of one picture, including the time in the queue.
    pub fn picture_time(&self) -> Duration {
        Duration::from_secs(self.picture.time_s)
    }
}
