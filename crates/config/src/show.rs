//! Every setting as people may see it: the value, who set it, and nothing of what is secret.
//!
//! A secret is shown as `set (43 characters)` or `empty`; in an address only the user and the password are hidden.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use reqwest::Url;
use serde_json::Value as Json;
use toml::Value;

use super::{
    Config, ConfigError, DEFAULT_TOML, Environment, Origin,
    merge::{self, Merged},
    providers,
};

/// The settings that are secret, or that may hold a secret. A test compares them with the types.
pub static SECRETS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    const OTHERS: [&str; 14] = [
        "data.database_url",
        "backup.passphrase",
        "s3.access_key_id",
        "s3.secret_access_key",
        "s3.session_token",
        "oidc.client_secret",
        "mail.smtp_url",
        "secrets.secret_key",
        "redis.url",
        "traces.headers",
        "errors.sentry_dsn",
        "ai.token",
        "mcp.token",
        "verify.token",
    ];
    OTHERS.into_iter().chain(providers::api_keys().map(|setting| setting.key)).collect()
});

/// A setting as people may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `section.name`.
    pub key: String,
    /// A number, a truth value or a text; of what is secret, a text that says whether it is set.
    pub value: Json,
    /// Whether the value is hidden.
    pub secret: bool,
    /// Who set it.
    pub origin: Origin,
}

/// Something that no server would start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub error: ConfigError,
    /// Who set it, where the error does not say so itself.
    pub origin: Option<Origin>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} It is set by {origin}.", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

/// A configuration that was looked at, usable or not.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// All settings, those that cannot be used as `default.toml` has them; none where not even that can be read.
    pub config: Option<Config>,
    /// Everything that is wrong; empty if a server would start with it.
    pub problems: Vec<Problem>,
    /// Every setting, in the order of `default.toml`.
    pub settings: Vec<Setting>,
    /// Files that hold secrets in plain text: that of `--config` and `.env`, where they do.
    pub secret_files: Vec<PathBuf>,
}

impl Config {
    /// Reads all sources as [`Config::load`] does, but goes on after a problem. `flags` are the name of a flag, the setting and
    /// its value.
    pub fn inspect(
        file: Option<&Path>,
        environment: &Environment,
        flags: &[(&'static str, &str, String)],
    ) -> Inspection {
        let mut merged = merge::merge(file, environment, flags);
        let config: Option<Config> = merged.read();
        let origin_of = |error: &ConfigError| match error {
            ConfigError::Value { key, .. } => merged.origins.get(key).cloned(),
            _ => None,
        };
        let values = config.iter().flat_map(Config::check_values);
        let problems = merged
            .problems
            .iter()
            .cloned()
            .chain(values)
            .map(|error| Problem { origin: origin_of(&error), error })
            .collect();
        let secret_files = secret_files(&merged, file, environment);
        Inspection { config, problems, settings: settings(&merged), secret_files }
    }
}

impl Inspection {
    /// Whether a setting whose name begins like this is known to be wrong.
    pub fn is_wrong_in(&self, section: &str) -> bool {
        self.problems.iter().any(|problem| match &problem.error {
            ConfigError::Value { key, .. } | ConfigError::Type { key, .. } => key.starts_with(section),
            _ => false,
        })
    }

    /// A setting by its name, also one that this part of the program has no field for.
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

fn settings(merged: &Merged) -> Vec<Setting> {
    let order: BTreeMap<String, usize> = merge::lines(&DEFAULT_TOML);
    let mut settings: Vec<Setting> = merge::flatten(&merged.table)
        .into_iter()
        .map(|(key, value)| {
            let secret = is_secret(&key);
            let origin = merged.origins.get(&key).cloned().unwrap_or(Origin::Default);
            Setting { value: shown(secret, value), secret, origin, key }
        })
        .collect();
    settings.sort_by_key(|setting| order.get(&setting.key).copied());
    settings
}

/// Also what only has the name of a secret, so that one that somebody forgot to list is hidden all the same.
pub(super) fn is_secret(key: &str) -> bool {
    let ends = ["_key", "password", "passphrase", "secret", "token"];
    SECRETS.contains(&key) || ends.iter().any(|end| key.ends_with(end))
}

fn secret_files(merged: &Merged, file: Option<&Path>, environment: &Environment) -> Vec<PathBuf> {
    let set = SECRETS.iter().filter_map(|key| merged.origins.get(*key));
    let mut files: Vec<PathBuf> = set
        .filter_map(|origin| match origin {
            Origin::File { .. } => file.map(Path::to_owned),
            // NAME_FILE only names the file with the secret, which is often given by a system that keeps it.
            Origin::Variable { name, file: Some(_) } if !name.ends_with("_FILE") => {
                environment.file().map(Path::to_owned)
            }
            _ => None,
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

fn shown(secret: bool, value: Value) -> Json {
    match value {
        Value::String(text) if secret => Json::String(hidden(&text)),
        Value::String(text) => Json::String(address(&text).unwrap_or(text)),
        Value::Integer(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Float(number) => number.into(),
        other => Json::String(other.to_string()),
    }
}

fn hidden(text: &str) -> String {
    match text {
        "" => "empty".to_owned(),
        // A path is no secret, and this form has nothing else in it.
        file if file.starts_with("sqlite:") && !file.contains(['?', '@']) => file.to_owned(),
        _ => address(text).unwrap_or_else(|| length(text)),
    }
}

fn length(text: &str) -> String {
    format!("set ({} characters)", text.chars().count())
}

/// An address without what may be secret in it; none if the text is no address of a host.
pub fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    if !text.contains("://") {
        return None;
    }
    let mut shown = format!("{}://", url.scheme());
    if let Some(password) = url.password() {
        shown.push_str(&format!("[user and password {}]@", length(password)));
    } else if !url.username().is_empty() {
        shown.push_str("[user set]@");
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    shown.push_str(url.path());
    if let Some(query) = url.query() {
        shown.push_str(&format!("?[{}]", length(query)));
    }
    if let Some(fragment) = url.fragment() {
        shown.push_str(&format!("#[{}]", length(fragment)));
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_is_secret() {
        for (text, expected) in [
            (
                "postgres://ada:pa%40ss@db:5432/ba",
                "postgres://[user and password set (7 characters)]@db:5432/ba",
            ),
            ("postgres://ada@db/ba?password=geheim", "postgres://[user set]@db/ba?[set (15 characters)]"),
            ("redis://:geheim@[::1]:6379", "redis://[user and password set (6 characters)]@[::1]:6379"),
            ("https://host/path#geheim", "https://host/path#[set (6 characters)]"),
            ("sqlite:./data/x.db", "sqlite:./data/x.db"),
            ("sqlite:x?key=geheim", "set (19 characters)"),
            ("geheim", "set (6 characters)"),
            ("user:geheim@host", "set (16 characters)"),
            ("", "empty"),
        ] {
            assert_eq!(hidden(text), expected);
        }
    }

    /// A setting whose type hides it is in the list, and no other is.
    #[test]
    fn what_is_secret_is_what_the_types_hide() {
        let texts = merge::merge(None, &Environment::default(), &[]).table;
        for (key, value) in merge::flatten(&texts) {
            // A choice of words cannot be another word.
            let chosen = ["log.format", "deploy.target", "s3.addressing"].contains(&key.as_str());
            if !matches!(value, Value::String(_)) || chosen {
                continue;
            }
            let flag = [("--test", key.as_str(), "canary".to_owned())];
            let config = Config::inspect(None, &Environment::default(), &flag).config.expect("settings");
            let told = format!("{config:?}").contains("canary");
            assert_eq!(told, !SECRETS.contains(&key.as_str()), "{key}");
        }
        assert!(SECRETS.iter().all(|key| merge::flatten(&texts).iter().any(|(known, _)| known == key)));
    }
}
