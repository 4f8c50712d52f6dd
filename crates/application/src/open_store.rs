//! Opening the database of an [`App`].

use std::{path::Path, sync::Arc};

use config::{Config, Pooler};
use store::{ConnectOptions, Pooling, Store};

use crate::{Error, app::App, data_lock::DataLock, schema, secrets::Sealer};

/// What the settings say about a pooler.
pub fn pooling(config: &Config) -> Pooling {
    match config.data.pooler {
        Pooler::Auto => Pooling::Auto,
        Pooler::None => Pooling::None,
        Pooler::Transaction => Pooling::Transaction,
    }
}

impl App {
    /// Opens the database and applies pending migrations.
    pub async fn with_store(self) -> Result<App, Error> {
        let mut app = self.with_store_as_it_is().await?;
        schema::migrate(&app).await?;
        app.sealer = Some(Sealer::from_config(&app.config)?);
        Ok(app)
    }

    /// Opens the database read-only: creates no file, applies no migration, creates no key.
    pub async fn with_store_read_only(self) -> Result<App, Error> {
        if let Some(file) = self.config.sqlite_file().filter(|file| !file.exists()) {
            return Err(Error::Unavailable(format!(
                "There is no database at {}, and this command creates none. Start the server, run `ba-copilot \
                 migrate`, or set another folder with --data.",
                file.display()
            )));
        }
        let app = self.with_store_to_look_at().await?;
        schema::require_current(&app).await?;
        Ok(app)
    }

    /// Opens the database with any schema version, without changing it.
    pub async fn with_store_to_look_at(self) -> Result<App, Error> {
        self.with_store_by(&ConnectOptions { read_only: true, ..ConnectOptions::default() }).await
    }

    /// Opens the database without migrating it and without encryption keys, for commands that inspect the schema.
    pub async fn with_store_as_it_is(self) -> Result<App, Error> {
        self.with_store_by(&ConnectOptions::default()).await
    }

    async fn with_store_by(mut self, options: &ConnectOptions) -> Result<App, Error> {
        let options = &ConnectOptions { pooling: pooling(&self.config), ..*options };
        // Locked before the file is opened, so that a restore cannot replace it meanwhile.
        if let Some(file) = self.config.sqlite_file() {
            let folder =
                file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let lock = DataLock::share(folder).map_err(|error| Error::Unavailable(error.to_string()))?;
            self.data_lock = Some(Arc::new(lock));
        }
        let store = Store::connect(&self.config.database_url(), options).await?;
        self.store = Some(store);
        Ok(self)
    }
}
