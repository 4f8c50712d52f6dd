//! `/account`: name, password, second factor, identities, sessions, tokens. Each button is a form that names its
//! action.

use axum::{
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use llm::SecretString;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    budgets,
    layout::{Form, Page, done_text, error_page, explain, field, redirect_done, when},
};
use crate::{http::identify::signed_out, state::AppState};
use application::{
    Error, User,
    access::{Caller, SCOPES, Scope},
    accounts::{
        confirm::Proof,
        email_address, oidc, recovery,
        second_factor::{self, Offered},
        sign_in,
        tokens::{self, NewToken},
        users,
    },
    budgets::Owner,
    page::Listing,
};

#[derive(Default, Deserialize)]
pub struct AccountQuery {
    done: Option<String>,
    after: Option<String>,
}

/// The fields of all forms of the page. Fields that a form does not have are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct AccountForm {
    action: String,
    name: String,
    email: String,
    old: String,
    password: String,
    id: String,
    days: String,
    secret: String,
    code: String,
    current_code: String,
    scope_read: Option<String>,
    scope_write: Option<String>,
    scope_generate: Option<String>,
    scope_mcp: Option<String>,
    scope_account: Option<String>,
}

impl AccountForm {
    fn scopes(&self) -> Vec<String> {
        [&self.scope_read, &self.scope_write, &self.scope_generate, &self.scope_mcp, &self.scope_account]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// The confirmation: the password, or this code.
    fn proof(&self, code: &str) -> Proof {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Proof { password: given(&self.password).map(SecretString::from), code: given(code) }
    }
}

/// What the page shows only once.
enum Once {
    Token(String),
    SecondFactor(Offered),
    RecoveryCodes(Vec<String>),
}

/// `GET /account`
pub async fn show_account(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<AccountQuery>,
) -> Response {
    page(&state, &caller, &query, None, None).await
}

/// `POST /account`
pub async fn submit_account(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<AccountForm>,
) -> Response {
    match carry_out(&state, &caller, &form).await {
        Ok(response) => response,
        Err(error) => {
            // The same secret again, so that the app need not be set up again after a mistyped password.
            let once = match form.action.as_str() {
                "factor" => second_factor::offer_again(&caller, &form.secret).ok().map(Once::SecondFactor),
                _ => None,
            };
            page(&state, &caller, &AccountQuery::default(), once, Some(&error)).await
        }
    }
}

async fn carry_out(state: &AppState, caller: &Caller, form: &AccountForm) -> Result<Response, Error> {
    let app = &state.app;
    let password = || SecretString::from(form.password.clone());
    let finished = match form.action.as_str() {
        "name" => users::update_me(app, caller, &form.name).await.map(|_| "name")?,
        "password" => {
            users::change_password(app, caller, &SecretString::from(form.old.clone()), &password()).await?;
            "password"
        }
        "verify" => email_address::request_verification(app, caller).await.map(|()| "sent")?,
        "email" => {
            email_address::request_email_change(app, caller, &form.email, &password()).await?;
            "email"
        }
        "unlink" => oidc::delete_identity(app, caller, &form.id).await.map(|()| "unlinked")?,
        "token" => {
            let days = match form.days.trim() {
                "" => None,
                days => Some(days.parse().map_err(|_| {
                    Error::invalid(
                        "days",
                        "`days` must be a whole number, or empty for a token that does not expire.",
                    )
                })?),
            };
            let wanted = NewToken { name: form.name.clone(), scopes: form.scopes(), days };
            let (_, secret) = tokens::create_token(app, caller, wanted).await?;
            return Ok(page(state, caller, &AccountQuery::default(), Some(Once::Token(secret)), None).await);
        }
        "end-token" => tokens::delete_token(app, caller, &form.id).await.map(|()| "token")?,
        "end-session" => sign_in::delete_session(app, caller, &form.id).await.map(|()| "session")?,
        "offer" => {
            let offered = second_factor::offer(caller)?;
            return Ok(page(
                state,
                caller,
                &AccountQuery::default(),
                Some(Once::SecondFactor(offered)),
                None,
            )
            .await);
        }
        "factor" => {
            let proof = form.proof(&form.current_code);
            let codes = second_factor::set(app, caller, &form.secret, &form.code, &proof).await?;
            let once = Some(Once::RecoveryCodes(codes));
            return Ok(page(state, caller, &AccountQuery::default(), once, None).await);
        }
        "recovery-codes" => {
            let codes = recovery::create_recovery_codes(app, caller, form.proof(&form.code)).await?;
            let once = Some(Once::RecoveryCodes(codes));
            return Ok(page(state, caller, &AccountQuery::default(), once, None).await);
        }
        "no-factor" => {
            second_factor::delete(app, caller, &form.proof(&form.code)).await.map(|()| "no-factor")?
        }
        "export" => {
            let all = users::export_me(app, caller).await?;
            let mut response = axum::Json(all).into_response();
            response.headers_mut().insert(
                header::CONTENT_DISPOSITION,
                HeaderValue::from_static("attachment; filename=\"ba-copilot-account.json\""),
            );
            return Ok(response);
        }
        "delete" => {
            users::delete_me(app, caller, &password()).await?;
            return Ok(signed_out(state, redirect_done("/sign-in", "out")));
        }
        _ => return Err(Error::invalid("action", "This page has no such button. Open it again.")),
    };
    Ok(redirect_done("/account", finished))
}

const DONE: [(&str, &str); 9] = [
    ("name", "Your name is changed."),
    (
        "password",
        "Your password is changed, and your other sessions have ended. Your tokens still work; \
         revoke those that you do not need below.",
    ),
    ("sent", "A link was sent to your e-mail address."),
    ("verified", "Your e-mail address is confirmed."),
    ("token", "The token is revoked."),
    ("session", "The session has ended."),
    (
        "email",
        "A link was sent to the new address, unless another account has it. \
         The address changes when you open the link in a browser where you are signed in.",
    ),
    ("unlinked", "The identity is unlinked."),
    ("no-factor", "The second factor is off."),
];

/// The fields of a confirmation, as far as the user has a password or a second factor.
fn confirmation(person: &User, id: &str, code: &str) -> Markup {
    let (password, factor) = (person.password_hash.is_some(), person.second_factor.is_some());
    html! {
        @if password {
            label for={ (id) "-password" } { "Password" }
            input id={ (id) "-password" } name="password" type="password"
                autocomplete="current-password" required[!factor];
        }
        @if factor {
            label for={ (id) "-code" } {
                @if password { "or a code of your app" }
                @else { "A code of your app, unless you signed in just now" }
            }
            input id={ (id) "-code" } name=(code) type="text" autocomplete="one-time-code";
        } @else if !password {
            p.soft { "You have no password here, so this works within 10 minutes after you signed in." }
        }
    }
}

fn button(action: &str, label: &str, inner: Markup) -> Markup {
    html! {
        form method="post" action="/account" {
            input type="hidden" name="action" value=(action);
            (inner)
            button type="submit" { (label) }
        }
    }
}

async fn page(
    state: &AppState,
    caller: &Caller,
    query: &AccountQuery,
    once: Option<Once>,
    error: Option<&Error>,
) -> Response {
    let app = &state.app;
    let listing = Listing { after: query.after.clone(), limit: None };
    let loaded = async {
        // Read again: the form may have changed it.
        let person = users::find_me(app, caller).await?;
        Ok::<_, Error>((
            person,
            sign_in::list_sessions(app, caller).await?,
            tokens::list_tokens(app, caller, &listing).await?,
            oidc::list_identities(app, caller).await?,
            recovery::count_recovery_codes(app, caller).await?,
        ))
    };
    let (person, sessions, tokens, identities, codes_left) = match loaded.await {
        Ok(loaded) => loaded,
        Err(error) => return error_page(Some(caller), &error),
    };
    let now = app.clock.now_us();
    let budget = budgets::line(state, caller, &Owner::Me).await;
    let body = html! {
        main {
            @if let Some(text) = done_text(query.done.as_deref(), &DONE) { p."note"."good" { (text) } }
            section.card {
                h2 { "You" }
                p { (person.email) @if person.verified_at.is_none() { " (not confirmed)" } }
                @if person.verified_at.is_none() { (button("verify", "Send a link to confirm it", html! {})) }
                (button("name", "Change", field("name", "Name", "text", &person.name, "name")))
                details {
                    summary { "Change the e-mail address" }
                    p.soft {
                        "You get a link at the new address. The address changes when you open the link in a browser "
                        "where you are signed in."
                    }
                    (button("email", "Send a link", html! {
                        (field("email", "New e-mail address", "email", "", "email"))
                        label for="email-password" { "Password" }
                        input id="email-password" name="password" type="password"
                            autocomplete="current-password" required;
                    }))
                }
                (budget)
            }
            section.card {
                h2 { "Password" }
                @if person.password_hash.is_none() {
                    p { "You have no password, because you sign in with an identity provider. Some changes below \
                        require one." }
                    p { a href="/forgot-password" { "Get a link to set one" } }
                } @else { (button("password", "Change", html! {
                    (field("old", "Old password", "password", "", "current-password"))
                    (field("password", "New password", "password", "", "new-password"))
                })) }
            }
            section.card {
                h2 { "Second factor" }
                @match &once {
                    Some(Once::SecondFactor(offered)) => {
                        p { "Add this secret to your authenticator app, then enter the code that it shows." }
                        p { a href=(offered.url) { "Open in an app on this device" } }
                        pre { code #factor { (offered.secret) } }
                        (button("factor", "Use it", html! {
                            input type="hidden" name="secret" value=(offered.secret);
                            (field("code", "Code", "text", "", "one-time-code"))
                            (confirmation(&person, "factor", "current_code"))
                        }))
                    }
                    _ if person.second_factor.is_some() => {
                        p { "Signing in takes a code of your app." }
                        @if let Some(Once::RecoveryCodes(codes)) = &once {
                            p."note"."good" {
                                "These are your recovery codes. Each replaces one code of your app, once. They are \
                                 shown "
                                "only now: store them apart from the device with the app."
                            }
                            pre { code #recovery { (codes.join("\n")) } }
                        } @else {
                            p { "You have " (codes_left) " recovery codes left, for when you lose the device with the \
                                app." }
                            details {
                                summary { "Get ten new ones" }
                                p.soft { "The old codes become invalid. Enter your password, or a code of your app." }
                                (button("recovery-codes", "Make new codes", confirmation(&person, "recovery", "code")))
                            }
                        }
                        details {
                            summary { "Turn it off" }
                            p.soft { "Signing in then takes only your password, and the recovery codes are deleted." }
                            (button("no-factor", "Turn it off", confirmation(&person, "no-factor", "code")))
                        }
                        details {
                            summary { "Use another app" }
                            p.soft { "The current app and the recovery codes stay valid until the new app is set up." }
                            (button("offer", "Set up another one", html! {}))
                        }
                    }
                    _ => {
                        p.soft { "A code from an authenticator app, in addition to the password." }
                        (button("offer", "Set up", html! {}))
                    }
                }
            }
            @if !identities.is_empty() || oidc::provider_name(app).is_some() {
                section.card {
                    h2 { "Linked identities" }
                    @if identities.is_empty() { p.soft { "None." } }
                    @else {
                        table {
                            thead { tr { th { "With" } th { "Since" } th {} } }
                            tbody {
                                @for identity in &identities {
                                    tr {
                                        td { (identity.name.as_deref().unwrap_or(&identity.issuer)) }
                                        td { (when(identity.created_at)) }
                                        td {
                                            (button("unlink", "Unlink", html! {
                                                input type="hidden" name="id" value=(identity.id);
                                            }))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            section.card {
                h2 { "Where you are signed in" }
                table {
                    thead { tr { th { "Browser" } th { "Since" } th { "Last used" } th {} } }
                    tbody {
                        @for session in &sessions {
                            tr {
                                td { (session.device) }
                                td { (when(session.created_at)) }
                                td { (when(session.seen_at)) }
                                td {
                                    @if session.current { "this one" } @else {
                                        (button("end-session", "End", html! {
                                            input type="hidden" name="id" value=(session.id);
                                        }))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            section.card {
                h2 { "Tokens" }
                p.soft { "What programs call with, as " code { "Authorization: Bearer bac_…" } "." }
                @if let Some(Once::Token(secret)) = &once {
                    p."note"."good" { "This is your token. It is shown this once." }
                    pre { code #token { (secret) } }
                }
                table {
                    thead {
                        tr { th { "Name" } th { "Scopes" } th { "Created" } th { "Last used" } th { "Expires" } th {} }
                    }
                    tbody {
                        @for token in &tokens.items {
                            tr {
                                td { (token.name) }
                                td { (token.scopes) }
                                td { (when(token.created_at)) }
                                td { @if let Some(at) = token.used_at { (when(at)) } }
                                td { @if let Some(at) = token.expires_at { (when(at)) } @else { "for ever" } }
                                td {
                                    @if token.revoked_at.is_some() { "ended" }
                                    @else if token.expires_at.is_some_and(|at| at <= now) { "too old" }
                                    @else {
                                        (button("end-token", "Revoke", html! {
                                            input type="hidden" name="id" value=(token.id);
                                        }))
                                    }
                                }
                            }
                        }
                    }
                }
                @if let Some(next) = &tokens.next { p { a href={ "/account?after=" (next) } { "More" } } }
                (button("token", "Make a token", html! {
                    label for="token-name" { "What it is for" }
                    input id="token-name" name="name" type="text" required;
                    fieldset {
                        legend { "What it may do" }
                        @for (scope, word, does) in SCOPES {
                            label.choice title=(does) {
                                input type="checkbox" name={ "scope_" (word) } value=(word)
                                    checked[matches!(scope, Scope::Read | Scope::Generate)];
                                span { (word) }
                            }
                        }
                    }
                    label for="days" { "For how many days (nothing: for ever)" }
                    input #days name="days" type="number" min="1" max="3650" value="90";
                }))
            }
            section.card {
                h2 { "Your data" }
                (button("export", "Download everything about you", html! {}))
                details {
                    summary { "Delete your account" }
                    p { "Everything that says who you are goes. What you made for others stays, without your name." }
                    (button("delete", "Delete for ever", html! {
                        label for="delete-password" { "Password" }
                        input id="delete-password" name="password" type="password"
                            autocomplete="current-password" required;
                    }))
                }
            }
        }
    };
    let explained = error.map(explain);
    Page::new(Some(caller), "Account", body).with_error(explained.as_ref()).show()
}
