//! Sign-in, sessions and password resets, for programs that act for a person in a browser. Other programs use a token.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{account::MeReply, extract::Body};
use crate::{
    http::{
        error::{ProblemResponse, Problems},
        identify::{Origin, signed_in, signed_out},
    },
    state::AppState,
};
use application::{
    access::Caller,
    accounts::{
        sign_in::{self, Credentials, SessionView, SignedIn},
        users,
    },
    clock::rfc3339,
};

/// Credentials.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// E-mail address of the account.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Password of the account.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// Code of the second factor, if the account has one.
    #[schema(example = "123456")]
    code: Option<String>,
}

/// The result of a sign-in.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum SignInReply {
    /// Signed in; the session cookie is set.
    Done(MeReply),
    /// The code of the second factor is required.
    CodeNeeded {
        /// Send it with the code to `/api/v1/sign-in/code` within 5 minutes.
        ticket: String,
    },
}

/// Sign in
///
/// Sets a session cookie. If the account has a second factor and the request has no code, the answer is 202 with a
/// ticket.
#[utoipa::path(
    post,
    path = "/api/v1/sign-in",
    tag = "accounts",
    request_body = SignInBody,
    responses(
        (status = 200, description = "Signed in", body = MeReply),
        (status = 202, description = "The code of the second factor is required", body = SignInReply),
        Problems,
    )
)]
pub async fn create_session(
    State(state): State<AppState>,
    Origin(from): Origin,
    Body(body): Body<SignInBody>,
) -> Result<Response, ProblemResponse> {
    let attempt = Credentials { email: body.email, password: body.password, code: body.code, from };
    Ok(match sign_in::sign_in(&state.app, attempt).await? {
        SignedIn::Done(session) => {
            let me = Json(MeReply::from(&session.person)).into_response();
            signed_in(&state, me, &session)
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
    /// The ticket from `/api/v1/sign-in`.
    ticket: String,
    /// The code that the authenticator app shows, or a recovery code.
    #[schema(example = "123456")]
    code: String,
}

/// Complete a sign-in with the code of the second factor
#[utoipa::path(
    post,
    path = "/api/v1/sign-in/code",
    tag = "accounts",
    request_body = CodeBody,
    responses((status = 200, description = "Signed in", body = MeReply), Problems)
)]
pub async fn finish_session(
    State(state): State<AppState>,
    Origin(from): Origin,
    Body(body): Body<CodeBody>,
) -> Result<Response, ProblemResponse> {
    let session = sign_in::finish(&state.app, &body.ticket, &body.code, &from).await?;
    let me = Json(MeReply::from(&session.person)).into_response();
    Ok(signed_in(&state, me, &session))
}

/// A session of yours.
#[derive(Serialize, ToSchema)]
pub struct SessionReply {
    /// Id of the session.
    id: String,
    /// The browser, as it identifies itself.
    device: String,
    /// When the session began.
    created_at: String,
    /// When the session was last used.
    seen_at: String,
    /// Whether it is the session of this request.
    current: bool,
}

impl From<SessionView> for SessionReply {
    fn from(session: SessionView) -> Self {
        SessionReply {
            id: session.id,
            device: session.device,
            created_at: rfc3339(session.created_at),
            seen_at: rfc3339(session.seen_at),
            current: session.current,
        }
    }
}

/// List your sessions
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "accounts",
    responses(
        (status = 200, description = "The sessions, newest first", body = Vec<SessionReply>),
        Problems,
    ),
)]
pub async fn list_sessions(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Vec<SessionReply>>, ProblemResponse> {
    let sessions = sign_in::list_sessions(&state.app, &caller).await?;
    Ok(Json(sessions.into_iter().map(SessionReply::from).collect()))
}

/// End a session
///
/// `current` ends the session of the request.
#[utoipa::path(
    delete,
    path = "/api/v1/sessions/{session}",
    tag = "accounts",
    params(("session" = String, Path, description = "Id of the session, or `current`")),
    responses((status = 204, description = "Ended"), Problems),
)]
pub async fn delete_session(
    State(state): State<AppState>,
    caller: Caller,
    Path(session): Path<String>,
) -> Result<Response, ProblemResponse> {
    let current = caller.session().map(ToString::to_string);
    let session = if session == "current" { current.clone().unwrap_or(session) } else { session };
    sign_in::delete_session(&state.app, &caller, &session).await?;
    let done = StatusCode::NO_CONTENT.into_response();
    Ok(if current == Some(session) { signed_out(&state, done) } else { done })
}

/// The account to reset the password of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetBody {
    /// E-mail address of the account.
    #[schema(example = "ada@example.com")]
    email: String,
}

/// Request a password reset
///
/// Sends a link if an account has this e-mail address. Neither the answer nor its duration reveals whether one has. At
/// most 5 links per hour are sent to an address; the newest link stays valid.
#[utoipa::path(
    post,
    path = "/api/v1/password-resets",
    tag = "accounts",
    request_body = ResetBody,
    responses((status = 202, description = "If an account has this address, a link is sent"), Problems),
)]
pub async fn create_password_reset(
    State(state): State<AppState>,
    Origin(from): Origin,
    Body(body): Body<ResetBody>,
) -> Result<StatusCode, ProblemResponse> {
    users::request_reset(&state.app, &body.email, &from.network).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishResetBody {
    /// The parameter `code` of the link.
    code: String,
    /// The new password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Set a new password with a reset link
///
/// Every session and every token of the account ends. If the link was mailed and the e-mail address was not verified
/// before, the second factor, recovery codes, identities and provider keys of the account are deleted too.
#[utoipa::path(
    post,
    path = "/api/v1/password-resets/finish",
    tag = "accounts",
    request_body = FinishResetBody,
    responses(
        (
            status = 204,
            description = "The password is changed; every session and every token of the account has ended",
        ),
        Problems,
    ),
)]
pub async fn finish_password_reset(
    State(state): State<AppState>,
    Body(body): Body<FinishResetBody>,
) -> Result<StatusCode, ProblemResponse> {
    users::reset_password(&state.app, &body.code, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
