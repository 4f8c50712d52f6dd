//! Which provider and model to ask, with which key and address; checked before anything is sent.

use secrecy::{ExposeSecret, SecretString};

use crate::error::{LlmError, Misconfigured};
use crate::providers::{Protocol, ProviderId};

/// A provider, a model, and what is needed to reach it. Cheap to make for a single request.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub provider: ProviderId,
    /// The model, by the vendor's own name for it. No suffix is interpreted.
    pub model: String,
    /// The key; `Debug` shows only that there is one.
    pub key: Option<SecretString>,
    /// Instead of the provider's own address; with or without `/` at its end.
    pub base_url: Option<String>,
}

impl Endpoint {
    /// The provider with its default model, without key and at its own address.
    pub fn new(provider: ProviderId) -> Self {
        Self { provider, model: provider.row().default_model.to_owned(), key: None, base_url: None }
    }

    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    pub fn with_key(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self
    }

    pub fn with_base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// True if nothing is missing that [`Llm::ask`](crate::Llm::ask) needs. Sends nothing: a key may still be wrong.
    pub fn is_configured(&self) -> bool {
        self.check().is_ok()
    }

    /// As [`is_configured`](Self::is_configured), and says what is missing.
    pub fn check(&self) -> Result<(), LlmError> {
        self.key_text()?;
        self.checked_model()?;
        match self.provider.row().protocol {
            Protocol::Scripted => Ok(()),
            _ => self.checked_base_url().map(drop),
        }
    }

    /// The address that requests go to, ending in `/`; `None` without a valid one.
    pub fn address(&self) -> Option<String> {
        self.checked_base_url().ok()
    }

    pub(crate) fn key_text(&self) -> Result<Option<&str>, LlmError> {
        let key = self.key.as_ref().map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty());
        let row = self.provider.row();
        match key {
            None if row.needs_key => Err(LlmError::misconfigured(Misconfigured::NoKey {
                variable: row.api_key.map_or("the key", |setting| setting.variable),
            })),
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(LlmError::misconfigured(Misconfigured::BadKey))
            }
            key => Ok(key),
        }
    }

    /// The model's name becomes part of a path at some vendors, so it must not traverse.
    pub(crate) fn checked_model(&self) -> Result<&str, LlmError> {
        let model = self.model.as_str();
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+~".contains(&byte);
        let ok = !model.is_empty()
            && model.len() <= 200
            && model.bytes().all(usual)
            && !model.contains("..")
            && !model.starts_with('/');
        if ok { Ok(model) } else { Err(LlmError::misconfigured(Misconfigured::BadModel)) }
    }

    pub(crate) fn checked_base_url(&self) -> Result<String, LlmError> {
        let bad = || LlmError::misconfigured(Misconfigured::BadBaseUrl);
        let given = self.base_url.as_deref().or(self.provider.row().default_base_url).ok_or_else(bad)?;
        let url = reqwest::Url::parse(given.trim()).map_err(|_| bad())?;
        let ok = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !ok {
            return Err(bad());
        }
        let mut text = url.to_string();
        if !text.ends_with('/') {
            // The transport appends a path to the base URL and would drop a last segment without a slash.
            text.push('/');
        }
        Ok(text)
    }
}
