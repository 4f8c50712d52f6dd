//! Settings for display: value and origin, with secrets redacted.
//!
//! A secret is shown as `set (43 characters)` or `empty`; in a URL only credentials, query and fragment are redacted.

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
    const OTHERS: [&str; 18] = [
        "data.database_url",
        "data.direct_url",
        "backup.passphrase",
        "s3.access_key_id",
        "s3.secret_access_key",
        "s3.session_token",
        "oidc.client_secret",
        "mail.smtp_url",
        "secrets.secret_key",
        "redis.url",
        "proxy.http",
        "proxy.https",
        "proxy.all",
        "traces.headers",
        "errors.sentry_dsn",
        "ai.token",
        "mcp.token",
        "verify.token",
    ];
    OTHERS.into_iter().chain(providers::api_keys().map(|setting| setting.key)).collect()
});

/// A setting with its redacted value.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `section.name`.
    pub key: String,
    /// A number, boolean or string; for a secret, a string that says whether it is set.
    pub value: Json,
    pub secret: bool,
    pub origin: Origin,
}

/// A problem that prevents the server from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub error: ConfigError,
    /// The source of the value, unless the error names it.
    pub origin: Option<Origin>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} Source: {origin}.", self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

/// The result of [`Config::inspect`].
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The configuration, with defaults in place of unusable values; `None` if it cannot be read at all.
    pub config: Option<Config>,
    /// Empty if a server would start with this configuration.
    pub problems: Vec<Problem>,
    /// Every setting, in the order of `default.toml`.
    pub settings: Vec<Setting>,
    /// The file of `--config` and `.env`, if they contain secrets in plain text.
    pub secret_files: Vec<PathBuf>,
}

impl Config {
    /// Reads all sources like [`Config::load`], but collects all problems. `flags` are name, setting and value.
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
    /// Whether a setting with this prefix has an invalid value.
    pub fn has_problem_in(&self, section: &str) -> bool {
        self.problems.iter().any(|problem| match &problem.error {
            ConfigError::Value { key, .. } | ConfigError::Type { key, .. } => key.starts_with(section),
            _ => false,
        })
    }

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
            Setting { value: display_value(secret, value), secret, origin, key }
        })
        .collect();
    settings.sort_by_key(|setting| order.get(&setting.key).copied());
    settings
}

/// Also recognizes the names of secrets, so that a secret missing in [`SECRETS`] is redacted too.
pub(super) fn is_secret(key: &str) -> bool {
    let ends = ["_key", "password", "passphrase", "secret", "token"];
    SECRETS.contains(&key) || ends.iter().any(|end| key.ends_with(end))
}

fn secret_files(merged: &Merged, file: Option<&Path>, environment: &Environment) -> Vec<PathBuf> {
    let set = SECRETS.iter().filter_map(|key| merged.origins.get(*key));
    let mut files: Vec<PathBuf> = set
        .filter_map(|origin| match origin {
            Origin::File { .. } => file.map(Path::to_owned),
            // NAME_FILE contains only the path of a secret.
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

fn display_value(secret: bool, value: Value) -> Json {
    match value {
        Value::String(text) if secret => Json::String(redacted(&text)),
        Value::String(text) => Json::String(address(&text).unwrap_or(text)),
        Value::Integer(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Float(number) => number.into(),
        other => Json::String(other.to_string()),
    }
}

fn redacted(text: &str) -> String {
    match text {
        "" => "empty".to_owned(),
        // Without parameters this is only a path.
        file if file.starts_with("sqlite:") && !file.contains(['?', '@']) => file.to_owned(),
        _ => address(text).unwrap_or_else(|| length(text)),
    }
}

fn length(text: &str) -> String {
    format!("set ({} characters)", text.chars().count())
}

/// A URL with its credentials, query and fragment redacted; `None` if `text` is not a URL with a host.
pub fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    if !text.contains("://") {
        return None;
    }
    let mut redacted = format!("{}://", url.scheme());
    if let Some(password) = url.password() {
        redacted.push_str(&format!("[user and password {}]@", length(password)));
    } else if !url.username().is_empty() {
        redacted.push_str("[user set]@");
    }
    redacted.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        redacted.push_str(&format!(":{port}"));
    }
    redacted.push_str(url.path());
    if let Some(query) = url.query() {
        redacted.push_str(&format!("?[{}]", length(query)));
    }
    if let Some(fragment) = url.fragment() {
        redacted.push_str(&format!("#[{}]", length(fragment)));
    }
    Some(redacted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_redacted() {
        for (text, expected) in [
            (
                "postgres://ada:pa%40ss@db:5432/ba",
                "postgres://[user and password set (7 characters)]@db:5432/ba",
            ),
            ("postgres://ada@db/ba?password=secret", "postgres://[user set]@db/ba?[set (15 characters)]"),
            ("redis://:secret@[::1]:6379", "redis://[user and password set (6 characters)]@[::1]:6379"),
            ("https://host/path#secret", "https://host/path#[set (6 characters)]"),
            ("sqlite:./data/x.db", "sqlite:./data/x.db"),
            ("sqlite:x?key=secret", "set (19 characters)"),
            ("secret", "set (6 characters)"),
            ("user:secret@host", "set (16 characters)"),
            ("", "empty"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn secrets_are_the_settings_whose_debug_output_is_redacted() {
        let texts = merge::merge(None, &Environment::default(), &[]).table;
        for (key, value) in merge::flatten(&texts) {
            // Enums do not accept the canary.
            let is_enum =
                ["log.format", "deploy.target", "s3.addressing", "data.pooler"].contains(&key.as_str());
            if !matches!(value, Value::String(_)) || is_enum {
                continue;
            }
            let flag = [("--test", key.as_str(), "canary".to_owned())];
            let config = Config::inspect(None, &Environment::default(), &flag).config.expect("settings");
            let visible = format!("{config:?}").contains("canary");
            assert_eq!(visible, !SECRETS.contains(&key.as_str()), "{key}");
        }
        assert!(SECRETS.iter().all(|key| merge::flatten(&texts).iter().any(|(known, _)| known == key)));
    }
}
