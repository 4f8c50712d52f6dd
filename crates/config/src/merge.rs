//! Several sources made into one table, with an error that names the source and the nearest known setting.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde::de::DeserializeOwned;
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{DEFAULT_TOML, Environment, providers};

/// Variables with names of their own, besides those of providers.
const ALIASES: [(&str, &str); 33] = [
    ("MODEL", "model.model"),
    ("DATABASE_URL", "data.database_url"),
    ("LOG_LEVEL", "log.level"),
    ("ALLOWED_HOSTS", "server.allowed_hosts"),
    ("PUBLIC_URL", "server.public_url"),
    ("BA_COPILOT_RELEASE", "server.release"),
    ("ENV", "server.environment"),
    ("SMTP_URL", "mail.smtp_url"),
    ("MAIL_FROM", "mail.from"),
    ("SECRET_KEY", "secrets.secret_key"),
    ("BACKUP_PASSPHRASE", "backup.passphrase"),
    ("AWS_ENDPOINT_URL_S3", "s3.endpoint"),
    ("AWS_REGION", "s3.region"),
    ("AWS_ACCESS_KEY_ID", "s3.access_key_id"),
    ("AWS_SECRET_ACCESS_KEY", "s3.secret_access_key"),
    ("AWS_SESSION_TOKEN", "s3.session_token"),
    ("OIDC_ISSUER", "oidc.issuer"),
    ("OIDC_CLIENT_ID", "oidc.client_id"),
    ("OIDC_CLIENT_SECRET", "oidc.client_secret"),
    ("REDIS_URL", "redis.url"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "traces.headers"),
    ("OTEL_SERVICE_NAME", "traces.service_name"),
    ("OTEL_TRACES_SAMPLER", "traces.sampler"),
    ("OTEL_TRACES_SAMPLER_ARG", "traces.sampler_arg"),
    ("SENTRY_DSN", "errors.sentry_dsn"),
    ("VERIFY_TOKEN", "verify.token"),
    ("AI_SERVICE_URL", "ai.service_url"),
    ("AI_SERVICE_TOKEN", "ai.token"),
    ("MCP_SERVER_URL", "mcp.server_url"),
    ("MCP_TIMEOUT", "mcp.timeout_s"),
    ("MCP_TOKEN", "mcp.token"),
    ("MCP_ALLOWED_ORIGINS", "mcp.allowed_origins"),
];

const PREFIX: &str = "BA_COPILOT__";

/// Variables with names of their own, each with the setting it is.
pub fn variables() -> &'static [(&'static str, &'static str)] {
    static ALL: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        providers::settings().map(|setting| (setting.variable, setting.key)).chain(ALIASES).collect()
    });
    &ALL
}

/// Who said what a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody; `default.toml` did.
    Default,
    /// A file of settings.
    File {
        /// As it was named.
        path: String,
        /// The line, from 1; none where the file does not tell.
        line: Option<usize>,
    },
    /// A variable, or the one with `_FILE` behind its name.
    Variable {
        /// Its name.
        name: String,
        /// The `.env` file that it stands in, if it is not the process's own.
        file: Option<PathBuf>,
    },
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Origin::File { path, line: None } => f.write_str(path),
            Origin::Variable { name, file: None } => write!(f, "variable {name}"),
            Origin::Variable { name, file: Some(file) } => write!(f, "variable {name} in {}", file.display()),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Why the configuration cannot be used. Never repeats a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("{path} cannot be read: {problem}. Check the name and the rights.")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        problem: String,
    },
    /// A file that is there, and that somebody else may have written.
    #[error("{path} is not read: {problem}.")]
    Untrusted {
        /// Which file.
        path: String,
        /// Why, and what to do.
        problem: String,
    },
    /// A line of an environment file is no variable.
    #[error("{path} cannot be used: {problem}.")]
    Variables {
        /// Which file.
        path: String,
        /// What is wrong, without a value.
        problem: String,
    },
    /// A file is not TOML.
    #[error("{path} is not TOML: {problem}")]
    Syntax {
        /// Which file.
        path: String,
        /// What is wrong, and where.
        problem: String,
    },
    /// A setting that does not exist.
    #[error("{origin} sets `{key}`, which does not exist.{nearest}")]
    Unknown {
        /// The file or variable.
        origin: String,
        /// The setting.
        key: String,
        /// A suggestion, or nothing.
        nearest: String,
    },
    /// A value of another type than the setting has.
    #[error("The setting `{key}` cannot be used: {origin} must give {expected}.")]
    Type {
        /// The setting.
        key: String,
        /// The file or variable.
        origin: String,
        /// The type, as a noun.
        expected: String,
    },
    /// A value that no server could work with.
    #[error("The setting `{key}` cannot be used: {problem}.")]
    Value {
        /// The setting.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

/// The setting that a variable names after our prefix; none if it is not so named.
fn prefixed_key(variable: &str) -> Option<String> {
    Some(variable.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", "."))
}

/// The setting that a variable sets, by either of its names; none if it is not ours.
pub(super) fn key_of(variable: &str) -> Option<String> {
    let known = variables().iter().find(|(name, _)| *name == variable).map(|(_, key)| (*key).to_owned());
    known.or_else(|| prefixed_key(variable))
}

/// All sources in one table, and what could not be used of them.
pub(super) struct Merged {
    /// Every setting, with the value it came to.
    pub(super) table: Table,
    /// Who set it; what is not here is as `default.toml` says.
    pub(super) origins: BTreeMap<String, Origin>,
    /// In the order in which the sources are read.
    pub(super) problems: Vec<ConfigError>,
    known: Vec<String>,
}

pub(super) fn merge(
    file: Option<&Path>,
    environment: &Environment,
    flags: &[(&'static str, &str, String)],
) -> Merged {
    let mut merged =
        Merged { table: Table::new(), origins: BTreeMap::new(), problems: Vec::new(), known: Vec::new() };
    match parse(&DEFAULT_TOML, "default.toml") {
        Ok(table) => merged.table = table,
        Err(error) => merged.problems.push(error),
    }
    merged.known = flatten(&merged.table).into_iter().map(|(key, _)| key).collect();
    if let Some(path) = file {
        merged.add_file(path);
    }
    merged.problems.extend(environment.problem().cloned());
    if let Some(value) = merged.read_variable(environment, "DEBUG")
        && matches!(value.as_str(), "1" | "true" | "yes")
    {
        merged.set(&environment.origin("DEBUG"), "log.level", Value::String("debug".to_owned()));
    }
    for &(name, key) in variables() {
        if let Some(value) = merged.read_variable(environment, name) {
            let value = if key == "log.level" { value.to_ascii_lowercase() } else { value };
            merged.set(&environment.origin(name), key, Value::String(value));
        }
    }
    for name in environment.names().filter(|name| name.starts_with(PREFIX)) {
        let name = name.strip_suffix("_FILE").unwrap_or(name);
        let Some(key) = prefixed_key(name) else { continue };
        if let Some(value) = merged.read_variable(environment, name) {
            merged.set(&environment.origin(name), &key, Value::String(value));
        }
    }
    for (flag, key, value) in flags {
        merged.set(&Origin::Flag(flag), key, Value::String(value.clone()));
    }
    merged
}

impl Merged {
    /// The table as settings. What does not fit in is a problem, and is left as `default.toml` says.
    pub(super) fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        let Err(error) = T::deserialize(Value::Table(self.table.clone())) else {
            return T::deserialize(Value::Table(self.table.clone())).ok();
        };
        let mut good = parse(&DEFAULT_TOML, "default.toml").ok()?;
        let before = self.problems.len();
        for (key, value) in flatten(&self.table) {
            let mut trial = good.clone();
            put(&mut trial, &key, value);
            match T::deserialize(Value::Table(trial.clone())) {
                Ok(_) => good = trial,
                Err(error) => {
                    self.problems.push(ConfigError::Value { key, problem: first_line(&error.to_string()) });
                }
            }
        }
        if self.problems.len() == before {
            self.problems.push(unreadable(first_line(&error.to_string())));
        }
        self.table = good.clone();
        T::deserialize(Value::Table(good)).ok()
    }

    fn add_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = error.to_string();
                self.problems.push(ConfigError::File { path: name, problem });
                return;
            }
        };
        match parse(&text, &name) {
            Ok(table) => {
                let lines = lines(&text);
                for (key, value) in flatten(&table) {
                    let line = lines.get(&key).copied();
                    self.set(&Origin::File { path: name.clone(), line }, &key, value);
                }
            }
            Err(error) => self.problems.push(error),
        }
    }

    fn read_variable(&mut self, environment: &Environment, name: &str) -> Option<String> {
        environment.read(name).unwrap_or_else(|error| {
            self.problems.push(error);
            None
        })
    }

    fn set(&mut self, origin: &Origin, key: &str, value: Value) {
        match set(&mut self.table, &self.known, &told(origin), key, value) {
            Ok(()) => {
                self.origins.insert(key.to_owned(), origin.clone());
            }
            // A variable and the file that it names are looked at once each, under both of their names.
            Err(error) if self.problems.contains(&error) => {}
            Err(error) => self.problems.push(error),
        }
    }
}

/// An origin at the beginning of a sentence.
fn told(origin: &Origin) -> String {
    match origin {
        Origin::Variable { name, file: None } => name.clone(),
        Origin::Variable { name, file: Some(file) } => format!("{name} in {}", file.display()),
        Origin::Flag(name) => (*name).to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn unreadable(problem: String) -> ConfigError {
    ConfigError::Value { key: "configuration".to_owned(), problem }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The line, from 1, on which each setting of a text stands.
pub(super) fn lines(text: &str) -> BTreeMap<String, usize> {
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let mut lines = BTreeMap::new();
    let Ok(parsed) = DeTable::parse(text) else { return lines };
    for (section, value) in parsed.get_ref().iter() {
        match value.get_ref() {
            DeValue::Table(inner) => lines.extend(
                inner
                    .keys()
                    .map(|key| (format!("{}.{}", section.get_ref(), key.get_ref()), line(key.span().start))),
            ),
            _ => {
                lines.insert(section.get_ref().to_string(), line(section.span().start));
            }
        }
    }
    lines
}

fn put(table: &mut Table, key: &str, value: Value) {
    let slot = key.split_once('.').and_then(|(section, name)| table.get_mut(section)?.get_mut(name));
    if let Some(slot) = slot {
        *slot = value;
    }
}

fn parse(text: &str, name: &str) -> Result<Table, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line =
            error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count());
        ConfigError::Syntax {
            path: line.map_or_else(|| name.to_owned(), |line| format!("{name}:{}", line + 1)),
            problem: error.message().to_owned(),
        }
    })
}

pub(super) fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(inner) => {
                out.extend(inner.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone())))
            }
            other => out.push((section.clone(), other.clone())),
        }
    }
    out
}

/// Sets `key`, as the kind of value that the default has.
fn set(
    table: &mut Table,
    known: &[String],
    origin: &str,
    key: &str,
    value: Value,
) -> Result<(), ConfigError> {
    let unknown = || {
        let nearest =
            known.iter().max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
        let nearest = nearest.map(|nearest| format!(" Did you mean `{nearest}`?")).unwrap_or_default();
        ConfigError::Unknown { origin: origin.to_owned(), key: key.to_owned(), nearest }
    };
    let (section, name) = key.split_once('.').ok_or_else(unknown)?;
    let slot = table
        .get_mut(section)
        .and_then(|section| section.as_table_mut())
        .and_then(|section| section.get_mut(name))
        .ok_or_else(unknown)?;
    let wrong = |expected: &str| ConfigError::Type {
        key: key.to_owned(),
        origin: origin.to_owned(),
        expected: expected.to_owned(),
    };
    *slot = match (&*slot, value) {
        (Value::Integer(_), Value::String(text)) => {
            Value::Integer(text.trim().replace('_', "").parse().map_err(|_| wrong("a whole number"))?)
        }
        (Value::Boolean(_), Value::String(text)) => {
            Value::Boolean(text.trim().parse().map_err(|_| wrong("true or false"))?)
        }
        (old, new) if old.same_type(&new) => new,
        (old, _) => return Err(wrong(&format!("a value of type {}", old.type_str()))),
    };
    Ok(())
}
