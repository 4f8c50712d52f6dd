//! Data keys (envelope encryption): they encrypt stored secrets and are themselves encrypted with the installation
//! key (SECRET_KEY), so that SECRET_KEY can be rotated while servers run.

use store::{DataKey, DataKeyId};

use super::{
    Error,
    access::store,
    secrets::{self, Sealer},
};
use crate::app::App;

fn context(id: &DataKeyId) -> String {
    format!("data key {id}")
}

fn unwrap(app: &App, key: &DataKey) -> Result<Option<Sealer>, Error> {
    match app.sealer()?.open(&context(&key.id), &key.sealed) {
        Some(plain) => Sealer::from_key(&plain).map(Some),
        None => Ok(None),
    }
}

/// Whether the installation key opens this data key.
pub fn opens(sealer: &Sealer, key: &DataKey) -> bool {
    sealer.open(&context(&key.id), &key.sealed).is_some()
}

/// The current data key; created if there is none that can be opened.
pub(super) async fn current(app: &App) -> Result<(DataKeyId, Sealer), Error> {
    if let Some(newest) = store(app)?.list_data_keys().await?.first()
        && let Some(sealer) = unwrap(app, newest)?
    {
        return Ok((newest.id.clone(), sealer));
    }
    create_data_key(app).await
}

/// Creates a data key, which is the current one from now on.
pub(super) async fn create_data_key(app: &App) -> Result<(DataKeyId, Sealer), Error> {
    let id = DataKeyId::parse(app.clock.new_id("dek"))?;
    let plain = secrets::random::<32>()?;
    let sealed = app.sealer()?.seal(&context(&id), &plain)?;
    let key = DataKey { id: id.clone(), sealed, created_at: app.clock.now_us() };
    store(app)?.create_data_key(&key).await?;
    Ok((id, Sealer::from_key(&plain)?))
}

/// Decrypts a value; `None` if its key cannot be opened or the context differs.
pub(super) async fn open(
    app: &App,
    key: &DataKeyId,
    context: &str,
    sealed: &str,
) -> Result<Option<String>, Error> {
    let keys = store(app)?.list_data_keys().await?;
    let Some(key) = keys.iter().find(|known| known.id == *key) else { return Ok(None) };
    let Some(sealer) = unwrap(app, key)? else { return Ok(None) };
    Ok(sealer.open(context, sealed).and_then(|plain| String::from_utf8(plain).ok()))
}

/// For each data key, whether it can be opened.
pub(super) async fn list_readable(app: &App) -> Result<Vec<bool>, Error> {
    let keys = store(app)?.list_data_keys().await?;
    keys.iter().map(|key| Ok(unwrap(app, key)?.is_some())).collect()
}
