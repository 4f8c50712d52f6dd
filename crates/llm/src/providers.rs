//! The table of model providers. A new one is one row of [`PROVIDERS`]: its id, its settings, its place in the order of
//! `auto`, its metric label and its line in help and documentation all come from the row.
//!
//! Reads no environment and no file: settings and variables are named here for the caller's configuration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A setting of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the configuration, `section.name`.
    pub key: &'static str,
    /// The environment variable that sets it.
    pub variable: &'static str,
}

/// The wire format of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's chat completions.
    ChatCompletions,
    /// Chat completions with OpenRouter's additions.
    OpenRouter,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// None: outcomes that a program prepared, see [`Script`](crate::Script).
    Scripted,
}

impl Protocol {
    /// Both dialects of chat completions.
    pub(crate) fn is_chat_completions(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::OpenRouter)
    }
}

/// What is known of a provider before it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderRow {
    pub id: ProviderId,
    /// The stable name in settings, headers, URLs and metrics: lower case, no spaces.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// What it is, for the documentation of its settings.
    pub help: &'static str,
    /// The model when none is chosen.
    pub default_model: &'static str,
    /// The vendor's address, ending in `/`; `None` where only the operator knows it.
    pub default_base_url: Option<&'static str>,
    /// The setting that replaces or gives the address.
    pub base_url: Option<Setting>,
    /// The setting with the API key. Two providers may share one.
    pub api_key: Option<Setting>,
    /// The provider answers no request without a key.
    pub needs_key: bool,
    pub protocol: Protocol,
    /// The provider can hold a model to a JSON Schema. Single models and servers may still decline.
    pub structured: bool,
}

macro_rules! providers {
    ($($id:ident ($name:literal) {
        label: $label:literal,
        help: $help:literal,
        default_model: $model:literal,
        $($field:ident: $value:expr,)*
    })*) => {
        /// A provider of models: the name of a row of [`PROVIDERS`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ProviderId {
            $(#[doc = $help] #[serde(rename = $name)] $id,)*
        }

        /// All providers. `auto` takes the first one that is configured.
        pub static PROVIDERS: &[ProviderRow] = &[$(ProviderRow {
            id: ProviderId::$id,
            name: $name,
            label: $label,
            help: $help,
            default_model: $model,
            $($field: $value,)*
            ..DEFAULTS
        }),*];
    };
}

/// What rows share that say nothing else.
const DEFAULTS: ProviderRow = ProviderRow {
    id: ProviderId::Scripted,
    name: "",
    label: "",
    help: "",
    default_model: "",
    default_base_url: None,
    base_url: None,
    api_key: None,
    needs_key: true,
    protocol: Protocol::ChatCompletions,
    structured: true,
};

const OPENAI_API_KEY: Setting = Setting { key: "providers.openai_api_key", variable: "OPENAI_API_KEY" };

providers! {
    // A local server that was configured on purpose comes before keys that may be set for other programs.
    Compatible ("compatible") {
        label: "OpenAI-compatible server",
        help: "Any server with OpenAI's chat completions: llama.cpp, Ollama, vLLM, LM Studio, a company's gateway",
        default_model: "default",
        base_url: Some(Setting { key: "providers.openai_base_url", variable: "OPENAI_BASE_URL" }),
        api_key: Some(OPENAI_API_KEY),
        needs_key: false,
    }
    OpenRouter ("openrouter") {
        label: "OpenRouter",
        help: "openrouter.ai, a gateway to most vendors",
        default_model: "openai/gpt-5-mini",
        default_base_url: Some("https://openrouter.ai/api/v1/"),
        api_key: Some(Setting { key: "providers.openrouter_api_key", variable: "OPEN_ROUTER_API_KEY" }),
        protocol: Protocol::OpenRouter,
    }
    Anthropic ("anthropic") {
        label: "Anthropic",
        help: "api.anthropic.com",
        default_model: "claude-haiku-4-5",
        default_base_url: Some("https://api.anthropic.com/v1/"),
        api_key: Some(Setting { key: "providers.anthropic_api_key", variable: "ANTHROPIC_API_KEY" }),
        protocol: Protocol::Anthropic,
    }
    OpenAi ("openai") {
        label: "OpenAI",
        help: "api.openai.com",
        default_model: "gpt-5-mini",
        default_base_url: Some("https://api.openai.com/v1/"),
        api_key: Some(OPENAI_API_KEY),
    }
    Gemini ("gemini") {
        label: "Google Gemini",
        help: "generativelanguage.googleapis.com",
        default_model: "gemini-2.5-flash",
        default_base_url: Some("https://generativelanguage.googleapis.com/v1beta/"),
        api_key: Some(Setting { key: "providers.gemini_api_key", variable: "GOOGLE_AI_API_KEY" }),
        protocol: Protocol::Gemini,
    }
    Scripted ("scripted") {
        label: "Prepared answers",
        help: "No network: outcomes that a program prepared",
        default_model: "script",
        needs_key: false,
        protocol: Protocol::Scripted,
    }
}

impl ProviderRow {
    /// Open to users; the scripted provider is for programs.
    pub fn is_public(&self) -> bool {
        self.protocol != Protocol::Scripted
    }
}

impl ProviderId {
    /// The provider's row in [`PROVIDERS`].
    pub fn row(self) -> &'static ProviderRow {
        // One macro writes both, in the same order.
        &PROVIDERS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownProvider;

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown provider; known are ")?;
        for (at, row) in PROVIDERS.iter().enumerate() {
            let gap = if at == 0 { "" } else { ", " };
            write!(f, "{gap}{}", row.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownProvider {}

impl FromStr for ProviderId {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        PROVIDERS.iter().find(|row| row.name == name).map(|row| row.id).ok_or(UnknownProvider)
    }
}
