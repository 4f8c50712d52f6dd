//! THE table of providers, and what a caller says about one of them: model, key, base URL.
//!
//! A provider that speaks OpenAI's protocol is one row here and one line in [`ProviderId::adapter`]. Never reads the
//! environment: the variables named here are for the caller's configuration and its messages.

use std::fmt;
use std::str::FromStr;

use genai::adapter::AdapterKind;
use genai::resolver::AuthData;
use genai::{Headers, ModelIden, ServiceTarget};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::{LlmError, Misconfigured};

/// A provider of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderId {
    /// openrouter.ai, a gateway to most vendors.
    OpenRouter,
    /// api.openai.com, chat completions.
    OpenAi,
    /// api.anthropic.com, messages.
    Anthropic,
    /// generativelanguage.googleapis.com.
    Gemini,
    /// Any server with OpenAI's chat completions: llama.cpp, Ollama, vLLM, LM Studio, a company's gateway.
    Compatible,
    /// No network: outcomes that a program prepared, see [`Script`](crate::Script).
    Scripted,
}

/// What is known of a provider before anyone configures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderRow {
    /// The provider.
    pub id: ProviderId,
    /// Its stable name in settings, headers and metrics: lower case, no spaces.
    pub name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// The model when none is chosen.
    pub default_model: &'static str,
    /// Where it is, ending in `/`; `None` where only the operator can know.
    pub default_base_url: Option<&'static str>,
    /// The environment variable that sets it up, for documentation and configuration.
    pub variable: Option<&'static str>,
    /// True if it is useless without a key.
    pub needs_key: bool,
    /// True if it can hold a model to a JSON Schema. Single models and servers may still decline.
    pub structured: bool,
}

/// All providers, in the order in which a product should try them.
pub static PROVIDERS: &[ProviderRow] = &[
    ProviderRow {
        id: ProviderId::OpenRouter,
        name: "openrouter",
        label: "OpenRouter",
        default_model: "openai/gpt-5-mini",
        default_base_url: Some("https://openrouter.ai/api/v1/"),
        variable: Some("OPEN_ROUTER_API_KEY"),
        needs_key: true,
        structured: true,
    },
    ProviderRow {
        id: ProviderId::OpenAi,
        name: "openai",
        label: "OpenAI",
        default_model: "gpt-5-mini",
        default_base_url: Some("https://api.openai.com/v1/"),
        variable: Some("OPENAI_API_KEY"),
        needs_key: true,
        structured: true,
    },
    ProviderRow {
        id: ProviderId::Anthropic,
        name: "anthropic",
        label: "Anthropic",
        default_model: "claude-haiku-4-5",
        default_base_url: Some("https://api.anthropic.com/v1/"),
        variable: Some("ANTHROPIC_API_KEY"),
        needs_key: true,
        structured: true,
    },
    ProviderRow {
        id: ProviderId::Gemini,
        name: "gemini",
        label: "Google Gemini",
        default_model: "gemini-2.5-flash",
        default_base_url: Some("https://generativelanguage.googleapis.com/v1beta/"),
        variable: Some("GOOGLE_AI_API_KEY"),
        needs_key: true,
        structured: true,
    },
    ProviderRow {
        id: ProviderId::Compatible,
        name: "compatible",
        label: "OpenAI-compatible server",
        default_model: "default",
        default_base_url: None,
        variable: Some("OPENAI_BASE_URL"),
        needs_key: false,
        structured: true,
    },
    ProviderRow {
        id: ProviderId::Scripted,
        name: "scripted",
        label: "Prepared answers",
        default_model: "script",
        default_base_url: None,
        variable: None,
        needs_key: false,
        structured: true,
    },
];

impl ProviderId {
    /// The provider's row in [`PROVIDERS`].
    pub fn row(self) -> &'static ProviderRow {
        // The enum and the table have the same order; a test holds them to it.
        &PROVIDERS[self as usize]
    }

    /// The stable name, for example `openrouter`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    fn adapter(self) -> Option<AdapterKind> {
        match self {
            Self::OpenRouter => Some(AdapterKind::OpenRouter),
            Self::OpenAi | Self::Compatible => Some(AdapterKind::OpenAI),
            Self::Anthropic => Some(AdapterKind::Anthropic),
            Self::Gemini => Some(AdapterKind::Gemini),
            Self::Scripted => None,
        }
    }

    /// True for those that speak OpenAI's chat completions.
    pub(crate) fn speaks_openai(self) -> bool {
        matches!(self, Self::OpenRouter | Self::OpenAi | Self::Compatible)
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such provider; known are openrouter, openai, anthropic, gemini, compatible and scripted")]
pub struct UnknownProvider;

impl FromStr for ProviderId {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        PROVIDERS.iter().find(|row| row.name == name).map(|row| row.id).ok_or(UnknownProvider)
    }
}

/// Whom to ask: a provider, a model, and what is needed to reach it. Cheap to make for a single request.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The provider.
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

    /// With another model.
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = model.into();
        self
    }

    /// With a key.
    pub fn with_key(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self
    }

    /// At another address.
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
        match self.provider {
            ProviderId::Scripted => Ok(()),
            _ => self.checked_base_url().map(drop),
        }
    }

    /// What the transport needs to send with these headers besides its own; `None` for the scripted provider.
    pub(crate) fn service_target(&self, headers: Headers) -> Result<Option<ServiceTarget>, LlmError> {
        let Some(adapter) = self.provider.adapter() else {
            return Ok(None);
        };
        let base_url = self.checked_base_url()?;
        let auth = match self.key_text()? {
            Some(key) => AuthData::from_single(key),
            // The adapter would insist on a key; a server at home has none.
            None => AuthData::RequestOverride { url: format!("{base_url}chat/completions"), headers },
        };
        Ok(Some(ServiceTarget {
            endpoint: genai::resolver::Endpoint::from_owned(base_url),
            auth,
            model: ModelIden::new(adapter, self.checked_model()?),
        }))
    }

    fn key_text(&self) -> Result<Option<&str>, LlmError> {
        let key = self.key.as_ref().map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty());
        let row = self.provider.row();
        match key {
            None if row.needs_key => Err(LlmError::misconfigured(Misconfigured::NoKey {
                variable: row.variable.unwrap_or("the key"),
            })),
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(LlmError::misconfigured(Misconfigured::BadKey))
            }
            key => Ok(key),
        }
    }

    /// The model's name becomes part of a path at some vendors, so it must not be able to leave its place; and `::`
    /// is a name space to the transport.
    fn checked_model(&self) -> Result<&str, LlmError> {
        let model = self.model.as_str();
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+~".contains(&byte);
        let ok = !model.is_empty()
            && model.len() <= 200
            && model.bytes().all(usual)
            && !model.contains("..")
            && !model.contains("::")
            && !model.starts_with('/');
        if ok { Ok(model) } else { Err(LlmError::misconfigured(Misconfigured::BadModel)) }
    }

    fn checked_base_url(&self) -> Result<String, LlmError> {
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
