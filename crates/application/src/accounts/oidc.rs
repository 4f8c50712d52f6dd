//! Single sign-on with an identity provider (OpenID Connect).
//!
//! A user is found by issuer and subject, and by e-mail address only if the provider marks it as verified. A second
//! factor configured here is still required.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    CredentialEvents, Identity, NewAuditEvent, NewUser, ProjectId, StoreError, TimeUs, User, UserId,
};

use super::{
    email, name,
    sign_in::{ClientInfo, SignedIn, complete_first_factor},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    oidc_client::{Claims, OidcError, OidcProvider, SignInSecrets},
    secrets,
};
use config::comma_separated;

/// Time limit of a sign-in at the provider, in seconds.
pub const SIGN_IN_TTL_S: i64 = 10 * 60;
/// Longer redirect targets do not fit into the cookie.
const MAX_NEXT_BYTES: usize = 1000;
const CONTEXT: &str = "single sign-on under way";

/// State of a sign-in at the provider, sealed in a cookie of the browser.
#[derive(Serialize, Deserialize)]
struct PendingSignIn {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until_us: i64,
}

/// A started sign-in.
pub struct StartedSignIn {
    /// Authorization URL of the provider.
    pub url: String,
    /// Cookie value, valid for [`SIGN_IN_TTL_S`].
    pub sealed: String,
}

/// Query parameters of the callback.
#[derive(Default)]
pub struct CallbackParams {
    pub state: String,
    pub code: Option<String>,
    pub error: Option<String>,
    /// Issuer of the response (RFC 9207).
    pub issuer: Option<String>,
}

/// A finished sign-in.
pub struct Finished {
    /// Redirect target. Not validated: the caller must check that it is a path of this server.
    pub next: String,
    pub outcome: Result<SignedIn, Error>,
}

/// Display name of the provider; `None` without one.
pub fn provider_name(app: &App) -> Option<&str> {
    app.oidc.as_ref().map(OidcProvider::name)
}

fn provider(app: &App) -> Result<&OidcProvider, Error> {
    app.oidc.as_ref().ok_or(Error::NotFound("identity provider"))
}

/// Starts a sign-in at the provider.
pub async fn begin(app: &App, next: &str) -> Result<StartedSignIn, Error> {
    let provider = provider(app)?;
    if !store(app)?.has_users().await? {
        return Err(Error::Conflict(
            "This server has no accounts. Create the first one at /set-up, then sign in.".to_owned(),
        ));
    }
    let chosen = SignInSecrets {
        state: secrets::new_secret()?,
        nonce: secrets::new_secret()?,
        verifier: secrets::new_secret()?,
    };
    let url = match provider.authorization_url(&chosen).await {
        Ok(url) => url,
        Err(error) => return Err(explain(provider, &error)),
    };
    let pending = PendingSignIn {
        state: chosen.state,
        nonce: chosen.nonce,
        verifier: chosen.verifier,
        next: if next.len() > MAX_NEXT_BYTES { String::new() } else { next.to_owned() },
        until_us: app.clock.now_us().plus_seconds(SIGN_IN_TTL_S).as_micros(),
    };
    let plain = serde_json::to_vec(&pending)
        .map_err(|_| Error::Internal("a sign-in under way could not be written".to_owned()))?;
    Ok(StartedSignIn { url, sealed: app.sealer()?.seal(CONTEXT, &plain)? })
}

/// Completes a sign-in after the callback.
pub async fn finish(app: &App, sealed: Option<&str>, answer: &CallbackParams, from: &ClientInfo) -> Finished {
    let pending = sealed.and_then(|sealed| app.sealer().ok()?.open(CONTEXT, sealed));
    let pending: Option<PendingSignIn> = pending.and_then(|plain| serde_json::from_slice(&plain).ok());
    let next = pending.as_ref().map(|pending| pending.next.clone()).unwrap_or_default();
    let outcome = handle_callback(app, pending, answer, from).await;
    Finished { next, outcome }
}

async fn handle_callback(
    app: &App,
    pending: Option<PendingSignIn>,
    answer: &CallbackParams,
    from: &ClientInfo,
) -> Result<SignedIn, Error> {
    let provider = provider(app)?;
    let stale = |why| {
        count(why);
        Error::Unauthenticated(
            "This sign-in was not started in this browser, took longer than ten minutes, or is already complete. \
             Sign in again."
                .to_owned(),
        )
    };
    let Some(pending) = pending.filter(|it| app.clock.now_us() < TimeUs::from_micros(it.until_us)) else {
        return Err(stale("not_under_way"));
    };
    if pending.state != answer.state || answer.issuer.as_deref().is_some_and(|it| it != provider.issuer()) {
        return Err(stale("wrong_state"));
    }
    let Some(code) = answer.code.as_deref().filter(|_| answer.error.is_none()) else {
        return Err(declined(provider, answer.error.as_deref()));
    };
    let chosen = SignInSecrets { state: pending.state, nonce: pending.nonce, verifier: pending.verifier };
    let claims = match provider.redeem(code, &chosen).await {
        Ok(claims) => claims,
        Err(error) => return Err(explain(provider, &error)),
    };
    let person = match find_person(app, &claims).await? {
        Some(person) => person,
        // A concurrent request of the same user wrote the identity first.
        None => find_person(app, &claims).await?.ok_or_else(|| {
            Error::Conflict("The account was changed during the sign-in. Sign in again.".to_owned())
        })?,
    };
    if person.disabled_at.is_some() {
        count("refused");
        let event =
            Caller::local().audit_event(app, "session.refuse", None, person.id.as_str(), &json!({}))?;
        store(app)?.record_audit_event(&event).await?;
        return Err(Error::Forbidden(
            "This account is disabled. Ask an administrator of this server.".to_owned(),
        ));
    }
    let signed_in = complete_first_factor(app, person, from).await?;
    count(if matches!(signed_in, SignedIn::Done(_)) { "signed_in" } else { "code_needed" });
    Ok(signed_in)
}

pub(crate) fn is_allowed_domain(app: &App, address: &str) -> bool {
    let mut domains = comma_separated(&app.config.oidc.email_domains).peekable();
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    domains.peek().is_none()
        || domain.is_some_and(|domain| domains.any(|allowed| allowed.eq_ignore_ascii_case(domain)))
}

/// Finds or creates the user of an identity; `None` after a concurrent write, and the search is to be repeated.
async fn find_person(app: &App, claims: &Claims) -> Result<Option<User>, Error> {
    let store = store(app)?;
    // An invalid address is treated as missing. Only ASCII letters are folded: Unicode folding can map another user's
    // address to this one, such as the Kelvin sign to `k`.
    let small = |text: &str| email(text).ok().filter(|small| *small == text.trim().to_ascii_lowercase());
    let address = claims.verified_email.as_deref().and_then(small);
    // A missing address is in no allowed domain.
    if !is_allowed_domain(app, address.as_deref().unwrap_or_default()) {
        return Err(refused(
            "Single sign-on requires a verified e-mail address of an allowed domain. Ask an administrator of this \
             server.",
        ));
    }
    match store.find_identity(&claims.issuer, &claims.subject).await {
        Ok(identity) => return Ok(Some(store.find_user(&identity.user_id).await?)),
        Err(StoreError::NotFound { .. }) => (),
        Err(other) => return Err(other.into()),
    }
    let Some(address) = address else {
        // Does not disclose whether an account with the address exists.
        return Err(refused(
            "You have no account here, and the identity provider reports no verified e-mail address. Verify it \
             there, or sign in with your password.",
        ));
    };
    match store.find_user_by_email(&address).await {
        // Single sign-on does not bypass a disabled account.
        Ok(person) if person.disabled_at.is_some() => Ok(Some(person)),
        Ok(person) => link(app, claims, person).await,
        Err(StoreError::NotFound { .. }) => create(app, claims, address).await,
        Err(other) => Err(other.into()),
    }
}

/// Links an identity to the account with its e-mail address. If the account has not verified the address by mail, its
/// other credentials are removed: another person may have registered the address in advance. (Refusing instead would
/// let anyone block users by registering their addresses first.)
async fn link(app: &App, claims: &Claims, person: User) -> Result<Option<User>, Error> {
    let identity = Identity {
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        user_id: person.id.clone(),
        created_at: app.clock.now_us(),
    };
    let event = |action, subject: &str| {
        let event =
            Caller::local().audit_event(app, action, None, subject, &json!({"single_sign_on": true}))?;
        Ok::<_, Error>(NewAuditEvent { user_id: Some(person.id.clone()), ..event })
    };
    let change = event("identity.create", &public_id(&identity))?;
    let verified = event("email.verify", person.id.as_str())?;
    let revoked = event("credentials.revoke", person.id.as_str())?;
    let events = CredentialEvents { change: &change, verified: &verified, revoked: &revoked };
    match store(app)?.create_identity(&identity, &person.email, events).await {
        Ok(linked) => {
            if person.verified_at.is_none() {
                tracing::info!(user.id = %person.id, "Linked an account with an unverified e-mail address and \
                    removed its credentials");
            }
            Ok(Some(linked))
        }
        Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Creates an account without a password.
async fn create(app: &App, claims: &Claims, address: String) -> Result<Option<User>, Error> {
    let now = app.clock.now_us();
    let before_at = address.split('@').next().unwrap_or_default();
    let person_name = match claims.name.as_deref().map(|given| name("name", given)) {
        Some(Ok(given)) => given,
        _ => name("name", before_at)?,
    };
    let user = NewUser {
        id: UserId::parse(app.clock.new_id("usr"))?,
        project_name: format!("{person_name}'s project"),
        name: person_name,
        email: address,
        password_hash: None,
        admin: false,
        verified_at: Some(now),
        created_at: now,
        project_id: ProjectId::parse(app.clock.new_id("prj"))?,
        must_be_first: false,
        must_be_invited: !app.config.oidc.sign_up,
        identity: Some((claims.issuer.clone(), claims.subject.clone())),
    };
    let details = json!({"admin": false, "single_sign_on": true});
    let event = Caller::local().audit_event(app, "user.create", None, user.id.as_str(), &details)?;
    match store(app)?.create_user(&user, &event).await {
        Ok(person) => Ok(Some(person)),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(StoreError::NotFound { .. }) => Err(refused(
            "You have no account here, and there is no invitation for your e-mail address. Ask an administrator \
             of this server for an invitation.",
        )),
        Err(other) => Err(other.into()),
    }
}

fn refused(why: &str) -> Error {
    count("refused");
    Error::Forbidden(why.to_owned())
}

fn count(outcome: &'static str) {
    metrics::counter!("ba_copilot_oidc_sign_ins_total", "outcome" => outcome).increment(1);
}

/// Error for a callback without a code. The parameters of the callback may be forged, so the provider's text is not
/// repeated.
fn declined(provider: &OidcProvider, error: Option<&str>) -> Error {
    let name = provider.name();
    match error {
        Some("access_denied") => {
            count("denied");
            Error::Unauthenticated(format!(
                "{name} denied the sign-in, or you cancelled it. Sign in again to retry."
            ))
        }
        Some("server_error" | "temporarily_unavailable") => {
            count("unavailable");
            Error::Unavailable(format!("{name} is not available. Try again in a minute."))
        }
        _ => {
            count("declined");
            tracing::warn!(
                "The identity provider returned no authorization code. Check the registration of this server with \
                 the provider."
            );
            Error::Unauthenticated(format!(
                "{name} could not complete the sign-in. Try again; if it fails again, contact an administrator of \
                 this server."
            ))
        }
    }
}

/// Logs a failure of the provider and returns the error for the user.
fn explain(provider: &OidcProvider, error: &OidcError) -> Error {
    let name = provider.name();
    match error {
        OidcError::Unreachable => {
            count("unavailable");
            tracing::warn!("Single sign-on failed: {error}");
            Error::Unavailable(format!(
                "{name} does not respond. Try again in a minute, or sign in with your password."
            ))
        }
        OidcError::Misconfigured(_) | OidcError::Strange => {
            count("unavailable");
            tracing::error!("Single sign-on is misconfigured: {error}");
            Error::Unavailable(format!(
                "Sign-in with {name} is misconfigured. Contact an administrator of this server, or sign in with \
                 your password."
            ))
        }
        OidcError::CodeRefused => {
            count("code_refused");
            Error::Unauthenticated(format!("The sign-in at {name} has expired. Sign in again."))
        }
        OidcError::Token(_) => {
            count("token_refused");
            tracing::warn!("Single sign-on was refused: {error}");
            Error::Unauthenticated(format!(
                "The response of {name} could not be verified, so you are not signed in. Sign in again; if it \
                 fails again, contact an administrator of this server."
            ))
        }
    }
}

/// An identity as its owner sees it.
#[derive(Debug, Clone)]
pub struct IdentityView {
    /// Hash of issuer and subject.
    pub id: String,
    pub issuer: String,
    /// Display name of the provider, if it is the configured one.
    pub name: Option<String>,
    pub created_at: TimeUs,
}

fn public_id(identity: &Identity) -> String {
    format!("idn_{}", secrets::hash(&format!("{}\n{}", identity.issuer, identity.subject)))
}

pub async fn list_identities(app: &App, caller: &Caller) -> Result<Vec<IdentityView>, Error> {
    let identities = store(app)?.list_identities(&caller.require_account()?.id).await?;
    let name = |issuer: &str| {
        app.oidc.as_ref().filter(|provider| provider.issuer() == issuer).map(|it| it.name().to_owned())
    };
    let listed = identities.into_iter().map(|identity| IdentityView {
        id: public_id(&identity),
        name: name(&identity.issuer),
        issuer: identity.issuer,
        created_at: identity.created_at,
    });
    Ok(listed.collect())
}

/// Unlinks an identity. If the provider verifies the caller's e-mail address again, the identity is linked again.
pub async fn delete_identity(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let person = caller.require_session()?;
    let store = store(app)?;
    let identities = store.list_identities(&person.id).await?;
    let identity =
        identities.iter().find(|identity| public_id(identity) == id).ok_or(Error::NotFound("identity"))?;
    let event = caller.audit_event(app, "identity.delete", None, id, &json!({}))?;
    Ok(store.delete_identity(&person.id, &identity.issuer, &identity.subject, &event).await?)
}
