//! Verdicts shared between processes through Redis, so that a text is checked once.
//!
//! A writer of Redis must not be able to forge a verdict, so entries are encrypted with a key from SECRET_KEY, bound
//! to one text and one version of this program. Entries that do not decrypt, or that no check can produce, count as
//! absent. Keys and values do not disclose the text. Without SECRET_KEY, nothing is shared.

use std::{sync::Arc, time::Duration};

use mermend::{Checked, Finding, Limits, REMEMBERED_BYTES, Severity, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    Error,
    secrets::{Namer, Sealer},
};
use crate::shared_memory::SharedMemory;
use config::Config;

/// Lifetime of an entry.
const TTL: Duration = Duration::from_secs(24 * 3600);
const MAX_SEALED_BYTES: usize = 256 << 10;
/// Changes with the format of entries.
const FORMAT_VERSION: &str = "2";

#[derive(Clone)]
pub struct SharedVerdicts(Arc<Inner>);

struct Inner {
    memory: SharedMemory,
    names: Namer,
    sealer: Sealer,
    /// Version of Mermaid's own parser: only its verdicts are shared.
    version: &'static str,
}

#[derive(Serialize, Deserialize)]
struct StoredVerdict {
    valid: bool,
    kind: Option<String>,
    findings: Vec<Finding>,
    mermaid: Verdict,
    fast: Option<Verdict>,
}

impl SharedVerdicts {
    /// Requires SECRET_KEY and a build with Mermaid's own parser; otherwise `None`.
    pub fn new(config: &Config, memory: &SharedMemory) -> Result<Option<Self>, Error> {
        let (Some(key), Some(version)) =
            (config.shared_key("ba-copilot shared verdicts"), mermend::MERMAID_VERSION)
        else {
            return Ok(None);
        };
        Ok(Some(SharedVerdicts(Arc::new(Inner {
            memory: memory.clone(),
            names: Namer::new(config, "verdicts"),
            sealer: Sealer::from_key(&key)?,
            version,
        }))))
    }

    /// `None` if there is no entry, or Redis is not available.
    pub async fn find(&self, text: &str, limits: &Limits) -> Option<Checked> {
        if text.len() > REMEMBERED_BYTES.min(limits.size_bytes) || text.trim().is_empty() {
            return None;
        }
        let name = self.name(text);
        let outcome = |outcome: &'static str| {
            metrics::counter!("ba_copilot_shared_verdicts_total", "outcome" => outcome).increment(1);
        };
        let Ok(found) = self.0.memory.find(&name, MAX_SEALED_BYTES).await else {
            outcome("away");
            return None;
        };
        let Some(found) = found else {
            outcome("miss");
            return None;
        };
        let checked = self.open(&name, text, &found);
        outcome(if checked.is_some() { "hit" } else { "unusable" });
        checked
    }

    /// Shares a verdict with other processes.
    pub async fn store_verdict(&self, text: &str, checked: &Checked) {
        if text.len() > REMEMBERED_BYTES || !checked.lasts() {
            return;
        }
        let Some(mermaid) = checked.mermaid.clone() else { return };
        let stored = StoredVerdict {
            valid: checked.valid,
            kind: checked.kind.map(|kind| kind.id.to_owned()),
            findings: checked.findings.clone(),
            mermaid,
            fast: checked.fast.clone(),
        };
        let name = self.name(text);
        let sealed =
            serde_json::to_vec(&stored).ok().and_then(|plain| self.0.sealer.seal(&name, &plain).ok());
        if let Some(sealed) = sealed.filter(|sealed| sealed.len() <= MAX_SEALED_BYTES) {
            // After a failure, the next process checks by itself.
            let _ = self.0.memory.store_value(&name, sealed.as_bytes(), TTL).await;
        }
    }

    fn name(&self, text: &str) -> String {
        let parts = [FORMAT_VERSION, "mermaid", self.0.version, env!("CARGO_PKG_VERSION"), text];
        format!("verdict:{}", self.0.names.name(&parts))
    }

    fn open(&self, name: &str, text: &str, sealed: &[u8]) -> Option<Checked> {
        let plain = self.0.sealer.open(name, std::str::from_utf8(sealed).ok()?)?;
        read(text, serde_json::from_slice(&plain).ok()?)
    }
}

/// Converts an entry; `None` if no check of this text can produce it.
fn read(text: &str, stored: StoredVerdict) -> Option<Checked> {
    let kind = match &stored.kind {
        Some(id) => Some(mermend::kinds::find(id)?),
        None => None,
    };
    let in_text = |finding: &Finding| {
        let span = finding.span;
        span.start <= span.end && text.is_char_boundary(span.start) && text.is_char_boundary(span.end)
    };
    let faulty = stored.findings.iter().any(|finding| finding.severity == Severity::Error);
    if stored.valid != stored.mermaid.valid()
        || stored.valid == faulty
        || !stored.findings.iter().all(in_text)
    {
        return None;
    }
    let known = |verdict: Verdict| Verdict { cached: true, ..verdict };
    let checked = Checked {
        valid: stored.valid,
        kind,
        findings: stored.findings,
        mermaid: Some(known(stored.mermaid)),
        fast: stored.fast.map(known),
    };
    checked.lasts().then_some(checked)
}
