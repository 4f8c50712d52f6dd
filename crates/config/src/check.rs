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
    pub mermaid_max_edges: usize,
    pub mermaid_max_text_size: usize,
}

/// `[picture]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    pub time_s: u64,
}

impl Config {
    /// Processor time of one text in the Mermaid engine.
    pub fn check_time(&self) -> Duration {
        Duration::from_secs(self.check.time_s)
    }

    /// Timeout of one picture, including the time in the queue.
    pub fn picture_time(&self) -> Duration {
        Duration::from_secs(self.picture.time_s)
    }
}
