//! Tokens: what programs call with, made and ended by the people whose rights they have.

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

/// Tokens begin with this, so that people and scanners know one when they see one.
const PREFIX: &str = "bac_";
/// At most so long.
const MAX_DAYS: u32 = 3650;

/// A token that is wanted.
pub struct Wanted {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// For how long; for ever if not said.
    pub days: Option<u32>,
}

/// Makes a token. The secret is returned once and never again. A token makes none: one that was stolen would outlive its end.
pub async fn create_token(app: &App, caller: &Caller, wanted: Wanted) -> Result<(Token, String), Error> {
    let person = caller.in_person()?;
    let known: Vec<&str> = SCOPES.iter().map(|(_, word, _)| *word).collect();
    let unknown = wanted.scopes.iter().find(|scope| !known.contains(&scope.as_str()));
    if unknown.is_some() || wanted.scopes.is_empty() {
        return Err(Error::invalid(
            "scopes",
            format!("Say what the token may do: one or more of {}.", known.join(", ")),
        ));
    }
    if wanted.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        return Err(Error::invalid("days", format!("A token is good for 1 to {MAX_DAYS} days.")));
    }
    // In one order, each once.
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

/// The caller's tokens.
pub async fn list_tokens(app: &App, caller: &Caller, listing: &Listing) -> Result<Page<Token>, Error> {
    let person = caller.account()?;
    let page: PageRequest = listing.request()?;
    Ok(store(app)?.list_tokens(&person.id, &page).await?.into())
}

/// Ends a token of the caller.
pub async fn delete_token(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let person = caller.account()?;
    let id = TokenId::parse(id).map_err(|_| Error::NotFound("token"))?;
    let event = caller.audit_event(app, "token.delete", None, id.as_str(), &json!({}))?;
    Ok(store(app)?.revoke_token(&person.id, &id, &event).await?)
}
