//! All encrypted values of the database together: replacing the key they are sealed with, and testing that they can be opened.
//!
//! To replace SECRET_KEY while servers run: set `SECRET_KEY=new,old`, run [`rotate`], then set `SECRET_KEY=new`.

use serde_json::json;
use store::DataKeyId;

use crate::{
    Error,
    access::{Caller, store},
    accounts::totp,
    app::App,
    data_keys,
    page::every,
    provider_keys, webhooks,
};

/// How many values were sealed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Provider keys.
    pub keys: u64,
    /// Webhook secrets.
    pub webhooks: u64,
    /// Second factors.
    pub second_factors: u64,
}

/// Seals everything again: provider keys and webhook secrets with a new data key; the data key and the second factors with
/// the first key of SECRET_KEY. Servers may run meanwhile.
///
/// # Errors
/// When a value cannot be opened with any key of SECRET_KEY; values that were sealed again by then stay so.
pub async fn rotate(app: &App, caller: &Caller) -> Result<Rotated, Error> {
    caller.admin()?;
    let store = store(app)?;
    let (id, sealer) = data_keys::create_data_key(app).await?;
    let webhooks = webhooks::reseal(app, &id, &sealer).await?;
    let keys = provider_keys::reseal(app, &id, &sealer).await?;
    let mut rotated = Rotated { keys, webhooks, second_factors: 0 };
    store.delete_unused_data_keys().await?;
    for person in every(|page| async move { store.list_users(&page).await }).await? {
        if person.second_factor.is_some() {
            totp::reseal(app, &person).await?;
            rotated.second_factors += 1;
        }
    }
    let details =
        json!({"keys": rotated.keys, "webhooks": rotated.webhooks, "second_factors": rotated.second_factors});
    let event = caller.did(app, "secrets.rotate", None, id.as_str(), &details)?;
    store.record_audit_event(&event).await?;
    Ok(rotated)
}

/// The encrypted values in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The number of values tried: data keys, provider keys, webhook secrets and second factors. At most the first 200
    /// provider keys and webhooks are tried.
    pub count: usize,
    /// The number of them that no key at hand opens.
    pub unreadable: usize,
}

/// Tries to open every encrypted value; returns none of them.
///
/// # Errors
/// Only those of the database.
pub async fn find_sealed(app: &App) -> Result<Sealed, Error> {
    let store = store(app)?;
    let mut opened = data_keys::list_readable(app).await?;
    // No data key has this id, so that all others are listed.
    let unused = DataKeyId::parse("dek_none")?;
    opened.extend(provider_keys::list_readable(app, &unused).await?);
    opened.extend(webhooks::list_readable(app, &unused).await?);
    for person in every(|page| async move { store.list_users(&page).await }).await? {
        opened.extend(totp::is_readable(app, &person));
    }
    Ok(Sealed { count: opened.len(), unreadable: opened.iter().filter(|readable| !**readable).count() })
}
