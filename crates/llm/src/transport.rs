//! One request and its reply, over HTTPS, within the limits. The only file that sends.
//!
//! Every question is streamed, even without a listener: only a stream can be timed and measured while it arrives.
//! Whole replies are for models and servers that do not stream. Never retries: that is `lib.rs`. Runs on the thread
//! of `executor.rs`.

use std::sync::Arc;

use futures_util::StreamExt;
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest, ChatStreamEvent, JsonSpec, ReasoningEffort, StopReason,
};
use genai::{Headers, ServiceTarget};
use tokio::time::{Instant, timeout_at};

use crate::error::{BadReply, Limit, LlmError, Misconfigured, Refusal};
use crate::executor::{Deltas, Executor, Listener};
use crate::failure::{Complaint, Failure, from_transport};
use crate::frames::{Facts, Watch};
use crate::price;
use crate::providers::{Protocol, ProviderId};
use crate::question::{Limits, Question, Role, Usage};

/// The optional parts of the next request. Each is given up at most once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) streamed: bool,
    /// The vendor enforces the schema.
    pub(crate) structured: bool,
    pub(crate) temperature: bool,
}

impl Shape {
    pub(crate) fn new(provider: ProviderId, question: &Question) -> Self {
        Self {
            streamed: true,
            structured: question.schema.is_some() && provider.row().structured,
            temperature: question.temperature.is_some(),
        }
    }

    /// Removes the rejected part; false if it was not there.
    pub(crate) fn give_up(&mut self, complaint: Complaint) -> bool {
        let part = match complaint {
            Complaint::Stream => &mut self.streamed,
            Complaint::Schema => &mut self.structured,
            Complaint::Temperature => &mut self.temperature,
        };
        std::mem::take(part)
    }
}

/// A complete reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) usage: Usage,
}

/// One client for all vendors; connections are reused.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: genai::Client,
    executor: Executor,
}

impl Transport {
    pub(crate) fn new(limits: &Limits) -> Result<Self, LlmError> {
        let unusable = || LlmError::misconfigured(Misconfigured::Client);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls().map_err(|_| unusable())?)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            // For whole replies, and between the two other limits for streams. `timeout` would cut a healthy stream
            // at its deadline.
            .read_timeout(limits.first_byte.max(limits.between_bytes))
            // A redirect would carry the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy is a matter of configuration, not of the environment.
            .no_proxy()
            // A compressed reply can expand a thousandfold.
            .no_gzip()
            .build()
            .map_err(|_| unusable())?;
        let client = genai::Client::builder().with_reqwest(client).build().map_err(|_| unusable())?;
        let executor = Executor::start().map_err(|_| unusable())?;
        Ok(Self { client, executor })
    }

    /// Asks once. The caller bounds the total time.
    pub(crate) async fn exchange(
        &self,
        provider: ProviderId,
        target: ServiceTarget,
        question: &Question,
        shape: Shape,
        limits: &Limits,
        listener: &mut Listener<'_>,
    ) -> Result<Reply, Failure> {
        let model = target.model.model_name.to_string();
        let request = chat_request(question, shape);
        let options = chat_options(provider, question, shape);
        let client = self.client.clone();
        let limits = *limits;
        let arrived = if shape.streamed {
            self.executor
                .run(listener, |deltas| stream(client, provider, target, request, options, limits, deltas))
                .await
        } else {
            self.executor
                .run(listener, |deltas| whole(client, target, request, options, limits, deltas))
                .await
        };
        // No panic of the transport is known; if it panics, the reply is the cause.
        arrived.unwrap_or_else(|| Err(Failure::bad_reply(BadReply::Garbled)))?.into_reply(provider, &model)
    }
}

async fn stream(
    client: genai::Client,
    provider: ProviderId,
    target: ServiceTarget,
    request: ChatRequest,
    options: ChatOptions,
    limits: Limits,
    deltas: Deltas,
) -> Result<Arrived, Failure> {
    let watch = Arc::new(Watch::default());
    let options = options
        .with_stream_header_timeout(limits.first_byte)
        .with_stream_read_timeout(limits.between_bytes)
        .with_raw_frame_sink_arc(watch.clone());
    let started = Instant::now();
    let response = client.exec_chat_stream(target, request, Some(&options)).await;
    let mut stream = response.map_err(from_transport)?.stream;

    let mut text = BoundedText::new(limits.max_reply_bytes);
    let end = loop {
        // The transport times single bytes; a server that sends one byte a second would never complete an event.
        let silent_since = || watch.facts().last_event.unwrap_or(started + limits.first_byte);
        let deadline = silent_since() + limits.between_bytes;
        match timeout_at(deadline, stream.next()).await {
            Err(_) if silent_since() + limits.between_bytes > deadline => {}
            Err(_) => return Err(Failure::timed_out(Limit::BetweenBytes)),
            Ok(None) => break None,
            Ok(Some(Ok(ChatStreamEvent::Chunk(chunk)))) => {
                text.push(&chunk.content)?;
                send_delta(&deltas, &chunk.content);
            }
            Ok(Some(Ok(ChatStreamEvent::ReasoningChunk(chunk)))) => text.count(&chunk.content)?,
            Ok(Some(Ok(ChatStreamEvent::End(end)))) => break Some(end),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_))) if watch.facts().refused => {
                return Err(LlmError::refused(Refusal::Content).into());
            }
            // The event with the error counts too.
            Ok(Some(Err(error))) if watch.facts().events > 1 => return Err(from_transport(error).half_way()),
            Ok(Some(Err(error))) => return Err(from_transport(error)),
        }
    };

    let facts = watch.facts().clone();
    let stop = end.as_ref().and_then(|end| end.captured_stop_reason.clone());
    let stop = stop.or_else(|| facts.stop.clone().map(StopReason::from));
    // OpenAI's protocol has an end mark, which small servers omit; Gemini has none, so the transport adds one when
    // the connection closes.
    let marked = end.is_some() && provider.row().protocol != Protocol::Gemini;
    if stop.is_none() && !marked {
        return Err(if facts.events == 0 {
            // No event at all: a web page, or a server that does not stream. A whole reply tells them apart.
            Failure::bad_reply(BadReply::NotAReply).complaining(Complaint::Stream)
        } else {
            Failure::connection_lost()
        });
    }
    let usage = end.and_then(|end| end.captured_usage);
    Ok(Arrived { text: text.text, stop, usage, facts })
}

async fn whole(
    client: genai::Client,
    target: ServiceTarget,
    request: ChatRequest,
    options: ChatOptions,
    limits: Limits,
    deltas: Deltas,
) -> Result<Arrived, Failure> {
    let options = options.with_capture_raw_body(true).with_normalize_reasoning_content(true);
    let response = client.exec_chat(target, request, Some(&options)).await.map_err(from_transport)?;
    let mut facts = Facts::default();
    if let Some(body) = &response.captured_raw_body {
        facts.read(body);
    }
    let mut text = BoundedText::new(limits.max_reply_bytes);
    text.count(response.reasoning_content.as_deref().unwrap_or_default())?;
    for part in response.content.texts() {
        text.push(part)?;
        send_delta(&deltas, part);
    }
    Ok(Arrived { text: text.text, stop: response.stop_reason, usage: Some(response.usage), facts })
}

fn send_delta(deltas: &Deltas, text: &str) {
    if let Some(deltas) = deltas {
        // Without a receiver the request is about to be dropped.
        let _ = deltas.send(text.to_owned());
    }
}

/// A complete reply, not yet validated.
struct Arrived {
    text: String,
    stop: Option<StopReason>,
    usage: Option<genai::chat::Usage>,
    facts: Facts,
}

impl Arrived {
    fn into_reply(self, provider: ProviderId, model: &str) -> Result<Reply, Failure> {
        let mut usage = self.facts.usage;
        if let Some(told) = self.usage {
            let tokens =
                |count: Option<i32>, seen: u64| count.and_then(|n| u64::try_from(n).ok()).unwrap_or(seen);
            usage.input_tokens = tokens(told.prompt_tokens, usage.input_tokens);
            usage.output_tokens = tokens(told.completion_tokens, usage.output_tokens);
        }
        usage.cost_micro_usd =
            usage.cost_micro_usd.or_else(|| price::cost_micro_usd(provider, model, &usage));

        let bad = |what| Err(LlmError::BadReply { what, usage }.into());
        if self.facts.refused {
            return Err(LlmError::Refused { why: Refusal::Content, usage }.into());
        }
        match &self.stop {
            Some(StopReason::ContentFilter(_)) => {
                return Err(LlmError::Refused { why: Refusal::Content, usage }.into());
            }
            Some(StopReason::MaxTokens(_)) => return bad(BadReply::CutOff),
            Some(StopReason::ToolCall(_)) => return bad(BadReply::Unfinished),
            // Small servers have stop reasons of their own for success, large vendors only for failure.
            Some(StopReason::Other(word))
                if !provider.row().protocol.is_chat_completions() || word == "error" =>
            {
                return bad(BadReply::Unfinished);
            }
            _ => {}
        }
        if self.text.trim().is_empty() {
            return bad(BadReply::Empty);
        }
        Ok(Reply { text: self.text, usage })
    }
}

/// A text with a maximum size.
struct BoundedText {
    text: String,
    left: usize,
}

impl BoundedText {
    fn new(bytes: usize) -> Self {
        Self { text: String::new(), left: bytes }
    }

    fn count(&mut self, piece: &str) -> Result<(), Failure> {
        self.left =
            self.left.checked_sub(piece.len()).ok_or_else(|| Failure::bad_reply(BadReply::TooLarge))?;
        Ok(())
    }

    fn push(&mut self, piece: &str) -> Result<(), Failure> {
        self.count(piece)?;
        self.text.push_str(piece);
        Ok(())
    }
}

fn chat_request(question: &Question, shape: Shape) -> ChatRequest {
    let mut system = question.system.clone();
    if let Some(schema) = question.schema.as_ref().filter(|_| !shape.structured) {
        let wish = "Answer with one JSON document and nothing else: no explanation, no code fence. \
                    It must match this JSON Schema:";
        let gap = if system.is_empty() { "" } else { "\n\n" };
        system = format!("{system}{gap}{wish}\n{}", schema.json);
    }
    let messages = question.turns.iter().map(|turn| match turn.role {
        Role::User => ChatMessage::user(turn.text.as_str()),
        Role::Assistant => ChatMessage::assistant(turn.text.as_str()),
    });
    let request = ChatRequest::from_messages(messages.collect());
    if system.is_empty() { request } else { request.with_system(system) }
}

/// Headers of every request besides the vendor's.
pub(crate) fn headers(question: &Question) -> Headers {
    question.traceparent.as_deref().map(|trace| Headers::from(("traceparent", trace))).unwrap_or_default()
}

fn chat_options(provider: ProviderId, question: &Question, shape: Shape) -> ChatOptions {
    let mut options =
        ChatOptions::default().with_max_tokens(question.max_output_tokens).with_capture_usage(true);
    options = options.with_extra_headers(headers(question));
    if let Some(temperature) = question.temperature.filter(|_| shape.temperature) {
        // Through text, so that 0.2 does not become 0.20000000298.
        options = options.with_temperature(temperature.to_string().parse().unwrap_or(f64::from(temperature)));
    }
    if let Some(schema) = question.schema.as_ref().filter(|_| shape.structured) {
        options = options.with_response_format(JsonSpec::new(schema.name.as_str(), schema.json.clone()));
    }
    if provider.row().protocol.is_chat_completions() {
        // Without an effort the transport derives one from the model's name, and asks for `qwen` instead of
        // `qwen-max`. OpenAI's protocol has no effort of the form `Budget`, so nothing is sent.
        options = options.with_reasoning_effort(ReasoningEffort::Budget(0));
    }
    options
}

/// The common configuration, with HTTP/2 where the vendor supports it.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut config = crate::tls_config()?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
