//! Recovery codes of the second factor: creation and count.

use serde_json::json;

use super::{
    confirm::{Proof, confirm},
    recovery_code::new_codes,
};
use crate::{
    Error,
    access::{Caller, store},
    app::App,
};

/// Creates ten recovery codes; existing ones become invalid.
pub async fn create_recovery_codes(app: &App, caller: &Caller, proof: Proof) -> Result<Vec<String>, Error> {
    let person = caller.require_session()?;
    if person.second_factor.is_none() {
        return Err(Error::Conflict(
            "Your account has no second factor, so there is nothing to recover. Set one up first.".to_owned(),
        ));
    }
    confirm(app, caller, &proof).await?;
    let codes = new_codes(person)?;
    let event = caller.audit_event(app, "recovery_codes.create", None, person.id.as_str(), &json!({}))?;
    store(app)?.replace_recovery_codes(&person.id, &codes.hashes, caller.session(), &event).await?;
    Ok(codes.shown)
}

/// Number of unused recovery codes of the caller.
pub async fn count_recovery_codes(app: &App, caller: &Caller) -> Result<u32, Error> {
    Ok(store(app)?.count_recovery_codes(&caller.require_account()?.id).await?)
}
