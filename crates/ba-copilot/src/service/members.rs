//! Members of projects, and those who were asked to come.

use secrecy::SecretString;
use serde_json::json;
use store::{Invitation, InvitationId, Member, Role, User, UserId};

use super::{
    Error,
    access::{Caller, Scope, enter, enter_any, project_id, store},
    accounts::{
        self,
        people::{Newcomer, create_invited, link},
        sign_in::{From, NewSession},
    },
    mail::{Letter, quoted},
    mail_limits::{MailKind, Sender, count_recipient, count_sender},
    page::{Listing, Page},
    secrets,
};
use crate::app::App;

/// How long an invitation is good.
const INVITATION_DAYS: i64 = 7;

/// A role, as callers write it.
fn role(word: &str) -> Result<Role, Error> {
    Role::parse(word).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        Error::invalid("role", format!("A role is one of {}.", known.join(", ")))
    })
}

/// Who is in a project.
///
/// # Errors
/// When the caller may not enter it.
pub async fn list_members(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Member>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_members(&entered.project.id, &listing.request()?).await?.into())
}

/// Changes what a member is.
///
/// # Errors
/// When the caller is no owner, there is no such member, or nobody would own the project any more.
pub async fn update_member(
    app: &App,
    caller: &Caller,
    project: &str,
    user: &str,
    new_role: &str,
) -> Result<(), Error> {
    caller.may(Scope::Account)?;
    let entered = enter(app, caller, &project_id(project)?, Role::Owner).await?;
    let missing = || Error::NotFound("member");
    let user = UserId::parse(user).map_err(|_| missing())?;
    let new_role = role(new_role)?;
    let store = store(app)?;
    // Who is not there is asked, not taken: that would tell who has an account.
    store.find_role(&entered.project.id, &user).await?.ok_or_else(missing)?;
    let details = json!({"role": new_role.as_str()});
    let event = caller.did(app, "member.update", Some(&entered.project.id), user.as_str(), &details)?;
    Ok(store.set_member(&entered.project.id, &user, new_role, &event).await?)
}

/// Lets a member in no more; members may leave by themselves.
///
/// # Errors
/// When the caller is neither an owner nor the member, or nobody would own the project any more.
pub async fn delete_member(app: &App, caller: &Caller, project: &str, user: &str) -> Result<(), Error> {
    caller.may(Scope::Account)?;
    let user = UserId::parse(user).map_err(|_| Error::NotFound("member"))?;
    let leaves = caller.user_id() == Some(&user);
    let need = if leaves { Role::Viewer } else { Role::Owner };
    let entered = enter_any(app, caller, &project_id(project)?, need).await?;
    let event = caller.did(app, "member.delete", Some(&entered.project.id), user.as_str(), &json!({}))?;
    Ok(store(app)?.delete_member(&entered.project.id, &user, &event).await?)
}

/// An invitation, and where to follow it.
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// Where to follow it; shown once.
    pub link: String,
    /// The message with the link was sent.
    pub sent: bool,
}

/// Asks somebody to come, by e-mail. The link is also returned, to hand over another way.
///
/// # Errors
/// When the caller is no owner, or the input cannot be used.
pub async fn create_invitation(
    app: &App,
    caller: &Caller,
    project: &str,
    email: &str,
    word: &str,
) -> Result<Invited, Error> {
    caller.may(Scope::Account)?;
    if caller.is_local() {
        return Err(Error::Conflict(
            "This server has no accounts yet. Set up the first one at /set-up, then invite others."
                .to_owned(),
        ));
    }
    let entered = enter(app, caller, &project_id(project)?, Role::Owner).await?;
    let (address, new_role) = (accounts::email(email)?, role(word)?);
    if let Some(user) = caller.user_id() {
        count_sender(app, MailKind::Invitation, Sender::Person(user)).await?;
    }
    let secret = secrets::new_secret()?;
    let invitation = Invitation {
        id: InvitationId::parse(app.clock.new_id("inv"))?,
        project_id: entered.project.id.clone(),
        email: address,
        role: new_role,
        invited_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
        expires_at: app.clock.now_us().plus_seconds(INVITATION_DAYS * 24 * 3600),
        accepted_at: None,
    };
    let details = json!({"role": invitation.role.as_str()});
    let event =
        caller.did(app, "invitation.create", Some(&entered.project.id), invitation.id.as_str(), &details)?;
    store(app)?.create_invitation(&invitation, &secrets::hash(&secret), &event).await?;
    let link = link(app, "/invitation", &secret);
    let letter = Letter {
        to: &invitation.email,
        subject: "You are invited to a project in BA Copilot".to_owned(),
        body: format!(
            "{} invites you to the project {} in BA Copilot, as {}. The words in quotation marks are the sender's; this server has not checked them.\n\nTo join, open this link within {INVITATION_DAYS} days:\n{link}\n\nIf you did not expect this, do nothing.\n",
            caller.person().map_or_else(|| "Someone".to_owned(), |person| quoted(&person.name)),
            quoted(&entered.project.name),
            invitation.role.as_str(),
        ),
    };
    let sent = match count_recipient(app, MailKind::Invitation, &invitation.email).await? {
        None => false,
        Some(counted) => match app.mailer.send(letter).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error.code = error.code(), "An invitation was not sent: {error}");
                counted.give_back(app).await?;
                false
            }
        },
    };
    Ok(Invited { invitation, link, sent })
}

/// Who was asked and has not come yet.
///
/// # Errors
/// When the caller is no owner.
pub async fn list_invitations(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Invitation>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Owner).await?;
    Ok(store(app)?.list_invitations(&entered.project.id, &listing.request()?).await?.into())
}

/// Takes an invitation back.
///
/// # Errors
/// When the caller is no owner, or there is no such invitation.
pub async fn delete_invitation(app: &App, caller: &Caller, project: &str, id: &str) -> Result<(), Error> {
    caller.may(Scope::Account)?;
    let entered = enter(app, caller, &project_id(project)?, Role::Owner).await?;
    let id = InvitationId::parse(id).map_err(|_| Error::NotFound("invitation"))?;
    let event = caller.did(app, "invitation.delete", Some(&entered.project.id), id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_invitation(&entered.project.id, &id, &event).await?)
}

/// What somebody sees who opens the link of an invitation.
pub struct Offer {
    /// Where to.
    pub project_name: String,
    /// As what.
    pub role: Role,
    /// Who was asked.
    pub email: String,
    /// They have an account already, and must sign in to come.
    pub has_account: bool,
}

fn gone() -> Error {
    Error::invalid("code", "This invitation is not good, or not any more. Ask for another one.")
}

/// What an invitation is to.
///
/// # Errors
/// When it is not good any more.
pub async fn find_offer(app: &App, code: &str) -> Result<Offer, Error> {
    let store = store(app)?;
    let invitation =
        store.find_invitation(&secrets::hash(code), app.clock.now_us()).await.map_err(|_| gone())?;
    let project = store.find_project(&invitation.project_id).await?;
    let has_account = match store.find_user_by_email(&invitation.email).await {
        Ok(_) => true,
        Err(store::StoreError::NotFound { .. }) => false,
        Err(other) => return Err(other.into()),
    };
    Ok(Offer { project_name: project.name, role: invitation.role, email: invitation.email, has_account })
}

/// Follows an invitation as somebody who is signed in. The link is enough: whoever holds it was handed it.
///
/// # Errors
/// When it is not good any more.
pub async fn accept_invitation(app: &App, caller: &Caller, code: &str) -> Result<Invitation, Error> {
    let person = caller.account()?;
    accept(app, caller, person, code).await
}

/// Follows an invitation as somebody new, and signs them in.
///
/// # Errors
/// When it is not good any more, or there is an account of this e-mail address already.
pub async fn join(
    app: &App,
    code: &str,
    name: &str,
    password: SecretString,
    from: &From,
) -> Result<NewSession, Error> {
    let offer = find_offer(app, code).await?;
    if offer.has_account {
        return Err(Error::Conflict(
            "You have an account already. Sign in, then open the link again.".to_owned(),
        ));
    }
    let newcomer =
        Newcomer { email: offer.email, name: name.to_owned(), password: Some(password), admin: false };
    let person = create_invited(app, newcomer).await?;
    let session = accounts::sign_in::begin(app, person.clone(), from).await?;
    accept(app, &Caller::local(), &person, code).await?;
    Ok(session)
}

async fn accept(app: &App, caller: &Caller, person: &User, code: &str) -> Result<Invitation, Error> {
    let store = store(app)?;
    let hash = secrets::hash(code);
    let invitation = store.find_invitation(&hash, app.clock.now_us()).await.map_err(|_| gone())?;
    let details = json!({"role": invitation.role.as_str()});
    let mut event = caller.did(
        app,
        "invitation.accept",
        Some(&invitation.project_id),
        invitation.id.as_str(),
        &details,
    )?;
    event.user_id = Some(person.id.clone());
    match store.accept_invitation(&hash, &person.id, &event).await {
        Err(store::StoreError::NotFound { .. }) => Err(gone()),
        other => Ok(other?),
    }
}
