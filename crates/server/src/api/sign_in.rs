//! `/api/v1/sign-in` and what belongs to it: for programs that act for a person in a browser. Others use a token.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::MeReply;
use crate::{
    Shared,
    http::{
        error::{Body, Pending, Problems},
        identify::{Origin, signed_in, signed_out},
    },
};
use application::{
    access::Caller,
    accounts::{
        sign_in::{self, Credentials, SessionView, SignedIn},
        users,
    },
    clock::rfc3339,
};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// Their e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Their password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The code of their second factor, if they have one.
    #[schema(example = "123456")]
    code: Option<String>,
}

/// Signed in, or half-way there.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum SignInReply {
    /// Signed in; the cookie is set.
    Done(MeReply),
    /// The code of the second factor is to come.
    CodeNeeded {
        /// Send it with the code to `/api/v1/sign-in/code` within 5 minutes.
        ticket: String,
    },
}

/// Sign in
///
/// Sets a cookie that browsers send from then on. With a second factor and no code, answers 202 with a ticket.
#[utoipa::path(
    post,
    path = "/api/v1/sign-in",
    operation_id = "create_session",
    tag = "accounts",
    request_body = SignInBody,
    responses((status = 200, description = "Signed in", body = MeReply), (status = 202, description = "The code of the second factor is to come", body = SignInReply), Problems)
)]
pub async fn create_session(
    State(shared): State<Shared>,
    Origin(from): Origin,
    Body(body): Body<SignInBody>,
) -> Result<Response, Pending> {
    let attempt = Credentials { email: body.email, password: body.password, code: body.code, from };
    Ok(match sign_in::sign_in(&shared.app, attempt).await? {
        SignedIn::Done(session) => {
            let me = Json(MeReply::of(&session.person)).into_response();
            signed_in(&shared, me, &session)
        }
        SignedIn::CodeNeeded(ticket) => {
            (StatusCode::ACCEPTED, Json(SignInReply::CodeNeeded { ticket })).into_response()
        }
    })
}

/// The code of the second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    /// The ticket of the first step.
    ticket: String,
    /// The code that the app shows.
    #[schema(example = "123456")]
    code: String,
}

/// Finish signing in with the code of the second factor
#[utoipa::path(
    post,
    path = "/api/v1/sign-in/code",
    operation_id = "finish_session",
    tag = "accounts",
    request_body = CodeBody,
    responses((status = 200, description = "Signed in", body = MeReply), Problems)
)]
pub async fn finish_session(
    State(shared): State<Shared>,
    Origin(from): Origin,
    Body(body): Body<CodeBody>,
) -> Result<Response, Pending> {
    let session = sign_in::finish(&shared.app, &body.ticket, &body.code, &from).await?;
    let me = Json(MeReply::of(&session.person)).into_response();
    Ok(signed_in(&shared, me, &session))
}

/// Somewhere the caller is signed in.
#[derive(Serialize, ToSchema)]
pub struct SessionReply {
    /// Its id.
    id: String,
    /// What the browser calls itself.
    device: String,
    /// When it began.
    created_at: String,
    /// When it was last used.
    seen_at: String,
    /// It is the one that asks.
    current: bool,
}

impl SessionReply {
    fn of(session: SessionView) -> Self {
        SessionReply {
            id: session.id,
            device: session.device,
            created_at: rfc3339(session.created_at),
            seen_at: rfc3339(session.seen_at),
            current: session.current,
        }
    }
}

/// Where you are signed in
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "accounts", responses((status = 200, description = "The sessions, last begun first", body = Vec<SessionReply>), Problems))]
pub async fn list_sessions(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Json<Vec<SessionReply>>, Pending> {
    let sessions = sign_in::list_sessions(&shared.app, &caller).await?;
    Ok(Json(sessions.into_iter().map(SessionReply::of).collect()))
}

/// End a session
///
/// `current` ends the one that asks.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}", operation_id = "delete_session", tag = "accounts", params(("session" = String, Path, description = "Its id, or `current`")), responses((status = 204, description = "Ended"), Problems))]
pub async fn delete_session(
    State(shared): State<Shared>,
    caller: Caller,
    Path(session): Path<String>,
) -> Result<Response, Pending> {
    let current = caller.session().map(ToString::to_string);
    let session = if session == "current" { current.clone().unwrap_or(session) } else { session };
    sign_in::delete_session(&shared.app, &caller, &session).await?;
    let done = StatusCode::NO_CONTENT.into_response();
    Ok(if current == Some(session) { signed_out(&shared, done) } else { done })
}

/// Whose password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetBody {
    /// Their e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
}

/// Ask for a new password
///
/// Sends a link if there is an account with this e-mail address. Whether there is, neither the answer nor its time says. At most 5
/// links in an hour are sent to one address; the newest one stays good.
#[utoipa::path(post, path = "/api/v1/password-resets", operation_id = "create_password_reset", tag = "accounts", request_body = ResetBody, responses((status = 202, description = "If there is such a person, a link is on its way"), Problems))]
pub async fn create_password_reset(
    State(shared): State<Shared>,
    Origin(from): Origin,
    Body(body): Body<ResetBody>,
) -> Result<StatusCode, Pending> {
    users::request_reset(&shared.app, &body.email, &from.network).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishResetBody {
    /// `code` of the link.
    code: String,
    /// The new password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Choose a new password
///
/// Every session and every token of the account ends. If the link was mailed and the e-mail address was not proven before, its second
/// factor, recovery codes, identities and keys of vendors are removed too.
#[utoipa::path(post, path = "/api/v1/password-resets/finish", operation_id = "finish_password_reset", tag = "accounts", request_body = FinishResetBody, responses((status = 204, description = "It is the new password now; every session and every token of the account has ended"), Problems))]
pub async fn finish_password_reset(
    State(shared): State<Shared>,
    Body(body): Body<FinishResetBody>,
) -> Result<StatusCode, Pending> {
    users::reset_password(&shared.app, &body.code, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
