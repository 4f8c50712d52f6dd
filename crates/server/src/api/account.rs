//! `/api/v1/me`: what the caller manages of themselves.

use axum::{Json, extract::State, http::StatusCode};
use llm::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::recovery_codes::RecoveryCodesReply;
use crate::{
    Shared,
    http::error::{Body, Pending, Problems},
};
use application::{
    User,
    access::Caller,
    accounts::{confirm::Proof, email_address, second_factor, users},
    clock::rfc3339,
};

/// Who you are.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeReply {
    /// Your id.
    id: String,
    /// Your e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// What you are called.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// You run this server.
    admin: bool,
    /// You have shown that the e-mail address is yours.
    verified: bool,
    /// Signing in takes a code too.
    second_factor: bool,
    /// Since when you are here.
    created_at: String,
}

impl MeReply {
    pub(super) fn of(person: &User) -> Self {
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

/// Who you are
#[utoipa::path(get, path = "/api/v1/me", operation_id = "find_me", tag = "accounts", responses((status = 200, description = "You", body = MeReply), Problems))]
pub async fn find_me(caller: Caller) -> Result<Json<MeReply>, Pending> {
    Ok(Json(MeReply::of(caller.require_account()?)))
}

/// What you change of yourself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMeBody {
    /// What you are called.
    #[schema(example = "Ada King")]
    name: String,
}

/// Change your name
#[utoipa::path(patch, path = "/api/v1/me", operation_id = "update_me", tag = "accounts", request_body = UpdateMeBody, responses((status = 200, description = "You", body = MeReply), Problems))]
pub async fn update_me(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<UpdateMeBody>,
) -> Result<Json<MeReply>, Pending> {
    Ok(Json(MeReply::of(&users::update_me(&shared.app, &caller, &body.name).await?)))
}

/// Your password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// Your password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Delete your account
///
/// Everything that says who you are goes; what you made for others stays, without your name.
#[utoipa::path(delete, path = "/api/v1/me", operation_id = "delete_me", tag = "accounts", request_body = PasswordBody, responses((status = 204, description = "Gone"), Problems))]
pub async fn delete_me(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<PasswordBody>,
) -> Result<StatusCode, Pending> {
    users::delete_me(&shared.app, &caller, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everything that is kept about you
#[utoipa::path(get, path = "/api/v1/me/export", operation_id = "export_me", tag = "accounts", responses((status = 200, description = "All of it", body = Object), Problems))]
pub async fn export_me(State(shared): State<Shared>, caller: Caller) -> Result<Json<Value>, Pending> {
    Ok(Json(users::export_me(&shared.app, &caller).await?))
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordBody {
    /// The old one.
    #[schema(value_type = String, format = Password)]
    old: SecretString,
    /// The new one.
    #[schema(value_type = String, format = Password)]
    new: SecretString,
}

/// Change your password
///
/// Every other session of yours ends. Tokens do not end; end those that are not needed with `DELETE /api/v1/tokens/{token}`. Not possible
/// with a token.
#[utoipa::path(put, path = "/api/v1/me/password", operation_id = "update_password", tag = "accounts", request_body = ChangePasswordBody, responses((status = 204, description = "Changed"), Problems))]
pub async fn update_password(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ChangePasswordBody>,
) -> Result<StatusCode, Pending> {
    users::change_password(&shared.app, &caller, &body.old, &body.new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The new e-mail address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmailBody {
    /// The address that you want to have.
    #[schema(example = "ada.king@example.com")]
    email: String,
    /// Your password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Change your e-mail address
///
/// Sends a link to the new address. It is yours when the link is opened where you are signed in; until then nothing changes. The old
/// address is notified. Not possible with a token.
#[utoipa::path(put, path = "/api/v1/me/email", operation_id = "update_email", tag = "accounts", request_body = ChangeEmailBody, responses((status = 202, description = "The link is on its way, if nobody has this address"), Problems))]
pub async fn update_email(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ChangeEmailBody>,
) -> Result<StatusCode, Pending> {
    email_address::request_email_change(&shared.app, &caller, &body.email, &body.password).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Get a link that shows that your e-mail address is yours
#[utoipa::path(post, path = "/api/v1/me/verification", operation_id = "create_verification", tag = "accounts", responses((status = 202, description = "The link is on its way"), Problems))]
pub async fn create_verification(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<StatusCode, Pending> {
    email_address::request_verification(&shared.app, &caller).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A second factor that is being set up.
#[derive(Serialize, ToSchema)]
pub struct SecondFactorReply {
    /// Type it into an app.
    secret: String,
    /// The same as a link that apps open.
    #[schema(example = "otpauth://totp/…")]
    url: String,
}

/// Begin with a second factor
///
/// Nothing is kept before `PUT` with a code of it.
#[utoipa::path(post, path = "/api/v1/me/second-factor", operation_id = "offer_second_factor", tag = "accounts", responses((status = 200, description = "A secret for your app", body = SecondFactorReply), Problems))]
pub async fn offer_second_factor(caller: Caller) -> Result<Json<SecondFactorReply>, Pending> {
    let offered = second_factor::offer(&caller)?;
    Ok(Json(SecondFactorReply { secret: offered.secret, url: offered.url }))
}

/// The secret and a code of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorBody {
    /// The secret that was offered.
    secret: String,
    /// The code that your app shows now.
    #[schema(example = "123456")]
    code: String,
    /// Your password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// Instead of the password, if you have a second factor already: a code of it, or a recovery code.
    #[schema(example = "654321")]
    current_code: Option<String>,
}

/// What shows that it is you: one of both.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofBody {
    /// Your password.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    /// A code of your app, or a recovery code.
    #[schema(example = "123456")]
    code: Option<String>,
}

impl From<ProofBody> for Proof {
    fn from(body: ProofBody) -> Self {
        Proof { password: body.password, code: body.code }
    }
}

/// Use a second factor from now on
///
/// Answers with recovery codes, which are shown this once. Takes your password, or a code of the second factor that it replaces; if you
/// have no password, you must have signed in within the last 10 minutes. Not possible with a token.
#[utoipa::path(put, path = "/api/v1/me/second-factor", operation_id = "set_second_factor", tag = "accounts", request_body = SecondFactorBody, responses((status = 200, description = "Signing in takes a code from now on", body = RecoveryCodesReply), Problems))]
pub async fn set_second_factor(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<SecondFactorBody>,
) -> Result<Json<RecoveryCodesReply>, Pending> {
    let proof = Proof { password: body.password, code: body.current_code };
    let codes = second_factor::set(&shared.app, &caller, &body.secret, &body.code, &proof).await?;
    Ok(RecoveryCodesReply::of(codes))
}

/// Use no second factor any more
///
/// Takes your password or a code; if you have no password, you must have signed in within the last 10 minutes. Not possible with a token.
#[utoipa::path(delete, path = "/api/v1/me/second-factor", operation_id = "delete_second_factor", tag = "accounts", request_body = ProofBody, responses((status = 204, description = "Signing in takes no code any more"), Problems))]
pub async fn delete_second_factor(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<ProofBody>,
) -> Result<StatusCode, Pending> {
    second_factor::delete(&shared.app, &caller, &body.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
