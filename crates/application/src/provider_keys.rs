//! Provider keys of users and projects: encrypted at rest, never shown, decrypted only to ask a model.
//!
//! Keys are encrypted with a data key, which is encrypted with the installation key (SECRET_KEY), so that SECRET_KEY
//! can be rotated while servers run (`encryption.rs`).

use llm::{ProviderId, SecretString};
use secrecy::ExposeSecret;
use serde_json::json;
use store::{DataKeyId, KeysOf, ProjectId, ProviderKey, ProviderKeyId, Role};

use super::{
    Error,
    access::{Caller, Scope, authorize_project, project_id, store},
    data_keys,
    secrets::Sealer,
};
use crate::app::App;
use config::provider_names;

#[derive(Debug, Clone)]
pub enum Owner {
    Me,
    Project(String),
}

/// A key as its owners see it.
#[derive(Debug, Clone)]
pub struct ProviderKeyView {
    pub provider: String,
    /// The last characters of the key.
    pub hint: String,
    pub created_at: store::TimeUs,
}

enum AuthorizedOwner {
    Me(store::UserId),
    Project(ProjectId),
}

impl AuthorizedOwner {
    fn as_ref(&self) -> KeysOf<'_> {
        match self {
            AuthorizedOwner::Me(user) => KeysOf::User(user),
            AuthorizedOwner::Project(project) => KeysOf::Project(project),
        }
    }

    fn project(&self) -> Option<&ProjectId> {
        match self {
            AuthorizedOwner::Me(_) => None,
            AuthorizedOwner::Project(project) => Some(project),
        }
    }
}

async fn authorize_owner(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    need: Role,
) -> Result<AuthorizedOwner, Error> {
    caller.require_scope(Scope::Account)?;
    match owner {
        Owner::Me => Ok(AuthorizedOwner::Me(caller.require_account()?.id.clone())),
        Owner::Project(project) => Ok(AuthorizedOwner::Project(
            authorize_project(app, caller, &project_id(project)?, need).await?.project.id,
        )),
    }
}

fn parse_provider(provider: &str) -> Result<ProviderId, Error> {
    provider.parse::<ProviderId>().ok().filter(|id| *id != ProviderId::Scripted).ok_or_else(|| {
        Error::invalid(
            "provider",
            format!("There is no such provider. Use one of {}.", provider_names().join(", ")),
        )
    })
}

fn context(id: &ProviderKeyId) -> String {
    format!("provider key {id}")
}

/// Stored keys of the caller or a project, without the secrets.
pub async fn list_keys(app: &App, caller: &Caller, owner: &Owner) -> Result<Vec<ProviderKeyView>, Error> {
    let access = authorize_owner(app, caller, owner, Role::Editor).await?;
    let keys = store(app)?.list_provider_keys(access.as_ref()).await?;
    let listed = keys.into_iter().map(|key| ProviderKeyView {
        provider: key.provider,
        hint: key.hint,
        created_at: key.created_at,
    });
    Ok(listed.collect())
}

/// Stores a key in place of the previous one.
pub async fn set_key(
    app: &App,
    caller: &Caller,
    owner: &Owner,
    provider: &str,
    key: &SecretString,
) -> Result<(), Error> {
    let access = authorize_owner(app, caller, owner, Role::Owner).await?;
    let provider = parse_provider(provider)?;
    let text = key.expose_secret().trim();
    if !(8..=512).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "key",
            "A key must have 8 to 512 visible characters without spaces. Copy it again.",
        ));
    }
    let (data_key_id, sealer) = data_keys::current(app).await?;
    let id = ProviderKeyId::parse(app.clock.new_id("key"))?;
    let stored = ProviderKey {
        sealed: sealer.seal(&context(&id), text.as_bytes())?,
        id,
        project_id: access.project().cloned(),
        user_id: match &access {
            AuthorizedOwner::Me(user) => Some(user.clone()),
            AuthorizedOwner::Project(_) => None,
        },
        provider: provider.name().to_owned(),
        data_key_id,
        // Four characters of a long key do not help to guess it.
        hint: text.chars().skip(text.len().saturating_sub(4).max(4)).collect(),
        created_at: app.clock.now_us(),
    };
    let details = json!({"provider": provider.name()});
    let event =
        caller.audit_event(app, "provider_key.set", access.project(), stored.id.as_str(), &details)?;
    Ok(store(app)?.set_provider_key(&stored, &event).await?)
}

pub async fn delete_key(app: &App, caller: &Caller, owner: &Owner, provider: &str) -> Result<(), Error> {
    let access = authorize_owner(app, caller, owner, Role::Owner).await?;
    let provider = parse_provider(provider).map_err(|_| Error::NotFound("key"))?;
    let details = json!({"provider": provider.name()});
    let event =
        caller.audit_event(app, "provider_key.delete", access.project(), provider.name(), &details)?;
    Ok(store(app)?.delete_provider_key(access.as_ref(), provider.name(), &event).await?)
}

/// A decrypted key.
pub(super) struct ResolvedKey {
    pub(super) provider: ProviderId,
    pub(super) key: SecretString,
    /// It belongs to the caller, not to the project.
    pub(super) own: bool,
}

/// The key for a question of the caller in a project: the caller's own before the project's; of several, that of the
/// requested provider, or else the first.
pub(super) async fn find_key(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    wanted: Option<ProviderId>,
) -> Result<Option<ResolvedKey>, Error> {
    let Some(store) = &app.store else { return Ok(None) };
    let mut keys = match caller.user_id() {
        Some(user) => store.list_provider_keys(KeysOf::User(user)).await?,
        None => Vec::new(),
    };
    keys.extend(store.list_provider_keys(KeysOf::Project(project)).await?);
    for key in keys {
        let Ok(provider) = parse_provider(&key.provider) else { continue };
        if wanted.is_some_and(|wanted| wanted != provider) {
            continue;
        }
        let opened = open(app, &key).await?;
        return Ok(Some(ResolvedKey {
            provider,
            key: SecretString::from(opened),
            own: key.user_id.is_some(),
        }));
    }
    Ok(None)
}

async fn open(app: &App, key: &ProviderKey) -> Result<String, Error> {
    data_keys::open(app, &key.data_key_id, &context(&key.id), &key.sealed).await?.ok_or_else(|| {
        Error::Unavailable(format!(
            "The key for {} cannot be decrypted with the SECRET_KEY of this server. Set the SECRET_KEY with which \
             it was encrypted, or store the key again.",
            key.provider
        ))
    })
}

/// Re-encrypts all keys with this data key; returns how many had another one.
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

/// For some keys encrypted with another data key, whether each can be decrypted.
pub(crate) async fn list_readable(app: &App, but: &DataKeyId) -> Result<Vec<bool>, Error> {
    let mut readable = Vec::new();
    for key in store(app)?.list_keys_sealed_otherwise(but).await? {
        let opened = data_keys::open(app, &key.data_key_id, &context(&key.id), &key.sealed).await?;
        readable.push(opened.is_some());
    }
    Ok(readable)
}
