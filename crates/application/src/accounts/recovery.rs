//! Recovery codes, which replace a code of the second factor once each: created and counted.

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

/// Makes ten new codes for the caller; the old ones are not good any more.
///
/// # Errors
/// When the caller has no second factor, or neither the password nor the code is right.
pub async fn create_recovery_codes(app: &App, caller: &Caller, proof: Proof) -> Result<Vec<String>, Error> {
    let person = caller.in_person()?;
    if person.second_factor.is_none() {
        return Err(Error::Conflict(
            "You have no second factor, so there is nothing to recover. Set one up first.".to_owned(),
        ));
    }
    confirm(app, caller, &proof).await?;
    let codes = new_codes(person)?;
    let event = caller.did(app, "recovery_codes.create", None, person.id.as_str(), &json!({}))?;
    store(app)?.replace_recovery_codes(&person.id, &codes.hashes, caller.session(), &event).await?;
    Ok(codes.shown)
}

/// How many codes the caller has left.
///
/// # Errors
/// When they have no account.
pub async fn count_recovery_codes(app: &App, caller: &Caller) -> Result<u32, Error> {
    Ok(store(app)?.count_recovery_codes(&caller.account()?.id).await?)
}
