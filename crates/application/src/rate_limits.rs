//! Rate limits by token, user and network, shared by all processes through Redis if configured, else in memory.

use std::sync::Arc;

use store::{TokenId, UserId};

use super::{access::Caller, secrets::Namer};
use crate::{
    app::App,
    network::Network,
    quota::{Counted, Counters, Quota},
    shared_memory::SharedMemory,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimitKey<'a> {
    Token(&'a TokenId),
    User(&'a UserId),
    Address(&'a Network),
    /// A token of the setting `mcp.token`, by its hash.
    McpToken(&'a str),
}

impl RateLimitKey<'_> {
    fn word(self) -> &'static str {
        match self {
            RateLimitKey::Token(_) => "token",
            RateLimitKey::User(_) => "user",
            RateLimitKey::Address(_) => "address",
            RateLimitKey::McpToken(_) => "mcp",
        }
    }
}

pub struct Limiter {
    user: Quota,
    token: Quota,
    address: Quota,
    mcp: Quota,
    names: Namer,
    shared: Option<SharedMemory>,
    here: Counters,
}

impl Limiter {
    pub fn new(app: &App) -> Arc<Self> {
        let limits = &app.config.limits;
        Arc::new(Limiter {
            user: Quota::per_minute(limits.requests_per_minute),
            token: Quota::per_minute(limits.token_requests_per_minute),
            address: Quota::per_minute(limits.address_requests_per_minute),
            mcp: Quota::per_minute(app.config.mcp.calls_per_minute),
            names: Namer::new(&app.config, "limits"),
            shared: app.shared_memory.clone(),
            here: Counters::default(),
        })
    }

    /// Counts a request; returns the seconds to wait if it is over a limit.
    pub async fn count_request(&self, caller: Option<&Caller>, address: &Network) -> Option<u64> {
        if caller.is_some_and(Caller::is_local) {
            return None;
        }
        let token = caller.and_then(Caller::token_id).map(RateLimitKey::Token);
        let user = caller.and_then(Caller::user_id).map(RateLimitKey::User);
        let keys: Vec<RateLimitKey<'_>> =
            token.into_iter().chain(user).chain([RateLimitKey::Address(address)]).collect();
        self.count(&keys).await
    }

    /// Counts a call against all of these limits, or against none; returns the seconds to wait if it is over one.
    pub async fn count(&self, keys: &[RateLimitKey<'_>]) -> Option<u64> {
        let counted: Vec<Counted> = keys.iter().map(|key| self.counted(*key)).collect();
        let shared = match &self.shared {
            Some(shared) => shared.count(&counted).await.ok(),
            None => None,
        };
        // Also counted in memory, so that an outage of Redis does not reset the limits.
        let answer = match shared {
            Some(Err(wait)) => Err(wait),
            Some(Ok(())) => {
                let _ = self.here.count(&counted);
                Ok(())
            }
            None => self.here.count(&counted),
        };
        let wait = answer.err()?;
        let by = if shared.is_some() { "all" } else { "this" };
        let narrowest = keys.first().map_or("", |key| key.word());
        metrics::counter!("ba_copilot_limited_requests_total", "caller" => narrowest, "processes" => by)
            .increment(1);
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    fn counted(&self, key: RateLimitKey<'_>) -> Counted {
        let word = key.word();
        let (id, quota) = match key {
            RateLimitKey::Token(id) => (id.as_str().to_owned(), self.token),
            RateLimitKey::User(id) => (id.as_str().to_owned(), self.user),
            RateLimitKey::Address(network) => (network.as_str().to_owned(), self.address),
            RateLimitKey::McpToken(hash) => (hash.to_owned(), self.mcp),
        };
        Counted { name: format!("limit:{word}:{}", self.names.name(&[word, &id])), quota }
    }
}
