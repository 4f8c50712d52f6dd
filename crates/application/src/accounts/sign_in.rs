//! Sign-in, sign-out, sessions, and authentication of requests.

use secrecy::SecretString;
use serde_json::json;
use store::{AttemptLimit, CodePurpose, OneTimeCode, Session, SessionId, StoreError, TimeUs, User};

use super::{HOUR_S, email, passwords, totp};
use crate::{
    Error,
    access::{self, Caller, store},
    app::App,
    attempts::{self, MAX_FAILURES, Reserved, WINDOW_S},
    mail_limits,
    network::Network,
    page::fetch_all,
    secrets,
};

/// A sign-in request.
pub struct Credentials {
    pub email: String,
    pub password: SecretString,
    /// Code of the second factor, if sent with the password.
    pub code: Option<String>,
    pub from: ClientInfo,
}

/// Browser and network of a sign-in.
#[derive(Clone, Default)]
pub struct ClientInfo {
    /// Device cookie from an earlier sign-in.
    pub device: Option<String>,
    /// `User-Agent` of the browser.
    pub device_name: String,
    pub network: Network,
}

/// Result of a sign-in.
pub enum SignedIn {
    Done(Box<NewSession>),
    /// The password is correct; the ticket is for [`finish`], with the code of the second factor.
    CodeNeeded(String),
}

/// A new session.
pub struct NewSession {
    /// Session cookie.
    pub secret: String,
    /// Device cookie.
    pub device: String,
    pub person: User,
    /// Longest lifetime, in seconds.
    pub max_age_s: i64,
}

/// Failures allowed from one network, which many users may share.
const MAX_NETWORK_FAILURES: u32 = 100;
/// A replaced session secret stays valid this long, for requests already in flight.
const GRACE_S: i64 = 60;
/// The last use of a session is written at most this often.
const LAST_USE_INTERVAL_S: i64 = 60;
/// Time limit for the second step.
const TICKET_S: i64 = 5 * 60;
/// A device not seen for this long is unknown again.
const DEVICE_S: i64 = 365 * 24 * HOUR_S;

pub async fn sign_in(app: &App, attempt: Credentials) -> Result<SignedIn, Error> {
    let store = store(app)?;
    // An invalid address takes the same path, so that the timing does not differ.
    let email = email(&attempt.email).unwrap_or_default();
    let person = match store.find_user_by_email(&email).await {
        Ok(person) => Some(person),
        Err(StoreError::NotFound { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    let guess = SignInGuard::begin(app, &email, person.as_ref(), &attempt.from).await?;
    let usable = person.filter(|person| person.disabled_at.is_none());
    let hash = usable.as_ref().and_then(|person| person.password_hash.clone());
    let right = match passwords::verify(app, &attempt.password, hash.as_deref()).await {
        Ok(right) => right,
        Err(error) => return Err(guess.release(app, error).await?),
    };
    let Some(person) = usable.filter(|_| right) else {
        return Err(guess.failed(app).await?);
    };
    if person.second_factor.is_some() {
        let Some(code) = &attempt.code else {
            guess.password_verified(app).await?;
            return complete_first_factor(app, person, &attempt.from).await;
        };
        match totp::verify_code(app, &person, code).await {
            Ok(true) => (),
            Ok(false) => return Err(guess.failed(app).await?),
            Err(error) => return Err(guess.release(app, error).await?),
        }
    }
    guess.record_success(app).await?;
    Ok(SignedIn::Done(Box::new(begin(app, person, &attempt.from).await?)))
}

/// Starts a session for an authenticated user, or requests the second factor.
pub(super) async fn complete_first_factor(
    app: &App,
    person: User,
    from: &ClientInfo,
) -> Result<SignedIn, Error> {
    if person.second_factor.is_none() {
        return Ok(SignedIn::Done(Box::new(begin(app, person, from).await?)));
    }
    let now = app.clock.now_us();
    let ticket = secrets::new_secret()?;
    let waits = OneTimeCode {
        user_id: Some(person.id),
        email: None,
        created_at: now,
        expires_at: now.plus_seconds(TICKET_S),
    };
    store(app)?.create_code(&secrets::hash(&ticket), CodePurpose::SecondFactor, &waits).await?;
    Ok(SignedIn::CodeNeeded(ticket))
}

/// Completes a sign-in with the code of the second factor.
pub async fn finish(app: &App, ticket: &str, code: &str, from: &ClientInfo) -> Result<NewSession, Error> {
    let store = store(app)?;
    let too_late = || Error::Unauthenticated("The sign-in has expired. Sign in again.".to_owned());
    let now = app.clock.now_us();
    let hash = secrets::hash(ticket);
    let waits = store.find_code(&hash, CodePurpose::SecondFactor, now).await.map_err(|_| too_late())?;
    let person = store.find_user(&waits.user_id.ok_or_else(too_late)?).await?;
    let guess = SignInGuard::begin(app, &person.email, Some(&person), from).await?;
    if person.disabled_at.is_some() {
        return Err(guess.failed(app).await?);
    }
    match totp::verify_code(app, &person, code).await {
        Ok(true) => (),
        Ok(false) => return Err(guess.failed(app).await?),
        Err(error) => return Err(guess.release(app, error).await?),
    }
    store.take_code(&hash, CodePurpose::SecondFactor, now).await.map_err(|_| too_late())?;
    guess.record_success(app).await?;
    begin(app, person, from).await
}

/// Creates a session for an authenticated user.
pub(crate) async fn begin(app: &App, person: User, from: &ClientInfo) -> Result<NewSession, Error> {
    let store = store(app)?;
    let now = app.clock.now_us();
    let max_age_s = app.config.accounts.session_max_h.saturating_mul(HOUR_S);
    let secret = secrets::new_secret()?;
    let device = match &from.device {
        Some(device)
            if store.find_device_user(&secrets::hash(device)).await?.as_ref() == Some(&person.id) =>
        {
            device.clone()
        }
        _ => secrets::new_secret()?,
    };
    let session = Session {
        id: SessionId::parse(app.clock.new_id("ses"))?,
        secret_hash: secrets::hash(&secret),
        previous_hash: None,
        user_id: person.id.clone(),
        device: from.device_name.chars().filter(|c| !c.is_control()).take(200).collect(),
        created_at: now,
        rotated_at: now,
        seen_at: now,
        expires_at: now.plus_seconds(max_age_s),
    };
    let caller = Caller::from_session(person.clone(), session.id.clone(), now);
    let event = caller.audit_event(app, "session.create", None, session.id.as_str(), &json!({}))?;
    // Fails if the password was changed since it was verified.
    let proven = person.password_hash.as_deref();
    store.create_session(&session, &secrets::hash(&device), proven, &event).await?;
    let attempts_before = now.plus_seconds(-WINDOW_S.max(mail_limits::WINDOW_S));
    store.delete_expired_credentials(now, attempts_before, now.plus_seconds(-DEVICE_S)).await?;
    Ok(NewSession { secret, device, person, max_age_s })
}

/// The result of authenticating a session cookie.
pub struct Known {
    pub caller: Caller,
    /// New session cookie, if the secret was rotated.
    pub new_secret: Option<String>,
}

/// Finds the caller of a session cookie; `None` if it is invalid or expired.
pub async fn find_session(app: &App, secret: &str) -> Result<Option<Known>, Error> {
    let store = store(app)?;
    let now = app.clock.now_us();
    let hash = secrets::hash(secret);
    let session = match store.find_session(&hash).await {
        Ok(session) => session,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let replaced = session.secret_hash != hash;
    let idle = app.config.accounts.session_idle_h.saturating_mul(HOUR_S);
    if session.expires_at <= now
        || session.seen_at <= now.plus_seconds(-idle)
        || (replaced && session.rotated_at <= now.plus_seconds(-GRACE_S))
    {
        return Ok(None);
    }
    let person = store.find_user(&session.user_id).await?;
    if person.disabled_at.is_some() {
        return Ok(None);
    }
    let mut new_secret = None;
    if !replaced
        && session.rotated_at <= now.plus_seconds(-app.config.accounts.session_rotate_min.saturating_mul(60))
    {
        let secret = secrets::new_secret()?;
        if store.rotate_session(&session.id, &hash, &secrets::hash(&secret), now).await? {
            new_secret = Some(secret);
        }
    } else if session.seen_at <= now.plus_seconds(-LAST_USE_INTERVAL_S) {
        store.touch_session(&session.id, now).await?;
    }
    Ok(Some(Known { caller: Caller::from_session(person, session.id, session.created_at), new_secret }))
}

/// Finds the caller of an access token; `None` if it is invalid or expired.
pub async fn find_token(app: &App, secret: &str) -> Result<Option<Caller>, Error> {
    let store = store(app)?;
    let now = app.clock.now_us();
    let token = match store.find_token(&secrets::hash(secret)).await {
        Ok(token) => token,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    if token.revoked_at.is_some() || token.expires_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    let person = store.find_user(&token.user_id).await?;
    if person.disabled_at.is_some() {
        return Ok(None);
    }
    if token.used_at.is_none_or(|used| used <= now.plus_seconds(-LAST_USE_INTERVAL_S)) {
        store.touch_token(&token.id, now).await?;
    }
    Ok(Some(Caller::from_token(person, token.id, &token.scopes)))
}

/// Checks that the session or token of a long-lived request is still valid.
pub(crate) async fn verify_credentials(app: &App, caller: &Caller) -> Result<(), Error> {
    let over =
        || Error::Unauthenticated("Your session or token is no longer valid. Sign in again.".to_owned());
    let (store, now) = (store(app)?, app.clock.now_us());
    let Some(person) = caller.user_id() else {
        return if super::is_local(app).await? { Ok(()) } else { Err(over()) };
    };
    let good = store.find_user(person).await?.disabled_at.is_none()
        && match (caller.session(), caller.token_id()) {
            (Some(session), _) => {
                let sessions = store.list_sessions(person).await?;
                sessions.iter().any(|known| known.id == *session && known.expires_at > now)
            }
            (None, Some(token)) => {
                let tokens = fetch_all(|page| async move { store.list_tokens(person, &page).await }).await?;
                let known = tokens.iter().find(|known| known.id == *token);
                known.is_some_and(|known| {
                    known.revoked_at.is_none() && known.expires_at.is_none_or(|end| end > now)
                })
            }
            (None, None) => true,
        };
    if good { Ok(()) } else { Err(over()) }
}

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct SessionView {
    pub id: String,
    /// `User-Agent` of the browser.
    pub device: String,
    pub created_at: TimeUs,
    pub seen_at: TimeUs,
    /// Whether it is the session of the caller.
    pub current: bool,
}

pub async fn list_sessions(app: &App, caller: &Caller) -> Result<Vec<SessionView>, Error> {
    let person = caller.require_account()?;
    let sessions = store(app)?.list_sessions(&person.id).await?;
    let listed = sessions.into_iter().map(|session| SessionView {
        current: caller.session() == Some(&session.id),
        id: session.id.to_string(),
        device: session.device,
        created_at: session.created_at,
        seen_at: session.seen_at,
    });
    Ok(listed.collect())
}

pub async fn delete_session(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let person = caller.require_account()?;
    let id = SessionId::parse(id).map_err(|_| Error::NotFound("session"))?;
    let event = caller.audit_event(app, "session.delete", None, id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_session(&person.id, &id, &event).await?)
}

/// Error after too many failures.
pub(super) fn too_many(wait_s: u64) -> Error {
    Error::RateLimited {
        message: format!(
            "There were too many failed sign-ins. Wait {} minutes, use a browser in which you have signed in \
             before, or reset your password.",
            wait_s.div_ceil(60)
        ),
        wait_s,
    }
}

/// A counted guess of a password or code. Known devices of the account are counted apart from unknown ones, so that
/// an attacker cannot lock the owner out. If dropped, the guess stays counted.
struct SignInGuard {
    own: String,
    reserved: Reserved,
    person: Option<User>,
}

impl SignInGuard {
    /// Counts a guess, or refuses it. Takes the same steps whether the account exists or not.
    async fn begin(app: &App, email: &str, person: Option<&User>, from: &ClientInfo) -> Result<Self, Error> {
        let device = from.device.as_deref().map(secrets::hash);
        let user = match &device {
            Some(device) => store(app)?.find_device_user(device).await?,
            None => None,
        };
        let known = user.is_some() && user.as_ref() == person.map(|person| &person.id);
        let own = match device.filter(|_| known) {
            Some(device) => format!("device:{device}"),
            None => format!("email:{}", secrets::hash(email)),
        };
        // Hashed: e-mail addresses are not stored in the attempt table.
        let network = format!("address:{}", secrets::hash(from.network.as_str()));
        // A known device is not limited by failures of others in its network.
        let network_max = if known { u32::MAX } else { MAX_NETWORK_FAILURES };
        let limits = vec![
            AttemptLimit { bucket: own.clone(), max: MAX_FAILURES },
            AttemptLimit { bucket: network, max: network_max },
        ];
        match attempts::reserve(app, limits, WINDOW_S).await? {
            Ok(reserved) => Ok(SignInGuard { own, reserved, person: person.cloned() }),
            Err(wait_s) => Err(too_many(wait_s)),
        }
    }

    /// The guess was wrong. Work that is done only for an existing account runs after the response.
    async fn failed(self, app: &App) -> Result<Error, Error> {
        if let Some(person) = &self.person {
            let event =
                Caller::local().audit_event(app, "session.refuse", None, person.id.as_str(), &json!({}))?;
            let (store, record) = (store(app)?.clone(), event.clone());
            let later = app.after_response.run(async move {
                if let Err(error) = store.record_audit_event(&record).await {
                    tracing::error!("Writing a failed sign-in to the audit log failed: {error}");
                }
            });
            if later.is_err() {
                access::store(app)?.record_audit_event(&event).await?;
            }
        }
        metrics::counter!("ba_copilot_sign_in_failures_total").increment(1);
        Ok(Error::Unauthenticated("The e-mail address, the password or the code is wrong.".to_owned()))
    }

    /// The guess was not verified: uncounts it and returns the reason.
    async fn release(self, app: &App, why: Error) -> Result<Error, Error> {
        self.reserved.release(app).await?;
        Ok(why)
    }

    /// The password was correct, the code is still missing. Earlier failures stay counted: they may have been of the
    /// code.
    async fn password_verified(self, app: &App) -> Result<(), Error> {
        self.reserved.release(app).await
    }

    async fn record_success(self, app: &App) -> Result<(), Error> {
        self.reserved.clear(app, &self.own).await
    }
}
