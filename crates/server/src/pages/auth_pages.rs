//! Set-up, sign-in, second factor, password reset, e-mail verification and invitations.

use axum::{
    extract::{Query, State},
    response::Response,
};
use llm::SecretString;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    layout::{Form, Page, done_text, error_page, explain, field, redirect, redirect_done},
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
        sign_in::{self, Credentials, SignedIn},
        users::{self, NewAccount},
    },
    members,
};

#[derive(Default, Deserialize)]
pub struct AuthQuery {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
    done: Option<String>,
}

/// The fields of all forms of these pages. Fields that a form does not have are empty.
#[derive(Default, Deserialize)]
pub struct AuthForm {
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

impl AuthForm {
    /// An empty form that leads to `next`.
    pub(super) fn with_next(next: String) -> Self {
        AuthForm { next, ..AuthForm::default() }
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
    Query(query): Query<AuthQuery>,
) -> Response {
    set_up_page(&state, visitor.as_ref(), &query.code, &AuthForm::default(), None).await
}

async fn set_up_page(
    state: &AppState,
    visitor: Option<&Caller>,
    code: &str,
    form: &AuthForm,
    error: Option<&Error>,
) -> Response {
    match is_local(&state.app).await {
        Ok(local) if !local && code.is_empty() => return redirect("/sign-in"),
        Ok(_) => (),
        Err(error) => return error_page(visitor, &error),
    }
    let least = state.app.config.accounts.min_password_chars;
    narrow(
        visitor,
        "Set up accounts",
        error,
        html! {
            p.soft {
                "You become the first user and the administrator of this server, and own what was created here so far. "
                "From then on, signing in is required."
            }
            form method="post" action="/set-up" {
                input type="hidden" name="code" value=(code);
                (field("name", "Your name", "text", &form.name, "name"))
                (field("email", "E-mail address", "email", &form.email, "username"))
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
    Form(form): Form<AuthForm>,
) -> Response {
    let newcomer = NewAccount {
        email: form.email.clone(),
        name: form.name.clone(),
        password: Some(form.password()),
        admin: true,
    };
    let code = Some(form.code.as_str()).filter(|code| !code.is_empty());
    match users::set_up(&state.app, code, newcomer, &from).await {
        Ok(session) => signed_in(&state, redirect("/"), &session),
        Err(error) => set_up_page(&state, visitor.as_ref(), &form.code, &form, Some(&error)).await,
    }
}

/// `GET /sign-in`
pub async fn show_sign_in(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(query): Query<AuthQuery>,
) -> Response {
    if visitor.is_some() {
        return redirect(&query.next);
    }
    sign_in_page(&state, &AuthForm::with_next(query.next), query.done.as_deref(), None)
}

/// The button of the identity provider, if one is configured.
fn provider_button(state: &AppState, next: &str) -> Markup {
    html! {
        @if let Some(name) = oidc::provider_name(&state.app) {
            // A link and not a form: the content security policy blocks forms that redirect to another site.
            p { a."button" #oidc href={ "/sign-in/oidc?next=" (encoded(local_path(next))) } { "Sign in with " (name) } }
        }
    }
}

pub(super) fn sign_in_page(
    state: &AppState,
    form: &AuthForm,
    what: Option<&str>,
    error: Option<&Error>,
) -> Response {
    let known = [
        (
            "reset",
            "Your password is changed. Every session and every token of the account has ended. Sign in with the new \
             password.",
        ),
        ("out", "You are signed out."),
    ];
    narrow(
        None,
        "Sign in",
        error,
        html! {
            @if let Some(text) = done_text(what, &known) { p."note"."good" { (text) } }
            (provider_button(state, &form.next))
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(local_path(&form.next));
                (field("email", "E-mail address", "email", &form.email, "username"))
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
    Form(form): Form<AuthForm>,
) -> Response {
    let attempt = Credentials { email: form.email.clone(), password: form.password(), code: None, from };
    match sign_in::sign_in(&state.app, attempt).await {
        Ok(SignedIn::Done(session)) => signed_in(&state, redirect(&form.next), &session),
        Ok(SignedIn::CodeNeeded(ticket)) => code_page(&ticket, &form.next, None),
        Err(error) => sign_in_page(&state, &form, None, Some(&error)),
    }
}

pub(super) fn code_page(ticket: &str, next: &str, error: Option<&Error>) -> Response {
    narrow(
        None,
        "Second factor",
        error,
        html! {
            p.soft { "Enter the code that your authenticator app shows, or one of your recovery codes." }
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
    Form(form): Form<AuthForm>,
) -> Response {
    match sign_in::finish(&state.app, &form.ticket, &form.code, &from).await {
        Ok(session) => signed_in(&state, redirect(&form.next), &session),
        Err(error) => code_page(&form.ticket, &form.next, Some(&error)),
    }
}

/// `POST /sign-out`
pub async fn submit_sign_out(State(state): State<AppState>, caller: Caller) -> Response {
    if let Some(session) = caller.session()
        && let Err(error) = sign_in::delete_session(&state.app, &caller, session.as_str()).await
    {
        return error_page(Some(&caller), &error);
    }
    signed_out(&state, redirect_done("/sign-in", "out"))
}

/// `GET /forgot-password`
pub async fn show_forgot_password(Query(query): Query<AuthQuery>) -> Response {
    forgot_page(&AuthForm::default(), query.done.as_deref(), None)
}

fn forgot_page(form: &AuthForm, what: Option<&str>, error: Option<&Error>) -> Response {
    let known =
        [("sent", "If an account has this e-mail address, a link was sent to it. It is valid for one day.")];
    narrow(
        None,
        "Forgot your password?",
        error,
        html! {
            @if let Some(text) = done_text(what, &known) { p."note"."good" { (text) } }
            form method="post" action="/forgot-password" {
                (field("email", "E-mail address", "email", &form.email, "username"))
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
    Form(form): Form<AuthForm>,
) -> Response {
    match users::request_reset(&state.app, &form.email, &from.network).await {
        Ok(()) => redirect_done("/forgot-password", "sent"),
        Err(error) => forgot_page(&form, None, Some(&error)),
    }
}

/// `GET /reset-password`
pub async fn show_reset_password(State(state): State<AppState>, Query(query): Query<AuthQuery>) -> Response {
    reset_page(&state, &query.code, None)
}

fn reset_page(state: &AppState, code: &str, error: Option<&Error>) -> Response {
    let least = state.app.config.accounts.min_password_chars;
    narrow(
        None,
        "Choose a password",
        error,
        html! {
            p.soft { "All sessions of this account are then signed out, and all of its tokens end." }
            form method="post" action="/reset-password" {
                input type="hidden" name="code" value=(code);
                (field("password", &format!("Password, at least {least} characters"), "password", "", "new-password"))
                button type="submit" { "Save" }
            }
        },
    )
}

/// `POST /reset-password`
pub async fn submit_reset_password(State(state): State<AppState>, Form(form): Form<AuthForm>) -> Response {
    match users::reset_password(&state.app, &form.code, &form.password()).await {
        Ok(()) => redirect_done("/sign-in", "reset"),
        Err(error) => reset_page(&state, &form.code, Some(&error)),
    }
}

/// `GET /verify-email`: with a button, because mail scanners open every link.
pub async fn show_verify_email(
    MaybeCaller(visitor): MaybeCaller,
    Query(query): Query<AuthQuery>,
) -> Response {
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
                    input type="hidden" name="code" value=(query.code);
                    button type="submit" { "Confirm" }
                }
            } @else {
                p { "Sign in to the account with which you asked for this link." }
                p.soft { "If you did not request it, ignore it: another person entered your address." }
                p { a."button" href=(verify_after_sign_in(&query.code)) { "Sign in to confirm" } }
            }
        },
    )
}

/// The sign-in page, with the way back to a verification link.
fn verify_after_sign_in(code: &str) -> String {
    format!("/sign-in?next={}", encoded(&format!("/verify-email?code={}", encoded(code))))
}

/// `POST /verify-email`
pub async fn submit_verify_email(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Form(form): Form<AuthForm>,
) -> Response {
    let Some(caller) = visitor else { return redirect(&verify_after_sign_in(&form.code)) };
    match email_address::verify_email(&state.app, &caller, &form.code).await {
        Ok(()) => redirect_done("/account", "verified"),
        Err(error) => error_page(Some(&caller), &error),
    }
}

/// `GET /invitation`
pub async fn show_invitation(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(query): Query<AuthQuery>,
) -> Response {
    invitation_page(&state, visitor.as_ref(), &query.code, &AuthForm::default(), None).await
}

async fn invitation_page(
    state: &AppState,
    visitor: Option<&Caller>,
    code: &str,
    form: &AuthForm,
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
            p { "You are invited to join " strong { (offer.project_name) } " as " (offer.role.as_str()) "." }
            @if let Some(person) = person {
                form method="post" action="/invitation" {
                    input type="hidden" name="code" value=(code);
                    button type="submit" { "Join as " (person.name) }
                }
            } @else if offer.has_account {
                p { a."button" href=(here) { "Sign in to join" } }
            } @else if !offer.makes_account {
                p {
                    "To join with a new account, open the link in the message that was sent to "
                    strong { (offer.email) } "."
                }
                p.soft { "The person who invited you has seen this link, so it does not verify your address." }
                (provider_button(state, &format!("/invitation?code={code}")))
                p { a href=(here) { "Sign in to join with an account that you have" } }
            } @else {
                (provider_button(state, &format!("/invitation?code={code}")))
                form method="post" action="/invitation" {
                    input type="hidden" name="code" value=(code);
                    p.soft { "You will sign in with " (offer.email) "." }
                    (field("name", "Your name", "text", &form.name, "name"))
                    @let label = format!("Password, at least {least} characters");
                    (field("password", &label, "password", "", "new-password"))
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
    Form(form): Form<AuthForm>,
) -> Response {
    if let Some(caller) = visitor.as_ref().filter(|caller| caller.person().is_some()) {
        return match members::accept_invitation(&state.app, caller, &form.code).await {
            Ok(accepted) => redirect(&format!("/projects/{}", accepted.project_id)),
            Err(error) => error_page(Some(caller), &error),
        };
    }
    match members::join(&state.app, &form.code, &form.name, form.password(), &from).await {
        Ok(session) => signed_in(&state, redirect("/projects"), &session),
        Err(error) => invitation_page(&state, visitor.as_ref(), &form.code, &form, Some(&error)).await,
    }
}
