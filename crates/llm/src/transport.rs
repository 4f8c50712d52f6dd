//! One request and its reply, over HTTPS, within the limits. The only file that sends.
//!
//! Every question is streamed, even without a listener: only a stream can be timed and measured while it arrives.
//! Whole replies are for models and servers that do not stream. Never retries: that is `lib.rs`. Runs on the thread
//! of `executor.rs`.

use std::io::Write;
use std::time::Duration;

use flate2::write::{MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::dialect::Dialect;
use crate::error::{BadReply, Limit, LlmError, Misconfigured, Refusal};
use crate::executor::{Deltas, Executor, Listener};
use crate::failure::{Failure, from_error_event, from_reqwest, from_status};
use crate::frames::{Frame, FrameError, Frames};
use crate::json;
use crate::price;
use crate::providers::ProviderId;
use crate::proxies::Proxies;
use crate::question::{Limits, Question, Usage};
use crate::reading::{Reading, Stop, TooLarge, is_error};
use crate::reason::Reason;
use crate::request::Target;

/// Upper bound of the part of an error body or a page that is read.
const ERROR_BYTES: usize = 64 * 1024;

/// JSON around the text of one event.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// How long the count of tokens and the end mark may follow the end of the text.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// Compressed bytes that are expanded at once.
const INFLATE_BYTES: usize = 4 * 1024;

/// A complete reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) usage: Usage,
}

/// One client for all vendors; connections are reused.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    executor: Executor,
    proxies: Proxies,
}

impl Transport {
    pub(crate) fn new(limits: &Limits, proxies: &Proxies) -> Result<Self, LlmError> {
        let unusable = || LlmError::misconfigured(Misconfigured::Client);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls().map_err(|_| unusable())?)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            // A redirect would carry the key to another host.
            .redirect(reqwest::redirect::Policy::none());
        let client = proxies.apply(client).and_then(|client| client.build()).map_err(|_| unusable())?;
        let executor = Executor::start().map_err(|_| unusable())?;
        Ok(Self { client, executor, proxies: proxies.clone() })
    }

    /// Asks once. The caller bounds the total time.
    pub(crate) async fn exchange(
        &self,
        provider: ProviderId,
        target: &Target,
        question: &Question,
        dialect: &Dialect,
        limits: &Limits,
        listener: &mut Listener<'_>,
    ) -> Result<Reply, Failure> {
        let url = target.url(dialect);
        let mut request = self.client.post(&url).body(target.body(question, dialect).to_string());
        for (name, value) in target.headers(question) {
            request = request.header(name, value);
        }
        let exchange = Exchange {
            limits: *limits,
            asked_tokens: dialect.output_tokens(question),
            proxied: self.proxies.find(&url).is_some(),
            key: target.key().unwrap_or_default().to_owned(),
            schema: question.schema.as_ref().map(|schema| schema.json.clone()),
        };
        let arrived = self.executor.run(listener, |deltas| exchange.run(request, deltas)).await;
        // No panic is known; if there is one, the reply is the cause.
        let reading = arrived.unwrap_or_else(|| Err(Failure::bad_reply(BadReply::Garbled)))?;
        let spoken = !reading.text.trim().is_empty();
        let reply = into_reply(reading, provider, &target.model, question)?;
        if !spoken {
            listener.deliver(&reply.text);
        }
        Ok(reply)
    }
}

/// What one request and its reply need to know of the question.
struct Exchange {
    limits: Limits,
    asked_tokens: u32,
    proxied: bool,
    key: String,
    schema: Option<Value>,
}

impl Exchange {
    async fn run(self, request: RequestBuilder, deltas: Deltas) -> Result<Reading, Failure> {
        let sent = timeout_at(Instant::now() + self.limits.first_byte, request.send()).await;
        let sent = sent.map_err(|_| Failure::timed_out(Limit::FirstByte))?;
        let response = sent.map_err(|error| from_reqwest(&error, self.proxied))?;
        let Some(inflate) = Inflate::new(response.headers()) else {
            return Err(Failure::bad_reply(BadReply::NotAReply));
        };
        match response.status().is_success() {
            true => self.read(response, inflate, deltas).await,
            false => Err(self.read_error(response, inflate).await),
        }
    }

    /// The reply of the model.
    async fn read(
        &self,
        mut response: Response,
        mut inflate: Inflate,
        deltas: Deltas,
    ) -> Result<Reading, Failure> {
        let mut frames = Frames::new(self.limits.max_reply_bytes.saturating_add(ENVELOPE_BYTES));
        let mut reading = Reading::new(self.limits.max_reply_bytes);
        let mut arrived = Vec::new();
        let mut last_event = Instant::now();
        while !reading.ended {
            let patience = match reading.stop {
                Some(_) => self.limits.between_bytes.min(AFTER_STOP),
                None => self.limits.between_bytes,
            };
            // A server that always has bytes for us would not let the timeout run.
            let chunk = match timeout_at(last_event + patience, response.chunk()).await {
                Ok(chunk) if last_event.elapsed() <= patience => chunk,
                _ if reading.stop.is_some() => break,
                _ => return Err(Failure::timed_out(Limit::BetweenBytes)),
            };
            let bytes = match chunk {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                // Everything that counts is here.
                Err(_) if reading.stop.is_some() => break,
                Err(error) => return Err(from_reqwest(&error, self.proxied)),
            };
            for part in bytes.chunks(INFLATE_BYTES) {
                let plain = inflate.push(part).map_err(|_| Failure::bad_reply(BadReply::Garbled))?;
                frames.push(&plain, &mut arrived).map_err(unreadable)?;
                if !arrived.is_empty() {
                    last_event = Instant::now();
                }
                self.take(&mut arrived, &mut reading, &deltas)?;
            }
            if frames.page().is_some_and(|page| page.len() > ERROR_BYTES) {
                break;
            }
        }
        if let Some(page) = frames.page() {
            let reason = Reason::from_body(&self.without_key(&String::from_utf8_lossy(page)));
            return Err(LlmError::bad_reply(BadReply::NotAReply).because(reason).into());
        }
        if !reading.ended {
            frames.finish(&mut arrived).map_err(unreadable)?;
            self.take(&mut arrived, &mut reading, &deltas)?;
            reading.ended |= frames.is_document();
        }
        let ended = reading.stop.is_some() || reading.ended || reading.refused;
        if ended || self.is_complete(&reading.text) {
            return Ok(reading);
        }
        Err(match reading.events {
            0 => Failure::bad_reply(BadReply::Empty),
            _ => Failure::connection_lost(),
        })
    }

    /// Some servers mark no end at all; a complete document is one.
    fn is_complete(&self, text: &str) -> bool {
        self.schema.as_ref().is_some_and(|schema| json::document(text, schema, true).is_some())
    }

    fn take(&self, frames: &mut Vec<Frame>, reading: &mut Reading, deltas: &Deltas) -> Result<(), Failure> {
        for frame in frames.drain(..) {
            let event = match frame {
                Frame::Alive => continue,
                Frame::End => {
                    reading.ended = true;
                    return Ok(());
                }
                Frame::Error(text) => return Err(self.error_event(&text, reading)),
                Frame::Event(event) if is_error(&event) => {
                    return Err(self.error_event(&event.to_string(), reading));
                }
                Frame::Event(event) => event,
            };
            let delta = reading.read(&event).map_err(|TooLarge| Failure::bad_reply(BadReply::TooLarge))?;
            if let Some(deltas) = deltas.as_ref().filter(|_| !delta.is_empty()) {
                // Without a receiver the request is about to be dropped.
                let _ = deltas.send(delta);
            }
        }
        Ok(())
    }

    fn error_event(&self, text: &str, reading: &Reading) -> Failure {
        if reading.refused {
            return LlmError::refused(Refusal::Content).into();
        }
        let failure = from_error_event(&self.without_key(text), self.asked_tokens);
        if reading.events > 0 { failure.half_way() } else { failure }
    }

    /// The error of an HTTP status, with as much of its body as arrives.
    async fn read_error(&self, mut response: Response, mut inflate: Inflate) -> Failure {
        let mut body = Vec::new();
        let mut last = Instant::now();
        while body.len() < ERROR_BYTES {
            let chunk = timeout_at(last + self.limits.between_bytes, response.chunk()).await;
            let Ok(Ok(Some(bytes))) = chunk else { break };
            last = Instant::now();
            for part in bytes.chunks(INFLATE_BYTES) {
                let Ok(plain) = inflate.push(part) else { break };
                body.extend_from_slice(&plain[..plain.len().min(ERROR_BYTES)]);
            }
        }
        let body = self.without_key(&String::from_utf8_lossy(&body));
        from_status(response.status(), response.headers(), &body, self.asked_tokens)
    }

    /// Vendors repeat keys.
    fn without_key(&self, text: &str) -> String {
        match self.key.as_str() {
            "" => text.to_owned(),
            key => text.replace(key, "[removed]"),
        }
    }
}

fn unreadable(error: FrameError) -> Failure {
    Failure::bad_reply(match error {
        FrameError::Garbled => BadReply::Garbled,
        FrameError::TooLarge => BadReply::TooLarge,
    })
}

/// Judges what was read: the text, or why there is none.
fn into_reply(
    reading: Reading,
    provider: ProviderId,
    model: &str,
    question: &Question,
) -> Result<Reply, Failure> {
    let Reading { text, thoughts, call, stop, refused, mut usage, .. } = reading;
    usage.cost_micro_usd = usage.cost_micro_usd.or_else(|| price::cost_micro_usd(provider, model, &usage));
    let reason = Reason::default();
    let bad = |what| Err(LlmError::BadReply { what, usage, reason: Reason::default() }.into());
    if refused || stop == Some(Stop::Filtered) {
        return Err(LlmError::Refused { why: Refusal::Content, usage, reason }.into());
    }
    let has_answer = |text: &str| {
        question.schema.as_ref().is_some_and(|schema| json::document(text, &schema.json, true).is_some())
    };
    let is_blank = |text: &str| text.trim().is_empty();
    let silent = is_blank(&call) && json::has_only_thoughts(&text);
    let answer = [text, call, thoughts].into_iter().find(|text| !is_blank(text)).unwrap_or_default();
    match stop {
        // Models that repeat white space after the document until they reach the limit have answered.
        Some(Stop::CutOff) if has_answer(&answer) => {}
        Some(Stop::CutOff) if silent => return bad(BadReply::OnlyThoughts),
        Some(Stop::CutOff) => return bad(BadReply::CutOff),
        Some(Stop::Failed | Stop::Other) => return bad(BadReply::Unfinished),
        Some(Stop::Called | Stop::Complete | Stop::Filtered) | None => {}
    }
    if is_blank(&answer) {
        return bad(BadReply::Empty);
    }
    Ok(Reply { text: answer, usage })
}

/// Bytes of a body without their compression.
enum Inflate {
    None,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
}

impl Inflate {
    /// `None` for a compression that was not asked for and is not supported.
    fn new(headers: &HeaderMap) -> Option<Self> {
        let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
        match encoding.as_deref().map_or(&b""[..], |encoding| encoding.trim_ascii()) {
            b"" | b"identity" | b"none" | b"utf-8" => Some(Self::None),
            b"gzip" | b"x-gzip" => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))),
            b"deflate" => Some(Self::Deflate(Box::new(ZlibDecoder::new(Vec::new())))),
            _ => None,
        }
    }

    /// What these few bytes expand to: at most about a thousand times as many.
    fn push(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(bytes.to_owned()),
            Self::Gzip(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(decoder) => {
                decoder.write_all(bytes)?;
                decoder.flush()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
        }
    }
}

/// The common configuration, with HTTP/2 where the vendor supports it.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut config = crate::tls_config()?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
