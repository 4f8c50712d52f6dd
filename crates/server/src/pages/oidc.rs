//! `/sign-in/oidc` and `/sign-in/oidc/callback`: sign-in with the identity provider.
//!
//! The state between the two requests is in an encrypted cookie. The callback always removes it, so that a callback
//! address works only once.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{
    auth_pages::{AuthForm, code_page, sign_in_page},
    layout::{redirect, redirect_external},
    local_path::local_path,
};
use crate::{
    http::identify::{CookieName, MaybeCaller, Origin, cookie, set_cookie, signed_in},
    state::AppState,
};
use application::accounts::{
    oidc::{self, CallbackParams, SIGN_IN_TTL_S},
    sign_in::SignedIn,
};

const UNDER_WAY: CookieName = CookieName("bac_oidc");

#[derive(Default, Deserialize)]
pub struct BeginQuery {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in/oidc`
pub async fn begin_oidc(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(query): Query<BeginQuery>,
) -> Response {
    if visitor.is_some() {
        return redirect(&query.next);
    }
    match oidc::begin(&state.app, local_path(&query.next)).await {
        Ok(begun) => {
            let mut response = redirect_external(&begun.url);
            set_cookie(&mut response, &state, UNDER_WAY, &begun.sealed, SIGN_IN_TTL_S);
            response
        }
        Err(error) => sign_in_page(&state, &AuthForm::with_next(query.next), None, Some(&error)),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct CallbackQuery {
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// `GET /sign-in/oidc/callback`
pub async fn finish_oidc(
    State(state): State<AppState>,
    Origin(from): Origin,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> Response {
    let answer =
        CallbackParams { state: query.state, code: query.code, error: query.error, issuer: query.iss };
    let finished = oidc::finish(&state.app, cookie(&state, &headers, UNDER_WAY), &answer, &from).await;
    let mut response = match finished.outcome {
        Ok(SignedIn::Done(session)) => signed_in(&state, redirect(&finished.next), &session),
        Ok(SignedIn::CodeNeeded(ticket)) => code_page(&ticket, &finished.next, None),
        Err(error) => sign_in_page(&state, &AuthForm::with_next(finished.next), None, Some(&error)),
    };
    set_cookie(&mut response, &state, UNDER_WAY, "", 0);
    response
}
