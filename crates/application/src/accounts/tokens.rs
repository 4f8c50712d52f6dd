//! Access tokens of users.

use serde_json::json;
use store::{PageRequest, Token, TokenId};

use super::{HOUR_S, name};
use crate::{
    Error,
    access::{Caller, SCOPES, store},
    app::App,
    page::{Listing, Page},
    secrets,
};

/// Prefix that lets secret scanners recognize a token.
const PREFIX: &str = "bac_";
const MAX_DAYS: u32 = 3650;

/// A token to create.
pub struct NewToken {
    pub name: String,
    pub scopes: Vec<String>,
    /// Lifetime in days; unlimited if `None`.
    pub days: Option<u32>,
}

/// Creates a token. The secret is returned only here. A token cannot create tokens: a stolen one could outlive its
/// expiry.
pub async fn create_token(app: &App, caller: &Caller, wanted: NewToken) -> Result<(Token, String), Error> {
    let person = caller.require_session()?;
    let known: Vec<&str> = SCOPES.iter().map(|(_, word, _)| *word).collect();
    let unknown = wanted.scopes.iter().find(|scope| !known.contains(&scope.as_str()));
    if unknown.is_some() || wanted.scopes.is_empty() {
        return Err(Error::invalid(
            "scopes",
            format!("A token needs at least one known scope. Use one or more of {}.", known.join(", ")),
        ));
    }
    if wanted.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        return Err(Error::invalid(
            "days",
            format!(
                "A token is valid for 1 to {MAX_DAYS} days. Use a number in \
            this range."
            ),
        ));
    }
    // Sorted and without duplicates.
    let scopes: Vec<&str> =
        known.into_iter().filter(|word| wanted.scopes.iter().any(|scope| scope == word)).collect();
    let secret = format!("{PREFIX}{}", secrets::new_secret()?);
    let token = Token {
        id: TokenId::parse(app.clock.new_id("tok"))?,
        user_id: person.id.clone(),
        name: name("name", &wanted.name)?,
        secret_hash: secrets::hash(&secret),
        scopes: scopes.join(" "),
        created_at: app.clock.now_us(),
        expires_at: wanted.days.map(|days| app.clock.now_us().plus_seconds(i64::from(days) * 24 * HOUR_S)),
        used_at: None,
        revoked_at: None,
    };
    let event =
        caller.audit_event(app, "token.create", None, token.id.as_str(), &json!({"scopes": token.scopes}))?;
    store(app)?.create_token(&token, caller.session(), &event).await?;
    Ok((token, secret))
}

pub async fn list_tokens(app: &App, caller: &Caller, listing: &Listing) -> Result<Page<Token>, Error> {
    let person = caller.require_account()?;
    let page: PageRequest = listing.request()?;
    Ok(store(app)?.list_tokens(&person.id, &page).await?.into())
}

pub async fn delete_token(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let person = caller.require_account()?;
    let id = TokenId::parse(id).map_err(|_| Error::NotFound("token"))?;
    let event = caller.audit_event(app, "token.delete", None, id.as_str(), &json!({}))?;
    Ok(store(app)?.revoke_token(&person.id, &id, &event).await?)
}
