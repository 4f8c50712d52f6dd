//! Facts from raw stream events beyond the text: cost, refusal, stop reason, and time of the last event.
//!
//! Stores no text of the reply.

use std::sync::{Mutex, MutexGuard, PoisonError};

use genai::chat::{ChatFrameSink, FrameCtx, RawFrameRef};
use serde_json::Value;
use tokio::time::Instant;

use crate::price;
use crate::question::Usage;

#[derive(Debug, Default, Clone)]
pub(crate) struct Facts {
    /// Time of the last complete event, comments included.
    pub(crate) last_event: Option<Instant>,
    /// Events with data.
    pub(crate) events: u32,
    /// The vendor's word for why the model stopped.
    pub(crate) stop: Option<String>,
    /// The model or a filter refused.
    pub(crate) refused: bool,
    /// Tokens in OpenAI's form, and the vendor's own cost in any form.
    pub(crate) usage: Usage,
}

/// Watches the events of one stream.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Facts>);

impl Watch {
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatFrameSink for Watch {
    fn on_frame(&self, _: &FrameCtx, frame: RawFrameRef<'_>) {
        let mut facts = self.facts();
        facts.last_event = Some(Instant::now());
        if frame.data.is_empty() {
            return;
        }
        facts.events = facts.events.saturating_add(1);
        if let Some(event) = frame.json() {
            facts.read(&event);
        }
    }
}

impl Facts {
    /// Reads one event, or a whole reply that was not streamed.
    pub(crate) fn read(&mut self, event: &Value) {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());

        if let Some(stop) =
            ["/choices/0/finish_reason", "/delta/stop_reason", "/stop_reason", "/candidates/0/finishReason"]
                .into_iter()
                .find_map(text)
        {
            self.stop = Some(stop.to_owned());
        }
        self.refused |=
            ["/choices/0/delta/refusal", "/choices/0/message/refusal", "/promptFeedback/blockReason"]
                .into_iter()
                .any(|path| text(path).is_some());

        if let Some(usage) = event.get("usage") {
            let number = |name: &str| usage.get(name).and_then(Value::as_u64);
            if let (Some(input), Some(output)) = (number("prompt_tokens"), number("completion_tokens")) {
                self.usage.input_tokens = input;
                self.usage.output_tokens = output;
            }
            if let Some(cost) = usage.get("cost").and_then(Value::as_f64).and_then(price::micro_usd) {
                self.usage.cost_micro_usd = Some(cost);
            }
        }
    }
}
