//! Reads the events of a reply, in the format of any vendor, into text, stop reason, refusal and usage.
//!
//! The shape of an event decides its format. A whole reply is one event.

use serde_json::Value;

use crate::price;
use crate::question::Usage;

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Complete,
    /// The token limit.
    CutOff,
    /// A filter.
    Filtered,
    /// It called a function, although none was offered: some models answer that way.
    Called,
    /// A reason of the vendor's own.
    Other,
    Failed,
}

/// More text than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) text: String,
    /// Thinking that is apart from the text. Some servers send the whole answer there.
    pub(crate) thoughts: String,
    /// The arguments of a function call.
    pub(crate) call: String,
    pub(crate) stop: Option<Stop>,
    /// The model or a filter refused.
    pub(crate) refused: bool,
    /// The end mark was read.
    pub(crate) ended: bool,
    pub(crate) usage: Usage,
    /// Events with data.
    pub(crate) events: u32,
    bytes_left: usize,
}

impl Reading {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { bytes_left: max_bytes, ..Self::default() }
    }

    /// Reads an event; returns the new text.
    pub(crate) fn read(&mut self, event: &Value) -> Result<String, TooLarge> {
        self.events = self.events.saturating_add(1);
        self.read_usage(event);
        let mut delta = String::new();
        if let Some(choice) = event.pointer("/choices/0") {
            self.chat_choice(choice, &mut delta)?;
        } else if let Some(candidate) = event.pointer("/candidates/0") {
            self.gemini_candidate(candidate, &mut delta)?;
        } else if event.get("type").is_some() {
            self.anthropic(event, &mut delta)?;
        }
        self.refused |= event.pointer("/promptFeedback/blockReason").is_some_and(is_text);
        self.text.push_str(&delta);
        Ok(delta)
    }

    fn chat_choice(&mut self, choice: &Value, delta: &mut String) -> Result<(), TooLarge> {
        if let Some(word) =
            choice.get("finish_reason").and_then(Value::as_str).filter(|word| !word.is_empty())
        {
            // Small servers have words of their own for success.
            self.stop = Some(stop(word, Stop::Complete));
        }
        let part = choice.get("delta").filter(|delta| delta.is_object());
        // Some servers repeat the whole message in the last event.
        let whole = || choice.get("message").filter(|_| self.text.is_empty());
        let Some(part) = part.or_else(whole) else {
            if let Some(text) = choice.get("text") {
                self.push(text, delta)?;
            }
            return Ok(());
        };
        self.refused |= part.get("refusal").is_some_and(is_text);
        if let Some(content) = part.get("content") {
            self.push(content, delta)?;
        }
        // One of them: gateways send the same text under several names.
        let names = ["reasoning_content", "reasoning", "thinking", "reasoning_text"];
        if let Some(thoughts) =
            names.iter().filter_map(|name| part.get(name)?.as_str()).find(|text| !text.is_empty())
        {
            self.think(thoughts)?;
        }
        let calls = part.get("tool_calls").and_then(Value::as_array);
        let first = calls
            .and_then(|calls| calls.iter().find(|call| call.get("index").is_none_or(|index| index == 0)));
        let call = first.and_then(|call| call.get("function")).or_else(|| part.get("function_call"));
        match call.and_then(|call| call.get("arguments")) {
            Some(Value::String(arguments)) => self.called(arguments)?,
            Some(arguments @ Value::Object(_)) => self.called(&arguments.to_string())?,
            _ => {}
        }
        Ok(())
    }

    fn gemini_candidate(&mut self, candidate: &Value, delta: &mut String) -> Result<(), TooLarge> {
        if let Some(word) = candidate.get("finishReason").and_then(Value::as_str) {
            self.stop = Some(stop(word, Stop::Other));
        }
        for part in candidate.pointer("/content/parts").and_then(Value::as_array).into_iter().flatten() {
            let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
            match part.get("thought").and_then(Value::as_bool) {
                Some(true) => self.think(text)?,
                _ => self.push_text(text, delta)?,
            }
        }
        Ok(())
    }

    fn anthropic(&mut self, event: &Value, delta: &mut String) -> Result<(), TooLarge> {
        let word = event.pointer("/delta/stop_reason").or_else(|| event.get("stop_reason"));
        if let Some(word) = word.and_then(Value::as_str) {
            self.stop = Some(stop(word, Stop::Other));
        }
        match event.get("type").and_then(Value::as_str) {
            Some("message_stop") => self.ended = true,
            // A whole reply.
            Some("message") => self.push(event.get("content").unwrap_or(&Value::Null), delta)?,
            Some("content_block_start") => {
                self.push(event.get("content_block").unwrap_or(&Value::Null), delta)?;
            }
            Some("content_block_delta") => self.push(event.get("delta").unwrap_or(&Value::Null), delta)?,
            _ => {}
        }
        Ok(())
    }

    /// Content in any form: a text, a part with a type, or a list of them.
    fn push(&mut self, content: &Value, delta: &mut String) -> Result<(), TooLarge> {
        match content {
            Value::String(text) => self.push_text(text, delta),
            Value::Array(parts) => parts.iter().try_for_each(|part| self.push(part, delta)),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
                let text = |name: &str| part.get(name).and_then(Value::as_str);
                if kind.contains("think") || kind.contains("reason") {
                    // Mistral has a list of parts there.
                    let mut thoughts = String::new();
                    if let Some(parts) = part.get("thinking").and_then(Value::as_array) {
                        let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
                        texts.for_each(|text| thoughts.push_str(text));
                    }
                    let plain = text("thinking").or_else(|| text("reasoning")).or_else(|| text("text"));
                    thoughts.push_str(plain.unwrap_or_default());
                    self.think(&thoughts)
                } else if let Some(arguments) = text("partial_json") {
                    self.called(arguments)
                } else if let Some(input) =
                    part.get("input").and_then(Value::as_object).filter(|it| !it.is_empty())
                {
                    self.called(&Value::Object(input.clone()).to_string())
                } else {
                    self.push_text(text("text").unwrap_or_default(), delta)
                }
            }
            _ => Ok(()),
        }
    }

    fn push_text(&mut self, text: &str, delta: &mut String) -> Result<(), TooLarge> {
        self.count(text)?;
        delta.push_str(text);
        Ok(())
    }

    fn think(&mut self, text: &str) -> Result<(), TooLarge> {
        self.count(text)?;
        self.thoughts.push_str(text);
        Ok(())
    }

    fn called(&mut self, arguments: &str) -> Result<(), TooLarge> {
        self.count(arguments)?;
        self.call.push_str(arguments);
        Ok(())
    }

    fn count(&mut self, text: &str) -> Result<(), TooLarge> {
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or(TooLarge)?;
        Ok(())
    }

    /// Counts only grow within a reply.
    fn read_usage(&mut self, event: &Value) {
        for path in ["/usage", "/message/usage", "/x_groq/usage", "/usageMetadata"] {
            let Some(usage) = event.pointer(path).filter(|usage| usage.is_object()) else { continue };
            let sum = |names: &[&str]| {
                let numbers = names.iter().filter_map(|name| usage.get(name)?.as_u64());
                numbers.fold(0, u64::saturating_add)
            };
            let read = sum(&["prompt_tokens"])
                .max(sum(&["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]))
                .max(sum(&["promptTokenCount", "toolUsePromptTokenCount"]));
            let written = sum(&["completion_tokens"])
                .max(sum(&["output_tokens"]))
                .max(sum(&["candidatesTokenCount", "thoughtsTokenCount"]));
            self.usage.input_tokens = self.usage.input_tokens.max(read);
            self.usage.output_tokens = self.usage.output_tokens.max(written);
            if let Some(cost) = usage.get("cost").and_then(Value::as_f64).and_then(price::micro_usd) {
                self.usage.cost_micro_usd = Some(cost);
            }
        }
    }
}

/// The error in an event of a successful reply, if it is one.
pub(crate) fn is_error(event: &Value) -> bool {
    let is_set = |value: &Value| value.is_object() || is_text(value);
    let type_is = |name: &str| event.get(name).and_then(Value::as_str) == Some("error");
    let holds_answer =
        ["choices", "candidates", "content", "delta", "type", "usage", "usageMetadata", "promptFeedback"]
            .iter()
            .any(|name| event.get(name).is_some_and(|value| !value.is_null()));
    let explains = ["message", "msg", "detail", "base_resp", "error_msg", "errors"]
        .iter()
        .any(|name| event.get(name).is_some_and(|value| is_set(value) || value.is_array()));
    event.get("error").is_some_and(is_set)
        || event.pointer("/choices/0/error").is_some_and(is_set)
        || type_is("type")
        || type_is("object")
        || explains && !holds_answer
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// `other`: what a word means that is not listed.
fn stop(word: &str, other: Stop) -> Stop {
    match word.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "stop_sequence" | "complete" | "completed" | "eos" => Stop::Complete,
        "length" | "max_tokens" | "model_length" | "incomplete" | "model_context_window_exceeded" => {
            Stop::CutOff
        }
        "tool_calls" | "tool_use" | "function_call" => Stop::Called,
        "content_filter" | "content_filtered" | "refusal" | "safety" | "recitation" | "blocklist"
        | "prohibited_content" | "spii" | "language" | "sensitive" => Stop::Filtered,
        "error" => Stop::Failed,
        _ => other,
    }
}
