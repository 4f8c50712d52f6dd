//! Settings of checks and pictures, and the bounds that they make.

use std::{num::NonZeroUsize, time::Duration};

use serde::Deserialize;

use super::Config;

/// `[check]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Check {
    pub threads: usize,
    pub time_s: u64,
    pub max_text_bytes: usize,
    pub cache_entries: usize,
}

/// `[picture]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Picture {
    pub time_s: u64,
}

impl Config {
    /// Bounds of a check.
    pub fn check_limits(&self) -> mermend::Limits {
        let defaults = mermend::Limits::default();
        mermend::Limits {
            threads: NonZeroUsize::new(self.check.threads).unwrap_or(defaults.threads),
            time: Duration::from_secs(self.check.time_s),
            size_bytes: self.check.max_text_bytes,
            cache_entries: NonZeroUsize::new(self.check.cache_entries).unwrap_or(defaults.cache_entries),
            ..defaults
        }
    }

    /// The time for one check, repair, comparison or patch, waiting included.
    pub fn check_time(&self) -> Duration {
        Duration::from_secs(self.check.time_s)
    }

    /// The time for one picture, waiting included.
    pub fn picture_time(&self) -> Duration {
        Duration::from_secs(self.picture.time_s)
    }
}
