//! `/api/v1/me`: the account of the caller.

use axum::{Json, extract::State, http::StatusCode};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{extract::Body, proof::ProofBody, recovery_codes::RecoveryCodesReply};
use crate::{
    http::error::{ProblemResponse, Problems},
    state::AppState,
};
use application::{
    User,
    access::Caller,
    accounts::{confirm::Proof, email_address, second_factor, users},
    clock::rfc3339,
};

/// Your account.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeReply {
    /// Id of your account.
    id: String,
    /// Your e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Your name.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// Whether you are an administrator of this server.
    admin: bool,
    /// Whether your e-mail address is verified.
    verified: bool,
    /// Whether signing in requires a code of a second factor.
    second_factor: bool,
    /// When the account was created.
    created_at: String,
}

impl From<&User> for MeReply {
    fn from(person: &User) -> Self {
        MeReply {
            id: person.id.to_string(),
            email: person.email.clone(),
            name: person.name.clone(),
            admin: person.admin,
            verified: person.verified_at.is_some(),
            second_factor: person.second_factor.is_some(),
            created_at: rfc3339(person.created_at),
        }
    }
}

/// Get your account
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "accounts",
    responses((status = 200, description = "Your account", body = MeReply), Problems),
)]
pub async fn find_me(caller: Caller) -> Result<Json<MeReply>, ProblemResponse> {
    Ok(Json(MeReply::from(caller.require_account()?)))
}

/// Changes to your account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMeBody {
    /// Your new name.
    #[schema(example = "Ada King")]
    name: String,
}

/// Update your name
#[utoipa::path(
    patch,
    path = "/api/v1/me",
    tag = "accounts",
    request_body = UpdateMeBody,
    responses((status = 200, description = "Your account", body = MeReply), Problems),
)]
pub async fn update_me(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<UpdateMeBody>,
) -> Result<Json<MeReply>, ProblemResponse> {
    Ok(Json(MeReply::from(&users::update_me(&state.app, &caller, &body.name).await?)))
}

/// A confirmation with the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// Your password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Delete your account
///
/// Your personal data is deleted. What you created in projects stays, without your name.
#[utoipa::path(
    delete,
    path = "/api/v1/me",
    tag = "accounts",
    request_body = PasswordBody,
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_me(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<PasswordBody>,
) -> Result<StatusCode, ProblemResponse> {
    users::delete_me(&state.app, &caller, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Export the data of your account
#[utoipa::path(
    get,
    path = "/api/v1/me/export",
    tag = "accounts",
    responses((status = 200, description = "Everything that is stored about you", body = Object), Problems),
)]
pub async fn export_me(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Value>, ProblemResponse> {
    Ok(Json(users::export_me(&state.app, &caller).await?))
}

/// The old and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordBody {
    /// Your current password.
    #[schema(value_type = String, format = Password)]
    old: SecretString,
    /// Your new password.
    #[schema(value_type = String, format = Password)]
    new: SecretString,
}

/// Change your password
///
/// All of your other sessions end. Tokens do not end; revoke those that you do not need with
/// `DELETE /api/v1/tokens/{token}`. Not possible with a token.
#[utoipa::path(
    put,
    path = "/api/v1/me/password",
    tag = "accounts",
    request_body = ChangePasswordBody,
    responses((status = 204, description = "Changed"), Problems),
)]
pub async fn update_password(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<ChangePasswordBody>,
) -> Result<StatusCode, ProblemResponse> {
    users::change_password(&state.app, &caller, &body.old, &body.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The new e-mail address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmailBody {
    /// The new address.
    #[schema(example = "ada.king@example.com")]
    email: String,
    /// Your password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Change your e-mail address
///
/// Sends a link to the new address. The address changes when you open the link in a browser where you are signed in;
/// until then nothing changes. The old address is notified. Not possible with a token.
#[utoipa::path(
    put,
    path = "/api/v1/me/email",
    tag = "accounts",
    request_body = ChangeEmailBody,
    responses((status = 202, description = "The link is sent, unless another account has this address"), Problems),
)]
pub async fn update_email(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<ChangeEmailBody>,
) -> Result<StatusCode, ProblemResponse> {
    email_address::request_email_change(&state.app, &caller, &body.email, &body.password).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Send a verification link to your e-mail address
#[utoipa::path(
    post,
    path = "/api/v1/me/verification",
    tag = "accounts",
    responses((status = 202, description = "The link is sent"), Problems),
)]
pub async fn create_verification(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<StatusCode, ProblemResponse> {
    email_address::request_verification(&state.app, &caller).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The secret of a second factor.
#[derive(Serialize, ToSchema)]
pub struct SecondFactorReply {
    /// The secret to type into an authenticator app.
    secret: String,
    /// The same secret as a link that authenticator apps open.
    #[schema(example = "otpauth://totp/…")]
    url: String,
}

/// Create a secret for a second factor
///
/// Nothing is stored until you confirm the secret with `PUT` and a code.
#[utoipa::path(
    post,
    path = "/api/v1/me/second-factor",
    tag = "accounts",
    responses(
        (status = 200, description = "The secret for your authenticator app", body = SecondFactorReply),
        Problems,
    ),
)]
pub async fn offer_second_factor(caller: Caller) -> Result<Json<SecondFactorReply>, ProblemResponse> {
    let offered = second_factor::offer(&caller)?;
    Ok(Json(SecondFactorReply { secret: offered.secret, url: offered.url }))
}

/// A secret and a code that confirms it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorBody {
    /// The secret from `POST`.
    secret: String,
    /// The code that your authenticator app shows for this secret.
    #[schema(example = "123456")]
    code: String,
    /// Your password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Instead of the password, if you have a second factor already: a code of it, or a recovery code.
    #[schema(example = "654321")]
    current_code: Option<String>,
}

/// Set your second factor
///
/// Returns recovery codes, which are shown only once. Requires your password or a code of the second factor that this
/// one replaces. If you have no password, you must have signed in within the last 10 minutes. Not possible with a
/// token.
#[utoipa::path(
    put,
    path = "/api/v1/me/second-factor",
    tag = "accounts",
    request_body = SecondFactorBody,
    responses(
        (
            status = 200,
            description = "The second factor is on; the answer holds the recovery codes",
            body = RecoveryCodesReply,
        ),
        Problems,
    ),
)]
pub async fn set_second_factor(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<SecondFactorBody>,
) -> Result<Json<RecoveryCodesReply>, ProblemResponse> {
    let proof = Proof { password: body.password, code: body.current_code };
    let codes = second_factor::set(&state.app, &caller, &body.secret, &body.code, &proof).await?;
    Ok(RecoveryCodesReply::from_codes(codes))
}

/// Delete your second factor
///
/// Requires your password or a code. If you have no password, you must have signed in within the last 10 minutes. Not
/// possible with a token.
#[utoipa::path(
    delete,
    path = "/api/v1/me/second-factor",
    tag = "accounts",
    request_body = ProofBody,
    responses((status = 204, description = "Deleted"), Problems),
)]
pub async fn delete_second_factor(
    State(state): State<AppState>,
    caller: Caller,
    Body(body): Body<ProofBody>,
) -> Result<StatusCode, ProblemResponse> {
    second_factor::delete(&state.app, &caller, &body.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
