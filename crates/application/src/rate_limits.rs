//! How often somebody may call: each token, each person and each network address, for all processes together where they share
//! a Redis, else in this one.

use std::sync::Arc;

use store::{TokenId, UserId};

use super::{access::Caller, secrets::Namer};
use crate::{
    app::App,
    network::Network,
    quota::{Counted, Counters, Quota},
    shared_memory::SharedMemory,
};

/// Whose calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// One token of somebody.
    Token(&'a TokenId),
    /// Somebody, by whatever they call.
    User(&'a UserId),
    /// Everyone in a network.
    Address(&'a Network),
    /// One token of the setting `mcp.token`, by its hash.
    McpToken(&'a str),
}

impl Whose<'_> {
    fn word(self) -> &'static str {
        match self {
            Whose::Token(_) => "token",
            Whose::User(_) => "user",
            Whose::Address(_) => "address",
            Whose::McpToken(_) => "mcp",
        }
    }
}

/// Counts calls.
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
    /// With the limits of the configuration.
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

    /// Counts a request of somebody, or of a stranger, from this address. In how many seconds they may call again, if not now.
    pub async fn count_request(&self, caller: Option<&Caller>, address: &Network) -> Option<u64> {
        if caller.is_some_and(Caller::is_local) {
            return None;
        }
        let token = caller.and_then(Caller::token_id).map(Whose::Token);
        let user = caller.and_then(Caller::user_id).map(Whose::User);
        let whose: Vec<Whose<'_>> = token.into_iter().chain(user).chain([Whose::Address(address)]).collect();
        self.count(&whose).await
    }

    /// Counts a call against each of these, or against none and says in how many seconds there may be another.
    pub async fn count(&self, whose: &[Whose<'_>]) -> Option<u64> {
        let counted: Vec<Counted> = whose.iter().map(|whose| self.counted(*whose)).collect();
        let shared = match &self.shared {
            Some(shared) => shared.count(&counted).await.ok(),
            None => None,
        };
        // Counted here too, so that nobody gets a second share when Redis goes away.
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
        let narrowest = whose.first().map_or("", |whose| whose.word());
        metrics::counter!("ba_copilot_limited_requests_total", "caller" => narrowest, "processes" => by)
            .increment(1);
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    fn counted(&self, whose: Whose<'_>) -> Counted {
        let word = whose.word();
        let (id, quota) = match whose {
            Whose::Token(id) => (id.as_str().to_owned(), self.token),
            Whose::User(id) => (id.as_str().to_owned(), self.user),
            Whose::Address(network) => (network.as_str().to_owned(), self.address),
            Whose::McpToken(hash) => (hash.to_owned(), self.mcp),
        };
        Counted { name: format!("limit:{word}:{}", self.names.name(&[word, &id])), quota }
    }
}
