//! E-mail addresses: how people show that one is theirs, and how they change it. An address is never taken on anybody's
//! word: it changes when the link that was sent to it is opened by whoever is signed in to the account.

use secrecy::SecretString;
use serde_json::json;
use store::{CodePurpose, StoreError, User};

use super::{
    email, passwords,
    people::{LINK_H, keep_code, link},
};
use crate::{
    app::App,
    service::{
        Error,
        access::{Caller, store},
        mail::Letter,
        secrets,
    },
};

/// Sends the caller a link that proves their e-mail address.
///
/// # Errors
/// When the message cannot be sent.
pub async fn request_verification(app: &App, caller: &Caller) -> Result<(), Error> {
    let person = caller.account()?;
    if person.verified_at.is_some() {
        return Ok(());
    }
    let secret = keep_code(app, CodePurpose::VerifyEmail, Some(person), Some(&person.email)).await?;
    let link = link(app, "/verify-email", &secret);
    let letter = Letter {
        to: &person.email,
        subject: "Your e-mail address for BA Copilot".to_owned(),
        body: format!(
            "Show that this address is yours by opening this link within {LINK_H} hours, where you are signed in:\n{link}\n\nIf you have no account of BA Copilot, do nothing.\n"
        ),
    };
    app.mailer.send(letter).await
}

/// Follows a link that was sent to an e-mail address: the caller's account has it from now on. The caller is signed in to the account
/// that asked for the link: a link that another person asked for is followed by mistake, and would give their account a proven
/// address that is not theirs.
///
/// # Errors
/// When the link does not work (any more) or was asked for by another account, or another account has the address meanwhile.
pub async fn verify_email(app: &App, caller: &Caller, code: &str) -> Result<(), Error> {
    let person = caller.in_person()?;
    let verified = caller.did(app, "email.verify", None, person.id.as_str(), &json!({}))?;
    let changed = caller.did(app, "email.change", None, person.id.as_str(), &json!({}))?;
    match store(app)?.verify_email(&secrets::hash(code), &person.id, &verified, &changed).await {
        // Whoever opened the link has the address, so that this tells nobody else.
        Err(StoreError::Conflict { .. }) => Err(Error::Conflict(
            "Another account has this e-mail address meanwhile. Sign in with that one, or choose another address."
                .to_owned(),
        )),
        Err(StoreError::NotFound { .. }) => Err(Error::invalid(
            "code",
            "This link does not work any more, or was sent for another account than the one that you are signed in to. Ask for another one at /account.",
        )),
        other => Ok(other?),
    }
}

/// Sends a link to the address that the caller wants to have, and tells the one that they have. Whether the new one is
/// somebody's, neither the answer nor its time says.
///
/// # Errors
/// When the password is wrong, or the address is none.
pub async fn request_email_change(
    app: &App,
    caller: &Caller,
    new: &str,
    password: &SecretString,
) -> Result<(), Error> {
    let person = caller.in_person()?;
    let address = email(new)?;
    passwords::prove(person, password).await?;
    if address == person.email {
        return Err(Error::invalid("email", "This is your e-mail address already."));
    }
    let event = caller.did(app, "email.request", None, person.id.as_str(), &json!({}))?;
    store(app)?.record_audit_event(&event).await?;
    let (app, person) = (app.clone(), person.clone());
    tokio::spawn(async move {
        if let Err(error) = send_letters(&app, &person, &address).await {
            tracing::error!(
                error.code = error.code(),
                "A message about a new e-mail address was not sent: {error}"
            );
        }
    });
    Ok(())
}

/// One to the new address, and one to the old.
async fn send_letters(app: &App, person: &User, address: &str) -> Result<(), Error> {
    let body = match store(app)?.find_user_by_email(address).await {
        Ok(_) => "Somebody, probably you, wants to use this e-mail address for an account of BA Copilot. You have an account with it already, so nothing was changed. Sign in with that one.\n".to_owned(),
        Err(StoreError::NotFound { .. }) => {
            let secret = keep_code(app, CodePurpose::VerifyEmail, Some(person), Some(address)).await?;
            let link = link(app, "/verify-email", &secret);
            format!(
                "Somebody, probably you, wants to use this e-mail address for an account of BA Copilot.\n\nShow that it is yours by opening this link within {LINK_H} hours, where you are signed in to that account; you sign in with it from then on:\n{link}\n\nIf it was not you, do nothing.\n"
            )
        }
        Err(other) => return Err(other.into()),
    };
    let letter = Letter { to: address, subject: "Your e-mail address for BA Copilot".to_owned(), body };
    let notice = Letter {
        to: &person.email,
        subject: "Your account of BA Copilot gets another e-mail address".to_owned(),
        body: format!(
            "Somebody, probably you, wants to sign in to your account of BA Copilot with another e-mail address. It changes when the link that was sent to that address is opened.\n\nIf it was not you, choose a new password at {}/forgot-password now: the link does not work any more then, all tokens end, and everybody is signed out.\n",
            app.config.public_url()
        ),
    };
    // Each is sent whatever becomes of the other one.
    let (one, other) = (app.mailer.send(letter).await, app.mailer.send(notice).await);
    one.and(other)
}
