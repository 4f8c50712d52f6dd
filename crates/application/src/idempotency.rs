//! Idempotency of requests (`Idempotency-Key`).
//!
//! The key is stored in the transaction of the change (`store::Fence`), so a process killed at any time leaves
//! neither a change without its key nor a key without its change. The response is stored afterwards; if the process
//! is killed before that, a repeated request is answered with an error that names what was changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{Fence, NewRequest};

use super::{
    Error,
    access::{Caller, store},
    secrets,
};
use crate::app::App;

/// Lifetime of a key.
const KEY_TTL_S: i64 = 24 * 3600;
/// A request without a heartbeat for this long counts as aborted.
const LEASE_S: i64 = 15;
/// Interval of heartbeats.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Larger responses are not stored; a repeated request is answered with what was changed.
const MAX_ANSWER_BYTES: usize = 2 << 20;

/// A stored response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    /// The headers that are repeated.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The decision about a request with a key.
#[derive(Debug)]
pub enum Claim {
    /// Execute it as this caller, and complete it with [`IdempotentRequest::end`].
    First(Box<Caller>, IdempotentRequest),
    /// It was executed before; repeat the stored response.
    Replay(Answer),
}

/// A request that is being executed.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    key_hash: String,
    name: String,
    /// Id of the token; all sessions of a user count as one credential.
    credential: String,
}

/// Claims the key of a request. `asked` is everything that identifies the request.
pub async fn begin(app: &App, caller: &Caller, key: &str, asked: &[&[u8]]) -> Result<Claim, Error> {
    if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "Idempotency-Key",
            "An idempotency key must have 1 to 255 visible characters. Use a UUID, for example.",
        ));
    }
    // A key is unique for its user, across tokens. The stored response is repeated only to the credential that
    // received it, because it may contain a secret.
    let owner = caller.user_id().map_or_else(|| "local".to_owned(), ToString::to_string);
    let attempt = IdempotentRequest {
        key_hash: secrets::hash(&format!("{owner}\n{key}")),
        name: secrets::new_secret()?,
        credential: caller.token_id().map_or_else(|| "session".to_owned(), ToString::to_string),
    };
    let now = app.clock.now_us();
    let fingerprint = secrets::hash_all(asked);
    let request = NewRequest {
        key_hash: &attempt.key_hash,
        fingerprint: &fingerprint,
        attempt: &attempt.name,
        lease_until: now.plus_seconds(LEASE_S),
        expires_at: now.plus_seconds(KEY_TTL_S),
    };
    let Some(before) = store(app)?.begin_request(&request, now).await? else {
        let fence = Fence::Request { key_hash: attempt.key_hash.clone(), attempt: attempt.name.clone() };
        return Ok(Claim::First(Box::new(caller.clone().with_fence(fence)), attempt));
    };
    if before.fingerprint != fingerprint {
        return Err(Error::invalid(
            "Idempotency-Key",
            "This key was used for another request. Use a new key for each request.",
        ));
    }
    let is_answered = before.answer.is_some();
    if let Some(sealed) = before.answer {
        let plain = app.sealer()?.open(&attempt.context(), &sealed);
        let answer = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        if let Some(answer) = answer {
            metrics::counter!("ba_copilot_idempotent_replays_total").increment(1);
            return Ok(Claim::Replay(answer));
        }
    }
    match before.subject {
        // The response will be stored soon, if the process is alive.
        Some(_) | None if before.lease_until > now && !is_answered => Err(Error::InProgress {
            message: "A request with this key is in progress. Send it again in a moment to get its response."
                .to_owned(),
            wait_s: 1,
        }),
        Some(subject) => Err(Error::Conflict(format!(
            "A request with this key was completed, and its response is lost or belongs to another token. Read \
             what it created or changed: {subject}."
        ))),
        // The lease ended between two reads.
        None => Err(Error::InProgress {
            message: "A request with this key has just ended. Send it again.".to_owned(),
            wait_s: 1,
        }),
    }
}

impl IdempotentRequest {
    fn context(&self) -> String {
        format!("answer to {} for {}", self.key_hash, self.credential)
    }

    /// Extends the lease of the request.
    pub async fn send_heartbeat(&self, app: &App) -> Result<(), Error> {
        let until = app.clock.now_us().plus_seconds(LEASE_S);
        store(app)?.renew_request_lease(&self.key_hash, &self.name, until).await?;
        Ok(())
    }

    /// Stores the response, if something was changed; `None` for a response that cannot be repeated.
    pub async fn end(&self, app: &App, answer: Option<&Answer>) -> Result<(), Error> {
        let store = store(app)?;
        let sealed = match answer.filter(|answer| answer.body.len() <= MAX_ANSWER_BYTES) {
            Some(answer) => {
                let plain = serde_json::to_vec(answer).map_err(|error| Error::Internal(error.to_string()))?;
                Some(app.sealer()?.seal(&self.context(), &plain)?)
            }
            None => None,
        };
        Ok(store.end_request(&self.key_hash, &self.name, sealed.as_deref()).await?)
    }
}
