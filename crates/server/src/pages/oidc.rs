//! `/sign-in/oidc` and `/sign-in/oidc/callback`: to the identity provider, and back from it.
//!
//! What has to be known when somebody comes back is in a cookie that only this server can read. It goes when they come back,
//! whatever became of it, so that an address that worked once does not work again.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{
    auth_pages::{Sent, code_page, sign_in_page},
    layout::{go, leave_for},
    local_path::local_path,
};
use crate::{
    http::identify::{CookieName, MaybeCaller, Origin, cookie, set_cookie, signed_in},
    state::AppState,
};
use application::accounts::{
    oidc::{self, Answer, UNDER_WAY_S},
    sign_in::SignedIn,
};

const UNDER_WAY: CookieName = CookieName::new("bac_oidc", "__Host-bac_oidc");

/// What stands behind the question mark of the way there.
#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in/oidc`
pub async fn begin_oidc(
    State(state): State<AppState>,
    MaybeCaller(visitor): MaybeCaller,
    Query(asked): Query<Asked>,
) -> Response {
    if visitor.is_some() {
        return go(&asked.next);
    }
    match oidc::begin(&state.app, local_path(&asked.next)).await {
        Ok(begun) => {
            let mut response = leave_for(&begun.url);
            set_cookie(&mut response, &state, UNDER_WAY, &begun.sealed, UNDER_WAY_S);
            response
        }
        Err(error) => sign_in_page(&state, &Sent::to(asked.next), None, Some(&error)),
    }
}

/// What stands behind the question mark of the way back.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Brought {
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
    Query(brought): Query<Brought>,
) -> Response {
    let answer =
        Answer { state: brought.state, code: brought.code, error: brought.error, issuer: brought.iss };
    let finished = oidc::finish(&state.app, cookie(&state, &headers, UNDER_WAY), &answer, &from).await;
    let mut response = match finished.outcome {
        Ok(SignedIn::Done(session)) => signed_in(&state, go(&finished.next), &session),
        Ok(SignedIn::CodeNeeded(ticket)) => code_page(&ticket, &finished.next, None),
        Err(error) => sign_in_page(&state, &Sent::to(finished.next), None, Some(&error)),
    };
    set_cookie(&mut response, &state, UNDER_WAY, "", 0);
    response
}
