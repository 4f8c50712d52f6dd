//! What the checks have in common, looked at once before them: the configuration, the folder, the database, the key.
//!
//! Nothing is made here that a server would make at its start: no folder, no database, no key.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use llm::SecretString;
use secrecy::ExposeSecret;
use store::{ConnectOptions, PostgresFacts, SchemaState, Store, StoreError};

use super::Outcome;
use application::{
    app::App, clock::Clock, mail::Mailer, oidc_client::Provider, safe_http::Outbound, secrets::Sealer,
    shared_memory::SharedMemory,
};
use config::{Config, Inspection};
use telemetry;

/// Longest time for a first connection.
const CONNECT: Duration = Duration::from_secs(5);

/// The database, as far as it could be opened.
pub(super) enum Database {
    /// Nobody tried, for this reason.
    NotTried(&'static str),
    /// There is no file yet; the first start makes it.
    NotYet,
    /// It cannot be opened.
    Failed(StoreError),
    /// It is open, with these tables.
    Open(Result<SchemaState, StoreError>),
}

/// What is looked at.
pub struct Bench {
    pub(super) inspection: Inspection,
    /// What the parts of the product do not take of the configuration.
    pub(super) parts: Vec<String>,
    pub(super) clock: Clock,
    /// The product, with the database if that is open; none where the configuration cannot be used.
    pub(super) app: Option<App>,
    pub(super) database: Database,
    pub(super) postgres: Option<Result<PostgresFacts, StoreError>>,
    /// The program may write into the data folder.
    pub(super) writable: Result<(), String>,
    /// The write-ahead log of the SQLite file, as its first bytes say; none where there is no such file.
    pub(super) has_wal: Option<bool>,
}

impl Bench {
    /// Looks at what all checks need.
    pub async fn new(inspection: Inspection, clock: Clock) -> Self {
        let usable = inspection.config.clone().filter(|_| inspection.problems.is_empty());
        let parts = problems_of_parts(&inspection, &clock);
        let usable = usable.filter(|_| parts.is_empty());
        let mut bench = Bench {
            writable: usable.as_ref().map_or(Ok(()), |config| try_to_write(&config.data.dir)),
            has_wal: usable.as_ref().and_then(Config::sqlite_file).and_then(|file| has_wal(&file)),
            app: usable.and_then(|mut config| {
                // One thread of the engine is enough to look at.
                config.check.threads = 1;
                App::stateless(config, clock.clone()).ok()
            }),
            inspection,
            parts,
            clock,
            database: Database::NotTried("the settings cannot be used"),
            postgres: None,
        };
        bench.open().await;
        bench
    }

    async fn open(&mut self) {
        let Some(app) = &mut self.app else { return };
        if let Some(file) = app.config.sqlite_file() {
            if self.writable.is_err() && file.starts_with(&app.config.data.dir) {
                self.database = Database::NotTried("the data folder cannot be used");
                return;
            }
            if !file.exists() {
                self.database = Database::NotYet;
                return;
            }
        }
        let options = ConnectOptions {
            max_connections: 4,
            acquire_timeout: CONNECT,
            read_only: true,
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

    /// PostgreSQL does not let this user read all tables.
    pub(super) fn is_kept_from_tables(&self) -> bool {
        matches!(&self.postgres, Some(Ok(facts)) if facts.tables_out_of_reach > 0)
    }

    /// The product, or why there is nothing to look at.
    pub(super) fn app(&self) -> Result<&App, Outcome> {
        self.app.as_ref().ok_or_else(|| Outcome::skipped("the settings cannot be used"))
    }

    /// The product and its database, if that can be opened.
    pub(super) fn opened(&self) -> Result<(&App, &Store), Outcome> {
        let app = self.app()?;
        match (&self.database, &app.store) {
            (Database::Open(_), Some(store)) => Ok((app, store)),
            (Database::NotYet, _) => Err(Outcome::skipped("there is no database yet")),
            (Database::NotTried(why), _) => Err(Outcome::skipped(*why)),
            _ => Err(Outcome::skipped("the database cannot be opened")),
        }
    }

    /// The product and its database, if that has the tables of this program.
    pub(super) fn current(&self) -> Result<(&App, &Store), Outcome> {
        let opened = self.opened()?;
        match &self.database {
            Database::Open(Ok(state)) if state.is_current() => Ok(opened),
            _ => Err(Outcome::skipped("the tables are not those of this program")),
        }
    }
}

/// What the parts of the product do not take of settings that are each of the right kind. What is known to be wrong already is not
/// told twice.
pub fn problems_of_parts(inspection: &Inspection, clock: &Clock) -> Vec<String> {
    let Some(config) = &inspection.config else { return Vec::new() };
    let url = config.database_url();
    let is_url = ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
    let parts = [
        ("mail.", Mailer::new(config).err().map(|error| error.to_string())),
        ("redis.", SharedMemory::new(&config.redis).err().map(|error| error.to_string())),
        ("oidc.", Provider::of(config, clock).err().map(|error| error.to_string())),
        ("webhooks.", Outbound::new(&config.webhooks).err()),
        (
            "data.",
            (!is_url).then(|| {
                "The setting data.database_url (DATABASE_URL) must begin with sqlite: or postgres:."
                    .to_owned()
            }),
        ),
        (
            "log.",
            (!telemetry::is_level(&config.log.level)).then(|| {
                "The setting log.level (LOG_LEVEL) is no level; use error, warn, info, debug or trace."
                    .to_owned()
            }),
        ),
    ];
    parts
        .into_iter()
        .filter(|(section, _)| !inspection.is_wrong_in(section))
        .filter_map(|(_, problem)| problem)
        .collect()
}

/// Where the key is that is made at the first start; none where SECRET_KEY is set.
pub(super) fn key_file(config: &Config) -> Option<PathBuf> {
    config.secrets.secret_key.expose_secret().is_empty().then(|| config.data.dir.join("secret.key"))
}

/// Writes, renames and removes a file, as the program will.
fn try_to_write(folder: &Path) -> Result<(), String> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err("it is no folder".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    }
    let (draft, name) =
        [".tmp", ""].map(|end| folder.join(format!(".doctor-{}{end}", std::process::id()))).into();
    let tried = fs::write(&draft, b"doctor").and_then(|()| fs::rename(&draft, &name));
    // Whichever of them is there.
    let _ = fs::remove_file(&draft);
    let _ = fs::remove_file(&name);
    tried.map_err(|error| error.to_string())
}

/// Bytes 18 and 19 of a SQLite file are 2 where it keeps a write-ahead log.
fn has_wal(file: &Path) -> Option<bool> {
    use std::io::Read as _;
    let mut head = [0; 20];
    fs::File::open(file).ok()?.read_exact(&mut head).ok()?;
    head.starts_with(b"SQLite format 3\0").then_some(head[18] == 2 && head[19] == 2)
}

/// The words of a secret, for checks that only measure it.
pub(super) fn words(secret: &SecretString) -> Vec<&str> {
    config::words(secret.expose_secret()).collect()
}
