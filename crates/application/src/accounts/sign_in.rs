//! Signing in and out, and knowing a caller again.

use secrecy::SecretString;
use serde_json::json;
use store::{AttemptLimit, CodePurpose, OneTimeCode, Session, SessionId, StoreError, TimeUs, User};

use super::{
    HOUR_S,
    attempts::{self, MAX_FAILURES, Reserved, WINDOW_S},
    email, passwords, totp,
};
use crate::{
    Error,
    access::{self, Caller, store},
    app::App,
    mail_limits,
    network::Network,
    page::every,
    secrets,
};

/// What somebody sends to sign in.
pub struct Attempt {
    /// Their e-mail address.
    pub email: String,
    /// Their password.
    pub password: SecretString,
    /// The code of their second factor, if they sent it along.
    pub code: Option<String>,
    /// From where.
    pub from: From,
}

/// From where somebody signs in.
#[derive(Clone, Default)]
pub struct From {
    /// The secret that the browser keeps from the last time, if any.
    pub device: Option<String>,
    /// What the browser calls itself.
    pub device_name: String,
    /// The network.
    pub network: Network,
}

/// What became of an attempt.
pub enum SignedIn {
    /// They are in.
    Done(Box<NewSession>),
    /// The password was right; this is the ticket for [`finish`], with the code of the second factor.
    CodeNeeded(String),
}

/// A session that began.
pub struct NewSession {
    /// What the browser must send from now on.
    pub secret: String,
    /// What the browser keeps for the next time.
    pub device: String,
    /// Who is signed in.
    pub person: User,
    /// How long it lasts at most, in seconds.
    pub max_age_s: i64,
}

/// So many failures of one network, behind which many people may be.
const MAX_NETWORK_FAILURES: u32 = 100;
/// A secret that was just replaced is good for so long, because requests may be on their way with it.
const GRACE_S: i64 = 60;
/// A use is written down at most this often.
const TOUCH_S: i64 = 60;
/// How long somebody may look for the code of their second factor.
const TICKET_S: i64 = 5 * 60;
/// Devices that were not seen for so long are strangers again.
const DEVICE_S: i64 = 365 * 24 * HOUR_S;

/// Signs somebody in.
///
/// # Errors
/// When the password or the code is wrong (which of them, and whether there is such a person, is not said), or there
/// were too many failures.
pub async fn sign_in(app: &App, attempt: Attempt) -> Result<SignedIn, Error> {
    let store = store(app)?;
    // An address that is none is no reason to answer sooner or otherwise.
    let email = email(&attempt.email).unwrap_or_default();
    let person = match store.find_user_by_email(&email).await {
        Ok(person) => Some(person),
        Err(StoreError::NotFound { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    let guess = Guess::begin(app, &email, person.as_ref(), &attempt.from).await?;
    let usable = person.filter(|person| person.disabled_at.is_none());
    let hash = usable.as_ref().and_then(|person| person.password_hash.clone());
    let right = match passwords::verify(app, &attempt.password, hash.as_deref()).await {
        Ok(right) => right,
        Err(error) => return Err(guess.not_looked_at(app, error).await?),
    };
    let Some(person) = usable.filter(|_| right) else {
        return Err(guess.failed(app).await?);
    };
    if person.second_factor.is_some() {
        let Some(code) = &attempt.code else {
            guess.half_way(app).await?;
            return admit(app, person, &attempt.from).await;
        };
        match totp::accepts(app, &person, code).await {
            Ok(true) => (),
            Ok(false) => return Err(guess.failed(app).await?),
            Err(error) => return Err(guess.not_looked_at(app, error).await?),
        }
    }
    guess.succeeded(app).await?;
    Ok(SignedIn::Done(Box::new(begin(app, person, &attempt.from).await?)))
}

/// Lets somebody in who has proven who they are, or asks for the second factor, if they have one.
pub(super) async fn admit(app: &App, person: User, from: &From) -> Result<SignedIn, Error> {
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

/// Finishes signing in with the code of the second factor.
///
/// # Errors
/// As for [`sign_in`]; also when the ticket is too old.
pub async fn finish(app: &App, ticket: &str, code: &str, from: &From) -> Result<NewSession, Error> {
    let store = store(app)?;
    let too_late = || Error::SignIn("This took too long. Sign in again.".to_owned());
    let now = app.clock.now_us();
    let hash = secrets::hash(ticket);
    let waits = store.find_code(&hash, CodePurpose::SecondFactor, now).await.map_err(|_| too_late())?;
    let person = store.find_user(&waits.user_id.ok_or_else(too_late)?).await?;
    let guess = Guess::begin(app, &person.email, Some(&person), from).await?;
    if person.disabled_at.is_some() {
        return Err(guess.failed(app).await?);
    }
    match totp::accepts(app, &person, code).await {
        Ok(true) => (),
        Ok(false) => return Err(guess.failed(app).await?),
        Err(error) => return Err(guess.not_looked_at(app, error).await?),
    }
    store.take_code(&hash, CodePurpose::SecondFactor, now).await.map_err(|_| too_late())?;
    guess.succeeded(app).await?;
    begin(app, person, from).await
}

/// Begins a session of somebody who has proven who they are.
pub(crate) async fn begin(app: &App, person: User, from: &From) -> Result<NewSession, Error> {
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
    let caller = Caller::by_session(person.clone(), session.id.clone(), now);
    let event = caller.did(app, "session.create", None, session.id.as_str(), &json!({}))?;
    // Refused if the password that was proven is not that of the account any more.
    let proven = person.password_hash.as_deref();
    store.create_session(&session, &secrets::hash(&device), proven, &event).await?;
    let attempts_before = now.plus_seconds(-WINDOW_S.max(mail_limits::WINDOW_S));
    store.delete_expired_credentials(now, attempts_before, now.plus_seconds(-DEVICE_S)).await?;
    Ok(NewSession { secret, device, person, max_age_s })
}

/// A caller who was known again.
pub struct Known {
    /// Who.
    pub caller: Caller,
    /// The secret that the browser must keep instead, if it was replaced.
    pub new_secret: Option<String>,
}

/// The caller behind the secret of a session; none if it is not good, or not any more.
///
/// # Errors
/// When the database does not answer.
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
    } else if session.seen_at <= now.plus_seconds(-TOUCH_S) {
        store.touch_session(&session.id, now).await?;
    }
    Ok(Some(Known { caller: Caller::by_session(person, session.id, session.created_at), new_secret }))
}

/// The caller behind a token; none if it is not good, or not any more.
///
/// # Errors
/// When the database does not answer.
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
    if token.used_at.is_none_or(|used| used <= now.plus_seconds(-TOUCH_S)) {
        store.touch_token(&token.id, now).await?;
    }
    Ok(Some(Caller::by_token(person, token.id, &token.scopes)))
}

/// Whether what a caller came with, some time ago, is still good.
///
/// # Errors
/// When it is not.
pub(crate) async fn still_good(app: &App, caller: &Caller) -> Result<(), Error> {
    let over = || Error::SignIn("You are not signed in any more. Sign in again.".to_owned());
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
                let tokens = every(|page| async move { store.list_tokens(person, &page).await }).await?;
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
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What the browser calls itself.
    pub device: String,
    /// When it began.
    pub created_at: TimeUs,
    /// When it was last used.
    pub seen_at: TimeUs,
    /// It is the one that asks.
    pub current: bool,
}

/// Where the caller is signed in.
///
/// # Errors
/// When they have no account.
pub async fn list_sessions(app: &App, caller: &Caller) -> Result<Vec<Listed>, Error> {
    let person = caller.account()?;
    let sessions = store(app)?.list_sessions(&person.id).await?;
    let listed = sessions.into_iter().map(|session| Listed {
        current: caller.session() == Some(&session.id),
        id: session.id.to_string(),
        device: session.device,
        created_at: session.created_at,
        seen_at: session.seen_at,
    });
    Ok(listed.collect())
}

/// Ends a session of the caller.
///
/// # Errors
/// When they have no such session.
pub async fn delete_session(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let person = caller.account()?;
    let id = SessionId::parse(id).map_err(|_| Error::NotFound("session"))?;
    let event = caller.did(app, "session.delete", None, id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_session(&person.id, &id, &event).await?)
}

/// What to answer when there were too many failures.
pub(super) fn too_many(wait_s: u64) -> Error {
    Error::TooMany {
        message: format!(
            "Signing in failed too often. Wait {} minutes, or use a browser in which you have signed in before, or ask for a new password.",
            wait_s.div_ceil(60)
        ),
        wait_s,
    }
}

/// A guess at the password or the code of an account, counted from the start. Browsers in which its owner has signed in before
/// are counted apart from strangers, so that strangers who guess cannot lock the owner out. Dropped, it stays counted.
struct Guess {
    own: String,
    reserved: Reserved,
    person: Option<User>,
}

impl Guess {
    /// Counts a guess, or refuses it. The steps are the same whether there is such a person or not.
    async fn begin(app: &App, email: &str, person: Option<&User>, from: &From) -> Result<Self, Error> {
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
        // Hashed, so that no address is stored.
        let network = format!("address:{}", secrets::hash(from.network.as_str()));
        // A known device is not held back by what others in its network do.
        let network_max = if known { u32::MAX } else { MAX_NETWORK_FAILURES };
        let limits = vec![
            AttemptLimit { bucket: own.clone(), max: MAX_FAILURES },
            AttemptLimit { bucket: network, max: network_max },
        ];
        match attempts::reserve(app, limits, WINDOW_S).await? {
            Ok(reserved) => Ok(Guess { own, reserved, person: person.cloned() }),
            Err(wait_s) => Err(too_many(wait_s)),
        }
    }

    /// It was wrong; what to answer. What only happens for an account that exists happens after the response.
    async fn failed(self, app: &App) -> Result<Error, Error> {
        if let Some(person) = &self.person {
            let event = Caller::local().did(app, "session.refuse", None, person.id.as_str(), &json!({}))?;
            let (store, record) = (store(app)?.clone(), event.clone());
            let later = app.after_response.run(async move {
                if let Err(error) = store.record_audit_event(&record).await {
                    tracing::error!("A refused sign-in is missing in the audit log: {error}");
                }
            });
            if later.is_err() {
                access::store(app)?.record_audit_event(&event).await?;
            }
        }
        metrics::counter!("ba_copilot_sign_in_failures_total").increment(1);
        Ok(Error::SignIn("The e-mail address, the password or the code is wrong.".to_owned()))
    }

    /// Nothing was compared, for this reason: so it was no guess.
    async fn not_looked_at(self, app: &App, why: Error) -> Result<Error, Error> {
        self.reserved.give_back(app).await?;
        Ok(why)
    }

    /// The password was right, and the code is to come. Earlier failures stay counted: they may have been of the code.
    async fn half_way(self, app: &App) -> Result<(), Error> {
        self.reserved.give_back(app).await
    }

    /// It was right.
    async fn succeeded(self, app: &App) -> Result<(), Error> {
        self.reserved.clear(app, &self.own).await
    }
}
