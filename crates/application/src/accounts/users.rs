//! People: how they come, what they change of themselves, how they leave.

use secrecy::SecretString;
use serde_json::{Value, json};
use store::{
    AuditFilter, AuditOf, CodePurpose, CredentialEvents, NewAuditEvent, NewUser, OneTimeCode, ProjectId,
    StoreError, User, UserId, UserUpdate,
};

use super::{
    HOUR_S, email, is_local, name, passwords,
    sign_in::{From, NewSession, begin},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    clock::rfc3339,
    mail::Letter,
    mail_limits::{MailKind, Sender, count_recipient, count_sender},
    network::Network,
    page::{Listing, Page, every},
    secrets,
};

/// How long a link to choose a password is good, in hours; as long for the link that makes the first person.
pub(super) const LINK_H: i64 = 24;

/// Somebody who is to come.
pub struct Newcomer {
    /// Their e-mail address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Their password; without one, they get a link to choose it.
    pub password: Option<SecretString>,
    /// They run the server.
    pub admin: bool,
}

/// Somebody who came, and the link that they need if they have no password yet.
pub struct Added {
    /// Who.
    pub person: User,
    /// Where they choose their password.
    pub link: Option<String>,
}

/// Makes the first person, who runs the server and owns what is there, and signs them in.
///
/// # Errors
/// When there is somebody already, or the server can be reached by others and the code is not good.
pub async fn set_up(
    app: &App,
    code: Option<&str>,
    newcomer: Newcomer,
    from: &From,
) -> Result<NewSession, Error> {
    let store = store(app)?;
    if store.has_users().await? {
        return Err(Error::Conflict("This server has been set up already. Sign in.".to_owned()));
    }
    let address = email(&newcomer.email)?;
    let password =
        newcomer.password.as_ref().ok_or_else(|| Error::invalid("password", "Choose a password."))?;
    passwords::check_new(app, password, &address).await?;
    name("name", &newcomer.name)?;
    if !is_local(app).await? {
        let hash = secrets::hash(code.unwrap_or_default());
        store.take_code(&hash, CodePurpose::SetUp, app.clock.now_us()).await.map_err(|_| {
            Error::Forbidden(
                "This link is not good, or not any more. Make another one with `ba-copilot user setup-link`."
                    .to_owned(),
            )
        })?;
    }
    let newcomer = Newcomer { admin: true, ..newcomer };
    // Whoever runs the server wrote the address; nothing has shown yet that it is theirs.
    let person = write(app, &Caller::local(), newcomer, true).await?;
    begin(app, person, from).await
}

/// There is somebody, or a link waits with which the first one can be made.
///
/// # Errors
/// When the database does not answer.
pub async fn is_set_up(app: &App) -> Result<bool, Error> {
    let store = store(app)?;
    Ok(store.has_users().await? || store.has_code(CodePurpose::SetUp, app.clock.now_us()).await?)
}

/// Makes a link with which the first person can be made from another machine.
///
/// # Errors
/// When there is somebody already.
pub async fn create_set_up_link(app: &App) -> Result<String, Error> {
    let store = store(app)?;
    if store.has_users().await? {
        return Err(Error::Conflict(
            "This server has been set up already; use `ba-copilot user add`.".to_owned(),
        ));
    }
    let secret = keep_code(app, CodePurpose::SetUp, None, None).await?;
    Ok(link(app, "/set-up", &secret))
}

/// Makes somebody. The first one runs the server.
///
/// # Errors
/// When the caller may not, or the e-mail address is taken.
pub async fn create_user(app: &App, caller: &Caller, newcomer: Newcomer) -> Result<Added, Error> {
    caller.admin()?;
    let first = !store(app)?.has_users().await?;
    if first && !caller.is_local() {
        return Err(Error::Internal("a caller without an account".to_owned()));
    }
    let address = email(&newcomer.email)?;
    if let Some(password) = &newcomer.password {
        passwords::check_new(app, password, &address).await?;
    }
    let newcomer = Newcomer { admin: newcomer.admin || first, ..newcomer };
    if newcomer.admin {
        caller.not_by_token("make anyone an administrator")?;
    }
    let has_password = newcomer.password.is_some();
    let person = write(app, caller, newcomer, first).await?;
    let link = if has_password { None } else { Some(create_shown_link(app, &person).await?) };
    Ok(Added { person, link })
}

/// An account that is made by following an invitation.
pub(crate) struct Invited<'a> {
    /// The hash of the link.
    pub(crate) link_hash: &'a str,
    /// The link was sent by mail alone, so that following it proves the e-mail address.
    pub(crate) mailed: bool,
    /// The event that the invitation is accepted; the account becomes its author.
    pub(crate) accepted: NewAuditEvent,
}

/// Makes an account for somebody who follows an invitation, which is used up: both or nothing.
pub(crate) async fn create_invited(
    app: &App,
    newcomer: Newcomer,
    invited: Invited<'_>,
) -> Result<User, Error> {
    let address = email(&newcomer.email)?;
    let password =
        newcomer.password.as_ref().ok_or_else(|| Error::invalid("password", "Choose a password."))?;
    passwords::check_new(app, password, &address).await?;
    let mut user = new_user(app, newcomer).await?;
    user.verified_at = invited.mailed.then_some(user.created_at);
    let created =
        Caller::local().did(app, "user.create", None, user.id.as_str(), &json!({"admin": false}))?;
    let accepted = NewAuditEvent { user_id: Some(user.id.clone()), ..invited.accepted };
    made(app, store(app)?.create_invited_user(&user, invited.link_hash, &created, &accepted).await)
}

async fn write(app: &App, caller: &Caller, newcomer: Newcomer, must_be_first: bool) -> Result<User, Error> {
    let user = NewUser { must_be_first, ..new_user(app, newcomer).await? };
    let event = caller.did(app, "user.create", None, user.id.as_str(), &json!({"admin": user.admin}))?;
    made(app, store(app)?.create_user(&user, &event).await)
}

/// What is written of a new account. Its e-mail address is not proven.
async fn new_user(app: &App, newcomer: Newcomer) -> Result<NewUser, Error> {
    let person_name = name("name", &newcomer.name)?;
    let password_hash = match &newcomer.password {
        Some(password) => Some(passwords::hash(app, password).await?),
        None => None,
    };
    Ok(NewUser {
        id: UserId::parse(app.clock.new_id("usr"))?,
        email: email(&newcomer.email)?,
        project_name: format!("{person_name}'s project"),
        name: person_name,
        password_hash,
        admin: newcomer.admin,
        verified_at: None,
        created_at: app.clock.now_us(),
        project_id: ProjectId::parse(app.clock.new_id("prj"))?,
        must_be_first: false,
        must_be_invited: false,
        identity: None,
    })
}

fn made(app: &App, result: Result<User, StoreError>) -> Result<User, Error> {
    match result {
        Err(StoreError::Conflict { constraint: store::Constraint::EmailAddress }) => {
            Err(Error::Conflict("Somebody has this e-mail address already.".to_owned()))
        }
        other => {
            let person = other?;
            app.account_presence.set_present();
            Ok(person)
        }
    }
}

/// Everybody.
///
/// # Errors
/// When the caller may not know.
pub async fn list_users(app: &App, caller: &Caller, listing: &Listing) -> Result<Page<User>, Error> {
    caller.admin()?;
    Ok(store(app)?.list_users(&listing.request()?).await?.into())
}

/// What may be changed of somebody else.
#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    /// They run the server.
    pub admin: Option<bool>,
    /// They may not come in.
    pub disabled: Option<bool>,
}

/// Changes what somebody may do.
///
/// # Errors
/// When the caller may not, or there is no such person.
pub async fn update_user(app: &App, caller: &Caller, id: &str, changes: &UserChanges) -> Result<User, Error> {
    caller.admin()?;
    let id = UserId::parse(id).map_err(|_| Error::NotFound("user"))?;
    if changes.admin == Some(true) {
        caller.not_by_token("make anyone an administrator")?;
    }
    if caller.user_id() == Some(&id) {
        return Err(Error::Conflict(
            "You cannot change your own rights, or nobody might be left who can. Ask another administrator."
                .to_owned(),
        ));
    }
    let store = store(app)?;
    let person = store.find_user(&id).await?;
    let details = json!({
        "admin": changes.admin.unwrap_or(person.admin),
        "disabled": changes.disabled.unwrap_or(person.disabled_at.is_some()),
    });
    let event = caller.did(app, "user.update", None, id.as_str(), &details)?;
    let update = UserUpdate { name: None, admin: changes.admin, disabled: changes.disabled };
    Ok(store.update_user(&id, &update, &event).await?)
}

/// Somebody, by their e-mail address; for those who run the server.
///
/// # Errors
/// When there is no such person.
pub async fn find_user(app: &App, caller: &Caller, address: &str) -> Result<User, Error> {
    caller.admin()?;
    Ok(store(app)?.find_user_by_email(&email(address)?).await?)
}

/// A caller with the rights of somebody, for the command line, which has all rights anyway.
///
/// # Errors
/// When there is no such person.
pub async fn act_for(app: &App, caller: &Caller, address: &str) -> Result<Caller, Error> {
    Ok(Caller::in_the_name_of(find_user(app, caller, address).await?))
}

/// Takes the second factor of somebody away who has lost it; for those who run the server.
///
/// # Errors
/// When there is no such person.
pub async fn reset_second_factor(app: &App, caller: &Caller, address: &str) -> Result<(), Error> {
    let person = find_user(app, caller, address).await?;
    let event = caller.did(app, "second_factor.delete", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.set_second_factor(&person.id, None, &[], None, &event).await?)
}

/// A link with which somebody can choose a password, to hand to them; for those who run the server. Following it proves no e-mail
/// address, because it is shown here.
///
/// # Errors
/// When there is no such person.
pub async fn create_reset_link(app: &App, caller: &Caller, address: &str) -> Result<String, Error> {
    let person = find_user(app, caller, address).await?;
    create_shown_link(app, &person).await
}

/// The caller as they are now.
///
/// # Errors
/// When they have no account.
pub async fn find_me(app: &App, caller: &Caller) -> Result<User, Error> {
    Ok(store(app)?.find_user(&caller.account()?.id).await?)
}

/// Changes what the caller is called.
///
/// # Errors
/// When the name cannot be used.
pub async fn update_me(app: &App, caller: &Caller, new_name: &str) -> Result<User, Error> {
    let person = caller.account()?;
    let event = caller.did(app, "user.update", None, person.id.as_str(), &json!({}))?;
    let new_name = name("name", new_name)?;
    let update = UserUpdate { name: Some(&new_name), ..UserUpdate::default() };
    Ok(store(app)?.update_user(&person.id, &update, &event).await?)
}

/// Changes the caller's password; every other session of theirs ends. Tokens go on: programs use them, and the person who knows the
/// old password can see and end them.
///
/// # Errors
/// When the old one is wrong, or the new one is not good enough.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    old: &SecretString,
    new: &SecretString,
) -> Result<(), Error> {
    let person = caller.in_person()?;
    passwords::prove(app, person, old).await?;
    passwords::check_new(app, new, &person.email).await?;
    let hash = passwords::hash(app, new).await?;
    let event = caller.did(app, "password.change", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.change_password(&person.id, &hash, caller.session(), &event).await?)
}

/// Sends a link to choose a new password, if there is such a person. Whether there is, neither the answer nor its time says:
/// nothing is looked up before it.
///
/// # Errors
/// When nothing is kept here, the address is none, or there is too much to do.
pub async fn request_reset(app: &App, address: &str, network: &Network) -> Result<(), Error> {
    let address = email(address)?;
    store(app)?;
    let queue = app.after_response.clone();
    let (app, network) = (app.clone(), network.clone());
    queue.run(async move {
        if let Err(error) = send_reset(&app, &address, &network).await {
            tracing::error!(error.code = error.code(), "A link for a new password was not sent: {error}");
        }
    })
}

async fn send_reset(app: &App, address: &str, network: &Network) -> Result<(), Error> {
    match count_sender(app, MailKind::PasswordReset, Sender::Network(network)).await {
        Err(Error::TooMany { message, .. }) => {
            tracing::warn!("A link for a new password was not sent. {message}");
            return Ok(());
        }
        counted => counted?,
    }
    let person = match store(app)?.find_user_by_email(address).await {
        Ok(person) if person.disabled_at.is_none() => person,
        Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(other) => return Err(other.into()),
    };
    // Before the link is made, which ends the one before it: of those that were sent, the newest stays good.
    let Some(counted) = count_recipient(app, MailKind::PasswordReset, address).await? else { return Ok(()) };
    let link = create_mailed_link(app, &person).await?;
    let letter = Letter {
        to: address,
        subject: "Choose a new password for BA Copilot".to_owned(),
        body: format!(
            "Somebody, probably you, asked for a new password for BA Copilot.\n\nChoose one here within {LINK_H} hours:\n{link}\n\nWith the new password, everybody who is signed in to your account is signed out, and all of its tokens end.\n\nIf it was not you, do nothing: your password stays as it is.\n"
        ),
    };
    let sent = app.mailer.send(letter).await;
    if sent.is_err() {
        counted.give_back(app).await?;
    }
    sent
}

/// Gives the person of a link the password that they chose. Every session and every token of theirs ends: who asks for a new password
/// may do so because a stranger is in. A link that was mailed also proves the e-mail address; if it was not proven before, the second
/// factor and everything else that the account could be entered with is removed as well.
///
/// # Errors
/// When the link is not good any more, or the password not good enough.
pub async fn reset_password(app: &App, code: &str, password: &SecretString) -> Result<(), Error> {
    let store = store(app)?;
    let stale = || {
        Error::invalid(
            "code",
            "This link is not good, or not any more. Ask for another one at /forgot-password.",
        )
    };
    let hash = secrets::hash(code);
    let now = app.clock.now_us();
    let waits = store.find_code(&hash, CodePurpose::ResetPassword, now).await.map_err(|_| stale())?;
    let person = store.find_user(&waits.user_id.ok_or_else(stale)?).await?;
    // Before the link is used up, so that a weak password does not cost it.
    passwords::check_new(app, password, &person.email).await?;
    let new_hash = passwords::hash(app, password).await?;
    let event = |action| {
        let event = Caller::local().did(app, action, None, person.id.as_str(), &json!({}))?;
        Ok::<_, Error>(NewAuditEvent { user_id: Some(person.id.clone()), ..event })
    };
    let (change, verified, revoked) =
        (event("password.reset")?, event("email.verify")?, event("credentials.revoke")?);
    let events = CredentialEvents { change: &change, verified: &verified, revoked: &revoked };
    match store.reset_password(&hash, &person.id, &new_hash, events).await {
        Err(StoreError::NotFound { .. }) => Err(stale()),
        other => Ok(other?),
    }
}

/// Everything that is kept about the caller, but for what others may not see either: hashes and secrets.
///
/// # Errors
/// When they have no account.
pub async fn export_me(app: &App, caller: &Caller) -> Result<Value, Error> {
    let person = caller.account()?;
    let store = store(app)?;
    let time = |at: store::TimeUs| json!(rfc3339(at));
    let sessions = store.list_sessions(&person.id).await?;
    let tokens = every(|page| async move { store.list_tokens(&person.id, &page).await }).await?;
    let identities = store.list_identities(&person.id).await?;
    let recovery_codes = store.count_recovery_codes(&person.id).await?;
    let projects = every(|page| async move { store.list_projects_of(&person.id, &page).await }).await?;
    let all = &AuditFilter::default();
    let events =
        every(|page| async move { store.list_audit_events(AuditOf::User(&person.id), all, &page).await })
            .await?;
    let event = caller.did(app, "user.export", None, person.id.as_str(), &json!({}))?;
    store.record_audit_event(&event).await?;
    Ok(json!({
        "user": {
            "id": person.id.to_string(),
            "email": person.email,
            "name": person.name,
            "admin": person.admin,
            "verified_at": person.verified_at.map(time),
            "second_factor": person.second_factor.is_some(),
            "recovery_codes_left": recovery_codes,
            "created_at": time(person.created_at),
        },
        "sessions": sessions.iter().map(|it| json!({"id": it.id.to_string(), "device": it.device, "created_at": time(it.created_at), "seen_at": time(it.seen_at)})).collect::<Vec<_>>(),
        "identities": identities.iter().map(|it| json!({"issuer": it.issuer, "subject": it.subject, "created_at": time(it.created_at)})).collect::<Vec<_>>(),
        "tokens": tokens.iter().map(|it| json!({"id": it.id.to_string(), "name": it.name, "scopes": it.scopes, "created_at": time(it.created_at)})).collect::<Vec<_>>(),
        "projects": projects.iter().map(|it| json!({"id": it.project.id.to_string(), "name": it.project.name, "role": it.role.as_str()})).collect::<Vec<_>>(),
        "audit_events": events.iter().map(|it| json!({"at": time(it.at), "action": it.action, "subject": it.subject})).collect::<Vec<_>>(),
    }))
}

/// Deletes the caller: everything that says who they are goes, what they made for others stays.
///
/// # Errors
/// When the password is wrong, or a project that others use would be left without an owner.
pub async fn delete_me(app: &App, caller: &Caller, password: &SecretString) -> Result<(), Error> {
    let person = caller.account()?;
    passwords::prove(app, person, password).await?;
    let event = caller.did(app, "user.delete", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_user(&person.id, &event).await?)
}

/// A link for a new password that only the mailbox of the person gets to see.
async fn create_mailed_link(app: &App, person: &User) -> Result<String, Error> {
    let secret = keep_code(app, CodePurpose::ResetPassword, Some(person), Some(&person.email)).await?;
    Ok(link(app, "/reset-password", &secret))
}

/// A link for a new password that somebody else sees: it names no address, so that following it proves none.
async fn create_shown_link(app: &App, person: &User) -> Result<String, Error> {
    let secret = keep_code(app, CodePurpose::ResetPassword, Some(person), None).await?;
    Ok(link(app, "/reset-password", &secret))
}

/// Keeps a link for a while; what stands behind `code=` in it. With an address, the link is sent there and shown to no one.
pub(super) async fn keep_code(
    app: &App,
    purpose: CodePurpose,
    person: Option<&User>,
    address: Option<&str>,
) -> Result<String, Error> {
    let secret = secrets::new_secret()?;
    let code = OneTimeCode {
        user_id: person.map(|person| person.id.clone()),
        email: address.map(str::to_owned),
        created_at: app.clock.now_us(),
        expires_at: app.clock.now_us().plus_seconds(LINK_H * HOUR_S),
    };
    store(app)?.create_code(&secrets::hash(&secret), purpose, &code).await?;
    Ok(secret)
}

/// An address that a person can open.
pub(crate) fn link(app: &App, path: &str, secret: &str) -> String {
    format!("{}{path}?code={secret}", app.config.public_url())
}
