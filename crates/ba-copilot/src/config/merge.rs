//! Several sources made into one table, with an error that names the source and the nearest known setting.

use std::{collections::BTreeMap, fs, path::Path};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::DEFAULT_TOML;

/// Variables that people know from elsewhere, and the settings they are.
const ALIASES: [(&str, &str); 22] = [
    ("OPEN_ROUTER_API_KEY", "providers.openrouter_api_key"),
    ("OPENAI_API_KEY", "providers.openai_api_key"),
    ("ANTHROPIC_API_KEY", "providers.anthropic_api_key"),
    ("GOOGLE_AI_API_KEY", "providers.gemini_api_key"),
    ("OPENAI_BASE_URL", "providers.openai_base_url"),
    ("MODEL", "model.model"),
    ("DATABASE_URL", "data.database_url"),
    ("LOG_LEVEL", "log.level"),
    ("ALLOWED_HOSTS", "server.allowed_hosts"),
    ("PUBLIC_URL", "server.public_url"),
    ("SMTP_URL", "mail.smtp_url"),
    ("MAIL_FROM", "mail.from"),
    ("SECRET_KEY", "secrets.secret_key"),
    ("BACKUP_PASSPHRASE", "backup.passphrase"),
    ("OIDC_ISSUER", "oidc.issuer"),
    ("OIDC_CLIENT_ID", "oidc.client_id"),
    ("OIDC_CLIENT_SECRET", "oidc.client_secret"),
    ("REDIS_URL", "redis.url"),
    ("MCP_SERVER_URL", "mcp.server_url"),
    ("MCP_TIMEOUT", "mcp.timeout_s"),
    ("MCP_TOKEN", "mcp.token"),
    ("MCP_ALLOWED_ORIGINS", "mcp.allowed_origins"),
];

const PREFIX: &str = "BA_COPILOT__";

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
    /// A setting with a value of the wrong kind.
    #[error("The setting `{key}` cannot be used: {problem}.")]
    Value {
        /// The setting.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

/// The variables of the process and of `.env`.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The process's variables; a `.env` file in the working folder fills in what they do not say.
    pub fn of_process() -> Self {
        let mut variables = BTreeMap::new();
        if let Ok(file) = dotenvy::from_filename_iter(".env") {
            variables.extend(file.flatten());
        }
        variables.extend(std::env::vars());
        // An empty variable is what compose files write for "not set".
        variables.retain(|_, value| !value.is_empty());
        Environment(variables)
    }

    /// Just these variables.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Environment(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A variable, or what the file named by `NAME_FILE` holds.
    fn read(&self, name: &str) -> Result<Option<String>, ConfigError> {
        if let Some(value) = self.0.get(name) {
            return Ok(Some(value.clone()));
        }
        let Some(path) = self.0.get(&format!("{name}_FILE")) else { return Ok(None) };
        match fs::read_to_string(path) {
            Ok(value) => Ok(Some(value.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => Err(ConfigError::File {
                path: format!("{path} (named by {name}_FILE)"),
                problem: error.to_string(),
            }),
        }
    }

    /// Colours are not wanted.
    pub fn no_color(&self) -> bool {
        self.0.contains_key("NO_COLOR")
    }
}

pub(super) fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: &Environment,
) -> Result<T, ConfigError> {
    let mut table = parse(DEFAULT_TOML, "default.toml")?;
    let known = settings(&table);
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError::File { path: name.clone(), problem: error.to_string() })?;
        for (key, value) in flatten(&parse(&text, &name)?) {
            set(&mut table, &known, &name, &key, value)?;
        }
    }
    if environment.read("DEBUG")?.is_some_and(|value| matches!(value.as_str(), "1" | "true" | "yes")) {
        set(&mut table, &known, "DEBUG", "log.level", Value::String("debug".to_owned()))?;
    }
    for (name, key) in ALIASES {
        if let Some(value) = environment.read(name)? {
            let value = if key == "log.level" { value.to_ascii_lowercase() } else { value };
            set(&mut table, &known, name, key, Value::String(value))?;
        }
    }
    for name in environment.0.keys().filter(|name| name.starts_with(PREFIX)) {
        let name = name.strip_suffix("_FILE").unwrap_or(name);
        let key = name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
        if let Some(value) = environment.read(name)? {
            set(&mut table, &known, name, &key, Value::String(value))?;
        }
    }
    T::deserialize(Value::Table(table)).map_err(|error| {
        let problem = error.to_string();
        ConfigError::Value {
            key: "configuration".to_owned(),
            problem: problem.lines().next().unwrap_or_default().to_owned(),
        }
    })
}

fn parse(text: &str, name: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>()
        .map_err(|error| ConfigError::Syntax { path: name.to_owned(), problem: error.message().to_owned() })
}

fn settings(table: &Table) -> Vec<String> {
    flatten(table).into_iter().map(|(key, _)| key).collect()
}

fn flatten(table: &Table) -> Vec<(String, Value)> {
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
    let wrong = |expected: &str| ConfigError::Value {
        key: key.to_owned(),
        problem: format!("{origin} must give {expected}"),
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
