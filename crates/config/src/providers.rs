//! `[providers]`: keys and addresses of model providers. Settings, documentation and secrets come from
//! [`llm::PROVIDERS`].

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use llm::{Endpoint, PROVIDERS, ProviderId, SecretString, Setting};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};

const SECTION: &str = "providers.";

/// `[providers]`
#[derive(Debug, Clone)]
pub struct Providers {
    api_keys: BTreeMap<&'static str, SecretString>,
    base_urls: BTreeMap<&'static str, String>,
}

impl<'de> Deserialize<'de> for Providers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = BTreeMap::<String, SecretString>::deserialize(deserializer)?;
        let mut take = |setting: &Setting| values.remove(field(setting)).unwrap_or_default();
        let read = Providers {
            api_keys: api_keys().map(|setting| (setting.key, take(setting))).collect(),
            base_urls: base_urls()
                .map(|(_, setting)| (setting.key, take(setting).expose_secret().to_owned()))
                .collect(),
        };
        match values.into_keys().next() {
            Some(unknown) => Err(serde::de::Error::custom(format!("unknown field `{unknown}`"))),
            None => Ok(read),
        }
    }
}

impl Providers {
    /// The addresses, each with its setting.
    pub(super) fn base_urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.base_urls.iter().map(|(key, url)| (*key, url.as_str()))
    }

    /// A provider with what is set for it: key and address.
    pub(super) fn endpoint(&self, provider: ProviderId) -> Endpoint {
        let row = provider.row();
        let mut endpoint = Endpoint::new(provider);
        let key = row.api_key.and_then(|setting| self.api_keys.get(setting.key));
        if let Some(key) = key.filter(|key| !key.expose_secret().is_empty()) {
            endpoint = endpoint.with_key(key.clone());
        }
        let base_url = row.base_url.and_then(|setting| self.base_urls.get(setting.key));
        if let Some(base_url) = base_url.filter(|url| !url.is_empty()) {
            endpoint = endpoint.with_base_url(base_url.clone());
        }
        endpoint
    }
}

/// Each setting with a key once, although two providers may share it.
pub(super) fn api_keys() -> impl Iterator<Item = &'static Setting> {
    let mut seen = Vec::new();
    PROVIDERS.iter().filter_map(|row| row.api_key.as_ref()).filter(move |setting| {
        let new = !seen.contains(&setting.key);
        seen.push(setting.key);
        new
    })
}

fn base_urls() -> impl Iterator<Item = (&'static llm::ProviderRow, &'static Setting)> {
    PROVIDERS.iter().filter_map(|row| Some((row, row.base_url.as_ref()?)))
}

/// Every setting of the section.
pub(super) fn settings() -> impl Iterator<Item = &'static Setting> {
    api_keys().chain(base_urls().map(|(_, setting)| setting))
}

fn field(setting: &Setting) -> &'static str {
    setting.key.strip_prefix(SECTION).unwrap_or(setting.key)
}

/// The section with its documentation, as it stands in `default.toml` for the others.
pub(super) fn section() -> String {
    let mut text = "\n[providers]\n# API keys; better given as variables than written here.\n".to_owned();
    for setting in api_keys() {
        let of = PROVIDERS.iter().filter(|row| row.api_key.as_ref() == Some(setting) && row.needs_key);
        let labels = of.map(|row| format!("{} ({})", row.label, row.help)).collect::<Vec<_>>().join(", ");
        let _ = write!(text, "# {labels}. [{}]\n{} = \"\"\n", setting.variable, field(setting));
    }
    for (row, setting) in base_urls() {
        let key = row.api_key.as_ref().map(|key| format!("; its key is {}", field(key))).unwrap_or_default();
        let _ = write!(
            text,
            "# Base URL of an {}, for example http://127.0.0.1:11434/v1/{key}.\n# {}. [{}]\n{} = \"\"\n",
            row.label,
            row.help,
            setting.variable,
            field(setting)
        );
    }
    text
}

/// Names of all providers that a user can choose.
pub fn provider_names() -> Vec<&'static str> {
    PROVIDERS.iter().filter(|row| row.is_public()).map(|row| row.name).collect()
}

/// The values of a parameter that names a provider, for help and documentation.
pub fn provider_values() -> &'static str {
    static VALUES: LazyLock<String> = LazyLock::new(|| format!("builtin, {}", provider_names().join(", ")));
    &VALUES
}
