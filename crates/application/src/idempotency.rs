//! Requests that are carried out once, however often they are sent (`Idempotency-Key`).
//!
//! Which key belongs to which change is written in the transaction of the change (`store::Fence`), so that a process that is
//! killed between the two leaves neither a change without its key nor a key without its change. The answer is kept afterwards; if
//! the process is killed before that, whoever asks again is told what was changed instead.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{Fence, NewRequest};

use super::{
    Error,
    access::{Caller, store},
    secrets,
};
use crate::app::App;

/// How long a key is remembered.
const REMEMBERED_S: i64 = 24 * 3600;
/// How long an attempt that says nothing is believed alive, and how often it says something.
const LEASE_S: i64 = 15;
/// How often an attempt says that it is alive.
pub const BEAT: Duration = Duration::from_secs(5);
/// Longer answers are not kept; whoever asks again is told what was changed.
const MAX_ANSWER_BYTES: usize = 2 << 20;

/// An answer, as it is given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What to do with a request that has a key.
#[derive(Debug)]
pub enum Begun {
    /// Carry it out, as this caller, and end it with [`Attempt::end`].
    First(Box<Caller>, Attempt),
    /// It was carried out before; this was the answer.
    Again(Answer),
}

/// An attempt to carry out a request.
#[derive(Debug, Clone)]
pub struct Attempt {
    key_hash: String,
    name: String,
    /// The token that the caller came with; sessions of a person are all the same here.
    credential: String,
}

/// Begins to carry out a request of the caller, with the key that they chose and everything that it asks for.
///
/// # Errors
/// When the key is none, was used for something else, or another attempt is under way.
pub async fn begin(app: &App, caller: &Caller, key: &str, asked: &[&[u8]]) -> Result<Begun, Error> {
    if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "Idempotency-Key",
            "An idempotency key is 1 to 255 visible characters, for example a UUID.",
        ));
    }
    // Each person's keys are their own, whichever token they come with; an answer is given again to the credential alone that got
    // it, because it may hold a secret which another token must not learn.
    let owner = caller.user_id().map_or_else(|| "local".to_owned(), ToString::to_string);
    let attempt = Attempt {
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
        expires_at: now.plus_seconds(REMEMBERED_S),
    };
    let Some(before) = store(app)?.begin_request(&request, now).await? else {
        let fence = Fence::Request { key_hash: attempt.key_hash.clone(), attempt: attempt.name.clone() };
        return Ok(Begun::First(Box::new(caller.clone().fenced(fence)), attempt));
    };
    if before.fingerprint != fingerprint {
        return Err(Error::invalid(
            "Idempotency-Key",
            "This key was used for another request. Choose a new one for each thing that you want done.",
        ));
    }
    let is_answered = before.answer.is_some();
    if let Some(sealed) = before.answer {
        let plain = app.sealer()?.open(&attempt.context(), &sealed);
        let answer = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        if let Some(answer) = answer {
            metrics::counter!("ba_copilot_idempotent_replays_total").increment(1);
            return Ok(Begun::Again(answer));
        }
    }
    match before.subject {
        // The answer is about to be kept, if its process is alive.
        Some(_) | None if before.lease_until > now && !is_answered => Err(Error::TooEarly {
            message:
                "A request with this key is being carried out. Send it again in a moment for its answer."
                    .to_owned(),
            wait_s: 1,
        }),
        Some(subject) => Err(Error::Conflict(format!(
            "A request with this key was carried out, and its answer was lost or belongs to another token. What it made or changed is {subject}; read that."
        ))),
        // Its lease ended between two looks.
        None => Err(Error::TooEarly {
            message: "A request with this key ended just now. Send it again.".to_owned(),
            wait_s: 1,
        }),
    }
}

impl Attempt {
    fn context(&self) -> String {
        format!("answer to {} for {}", self.key_hash, self.credential)
    }

    /// Says that the attempt is alive.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn beat(&self, app: &App) -> Result<(), Error> {
        let until = app.clock.now_us().plus_seconds(LEASE_S);
        store(app)?.renew_request_lease(&self.key_hash, &self.name, until).await?;
        Ok(())
    }

    /// Keeps the answer, if something was changed; none for an answer that cannot be given again.
    ///
    /// # Errors
    /// When the database does not answer.
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
