//! The keys that seal what people bring along (envelope encryption): each is itself sealed with the key of the installation
//! (SECRET_KEY), so that the latter can be replaced while the server runs.

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

/// Whether the key of the installation opens this one.
pub fn opens(sealer: &Sealer, key: &DataKey) -> bool {
    sealer.open(&context(&key.id), &key.sealed).is_some()
}

/// The data key that seals now; made if there is none, or none that opens.
pub(super) async fn current(app: &App) -> Result<(DataKeyId, Sealer), Error> {
    if let Some(newest) = store(app)?.list_data_keys().await?.first()
        && let Some(sealer) = unwrap(app, newest)?
    {
        return Ok((newest.id.clone(), sealer));
    }
    create_data_key(app).await
}

/// A new data key; from now on it seals.
pub(super) async fn create_data_key(app: &App) -> Result<(DataKeyId, Sealer), Error> {
    let id = DataKeyId::parse(app.clock.new_id("dek"))?;
    let plain = secrets::random::<32>()?;
    let sealed = app.sealer()?.seal(&context(&id), &plain)?;
    let key = DataKey { id: id.clone(), sealed, created_at: app.clock.now_us() };
    store(app)?.create_data_key(&key).await?;
    Ok((id, Sealer::from_key(&plain)?))
}

/// What was sealed with a data key; none if that cannot be opened, or not in this context.
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

/// For each data key, whether it opens.
pub(super) async fn list_readable(app: &App) -> Result<Vec<bool>, Error> {
    let keys = store(app)?.list_data_keys().await?;
    keys.iter().map(|key| Ok(unwrap(app, key)?.is_some())).collect()
}
