//! Opening the database of an [`App`].

use std::{path::Path, sync::Arc};

use store::{ConnectOptions, Store};

use crate::{Error, app::App, data_lock::DataLock, schema, secrets::Sealer};

impl App {
    /// Opens the database of the configuration, makes it current and remembers from now on.
    ///
    /// # Errors
    /// When the database cannot be opened or was written by a newer program.
    pub async fn with_store(self) -> Result<App, Error> {
        let mut app = self.with_store_as_it_is().await?;
        schema::migrate(&app).await?;
        app.sealer = Some(Sealer::of(&app.config)?);
        Ok(app)
    }

    /// Opens the database of the configuration to read from it: creates no file, changes no table, and makes no key.
    ///
    /// # Errors
    /// When there is no database, when it cannot be opened, or when its tables are not those of this program: older, newer, or another
    /// program's.
    pub async fn with_store_to_read(self) -> Result<App, Error> {
        if let Some(file) = self.config.sqlite_file().filter(|file| !file.exists()) {
            return Err(Error::Unavailable(format!(
                "There is no database at {} yet, and this command creates none. Start the server or run `ba-copilot migrate`, or name another folder with --data.",
                file.display()
            )));
        }
        let app = self.with_store_to_look_at().await?;
        schema::require_current(&app).await?;
        Ok(app)
    }

    /// Opens the database of the configuration, whatever its tables are, and changes nothing in it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn with_store_to_look_at(self) -> Result<App, Error> {
        self.with_store_by(&ConnectOptions { read_only: true, ..ConnectOptions::default() }).await
    }

    /// The same as [`App::with_store`], without making it current and without what seals: for those who look at the tables alone.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn with_store_as_it_is(self) -> Result<App, Error> {
        self.with_store_by(&ConnectOptions::default()).await
    }

    async fn with_store_by(mut self, options: &ConnectOptions) -> Result<App, Error> {
        // Before the file is opened, so that it is not put in another's place meanwhile.
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
