//! Signing in with an identity provider (OpenID Connect): who the person is here that somebody is there.
//!
//! A person is found by what the provider calls them, and by their e-mail address only where the provider vouches for it.
//! A second factor that they have here is asked for all the same.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{
    CredentialEvents, Identity, NewAuditEvent, NewUser, ProjectId, StoreError, TimeUs, User, UserId,
};

use super::{
    email, name,
    sign_in::{From, SignedIn, admit},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    oidc_client::{Chosen, Claims, OidcError, Provider},
    secrets,
};
use config::comma_separated;

/// How long somebody may take to sign in there, in seconds.
pub const UNDER_WAY_S: i64 = 10 * 60;
/// Longer addresses to go to afterwards would not fit into a cookie.
const LONGEST_NEXT: usize = 1000;
const CONTEXT: &str = "single sign-on under way";

/// What is kept between sending somebody there and their coming back: sealed, by their browser alone.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    until_us: i64,
}

/// Somebody who is on the way there.
pub struct Begun {
    /// Where to send the browser.
    pub url: String,
    /// What the browser keeps until it comes back, for at most [`UNDER_WAY_S`].
    pub sealed: String,
}

/// What the browser brought back.
#[derive(Default)]
pub struct Answer {
    /// What was chosen when it was sent there.
    pub state: String,
    /// What to exchange for who it is.
    pub code: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Who answered, if they say so (RFC 9207).
    pub issuer: Option<String>,
}

/// What became of it.
pub struct Finished {
    /// Where they wanted to go; nobody has looked whether that is a path of this server.
    pub next: String,
    /// Whether they are in.
    pub outcome: Result<SignedIn, Error>,
}

/// What people know the provider as; none where there is none.
pub fn provider_name(app: &App) -> Option<&str> {
    app.oidc.as_ref().map(Provider::name)
}

fn provider(app: &App) -> Result<&Provider, Error> {
    app.oidc.as_ref().ok_or(Error::NotFound("identity provider"))
}

/// Sends somebody to the provider.
///
/// # Errors
/// When there is none, or it does not answer.
pub async fn begin(app: &App, next: &str) -> Result<Begun, Error> {
    let provider = provider(app)?;
    if !store(app)?.has_users().await? {
        return Err(Error::Conflict(
            "This server has no accounts yet. Set up the first one at /set-up, then sign in.".to_owned(),
        ));
    }
    let chosen = Chosen {
        state: secrets::new_secret()?,
        nonce: secrets::new_secret()?,
        verifier: secrets::new_secret()?,
    };
    let url = match provider.authorization_url(&chosen).await {
        Ok(url) => url,
        Err(error) => return Err(explain(provider, &error)),
    };
    let under_way = UnderWay {
        state: chosen.state,
        nonce: chosen.nonce,
        verifier: chosen.verifier,
        next: if next.len() > LONGEST_NEXT { String::new() } else { next.to_owned() },
        until_us: app.clock.now_us().plus_seconds(UNDER_WAY_S).as_micros(),
    };
    let plain = serde_json::to_vec(&under_way)
        .map_err(|_| Error::Internal("a sign-in under way could not be written".to_owned()))?;
    Ok(Begun { url, sealed: app.sealer()?.seal(CONTEXT, &plain)? })
}

/// Lets somebody in who comes back from the provider.
pub async fn finish(app: &App, sealed: Option<&str>, answer: &Answer, from: &From) -> Finished {
    let under_way = sealed.and_then(|sealed| app.sealer().ok()?.open(CONTEXT, sealed));
    let under_way: Option<UnderWay> = under_way.and_then(|plain| serde_json::from_slice(&plain).ok());
    let next = under_way.as_ref().map(|under_way| under_way.next.clone()).unwrap_or_default();
    let outcome = come_back(app, under_way, answer, from).await;
    Finished { next, outcome }
}

async fn come_back(
    app: &App,
    under_way: Option<UnderWay>,
    answer: &Answer,
    from: &From,
) -> Result<SignedIn, Error> {
    let provider = provider(app)?;
    let stale = |why| {
        count(why);
        Error::SignIn(
            "This sign-in was not begun in this browser, took longer than ten minutes, or is finished already. Sign in again."
                .to_owned(),
        )
    };
    let Some(under_way) = under_way.filter(|it| app.clock.now_us() < TimeUs::from_micros(it.until_us)) else {
        return Err(stale("not_under_way"));
    };
    if under_way.state != answer.state || answer.issuer.as_deref().is_some_and(|it| it != provider.issuer()) {
        return Err(stale("wrong_state"));
    }
    let Some(code) = answer.code.as_deref().filter(|_| answer.error.is_none()) else {
        return Err(declined(provider, answer.error.as_deref()));
    };
    let chosen = Chosen { state: under_way.state, nonce: under_way.nonce, verifier: under_way.verifier };
    let claims = match provider.redeem(code, &chosen).await {
        Ok(claims) => claims,
        Err(error) => return Err(explain(provider, &error)),
    };
    let person = match find_person(app, &claims).await? {
        Some(person) => person,
        // Of two browsers of the same person, the other one was first.
        None => find_person(app, &claims).await?.ok_or_else(|| {
            Error::Conflict("Somebody was changing this account meanwhile. Sign in again.".to_owned())
        })?,
    };
    if person.disabled_at.is_some() {
        count("refused");
        let event = Caller::local().did(app, "session.refuse", None, person.id.as_str(), &json!({}))?;
        store(app)?.record_audit_event(&event).await?;
        return Err(Error::Forbidden("This account is disabled. Ask whoever runs this server.".to_owned()));
    }
    let signed_in = admit(app, person, from).await?;
    count(if matches!(signed_in, SignedIn::Done(_)) { "signed_in" } else { "code_needed" });
    Ok(signed_in)
}

/// Whether the setting oidc.email_domains admits an e-mail address.
pub(crate) fn is_allowed_domain(app: &App, address: &str) -> bool {
    let mut domains = comma_separated(&app.config.oidc.email_domains).peekable();
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    domains.peek().is_none()
        || domain.is_some_and(|domain| domains.any(|allowed| allowed.eq_ignore_ascii_case(domain)))
}

/// Who it is here; none if somebody else wrote the same meanwhile, and it is to be looked for again.
async fn find_person(app: &App, claims: &Claims) -> Result<Option<User>, Error> {
    let store = store(app)?;
    // What is no address of ours is none. Small letters of ASCII alone: others may become those of somebody else's address,
    // such as the sign of the kelvin.
    let small = |text: &str| email(text).ok().filter(|small| *small == text.trim().to_ascii_lowercase());
    let address = claims.verified_email.as_deref().and_then(small);
    // No address is of no domain.
    if !is_allowed_domain(app, address.as_deref().unwrap_or_default()) {
        return Err(refused(
            "People come in this way only with a confirmed e-mail address of certain domains, and yours is none of them. Ask whoever runs this server.",
        ));
    }
    match store.find_identity(&claims.issuer, &claims.subject).await {
        Ok(identity) => return Ok(Some(store.find_user(&identity.user_id).await?)),
        Err(StoreError::NotFound { .. }) => (),
        Err(other) => return Err(other.into()),
    }
    let Some(address) = address else {
        // Whether there is an account of the address, only its owner may learn.
        return Err(refused(
            "You are not known here yet, and the other side does not say that your e-mail address is confirmed. Confirm it there, or sign in with your password.",
        ));
    };
    match store.find_user_by_email(&address).await {
        // They get no other way in.
        Ok(person) if person.disabled_at.is_some() => Ok(Some(person)),
        Ok(person) => link(app, claims, person).await,
        Err(StoreError::NotFound { .. }) => create(app, claims, address).await,
        Err(other) => Err(other.into()),
    }
}

/// Links an identity to the account of its e-mail address. If the account has not proven the address by mail, the provider is the
/// first to prove it, and what the account could be entered with before is removed: another person may have made it to wait for
/// this one. (Refusing instead would let anyone lock people out who registers their addresses first.)
async fn link(app: &App, claims: &Claims, person: User) -> Result<Option<User>, Error> {
    let identity = Identity {
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        user_id: person.id.clone(),
        created_at: app.clock.now_us(),
    };
    let event = |action, subject: &str| {
        let event = Caller::local().did(app, action, None, subject, &json!({"single_sign_on": true}))?;
        Ok::<_, Error>(NewAuditEvent { user_id: Some(person.id.clone()), ..event })
    };
    let change = event("identity.create", &public_id(&identity))?;
    let verified = event("email.verify", person.id.as_str())?;
    let revoked = event("credentials.revoke", person.id.as_str())?;
    let events = CredentialEvents { change: &change, verified: &verified, revoked: &revoked };
    match store(app)?.create_identity(&identity, &person.email, events).await {
        Ok(linked) => {
            if person.verified_at.is_none() {
                tracing::info!(user.id = %person.id, "An account was linked whose address was not proven; its credentials are removed");
            }
            Ok(Some(linked))
        }
        Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// Makes somebody who has no password.
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
    let event = Caller::local().did(app, "user.create", None, user.id.as_str(), &details)?;
    match store(app)?.create_user(&user, &event).await {
        Ok(person) => Ok(Some(person)),
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(StoreError::NotFound { .. }) => Err(refused(
            "You have no account here, and nobody has invited your e-mail address. Ask whoever runs this server for an invitation.",
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

/// The provider has no code for us. Its own words were written by whoever made the link, so that they are not repeated.
fn declined(provider: &Provider, error: Option<&str>) -> Error {
    let name = provider.name();
    match error {
        Some("access_denied") => {
            count("denied");
            Error::SignIn(format!(
                "{name} did not let you in, or you said no there. Sign in again if you want to."
            ))
        }
        Some("server_error" | "temporarily_unavailable") => {
            count("unavailable");
            Error::Unavailable(format!("{name} cannot sign anybody in now. Try again in a minute."))
        }
        _ => {
            count("declined");
            tracing::warn!(
                "The identity provider sent somebody back without a code: is this server registered with it as it should be?"
            );
            Error::SignIn(format!(
                "{name} could not sign you in. Try again; if it stays so, tell whoever runs this server."
            ))
        }
    }
}

/// What went wrong with the provider, for the log and for whoever wanted to sign in.
fn explain(provider: &Provider, error: &OidcError) -> Error {
    let name = provider.name();
    match error {
        OidcError::Unreachable => {
            count("unavailable");
            tracing::warn!("The identity provider was not asked who somebody is: {error}");
            Error::Unavailable(format!(
                "{name} does not answer now. Try again in a minute, or sign in with your password."
            ))
        }
        OidcError::Misconfigured(_) | OidcError::Strange => {
            count("unavailable");
            tracing::error!("The identity provider cannot be used: {error}");
            Error::Unavailable(format!(
                "Signing in with {name} does not work at the moment. Tell whoever runs this server, or sign in with your password."
            ))
        }
        OidcError::CodeRefused => {
            count("code_refused");
            Error::SignIn(format!("{name} says that this sign-in is over. Sign in again."))
        }
        OidcError::Token(_) => {
            count("token_refused");
            tracing::warn!("Somebody was not signed in by the identity provider: {error}");
            Error::SignIn(format!(
                "What {name} says about you cannot be believed, so you are not signed in. Sign in again; if it stays so, tell whoever runs this server."
            ))
        }
    }
}

/// An identity as its owner sees it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id, which says nothing to others.
    pub id: String,
    /// The provider, as it calls itself.
    pub issuer: String,
    /// What people know it as, if it is the one that is in use.
    pub name: Option<String>,
    /// Since when.
    pub created_at: TimeUs,
}

fn public_id(identity: &Identity) -> String {
    format!("idn_{}", secrets::hash(&format!("{}\n{}", identity.issuer, identity.subject)))
}

/// With which providers the caller can sign in.
///
/// # Errors
/// When they have no account.
pub async fn list_identities(app: &App, caller: &Caller) -> Result<Vec<Listed>, Error> {
    let identities = store(app)?.list_identities(&caller.account()?.id).await?;
    let name = |issuer: &str| {
        app.oidc.as_ref().filter(|provider| provider.issuer() == issuer).map(|it| it.name().to_owned())
    };
    let listed = identities.into_iter().map(|identity| Listed {
        id: public_id(&identity),
        name: name(&identity.issuer),
        issuer: identity.issuer,
        created_at: identity.created_at,
    });
    Ok(listed.collect())
}

/// Lets the caller sign in with a provider no more. Should it vouch for their e-mail address again, they are known again.
///
/// # Errors
/// When there is no such identity of theirs, or they could not sign in any more.
pub async fn delete_identity(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let person = caller.in_person()?;
    let store = store(app)?;
    let identities = store.list_identities(&person.id).await?;
    let identity =
        identities.iter().find(|identity| public_id(identity) == id).ok_or(Error::NotFound("identity"))?;
    let event = caller.did(app, "identity.delete", None, id, &json!({}))?;
    Ok(store.delete_identity(&person.id, &identity.issuer, &identity.subject, &event).await?)
}
