//! Verification and change of e-mail addresses. An address changes only when the signed-in user opens the link that
//! was sent to it.

use secrecy::SecretString;
use serde_json::json;
use store::{CodePurpose, StoreError, User};

use super::{
    email, passwords,
    users::{LINK_H, link, store_code},
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
    attempts::Reserved,
    mail::MailMessage,
    mail_limits::{MailKind, Sender, count_recipient, count_sender},
    secrets,
};

/// Sends the caller a link that verifies their e-mail address.
pub async fn request_verification(app: &App, caller: &Caller) -> Result<(), Error> {
    let person = caller.require_account()?;
    if person.verified_at.is_some() {
        return Ok(());
    }
    count_sender(app, MailKind::Verification, Sender::Person(&person.id)).await?;
    let Some(counted) = count_recipient(app, MailKind::Verification, &person.email).await? else {
        return Err(Error::RateLimited {
            message:
                "Too many links were sent to this address within an hour. Use the newest one, or try again \
                in an hour."
                    .to_owned(),
            wait_s: 3600,
        });
    };
    let secret = store_code(app, CodePurpose::VerifyEmail, Some(person), Some(&person.email)).await?;
    let link = link(app, "/verify-email", &secret);
    let message = MailMessage {
        to: &person.email,
        subject: "Your e-mail address for BA Copilot".to_owned(),
        body: format!(
            "To verify this e-mail address, sign in and open this link within {LINK_H} hours:\n{link}\n\nIf you \
             have no BA Copilot account, ignore this message.\n"
        ),
    };
    send_counted(app, counted, message).await
}

/// Verifies an e-mail address by the code of a link and sets it as the caller's address. The caller must be signed in
/// to the account that requested the link: otherwise a link requested by another user would give this account an
/// address that is not theirs.
pub async fn verify_email(app: &App, caller: &Caller, code: &str) -> Result<(), Error> {
    let person = caller.require_session()?;
    let verified = caller.audit_event(app, "email.verify", None, person.id.as_str(), &json!({}))?;
    let changed = caller.audit_event(app, "email.change", None, person.id.as_str(), &json!({}))?;
    match store(app)?.verify_email(&secrets::hash(code), &person.id, &verified, &changed).await {
        // The caller received the link at this address, so the message discloses the account only to its owner.
        Err(StoreError::Conflict { .. }) => Err(Error::Conflict(
            "Another account uses this e-mail address. Sign in to that account, or choose another address."
                .to_owned(),
        )),
        Err(StoreError::NotFound { .. }) => Err(Error::invalid(
            "code",
            "This link is invalid or expired, or belongs to another account. Request a new one at /account.",
        )),
        other => Ok(other?),
    }
}

/// Sends a link to the new address and a notice to the current one. Neither the response nor its timing discloses
/// whether the new address already has an account.
pub async fn request_email_change(
    app: &App,
    caller: &Caller,
    new: &str,
    password: &SecretString,
) -> Result<(), Error> {
    let person = caller.require_session()?;
    let address = email(new)?;
    passwords::reauthenticate(app, person, password).await?;
    if address == person.email {
        return Err(Error::invalid("email", "This is already your e-mail address. Enter another one."));
    }
    count_sender(app, MailKind::EmailChange, Sender::Person(&person.id)).await?;
    let event = caller.audit_event(app, "email.request", None, person.id.as_str(), &json!({}))?;
    store(app)?.record_audit_event(&event).await?;
    let queue = app.after_response.clone();
    let (app, person) = (app.clone(), person.clone());
    queue.run(async move {
        if let Err(error) = send_messages(&app, &person, &address).await {
            tracing::error!(
                error.code = error.code(),
                "Sending a message about an e-mail change failed: {error}"
            );
        }
    })
}

/// Sends one message to each address; a failure of one does not stop the other.
async fn send_messages(app: &App, person: &User, address: &str) -> Result<(), Error> {
    let one = send_change_link(app, person, address).await;
    let notice = MailMessage {
        to: &person.email,
        subject: "Change of the e-mail address of your BA Copilot account".to_owned(),
        body: format!(
            "A change of the e-mail address of your BA Copilot account was requested. The address changes when \
             the link that was sent to the new address is opened.\n\nIf you did not request this, choose a new \
             password at {}/forgot-password now: the link and all sessions and tokens of your account become \
             invalid.\n",
            app.config.public_url()
        ),
    };
    let other = match count_recipient(app, MailKind::EmailChange, &person.email).await? {
        Some(counted) => send_counted(app, counted, notice).await,
        None => Ok(()),
    };
    one.and(other)
}

/// Sends the link to the new address, or a notice if an account with that address exists.
async fn send_change_link(app: &App, person: &User, address: &str) -> Result<(), Error> {
    // Counted before the link is created: a new link invalidates the previous one, so the newest sent link stays
    // valid.
    let Some(counted) = count_recipient(app, MailKind::EmailChange, address).await? else { return Ok(()) };
    let body = match store(app)?.find_user_by_email(address).await {
        Ok(_) => {
            "This e-mail address was requested for a BA Copilot account. You already have an account with \
            it, so nothing was changed. Sign in to that account.\n"
                .to_owned()
        }
        Err(StoreError::NotFound { .. }) => {
            let secret = store_code(app, CodePurpose::VerifyEmail, Some(person), Some(address)).await?;
            let link = link(app, "/verify-email", &secret);
            format!(
                "This e-mail address was requested for a BA Copilot account.\n\nTo verify it, sign in to that \
                 account and open this link within {LINK_H} hours; afterwards you sign in with this \
                 address:\n{link}\n\nIf you did not request this, ignore this message.\n"
            )
        }
        Err(other) => return Err(other.into()),
    };
    let message = MailMessage { to: address, subject: "Your e-mail address for BA Copilot".to_owned(), body };
    send_counted(app, counted, message).await
}

/// Sends a counted message; one that is not sent is uncounted.
async fn send_counted(app: &App, counted: Reserved, message: MailMessage<'_>) -> Result<(), Error> {
    let sent = app.mailer.send(message).await;
    if sent.is_err() {
        counted.release(app).await?;
    }
    sent
}
