//! Keys of vendors that people and projects bring along: sealed at once, never shown, opened only to ask a model.
//!
//! A key is sealed with a data key, and that with the key of the installation (SECRET_KEY), so that the latter can be
//! replaced while the server runs (`encryption.rs`).

use llm::{ProviderId, SecretString};
use secrecy::ExposeSecret;
use serde_json::json;
use store::{DataKeyId, KeysOf, ProjectId, ProviderKey, ProviderKeyId, Role};

use super::{
    Error,
    access::{Caller, Scope, enter, project_id, store},
    data_keys,
    secrets::Sealer,
};
use crate::app::App;
use config::provider_names;

/// Whose key.
#[derive(Debug, Clone)]
pub enum Owner {
    /// The caller's.
    Me,
    /// That of a project.
    Project(String),
}

/// A key as its owners see it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The vendor.
    pub provider: String,
    /// Its last characters.
    pub hint: String,
    /// When it was brought.
    pub created_at: store::TimeUs,
}

enum Entered {
    Me(store::UserId),
    Project(ProjectId),
}

impl Entered {
    fn of(&self) -> KeysOf<'_> {
        match self {
            Entered::Me(user) => KeysOf::User(user),
            Entered::Project(project) => KeysOf::Project(project),
        }
    }

    fn project(&self) -> Option<&ProjectId> {
        match self {
            Entered::Me(_) => None,
            Entered::Project(project) => Some(project),
        }
    }
}

async fn enter_as(app: &App, caller: &Caller, owner: &Owner, need: Role) -> Result<Entered, Error> {
    caller.may(Scope::Account)?;
    match owner {
        Owner::Me => Ok(Entered::Me(caller.account()?.id.clone())),
        Owner::Project(project) => {
            Ok(Entered::Project(enter(app, caller, &project_id(project)?, need).await?.project.id))
        }
    }
}

fn known(provider: &str) -> Result<ProviderId, Error> {
    provider.parse::<ProviderId>().ok().filter(|id| *id != ProviderId::Scripted).ok_or_else(|| {
        Error::invalid(
            "provider",
            format!("There is no such provider; keys are for {}.", provider_names().join(", ")),
        )
    })
}

fn context(id: &ProviderKeyId) -> String {
    format!("provider key {id}")
}

/// The keys of the caller or of a project, without the keys.
///
/// # Errors
/// When the caller may not know.
pub async fn list_keys(app: &App, caller: &Caller, owner: &Owner) -> Result<Vec<Listed>, Error> {
    let entered = enter_as(app, caller, owner, Role::Editor).await?;
    let keys = store(app)?.list_provider_keys(entered.of()).await?;
    let listed = keys.into_iter().map(|key| Listed {
        provider: key.provider,
        hint: key.hint,
        created_at: key.created_at,
    });
    Ok(listed.collect())
}

/// Keeps a key in place of the one before.
///
/// # Errors
/// When the caller may not, or the key cannot be one.
pub async fn set_key(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    provider: &str,
    key: &SecretString,
) -> Result<(), Error> {
    let entered = enter_as(app, caller, owner, Role::Owner).await?;
    let provider = known(provider)?;
    let text = key.expose_secret().trim();
    if !(8..=512).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "key",
            "A key is 8 to 512 visible characters without spaces. Copy it again.",
        ));
    }
    let (data_key_id, sealer) = data_keys::current(app).await?;
    let id = ProviderKeyId::parse(app.clock.new_id("key"))?;
    let kept = ProviderKey {
        sealed: sealer.seal(&context(&id), text.as_bytes())?,
        id,
        project_id: entered.project().cloned(),
        user_id: match &entered {
            Entered::Me(user) => Some(user.clone()),
            Entered::Project(_) => None,
        },
        provider: provider.name().to_owned(),
        data_key_id,
        // Four characters of a long key help nobody who guesses.
        hint: text.chars().skip(text.len().saturating_sub(4).max(4)).collect(),
        created_at: app.clock.now_us(),
    };
    let details = json!({"provider": provider.name()});
    let event = caller.did(app, "provider_key.set", entered.project(), kept.id.as_str(), &details)?;
    Ok(store(app)?.set_provider_key(&kept, &event).await?)
}

/// Forgets a key.
///
/// # Errors
/// When the caller may not, or there is none.
pub async fn delete_key(app: &App, caller: &Caller, owner: &Owner, provider: &str) -> Result<(), Error> {
    let entered = enter_as(app, caller, owner, Role::Owner).await?;
    let provider = known(provider).map_err(|_| Error::NotFound("key"))?;
    let details = json!({"provider": provider.name()});
    let event = caller.did(app, "provider_key.delete", entered.project(), provider.name(), &details)?;
    Ok(store(app)?.delete_provider_key(entered.of(), provider.name(), &event).await?)
}

/// A key that somebody keeps here, opened.
pub(super) struct Found {
    /// Its vendor.
    pub(super) provider: ProviderId,
    /// The key.
    pub(super) key: SecretString,
    /// It is the caller's, not the project's.
    pub(super) own: bool,
}

/// The key that pays for a question of the caller in a project, and its vendor: the caller's own before the project's;
/// of several, that of the vendor who is asked, or else the first.
pub(super) async fn find_key(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    wanted: Option<ProviderId>,
) -> Result<Option<Found>, Error> {
    let Some(store) = &app.store else { return Ok(None) };
    let mut keys = match caller.user_id() {
        Some(user) => store.list_provider_keys(KeysOf::User(user)).await?,
        None => Vec::new(),
    };
    keys.extend(store.list_provider_keys(KeysOf::Project(project)).await?);
    for key in keys {
        let Ok(provider) = known(&key.provider) else { continue };
        if wanted.is_some_and(|wanted| wanted != provider) {
            continue;
        }
        let opened = open(app, &key).await?;
        return Ok(Some(Found { provider, key: SecretString::from(opened), own: key.user_id.is_some() }));
    }
    Ok(None)
}

async fn open(app: &App, key: &ProviderKey) -> Result<String, Error> {
    data_keys::open(app, &key.data_key_id, &context(&key.id), &key.sealed).await?.ok_or_else(|| {
        Error::Unavailable(format!(
            "The key for {} cannot be read with the SECRET_KEY of this server. Whoever runs it must set the one it was sealed with, or its owner must bring it again.",
            key.provider
        ))
    })
}

/// Seals all keys with this data key; returns how many were sealed with another one.
pub(crate) async fn reseal(app: &App, id: &DataKeyId, sealer: &Sealer) -> Result<u64, Error> {
    let store = store(app)?;
    let mut resealed = 0;
    loop {
        let keys = store.list_keys_sealed_otherwise(id).await?;
        if keys.is_empty() {
            return Ok(resealed);
        }
        for key in &keys {
            let plain = open(app, key).await?;
            let sealed = sealer.seal(&context(&key.id), plain.as_bytes())?;
            store.reseal_provider_key(key, id, &sealed).await?;
            resealed += 1;
        }
    }
}

/// For some keys that are not sealed with this data key, whether each can be opened.
pub(crate) async fn list_readable(app: &App, but: &DataKeyId) -> Result<Vec<bool>, Error> {
    let mut readable = Vec::new();
    for key in store(app)?.list_keys_sealed_otherwise(but).await? {
        let opened = data_keys::open(app, &key.data_key_id, &context(&key.id), &key.sealed).await?;
        readable.push(opened.is_some());
    }
    Ok(readable)
}
