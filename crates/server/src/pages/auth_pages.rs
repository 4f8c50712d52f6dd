//! How people come in: setting up, signing in, second factor, new passwords, invitations.

use axum::{
    extract::{Query, State},
    response::Response,
};
use llm::SecretString;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    layout::{Form, Page, done, error_page, explain, field, go, said},
    local_path::local_path,
};
use crate::{
    http::identify::{MaybeCaller, Origin, encoded, signed_in, signed_out},
    state::AppState,
};
use application::{
    Error,
    access::Caller,
    accounts::{
        email_address, is_local, oidc,
        sign_in::{self, Attempt, SignedIn},
        users::{self, Newcomer},
    },
    members,
};

/// What stands behind the question mark of these pages.
#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
    done: Option<String>,
}

/// What these pages send.
#[derive(Default, Deserialize)]
pub struct Sent {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    next: String,
}

impl Sent {
    /// Nothing yet, from somebody who wants to go somewhere afterwards.
    pub(super) fn to(next: String) -> Self {
        Sent { next, ..Sent::default() }
    }

    fn password(&self) -> SecretString {
        SecretString::from(self.password.clone())
    }
}

fn narrow(visitor: Option<&Caller>, title: &str, error: Option<&Error>, body: Markup) -> Response {
    let explained = error.map(explain);
    Page::new(visitor, title, html! { main.narrow { section.card { h2 { (title) } (body) } } })
        .with_error(explained.as_ref())
        .show()
}

/// `GET /set-up`
pub async fn show_set_up(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(asked): Query<Asked>,
) -> Response {
    set_up_page(&state, visitor.as_ref(), &asked.code, &Sent::default(), None).await
}

async fn set_up_page(
    state: &AppState,
    visitor: Option<&Caller>,
    code: &str,
    sent: &Sent,
    error: Option<&Error>,
) -> Response {
    match is_local(&state.app).await {
        Ok(local) if !local && code.is_empty() => return go("/sign-in"),
        Ok(_) => (),
        Err(error) => return error_page(visitor, &error),
    }
    let least = state.app.config.accounts.min_password_chars;
    narrow(
        visitor,
        "Set up accounts",
        error,
        html! {
            p.soft { "You become the first person of this server: you run it, and own what was made here so far. From then on, everybody signs in." }
            form method="post" action="/set-up" {
                input type="hidden" name="code" value=(code);
                (field("name", "Your name", "text", &sent.name, "name"))
                (field("email", "E-mail address", "email", &sent.email, "username"))
                (field("password", &format!("Password, at least {least} characters"), "password", "", "new-password"))
                button type="submit" { "Set up" }
            }
        },
    )
}

/// `POST /set-up`
pub async fn submit_set_up(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Origin(from): Origin,
    Form(sent): Form<Sent>,
) -> Response {
    let newcomer = Newcomer {
        email: sent.email.clone(),
        name: sent.name.clone(),
        password: Some(sent.password()),
        admin: true,
    };
    let code = Some(sent.code.as_str()).filter(|code| !code.is_empty());
    match users::set_up(&state.app, code, newcomer, &from).await {
        Ok(session) => signed_in(&state, go("/"), &session),
        Err(error) => set_up_page(&state, visitor.as_ref(), &sent.code, &sent, Some(&error)).await,
    }
}

/// `GET /sign-in`
pub async fn show_sign_in(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(asked): Query<Asked>,
) -> Response {
    if visitor.is_some() {
        return go(&asked.next);
    }
    sign_in_page(&state, &Sent::to(asked.next), asked.done.as_deref(), None)
}

/// A button that leads to the identity provider, if there is one.
fn elsewhere(state: &AppState, next: &str) -> Markup {
    html! {
        @if let Some(name) = oidc::provider_name(&state.app) {
            // A link, because a form that is sent on to another site is not let through by our own policy.
            p { a."button" #oidc href={ "/sign-in/oidc?next=" (encoded(local_path(next))) } { "Sign in with " (name) } }
        }
    }
}

pub(super) fn sign_in_page(
    state: &AppState,
    sent: &Sent,
    what: Option<&str>,
    error: Option<&Error>,
) -> Response {
    let known = [
        (
            "reset",
            "Your password is changed. Every session and every token of the account has ended. Sign in with the new password.",
        ),
        ("out", "You are signed out."),
    ];
    narrow(
        None,
        "Sign in",
        error,
        html! {
            @if let Some(text) = said(what, &known) { p."note"."good" { (text) } }
            (elsewhere(state, &sent.next))
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(local_path(&sent.next));
                (field("email", "E-mail address", "email", &sent.email, "username"))
                (field("password", "Password", "password", "", "current-password"))
                button type="submit" { "Sign in" }
            }
            p { a href="/forgot-password" { "Forgot your password?" } }
        },
    )
}

/// `POST /sign-in`
pub async fn submit_sign_in(
    State(state): State<AppState>,
    Origin(from): Origin,
    Form(sent): Form<Sent>,
) -> Response {
    let attempt = Attempt { email: sent.email.clone(), password: sent.password(), code: None, from };
    match sign_in::sign_in(&state.app, attempt).await {
        Ok(SignedIn::Done(session)) => signed_in(&state, go(&sent.next), &session),
        Ok(SignedIn::CodeNeeded(ticket)) => code_page(&ticket, &sent.next, None),
        Err(error) => sign_in_page(&state, &sent, None, Some(&error)),
    }
}

pub(super) fn code_page(ticket: &str, next: &str, error: Option<&Error>) -> Response {
    narrow(
        None,
        "Second factor",
        error,
        html! {
            p.soft { "Type the code that your app shows now, or one of your recovery codes." }
            form method="post" action="/sign-in/code" {
                input type="hidden" name="ticket" value=(ticket);
                input type="hidden" name="next" value=(local_path(next));
                label for="code" { "Code" }
                input #code name="code" autocomplete="one-time-code" required autofocus;
                button type="submit" { "Sign in" }
            }
        },
    )
}

/// `POST /sign-in/code`
pub async fn submit_code(
    State(state): State<AppState>,
    Origin(from): Origin,
    Form(sent): Form<Sent>,
) -> Response {
    match sign_in::finish(&state.app, &sent.ticket, &sent.code, &from).await {
        Ok(session) => signed_in(&state, go(&sent.next), &session),
        Err(error) => code_page(&sent.ticket, &sent.next, Some(&error)),
    }
}

/// `POST /sign-out`
pub async fn submit_sign_out(State(state): State<AppState>, caller: Caller) -> Response {
    if let Some(session) = caller.session()
        && let Err(error) = sign_in::delete_session(&state.app, &caller, session.as_str()).await
    {
        return error_page(Some(&caller), &error);
    }
    signed_out(&state, done("/sign-in", "out"))
}

/// `GET /forgot-password`
pub async fn show_forgot_password(Query(asked): Query<Asked>) -> Response {
    forgot_page(&Sent::default(), asked.done.as_deref(), None)
}

fn forgot_page(sent: &Sent, what: Option<&str>, error: Option<&Error>) -> Response {
    let known =
        [("sent", "If somebody has this e-mail address here, a link is on its way. It is good for a day.")];
    narrow(
        None,
        "Forgot your password?",
        error,
        html! {
            @if let Some(text) = said(what, &known) { p."note"."good" { (text) } }
            form method="post" action="/forgot-password" {
                (field("email", "E-mail address", "email", &sent.email, "username"))
                button type="submit" { "Send a link" }
            }
            p { a href="/sign-in" { "Sign in" } }
        },
    )
}

/// `POST /forgot-password`
pub async fn submit_forgot_password(
    State(state): State<AppState>,
    Origin(from): Origin,
    Form(sent): Form<Sent>,
) -> Response {
    match users::request_reset(&state.app, &sent.email, &from.network).await {
        Ok(()) => done("/forgot-password", "sent"),
        Err(error) => forgot_page(&sent, None, Some(&error)),
    }
}

/// `GET /reset-password`
pub async fn show_reset_password(State(state): State<AppState>, Query(asked): Query<Asked>) -> Response {
    reset_page(&state, &asked.code, None)
}

fn reset_page(state: &AppState, code: &str, error: Option<&Error>) -> Response {
    let least = state.app.config.accounts.min_password_chars;
    narrow(
        None,
        "Choose a password",
        error,
        html! {
            p.soft { "Whoever is signed in to this account is signed out then, and all of its tokens end." }
            form method="post" action="/reset-password" {
                input type="hidden" name="code" value=(code);
                (field("password", &format!("Password, at least {least} characters"), "password", "", "new-password"))
                button type="submit" { "Save" }
            }
        },
    )
}

/// `POST /reset-password`
pub async fn submit_reset_password(State(state): State<AppState>, Form(sent): Form<Sent>) -> Response {
    match users::reset_password(&state.app, &sent.code, &sent.password()).await {
        Ok(()) => done("/sign-in", "reset"),
        Err(error) => reset_page(&state, &sent.code, Some(&error)),
    }
}

/// `GET /verify-email`: a button, because programs that look at mail open every link.
pub async fn show_verify_email(MaybeCaller(visitor): MaybeCaller, Query(asked): Query<Asked>) -> Response {
    let person = visitor.as_ref().and_then(Caller::person);
    narrow(
        visitor.as_ref(),
        "Confirm your e-mail address",
        None,
        html! {
            @if let Some(person) = person {
                p { "You are signed in as " strong { (person.name) } ", " (person.email) "." }
                p.soft { "Confirm only if you asked for the link with this account." }
                form method="post" action="/verify-email" {
                    input type="hidden" name="code" value=(asked.code);
                    button type="submit" { "Confirm" }
                }
            } @else {
                p { "Sign in to the account with which you asked for this link." }
                p.soft { "If you did not ask for it, do nothing: somebody else wrote your address by mistake, or on purpose." }
                p { a."button" href=(verify_after_sign_in(&asked.code)) { "Sign in to confirm" } }
            }
        },
    )
}

/// Where to sign in, and come back to a link that confirms an e-mail address.
fn verify_after_sign_in(code: &str) -> String {
    format!("/sign-in?next={}", encoded(&format!("/verify-email?code={}", encoded(code))))
}

/// `POST /verify-email`
pub async fn submit_verify_email(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Form(sent): Form<Sent>,
) -> Response {
    let Some(caller) = visitor else { return go(&verify_after_sign_in(&sent.code)) };
    match email_address::verify_email(&state.app, &caller, &sent.code).await {
        Ok(()) => done("/account", "verified"),
        Err(error) => error_page(Some(&caller), &error),
    }
}

/// `GET /invitation`
pub async fn show_invitation(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(asked): Query<Asked>,
) -> Response {
    invitation_page(&state, visitor.as_ref(), &asked.code, &Sent::default(), None).await
}

async fn invitation_page(
    state: &AppState,
    visitor: Option<&Caller>,
    code: &str,
    sent: &Sent,
    error: Option<&Error>,
) -> Response {
    let offer = match members::find_offer(&state.app, code).await {
        Ok(offer) => offer,
        Err(error) => return error_page(visitor, &error),
    };
    let person = visitor.and_then(Caller::person);
    let least = state.app.config.accounts.min_password_chars;
    let here = format!("/sign-in?next={}", encoded(&format!("/invitation?code={code}")));
    narrow(
        visitor,
        "Join a project",
        error,
        html! {
            p { "You are asked to join " strong { (offer.project_name) } " as " (offer.role.as_str()) "." }
            @if let Some(person) = person {
                form method="post" action="/invitation" {
                    input type="hidden" name="code" value=(code);
                    button type="submit" { "Join as " (person.name) }
                }
            } @else if offer.has_account {
                p { a."button" href=(here) { "Sign in to join" } }
            } @else if !offer.makes_account {
                p { "To join with a new account, open the link in the message that was sent to " strong { (offer.email) } "." }
                p.soft { "This link was shown to the person who invited you, so it does not show that the address is yours." }
                (elsewhere(state, &format!("/invitation?code={code}")))
                p { a href=(here) { "Sign in to join with an account that you have" } }
            } @else {
                (elsewhere(state, &format!("/invitation?code={code}")))
                form method="post" action="/invitation" {
                    input type="hidden" name="code" value=(code);
                    p.soft { "You will sign in with " (offer.email) "." }
                    (field("name", "Your name", "text", &sent.name, "name"))
                    (field("password", &format!("Password, at least {least} characters"), "password", "", "new-password"))
                    button type="submit" { "Join" }
                }
            }
        },
    )
}

/// `POST /invitation`
pub async fn submit_invitation(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Origin(from): Origin,
    Form(sent): Form<Sent>,
) -> Response {
    if let Some(caller) = visitor.as_ref().filter(|caller| caller.person().is_some()) {
        return match members::accept_invitation(&state.app, caller, &sent.code).await {
            Ok(accepted) => go(&format!("/projects/{}", accepted.project_id)),
            Err(error) => error_page(Some(caller), &error),
        };
    }
    match members::join(&state.app, &sent.code, &sent.name, sent.password(), &from).await {
        Ok(session) => signed_in(&state, go("/projects"), &session),
        Err(error) => invitation_page(&state, visitor.as_ref(), &sent.code, &sent, Some(&error)).await,
    }
}
