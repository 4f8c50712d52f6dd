//! What an endpoint takes: the optional parts of a request, learned from its refusals.
//!
//! Vendors and gateways differ in the parameters that they accept, and change them without notice. A refused part is
//! left out or renamed, the question is sent again, and what worked is remembered for the endpoint and the model.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::endpoint::Endpoint;
use crate::providers::{Protocol, ProviderId};
use crate::question::Question;

/// Remembered endpoints; the oldest is forgotten first.
const MAX_REMEMBERED: usize = 128;

/// A gateway may get the missing part, or route to another server.
const REMEMBERED_FOR: Duration = Duration::from_secs(3600);

/// Shorter answers hold no diagram.
pub(crate) const MIN_OUTPUT_TOKENS: u32 = 256;

/// Corrections of the length of an answer for one question.
const MAX_CORRECTIONS: u8 = 3;

/// A part of the request that not every model or server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Complaint {
    Stream,
    /// Tokens are counted in the last event of the stream.
    StreamOptions,
    Schema,
    Temperature,
    /// The parameter with the length of the answer has another name.
    LengthName,
    /// The length is more than the model can write.
    Length {
        most: u32,
    },
}

/// The parameter with the maximum length of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthName {
    MaxTokens,
    MaxCompletionTokens,
    /// The server takes neither.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) streamed: bool,
    pub(crate) stream_options: bool,
    /// The vendor enforces a schema.
    pub(crate) structured: bool,
    pub(crate) temperature: bool,
    pub(crate) length_name: LengthName,
    /// Both names of the length were tried.
    renamed: bool,
    /// The longest answer of the model.
    most_tokens: Option<u32>,
    corrections: u8,
}

impl Dialect {
    fn new(provider: ProviderId, model: &str) -> Self {
        // OpenAI's reasoning models refuse the older name, which all other servers know.
        let reasoning = ["gpt-5", "gpt-6", "o1", "o3", "o4"].iter().any(|prefix| model.starts_with(prefix));
        Self {
            streamed: true,
            stream_options: true,
            structured: provider.row().structured,
            temperature: true,
            length_name: if reasoning { LengthName::MaxCompletionTokens } else { LengthName::MaxTokens },
            renamed: false,
            most_tokens: None,
            corrections: 0,
        }
    }

    pub(crate) fn output_tokens(&self, question: &Question) -> u32 {
        self.most_tokens.map_or(question.max_output_tokens, |most| most.min(question.max_output_tokens))
    }

    /// Gives up the rejected part; false if it was not in the request, so that another attempt would be the same.
    pub(crate) fn give_up(&mut self, complaint: Complaint, protocol: Protocol, question: &Question) -> bool {
        let part = match complaint {
            Complaint::Stream => &mut self.streamed,
            Complaint::StreamOptions if protocol.is_chat_completions() && self.streamed => {
                &mut self.stream_options
            }
            Complaint::Schema if question.schema.is_some() => &mut self.structured,
            Complaint::Temperature if question.temperature.is_some() => &mut self.temperature,
            Complaint::LengthName if protocol.is_chat_completions() => return self.rename_length(),
            Complaint::Length { most } => {
                let lower = most < self.output_tokens(question) && self.corrections < MAX_CORRECTIONS;
                if lower {
                    self.most_tokens = Some(most);
                    self.corrections += 1;
                }
                return lower;
            }
            _ => return false,
        };
        std::mem::take(part)
    }

    fn rename_length(&mut self) -> bool {
        self.length_name = match (self.length_name, self.renamed) {
            (LengthName::None, _) => return false,
            (_, true) => LengthName::None,
            (LengthName::MaxTokens, false) => LengthName::MaxCompletionTokens,
            (LengthName::MaxCompletionTokens, false) => LengthName::MaxTokens,
        };
        self.renamed = true;
        true
    }
}

/// The dialects of endpoints that refused something. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dialects(Arc<Mutex<VecDeque<Remembered>>>);

#[derive(Debug)]
struct Remembered {
    provider: ProviderId,
    base_url: Option<String>,
    model: String,
    dialect: Dialect,
    since: Instant,
}

impl Remembered {
    fn is_of(&self, endpoint: &Endpoint) -> bool {
        self.provider == endpoint.provider
            && self.model == endpoint.model
            && self.base_url == endpoint.base_url
    }
}

impl Dialects {
    pub(crate) fn of(&self, endpoint: &Endpoint, now: Instant) -> Dialect {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            remembered.iter().find(|known| known.is_of(endpoint) && now < known.since + REMEMBERED_FOR);
        known.map_or_else(|| Dialect::new(endpoint.provider, &endpoint.model), |known| known.dialect)
    }

    /// Remembers a dialect that worked.
    pub(crate) fn remember(&self, endpoint: &Endpoint, dialect: Dialect, now: Instant) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|known| !known.is_of(endpoint));
        if remembered.len() >= MAX_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(Remembered {
            provider: endpoint.provider,
            base_url: endpoint.base_url.clone(),
            model: endpoint.model.clone(),
            dialect: Dialect { corrections: 0, ..dialect },
            since: now,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(model: &str) -> Endpoint {
        Endpoint::new(ProviderId::Compatible).with_model(model).with_base_url("http://h/v1")
    }

    #[test]
    fn every_part_is_given_up_a_bounded_number_of_times() {
        let question = Question::new("", "?").with_schema("x", serde_json::json!({}));
        let mut dialect = Dialect::new(ProviderId::Compatible, "m");
        let mut refusals = 0;
        let complaints = [
            Complaint::Stream,
            Complaint::StreamOptions,
            Complaint::Schema,
            Complaint::Temperature,
            Complaint::LengthName,
        ];
        for complaint in complaints.into_iter().cycle().take(50) {
            refusals += usize::from(dialect.give_up(complaint, Protocol::ChatCompletions, &question));
        }
        for most in (1..question.max_output_tokens).rev() {
            let complaint = Complaint::Length { most };
            refusals += usize::from(dialect.give_up(complaint, Protocol::ChatCompletions, &question));
        }
        assert_eq!(refusals, 8);
        assert_eq!(dialect.length_name, LengthName::None);
        assert_eq!(dialect.output_tokens(&question), question.max_output_tokens - 3);
    }

    #[test]
    fn memory_is_bounded_in_size_and_time() {
        let now = Instant::now();
        let (dialects, learned) = (
            Dialects::default(),
            Dialect { temperature: false, ..Dialect::new(ProviderId::Compatible, "m") },
        );
        dialects.remember(&endpoint("m"), learned, now);
        assert_eq!(dialects.of(&endpoint("m"), now), learned);
        assert!(dialects.of(&endpoint("other"), now).temperature);
        assert!(dialects.of(&endpoint("m").with_base_url("http://other/v1"), now).temperature);
        assert!(dialects.of(&endpoint("m"), now + REMEMBERED_FOR).temperature);
        for n in 0..MAX_REMEMBERED {
            dialects.remember(&endpoint(&format!("m{n}")), learned, now);
        }
        assert!(dialects.of(&endpoint("m"), now).temperature);
        assert!(!dialects.of(&endpoint("m0"), now).temperature);
    }
}
