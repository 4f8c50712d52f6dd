//! Members of projects and invitations.

use secrecy::SecretString;
use serde_json::json;
use store::{Invitation, InvitationId, InvitationLink, Member, NewAuditEvent, Role, User, UserId};

use super::{
    Error,
    access::{Caller, Scope, authorize_project, authorize_project_any_state, project_id, store},
    accounts::{
        self,
        sign_in::{ClientInfo, NewSession},
        users::{NewAccount, create_invited, link},
    },
    mail::{MailMessage, quoted},
    mail_limits::{MailKind, Sender, count_recipient, count_sender},
    page::{Listing, Page},
    secrets,
};
use crate::app::App;

/// Lifetime of an invitation.
const INVITATION_DAYS: i64 = 7;

fn parse_role(word: &str) -> Result<Role, Error> {
    Role::parse(word).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        Error::invalid("role", format!("There is no such role. Use one of {}.", known.join(", ")))
    })
}

pub async fn list_members(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Member>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_members(&access.project.id, &listing.request()?).await?.into())
}

/// Changes the role of a member.
pub async fn update_member(
    app: &App,
    caller: &Caller,
    project: &str,
    user: &str,
    new_role: &str,
) -> Result<(), Error> {
    caller.require_scope(Scope::Account)?;
    let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
    let missing = || Error::NotFound("member");
    let user = UserId::parse(user).map_err(|_| missing())?;
    let new_role = parse_role(new_role)?;
    let store = store(app)?;
    // Only existing members are updated: adding a user by id would disclose whether an account exists.
    store.find_role(&access.project.id, &user).await?.ok_or_else(missing)?;
    let details = json!({"role": new_role.as_str()});
    let event =
        caller.audit_event(app, "member.update", Some(&access.project.id), user.as_str(), &details)?;
    Ok(store.set_member(&access.project.id, &user, new_role, &event).await?)
}

/// Removes a member. Members may remove themselves.
pub async fn delete_member(app: &App, caller: &Caller, project: &str, user: &str) -> Result<(), Error> {
    caller.require_scope(Scope::Account)?;
    let user = UserId::parse(user).map_err(|_| Error::NotFound("member"))?;
    let leaves = caller.user_id() == Some(&user);
    let need = if leaves { Role::Viewer } else { Role::Owner };
    let access = authorize_project_any_state(app, caller, &project_id(project)?, need).await?;
    let event =
        caller.audit_event(app, "member.delete", Some(&access.project.id), user.as_str(), &json!({}))?;
    Ok(store(app)?.delete_member(&access.project.id, &user, &event).await?)
}

/// A created invitation.
pub struct Invited {
    pub invitation: Invitation,
    /// Link for the inviting user to pass on, returned only here. It differs from the link in the message, because
    /// opening it verifies no e-mail address.
    pub link: String,
    /// Whether the message was sent.
    pub sent: bool,
}

/// Invites a person by e-mail. The returned link can be passed on in another way.
pub async fn create_invitation(
    app: &App,
    caller: &Caller,
    project: &str,
    email: &str,
    word: &str,
) -> Result<Invited, Error> {
    caller.require_scope(Scope::Account)?;
    if caller.is_local() {
        return Err(Error::Conflict(
            "This server has no accounts. Create the first one at /set-up, then send invitations.".to_owned(),
        ));
    }
    let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
    let (address, new_role) = (accounts::email(email)?, parse_role(word)?);
    if let Some(user) = caller.user_id() {
        count_sender(app, MailKind::Invitation, Sender::Person(user)).await?;
    }
    // Two links: opening the mailed one verifies the e-mail address, opening the displayed one does not.
    let (shown, mailed) = (secrets::new_secret()?, secrets::new_secret()?);
    let invitation = Invitation {
        id: InvitationId::parse(app.clock.new_id("inv"))?,
        project_id: access.project.id.clone(),
        email: address,
        role: new_role,
        invited_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
        expires_at: app.clock.now_us().plus_seconds(INVITATION_DAYS * 24 * 3600),
        accepted_at: None,
    };
    let details = json!({"role": invitation.role.as_str()});
    let event = caller.audit_event(
        app,
        "invitation.create",
        Some(&access.project.id),
        invitation.id.as_str(),
        &details,
    )?;
    let hashes = [&shown, &mailed].map(|secret| secrets::hash(secret));
    store(app)?.create_invitation(&invitation, &hashes[0], &hashes[1], &event).await?;
    let [shown, mailed] = [shown, mailed].map(|secret| link(app, "/invitation", &secret));
    let message = MailMessage {
        to: &invitation.email,
        subject: "You are invited to a project in BA Copilot".to_owned(),
        body: format!(
            "{} invites you to the project {} in BA Copilot, with the role {}. The names in quotation marks were \
             entered by users and are not verified.\n\nTo join, open this link within {INVITATION_DAYS} \
             days:\n{mailed}\n\nIf you did not expect this invitation, ignore this message.\n",
            caller.person().map_or_else(|| "Someone".to_owned(), |person| quoted(&person.name)),
            quoted(&access.project.name),
            invitation.role.as_str(),
        ),
    };
    let sent = match count_recipient(app, MailKind::Invitation, &invitation.email).await? {
        None => false,
        Some(counted) => match app.mailer.send(message).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error.code = error.code(), "Sending an invitation failed: {error}");
                counted.release(app).await?;
                false
            }
        },
    };
    Ok(Invited { invitation, link: shown, sent })
}

/// Pending invitations of a project.
pub async fn list_invitations(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Invitation>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
    Ok(store(app)?.list_invitations(&access.project.id, &listing.request()?).await?.into())
}

/// Deletes an invitation.
pub async fn delete_invitation(app: &App, caller: &Caller, project: &str, id: &str) -> Result<(), Error> {
    caller.require_scope(Scope::Account)?;
    let access = authorize_project(app, caller, &project_id(project)?, Role::Owner).await?;
    let id = InvitationId::parse(id).map_err(|_| Error::NotFound("invitation"))?;
    let event =
        caller.audit_event(app, "invitation.delete", Some(&access.project.id), id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_invitation(&access.project.id, &id, &event).await?)
}

/// Details of an invitation, for the page that its link opens.
pub struct Offer {
    pub project_name: String,
    pub role: Role,
    /// Invited address.
    pub email: String,
    /// An account with the address exists; its user has to sign in.
    pub has_account: bool,
    /// Whether the link can create an account.
    pub makes_account: bool,
    /// The link was sent only by mail, so that opening it verifies the e-mail address.
    mailed: bool,
}

fn invalid_invitation() -> Error {
    Error::invalid("code", "This invitation is invalid or expired. Ask for a new one.")
}

/// Finds an invitation by the code of its link.
pub async fn find_offer(app: &App, code: &str) -> Result<Offer, Error> {
    let store = store(app)?;
    let found = store.find_invitation(&secrets::hash(code), app.clock.now_us()).await;
    let (invitation, link) = found.map_err(|_| invalid_invitation())?;
    let project = store.find_project(&invitation.project_id).await?;
    let has_account = match store.find_user_by_email(&invitation.email).await {
        Ok(_) => true,
        Err(store::StoreError::NotFound { .. }) => false,
        Err(other) => return Err(other.into()),
    };
    let mailed = link == InvitationLink::Mailed;
    Ok(Offer {
        project_name: project.name,
        role: invitation.role,
        makes_account: mailed || displayed_link_creates_account(app, &invitation.email),
        email: invitation.email,
        has_account,
        mailed,
    })
}

/// Whether a displayed link may create an account. It verifies no address, so the rules for accounts without an
/// invitation apply (`oidc.sign_up`, `oidc.email_domains`).
fn displayed_link_creates_account(app: &App, address: &str) -> bool {
    let signs_up = app.oidc.is_none() || app.config.oidc.sign_up;
    signs_up && accounts::oidc::is_allowed_domain(app, address)
}

/// Accepts an invitation as a signed-in user. The link is sufficient: the inviting user passed it on.
pub async fn accept_invitation(app: &App, caller: &Caller, code: &str) -> Result<Invitation, Error> {
    let person = caller.require_account()?;
    accept(app, caller, person, code).await
}

/// Creates an account with an invitation and signs in.
pub async fn join(
    app: &App,
    code: &str,
    name: &str,
    password: SecretString,
    from: &ClientInfo,
) -> Result<NewSession, Error> {
    let offer = find_offer(app, code).await?;
    if offer.has_account {
        return Err(Error::Conflict(
            "You already have an account. Sign in, then open the link again.".to_owned(),
        ));
    }
    if !offer.makes_account {
        return Err(Error::Forbidden(format!(
            "This link does not verify that {} is your e-mail address, so it cannot create an account. Open the \
             link in the message that was sent to that address{}.",
            offer.email,
            match accounts::oidc::provider_name(app) {
                Some(name) => format!(", or sign in with {name}"),
                None => String::new(),
            }
        )));
    }
    let link_hash = secrets::hash(code);
    let accepted = accepted(app, &Caller::local(), &link_hash).await?;
    let new_account =
        NewAccount { email: offer.email, name: name.to_owned(), password: Some(password), admin: false };
    let invited = accounts::users::Invited { link_hash: &link_hash, mailed: offer.mailed, accepted };
    // Fails if the invitation was withdrawn meanwhile.
    let person = create_invited(app, new_account, invited).await.map_err(|error| match error {
        Error::NotFound(_) => invalid_invitation(),
        other => other,
    })?;
    accounts::sign_in::begin(app, person, from).await
}

async fn accept(app: &App, caller: &Caller, person: &User, code: &str) -> Result<Invitation, Error> {
    let hash = secrets::hash(code);
    let mut event = accepted(app, caller, &hash).await?;
    event.user_id = Some(person.id.clone());
    match store(app)?.accept_invitation(&hash, &person.id, &event).await {
        Err(store::StoreError::NotFound { .. }) => Err(invalid_invitation()),
        other => Ok(other?),
    }
}

/// Audit event of an accepted invitation.
async fn accepted(app: &App, caller: &Caller, hash: &str) -> Result<NewAuditEvent, Error> {
    let found = store(app)?.find_invitation(hash, app.clock.now_us()).await;
    let (invitation, _) = found.map_err(|_| invalid_invitation())?;
    let details = json!({"role": invitation.role.as_str()});
    caller.audit_event(
        app,
        "invitation.accept",
        Some(&invitation.project_id),
        invitation.id.as_str(),
        &details,
    )
}
