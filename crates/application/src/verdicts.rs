//! What other processes have found out about a text, so that each text is checked once by all of them together.
//!
//! Whoever can write to Redis must not be able to call a text validated, so everything there is sealed with a key made from
//! SECRET_KEY, for one text and one version of this program. What does not open counts as absent, and so does what no check
//! answers. Names and values tell nobody what stands in a diagram. Without SECRET_KEY nothing is shared.

use std::{sync::Arc, time::Duration};

use mermend::{Checked, Finding, Limits, REMEMBERED_BYTES, Severity, Verdict};
use serde::{Deserialize, Serialize};

use super::{
    Error,
    secrets::{Namer, Sealer},
};
use crate::shared_memory::SharedMemory;
use config::Config;

/// How long an answer is kept, if Redis has room for it so long.
const TTL: Duration = Duration::from_secs(24 * 3600);
/// Sealed answers larger than this are neither kept nor read.
const MAX_SEALED_BYTES: usize = 256 << 10;
/// Changes with the form of what is kept.
const FORMAT_VERSION: &str = "1";

/// The answers that processes share.
#[derive(Clone)]
pub struct SharedVerdicts(Arc<Inner>);

struct Inner {
    memory: SharedMemory,
    names: Namer,
    sealer: Sealer,
    /// The version of Mermaid's own parser: only its answers are shared.
    version: &'static str,
}

/// An answer, as it is kept.
#[derive(Serialize, Deserialize)]
struct JobPayload {
    valid: bool,
    kind: Option<String>,
    findings: Vec<Finding>,
    mermaid: Verdict,
    fast: Option<Verdict>,
}

impl SharedVerdicts {
    /// Shares through this memory, where SECRET_KEY is set and this build has Mermaid's own parser.
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

    /// What was found out about a text; `None` if nobody has, or Redis is away.
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

    /// Tells the others.
    pub async fn store_verdict(&self, text: &str, checked: &Checked) {
        if text.len() > REMEMBERED_BYTES || !checked.lasts() {
            return;
        }
        let Some(mermaid) = checked.mermaid.clone() else { return };
        let kept = JobPayload {
            valid: checked.valid,
            kind: checked.kind.map(|kind| kind.id.to_owned()),
            findings: checked.findings.clone(),
            mermaid,
            fast: checked.fast.clone(),
        };
        let name = self.name(text);
        let sealed = serde_json::to_vec(&kept).ok().and_then(|plain| self.0.sealer.seal(&name, &plain).ok());
        if let Some(sealed) = sealed.filter(|sealed| sealed.len() <= MAX_SEALED_BYTES) {
            // Where that fails, the next process checks by itself.
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

/// An answer, if it is one that a check of this text could give.
fn read(text: &str, kept: JobPayload) -> Option<Checked> {
    let kind = match &kept.kind {
        Some(id) => Some(mermend::kinds::find(id)?),
        None => None,
    };
    let in_text = |finding: &Finding| {
        let span = finding.span;
        span.start <= span.end && text.is_char_boundary(span.start) && text.is_char_boundary(span.end)
    };
    let faulty = kept.findings.iter().any(|finding| finding.severity == Severity::Error);
    if kept.valid != kept.mermaid.valid() || kept.valid == faulty || !kept.findings.iter().all(in_text) {
        return None;
    }
    let known = |verdict: Verdict| Verdict { cached: true, ..verdict };
    let checked = Checked {
        valid: kept.valid,
        kind,
        findings: kept.findings,
        mermaid: Some(known(kept.mermaid)),
        fast: kept.fast.map(known),
    };
    checked.lasts().then_some(checked)
}
