//! User accounts: creation, administration, self-service and deletion.

use secrecy::SecretString;
use serde_json::{Value, json};
use store::{
    AuditFilter, AuditOf, CodePurpose, CredentialEvents, NewAuditEvent, NewUser, OneTimeCode, ProjectId,
    StoreError, User, UserId, UserUpdate,
};

use super::{
    HOUR_S, email, is_local, name, passwords,
    sign_in::{ClientInfo, NewSession, begin},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    clock::rfc3339,
    mail::MailMessage,
    mail_limits::{MailKind, Sender, count_recipient, count_sender},
    network::Network,
    page::{Listing, Page, fetch_all},
    secrets,
};

/// Lifetime of a link for a password or the first account, in hours.
pub(super) const LINK_H: i64 = 24;

/// An account to create.
pub struct NewAccount {
    pub email: String,
    pub name: String,
    /// Without a password, the user gets a link to choose one.
    pub password: Option<SecretString>,
    pub admin: bool,
}

/// A created account.
pub struct CreatedUser {
    pub person: User,
    /// Link to choose a password, if the account has none.
    pub link: Option<String>,
}

/// Creates the first account, an administrator who owns the existing data, and signs it in.
pub async fn set_up(
    app: &App,
    code: Option<&str>,
    new_account: NewAccount,
    from: &ClientInfo,
) -> Result<NewSession, Error> {
    let store = store(app)?;
    if store.has_users().await? {
        return Err(Error::Conflict("This server is already set up. Sign in.".to_owned()));
    }
    let address = email(&new_account.email)?;
    let password =
        new_account.password.as_ref().ok_or_else(|| Error::invalid("password", "Choose a password."))?;
    passwords::check_new(app, password, &address).await?;
    name("name", &new_account.name)?;
    if !is_local(app).await? {
        let hash = secrets::hash(code.unwrap_or_default());
        store.take_code(&hash, CodePurpose::SetUp, app.clock.now_us()).await.map_err(|_| {
            Error::Forbidden(
                "This link is invalid or expired. Create a new one with `ba-copilot user setup-link`."
                    .to_owned(),
            )
        })?;
    }
    let new_account = NewAccount { admin: true, ..new_account };
    // The address was typed in by the operator and is not verified.
    let person = insert_user(app, &Caller::local(), new_account, true).await?;
    begin(app, person, from).await
}

/// Whether an account exists, or a link to create the first one is pending.
pub async fn is_set_up(app: &App) -> Result<bool, Error> {
    let store = store(app)?;
    Ok(store.has_users().await? || store.has_code(CodePurpose::SetUp, app.clock.now_us()).await?)
}

/// Creates a link to create the first account from another machine.
pub async fn create_set_up_link(app: &App) -> Result<String, Error> {
    let store = store(app)?;
    if store.has_users().await? {
        return Err(Error::Conflict("This server is already set up. Use `ba-copilot user add`.".to_owned()));
    }
    let secret = store_code(app, CodePurpose::SetUp, None, None).await?;
    Ok(link(app, "/set-up", &secret))
}

/// Creates an account. The first one is an administrator.
pub async fn create_user(app: &App, caller: &Caller, new_account: NewAccount) -> Result<CreatedUser, Error> {
    caller.require_admin()?;
    let first = !store(app)?.has_users().await?;
    if first && !caller.is_local() {
        return Err(Error::Internal("a caller without an account".to_owned()));
    }
    let address = email(&new_account.email)?;
    if let Some(password) = &new_account.password {
        passwords::check_new(app, password, &address).await?;
    }
    let new_account = NewAccount { admin: new_account.admin || first, ..new_account };
    if new_account.admin {
        caller.reject_token("grant administrator rights")?;
    }
    let has_password = new_account.password.is_some();
    let person = insert_user(app, caller, new_account, first).await?;
    let link = if has_password { None } else { Some(create_displayed_link(app, &person).await?) };
    Ok(CreatedUser { person, link })
}

/// An account to create from an invitation.
pub(crate) struct Invited<'a> {
    pub(crate) link_hash: &'a str,
    /// The link was sent only by mail, so that opening it verifies the e-mail address.
    pub(crate) mailed: bool,
    /// Audit event of the acceptance; its author becomes the new account.
    pub(crate) accepted: NewAuditEvent,
}

/// Creates an account from an invitation and uses the invitation up, in one transaction.
pub(crate) async fn create_invited(
    app: &App,
    new_account: NewAccount,
    invited: Invited<'_>,
) -> Result<User, Error> {
    let address = email(&new_account.email)?;
    let password =
        new_account.password.as_ref().ok_or_else(|| Error::invalid("password", "Choose a password."))?;
    passwords::check_new(app, password, &address).await?;
    let mut user = new_user(app, new_account).await?;
    user.verified_at = invited.mailed.then_some(user.created_at);
    let created =
        Caller::local().audit_event(app, "user.create", None, user.id.as_str(), &json!({"admin": false}))?;
    let accepted = NewAuditEvent { user_id: Some(user.id.clone()), ..invited.accepted };
    map_created(app, store(app)?.create_invited_user(&user, invited.link_hash, &created, &accepted).await)
}

async fn insert_user(
    app: &App,
    caller: &Caller,
    new_account: NewAccount,
    must_be_first: bool,
) -> Result<User, Error> {
    let user = NewUser { must_be_first, ..new_user(app, new_account).await? };
    let event =
        caller.audit_event(app, "user.create", None, user.id.as_str(), &json!({"admin": user.admin}))?;
    map_created(app, store(app)?.create_user(&user, &event).await)
}

/// Validates a new account. Its e-mail address is not verified.
async fn new_user(app: &App, new_account: NewAccount) -> Result<NewUser, Error> {
    let person_name = name("name", &new_account.name)?;
    let password_hash = match &new_account.password {
        Some(password) => Some(passwords::hash(app, password).await?),
        None => None,
    };
    Ok(NewUser {
        id: UserId::parse(app.clock.new_id("usr"))?,
        email: email(&new_account.email)?,
        project_name: format!("{person_name}'s project"),
        name: person_name,
        password_hash,
        admin: new_account.admin,
        verified_at: None,
        created_at: app.clock.now_us(),
        project_id: ProjectId::parse(app.clock.new_id("prj"))?,
        must_be_first: false,
        must_be_invited: false,
        identity: None,
    })
}

fn map_created(app: &App, result: Result<User, StoreError>) -> Result<User, Error> {
    match result {
        Err(StoreError::Conflict { constraint: store::Constraint::EmailAddress }) => Err(Error::Conflict(
            "An account with this e-mail address already exists. Use another address.".to_owned(),
        )),
        other => {
            let person = other?;
            app.account_presence.set_present();
            Ok(person)
        }
    }
}

pub async fn list_users(app: &App, caller: &Caller, listing: &Listing) -> Result<Page<User>, Error> {
    caller.require_admin()?;
    Ok(store(app)?.list_users(&listing.request()?).await?.into())
}

#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    pub admin: Option<bool>,
    pub disabled: Option<bool>,
}

/// Changes the rights of a user.
pub async fn update_user(app: &App, caller: &Caller, id: &str, changes: &UserChanges) -> Result<User, Error> {
    caller.require_admin()?;
    let id = UserId::parse(id).map_err(|_| Error::NotFound("user"))?;
    if changes.admin == Some(true) {
        caller.reject_token("grant administrator rights")?;
    }
    if caller.user_id() == Some(&id) {
        return Err(Error::Conflict(
            "You cannot change your own rights: the server could be left without an administrator. Ask another \
             administrator."
                .to_owned(),
        ));
    }
    let store = store(app)?;
    let person = store.find_user(&id).await?;
    let details = json!({
        "admin": changes.admin.unwrap_or(person.admin),
        "disabled": changes.disabled.unwrap_or(person.disabled_at.is_some()),
    });
    let event = caller.audit_event(app, "user.update", None, id.as_str(), &details)?;
    let update = UserUpdate { name: None, admin: changes.admin, disabled: changes.disabled };
    Ok(store.update_user(&id, &update, &event).await?)
}

pub async fn find_user(app: &App, caller: &Caller, address: &str) -> Result<User, Error> {
    caller.require_admin()?;
    Ok(store(app)?.find_user_by_email(&email(address)?).await?)
}

/// A caller with the rights of a user, for the command line.
pub async fn act_for(app: &App, caller: &Caller, address: &str) -> Result<Caller, Error> {
    Ok(Caller::as_user(find_user(app, caller, address).await?))
}

/// Removes the second factor of a user who has lost it.
pub async fn reset_second_factor(app: &App, caller: &Caller, address: &str) -> Result<(), Error> {
    let person = find_user(app, caller, address).await?;
    let event = caller.audit_event(app, "second_factor.delete", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.set_second_factor(&person.id, None, &[], None, &event).await?)
}

/// Creates a link to choose a new password, for an administrator to pass on. It is displayed, so opening it verifies
/// no e-mail address.
pub async fn create_reset_link(app: &App, caller: &Caller, address: &str) -> Result<String, Error> {
    let person = find_user(app, caller, address).await?;
    create_displayed_link(app, &person).await
}

pub async fn find_me(app: &App, caller: &Caller) -> Result<User, Error> {
    Ok(store(app)?.find_user(&caller.require_account()?.id).await?)
}

/// Changes the name of the caller.
pub async fn update_me(app: &App, caller: &Caller, new_name: &str) -> Result<User, Error> {
    let person = caller.require_account()?;
    let event = caller.audit_event(app, "user.update", None, person.id.as_str(), &json!({}))?;
    let new_name = name("name", new_name)?;
    let update = UserUpdate { name: Some(&new_name), ..UserUpdate::default() };
    Ok(store(app)?.update_user(&person.id, &update, &event).await?)
}

/// Changes the caller's password and ends all other sessions. Tokens stay valid: programs use them, and their owner
/// can list and delete them.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    old: &SecretString,
    new: &SecretString,
) -> Result<(), Error> {
    let person = caller.require_session()?;
    passwords::reauthenticate(app, person, old).await?;
    passwords::check_new(app, new, &person.email).await?;
    let hash = passwords::hash(app, new).await?;
    let event = caller.audit_event(app, "password.change", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.change_password(&person.id, &hash, caller.session(), &event).await?)
}

/// Sends a link to choose a new password, if the account exists. Neither the response nor its timing discloses that:
/// the lookup runs after the response.
pub async fn request_reset(app: &App, address: &str, network: &Network) -> Result<(), Error> {
    let address = email(address)?;
    store(app)?;
    let queue = app.after_response.clone();
    let (app, network) = (app.clone(), network.clone());
    queue.run(async move {
        if let Err(error) = send_reset(&app, &address, &network).await {
            tracing::error!(error.code = error.code(), "Sending a password reset link failed: {error}");
        }
    })
}

async fn send_reset(app: &App, address: &str, network: &Network) -> Result<(), Error> {
    match count_sender(app, MailKind::PasswordReset, Sender::Network(network)).await {
        Err(Error::RateLimited { message, .. }) => {
            tracing::warn!("A password reset link was not sent. {message}");
            return Ok(());
        }
        counted => counted?,
    }
    let person = match store(app)?.find_user_by_email(address).await {
        Ok(person) if person.disabled_at.is_none() => person,
        Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(other) => return Err(other.into()),
    };
    // Counted before the link is created: a new link invalidates the previous one, so the newest sent link stays
    // valid.
    let Some(counted) = count_recipient(app, MailKind::PasswordReset, address).await? else { return Ok(()) };
    let link = create_mailed_link(app, &person).await?;
    let message = MailMessage {
        to: address,
        subject: "Choose a new password for BA Copilot".to_owned(),
        body: format!(
            "A new password for your BA Copilot account was requested.\n\nChoose one within {LINK_H} \
             hours:\n{link}\n\nThe new password ends all sessions and tokens of your account.\n\nIf you did not \
             request this, ignore this message: your password does not change.\n"
        ),
    };
    let sent = app.mailer.send(message).await;
    if sent.is_err() {
        counted.release(app).await?;
    }
    sent
}

/// Sets a new password with the code of a link. All sessions and tokens end, because the account may be compromised.
/// A mailed link also verifies the e-mail address; if it was not verified before, the second factor and all other
/// credentials are removed.
pub async fn reset_password(app: &App, code: &str, password: &SecretString) -> Result<(), Error> {
    let store = store(app)?;
    let stale =
        || Error::invalid("code", "This link is invalid or expired. Request a new one at /forgot-password.");
    let hash = secrets::hash(code);
    let now = app.clock.now_us();
    let waits = store.find_code(&hash, CodePurpose::ResetPassword, now).await.map_err(|_| stale())?;
    let person = store.find_user(&waits.user_id.ok_or_else(stale)?).await?;
    // Before the code is used up, so that a refused password does not cost it.
    passwords::check_new(app, password, &person.email).await?;
    let new_hash = passwords::hash(app, password).await?;
    let event = |action| {
        let event = Caller::local().audit_event(app, action, None, person.id.as_str(), &json!({}))?;
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

/// Exports all stored data of the caller except hashes and secrets.
pub async fn export_me(app: &App, caller: &Caller) -> Result<Value, Error> {
    let person = caller.require_account()?;
    let store = store(app)?;
    let time = |at: store::TimeUs| json!(rfc3339(at));
    let sessions = store.list_sessions(&person.id).await?;
    let tokens = fetch_all(|page| async move { store.list_tokens(&person.id, &page).await }).await?;
    let identities = store.list_identities(&person.id).await?;
    let recovery_codes = store.count_recovery_codes(&person.id).await?;
    let projects = fetch_all(|page| async move { store.list_projects_of(&person.id, &page).await }).await?;
    let all = &AuditFilter::default();
    let events =
        fetch_all(|page| async move { store.list_audit_events(AuditOf::User(&person.id), all, &page).await })
            .await?;
    let event = caller.audit_event(app, "user.export", None, person.id.as_str(), &json!({}))?;
    store.record_audit_event(&event).await?;
    let sessions = json_list(&sessions, |it| {
        json!({
            "id": it.id.to_string(),
            "device": it.device,
            "created_at": time(it.created_at),
            "seen_at": time(it.seen_at),
        })
    });
    let identities = json_list(
        &identities,
        |it| json!({"issuer": it.issuer, "subject": it.subject, "created_at": time(it.created_at)}),
    );
    let tokens = json_list(&tokens, |it| {
        json!({
            "id": it.id.to_string(),
            "name": it.name,
            "scopes": it.scopes,
            "created_at": time(it.created_at),
        })
    });
    let projects = json_list(
        &projects,
        |it| json!({"id": it.project.id.to_string(), "name": it.project.name, "role": it.role.as_str()}),
    );
    let events =
        json_list(&events, |it| json!({"at": time(it.at), "action": it.action, "subject": it.subject}));
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
        "sessions": sessions,
        "identities": identities,
        "tokens": tokens,
        "projects": projects,
        "audit_events": events,
    }))
}

fn json_list<T>(items: &[T], to_json: impl Fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(to_json).collect()
}

/// Deletes the caller's account: personal data is erased, contributions to projects stay.
pub async fn delete_me(app: &App, caller: &Caller, password: &SecretString) -> Result<(), Error> {
    let person = caller.require_account()?;
    passwords::reauthenticate(app, person, password).await?;
    let event = caller.audit_event(app, "user.delete", None, person.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_user(&person.id, &event).await?)
}

/// A reset link that only the mailbox of the user receives.
async fn create_mailed_link(app: &App, person: &User) -> Result<String, Error> {
    let secret = store_code(app, CodePurpose::ResetPassword, Some(person), Some(&person.email)).await?;
    Ok(link(app, "/reset-password", &secret))
}

/// A reset link that an administrator sees. It names no address, so opening it verifies none.
async fn create_displayed_link(app: &App, person: &User) -> Result<String, Error> {
    let secret = store_code(app, CodePurpose::ResetPassword, Some(person), None).await?;
    Ok(link(app, "/reset-password", &secret))
}

/// Stores a one-time code and returns it. With an address, the code must be sent only there.
pub(super) async fn store_code(
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

/// Public URL with a one-time code.
pub(crate) fn link(app: &App, path: &str, secret: &str) -> String {
    format!("{}{path}?code={secret}", app.config.public_url())
}
