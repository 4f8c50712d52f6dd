//! What the checks share, loaded once: the configuration, the data folder, the database, the key.
//!
//! Nothing is created here that a server creates at its start: no folder, no database, no key.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use llm::SecretString;
use secrecy::ExposeSecret;
use store::{ConnectOptions, PostgresFacts, SchemaState, Store, StoreError};

use crate::diagnostics::CheckFailure;
use application::{
    app::App, clock::Clock, mail::Mailer, oidc_client::OidcProvider, safe_http::SafeHttpClient,
    secrets::Sealer, shared_memory::SharedMemory,
};
use config::{Config, Inspection};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) enum Database {
    /// The reason why it was not opened.
    NotOpened(&'static str),
    /// There is no file yet; the first start creates it.
    Missing,
    Failed(StoreError),
    /// Opened; the state of its schema.
    Open(Result<SchemaState, StoreError>),
}

pub struct CheckContext {
    pub(super) inspection: Inspection,
    /// Settings that a component refuses.
    pub(super) component_problems: Vec<String>,
    pub(super) clock: Clock,
    /// The application, with its store if the database is open; none if the configuration is invalid.
    pub(super) app: Option<App>,
    pub(super) database: Database,
    pub(super) postgres: Option<Result<PostgresFacts, StoreError>>,
    /// Whether the data folder is writable.
    pub(super) writable: Result<(), String>,
    /// Whether the SQLite file uses a write-ahead log; none where there is no such file.
    pub(super) has_wal: Option<bool>,
}

impl CheckContext {
    pub async fn new(inspection: Inspection, clock: Clock) -> Self {
        let usable = inspection.config.clone().filter(|_| inspection.problems.is_empty());
        let component_problems = problems_of_parts(&inspection, &clock);
        let usable = usable.filter(|_| component_problems.is_empty());
        let mut context = CheckContext {
            writable: usable.as_ref().map_or(Ok(()), |config| try_to_write(&config.data.dir)),
            has_wal: usable.as_ref().and_then(Config::sqlite_file).and_then(|file| has_wal(&file)),
            app: usable.and_then(|mut config| {
                // One engine is enough for a check.
                config.check.threads = 1;
                App::stateless(config, clock.clone()).ok()
            }),
            inspection,
            component_problems,
            clock,
            database: Database::NotOpened("the settings cannot be used"),
            postgres: None,
        };
        context.open().await;
        context
    }

    async fn open(&mut self) {
        let Some(app) = &mut self.app else { return };
        if let Some(file) = app.config.sqlite_file() {
            if self.writable.is_err() && file.starts_with(&app.config.data.dir) {
                self.database = Database::NotOpened("the data folder cannot be used");
                return;
            }
            if !file.exists() {
                self.database = Database::Missing;
                return;
            }
        }
        let options = ConnectOptions {
            max_connections: 4,
            acquire_timeout: CONNECT_TIMEOUT,
            read_only: true,
            pooling: application::pooling(&app.config),
            ..ConnectOptions::default()
        };
        let store = match Store::connect(&app.config.database_url(), &options).await {
            Ok(store) => store,
            Err(error) => {
                self.database = Database::Failed(error);
                return;
            }
        };
        self.postgres = store.find_postgres_facts().await.transpose();
        self.database = Database::Open(store.check_schema().await);
        let key = match app.config.secrets.secret_key.expose_secret() {
            "" => key_file(&app.config).and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default(),
            key => key.to_owned(),
        };
        app.sealer = Sealer::new(&key).ok();
        app.store = Some(store);
    }

    pub(super) async fn close(&self) {
        if let Some(store) = self.app.as_ref().and_then(|app| app.store.as_ref()) {
            store.close().await;
        }
    }

    /// Whether the PostgreSQL user cannot read all tables.
    pub(super) fn lacks_table_access(&self) -> bool {
        matches!(&self.postgres, Some(Ok(facts)) if facts.tables_out_of_reach > 0)
    }

    pub(super) fn app(&self) -> Result<&App, CheckFailure> {
        self.app.as_ref().ok_or_else(|| CheckFailure::skipped("the settings cannot be used"))
    }

    /// The application and its store, if the database is open.
    pub(super) fn opened(&self) -> Result<(&App, &Store), CheckFailure> {
        let app = self.app()?;
        match (&self.database, &app.store) {
            (Database::Open(_), Some(store)) => Ok((app, store)),
            (Database::Missing, _) => Err(CheckFailure::skipped("there is no database yet")),
            (Database::NotOpened(why), _) => Err(CheckFailure::skipped(*why)),
            _ => Err(CheckFailure::skipped("the database cannot be opened")),
        }
    }

    /// The same, if the schema is current.
    pub(super) fn current(&self) -> Result<(&App, &Store), CheckFailure> {
        let opened = self.opened()?;
        match &self.database {
            Database::Open(Ok(state)) if state.is_current() => Ok(opened),
            _ => Err(CheckFailure::skipped("the schema is not current")),
        }
    }
}

/// Settings that are valid by themselves and refused by a component. A section that is already reported as wrong is
/// left out.
pub fn problems_of_parts(inspection: &Inspection, clock: &Clock) -> Vec<String> {
    let Some(config) = &inspection.config else { return Vec::new() };
    let mut mail = config.clone();
    if inspection.has_problem_in("mail.smtp_url") {
        // Reported already, and not a reason to leave out the sender.
        mail.mail.smtp_url = SecretString::default();
    }
    let components = [
        ("mail.from", Mailer::new(&mail).err().map(|error| error.to_string())),
        ("redis.", SharedMemory::new(&config.redis).err().map(|error| error.to_string())),
        ("oidc.", OidcProvider::from_config(config, clock).err().map(|error| error.to_string())),
        ("webhooks.", SafeHttpClient::new(&config.webhooks).err()),
        (
            "log.",
            (!telemetry::is_level(&config.log.level)).then(|| {
                "The setting log.level (LOG_LEVEL) is not a level; use error, warn, info, debug or trace."
                    .to_owned()
            }),
        ),
    ];
    components
        .into_iter()
        .filter(|(section, _)| !inspection.has_problem_in(section))
        .filter_map(|(_, problem)| problem)
        .collect()
}

/// The file of the generated key; none where SECRET_KEY is set.
pub(super) fn key_file(config: &Config) -> Option<PathBuf> {
    config.secrets.secret_key.expose_secret().is_empty().then(|| config.data.dir.join("secret.key"))
}

/// Writes, renames and deletes a file, as the server does.
fn try_to_write(folder: &Path) -> Result<(), String> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err("it is not a folder".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    }
    let (draft, name) =
        [".tmp", ""].map(|end| folder.join(format!(".doctor-{}{end}", std::process::id()))).into();
    let tried = fs::write(&draft, b"doctor").and_then(|()| fs::rename(&draft, &name));
    // One of them does not exist.
    let _ = fs::remove_file(&draft);
    let _ = fs::remove_file(&name);
    tried.map_err(|error| error.to_string())
}

/// Bytes 18 and 19 of a SQLite file are 2 if it uses a write-ahead log.
fn has_wal(file: &Path) -> Option<bool> {
    use std::io::Read as _;
    let mut head = [0; 20];
    fs::File::open(file).ok()?.read_exact(&mut head).ok()?;
    head.starts_with(b"SQLite format 3\0").then_some(head[18] == 2 && head[19] == 2)
}

/// The parts of a secret, for checks that measure it.
pub(super) fn words(secret: &SecretString) -> Vec<&str> {
    config::comma_separated(secret.expose_secret()).collect()
}
