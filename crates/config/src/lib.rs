//! Configuration: read once at start, passed as a value, never global.
//!
//! The only crate that reads the environment. `default.toml` has the defaults and documents the settings. `merge.rs`
//! merges the sources, in increasing precedence: `default.toml`, a file, the environment, flags.

mod check;
mod database;
mod dotenv;
mod environment;
mod error;
mod merge;
mod prices;
mod providers;
mod public_url;
mod s3;
mod show;
mod sources;
mod split_secrets;
mod traces;
mod urls;
mod values;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use llm::{Endpoint, ProviderId, SecretString};
use secrecy::ExposeSecret;
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use check::{Check, Picture};
pub use database::{Pooler, check_database_url};
pub use dotenv::quoted;
pub use environment::Environment;
pub use error::ConfigError;
pub use providers::{Providers, provider_names, provider_values};
pub use public_url::{RESERVED_SEGMENTS, as_base_path};
pub use s3::{Addressing, S3, S3_SCHEME, s3_address};
pub use show::{Inspection, Problem, SECRETS, Setting, address};
pub use sources::{Origin, variables};
pub use split_secrets::SplitSecrets;
pub use traces::{Errors, Sampling, Traces};

/// `default.toml` with the section `[providers]`, which the table of providers writes.
pub static DEFAULT_TOML: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", include_str!("default.toml"), providers::section()));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub data: Data,
    pub backup: Backup,
    pub s3: S3,
    pub accounts: Accounts,
    pub oidc: Oidc,
    pub mail: Mail,
    pub secrets: Secrets,
    pub redis: Redis,
    pub limits: Limits,
    pub jobs: Jobs,
    pub webhooks: Webhooks,
    pub proxy: Proxy,
    pub log: Log,
    pub traces: Traces,
    pub errors: Errors,
    pub check: Check,
    pub picture: Picture,
    pub verify: Verify,
    pub deploy: Deploy,
    pub ai: Ai,
    pub mcp: Mcp,
    pub model: Model,
    pub providers: Providers,
    /// The file given with `--config`, which encrypted backups contain.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: String,
    pub private_listen: String,
    pub hand_over_dir: PathBuf,
    pub standby_marker: PathBuf,
    pub release: String,
    pub environment: String,
    pub public_url: String,
    pub proxies: usize,
    pub max_body_bytes: usize,
    pub drain_s: u64,
    pub shutdown_s: u64,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub header_read_s: u64,
    pub body_idle_s: u64,
    pub body_total_s: u64,
    pub keep_alive_s: u64,
    pub write_idle_s: u64,
    pub allowed_hosts: String,
}

/// `[data]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub dir: PathBuf,
    pub database_url: SecretString,
    pub direct_url: SecretString,
    pub pooler: Pooler,
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// `[backup]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    pub dir: PathBuf,
    pub every_h: u32,
    pub keep_days: u32,
    pub passphrase: SecretString,
}

/// `[accounts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub session_idle_h: i64,
    pub session_max_h: i64,
    pub session_rotate_min: i64,
    pub min_password_chars: usize,
    pub breached_passwords: String,
}

/// `[oidc]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub name: String,
    pub scopes: String,
    pub sign_up: bool,
    pub email_domains: String,
}

/// `[mail]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub smtp_url: SecretString,
    pub from: String,
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub secret_key: SecretString,
}

/// `[redis]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    pub url: SecretString,
    pub timeout_ms: u64,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub requests_per_minute: u32,
    pub token_requests_per_minute: u32,
    pub address_requests_per_minute: u32,
}

/// `[jobs]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub at_once: usize,
}

/// `[webhooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    pub timeout_s: u64,
    pub allow_private: bool,
}

/// `[proxy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// A URL may contain a password.
    pub http: SecretString,
    pub https: SecretString,
    pub all: SecretString,
    pub exceptions: String,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// `[verify]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    pub token: SecretString,
}

/// `[deploy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    pub target: DeployTarget,
    pub dir: PathBuf,
    pub user: String,
    pub compose_dir: PathBuf,
    pub blue: String,
    pub green: String,
    pub ready_s: u64,
    pub observe_s: u64,
    pub keep_releases: usize,
}

/// What manages the deployed processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployTarget {
    /// systemd units.
    Systemd,
    /// Docker Compose containers.
    Compose,
    /// Plain processes, which are not restarted when they exit.
    Processes,
}

/// `[ai]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ai {
    pub service_url: String,
    pub token: SecretString,
}

impl Ai {
    /// The accepted tokens; empty if no authentication is required.
    pub fn tokens(&self) -> Vec<&str> {
        comma_separated(self.token.expose_secret()).collect()
    }
}

/// `[mcp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mcp {
    pub server_url: String,
    pub timeout_s: u64,
    pub token: SecretString,
    pub calls_per_minute: u32,
    pub allowed_origins: String,
    pub public_url: String,
    pub authorization_servers: String,
}

impl Mcp {
    /// The accepted tokens; empty if no authentication is required.
    pub fn tokens(&self) -> Vec<&str> {
        comma_separated(self.token.expose_secret()).collect()
    }
}

/// The entries of a comma-separated list.
pub fn comma_separated(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// The role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Everything in one process.
    #[default]
    All,
    /// The pages and the API that they call.
    Web,
    /// The API for programs, and background jobs.
    Api,
    /// Generates and checks, without a database.
    Ai,
    /// Checks over MCP, without a database.
    Mcp,
}

impl Role {
    pub const NAMES: [(&str, Role); 5] =
        [("all", Role::All), ("web", Role::Web), ("api", Role::Api), ("ai", Role::Ai), ("mcp", Role::Mcp)];

    pub fn parse(name: &str) -> Option<Role> {
        Role::NAMES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
    }

    pub fn has_database(self) -> bool {
        matches!(self, Role::All | Role::Web | Role::Api)
    }

    pub fn has_pages(self) -> bool {
        self != Role::Api && self != Role::Mcp
    }

    /// Whether it runs background jobs and backups. Never together with pages in a split deployment, so that pages
    /// stay fast.
    pub fn runs_jobs(self) -> bool {
        matches!(self, Role::All | Role::Api)
    }
}

/// `[model]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub provider: String,
    pub model: String,
    pub max_retries: u32,
    pub max_output_tokens: u32,
    pub total_s: u64,
    pub connect_s: u64,
    pub first_byte_s: u64,
    pub between_bytes_s: u64,
    pub prices: String,
}

impl Config {
    /// Loads the defaults, the file and the environment.
    ///
    /// # Errors
    /// The first problem; [`Config::inspect`] finds all.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Config, ConfigError> {
        let mut merged = merge::merge(file, environment, &[]);
        let config = merged.read::<Config>();
        let mut problems = merged.problems.into_iter();
        match (problems.next(), config) {
            (None, Some(config)) => match config.check_values().into_iter().next() {
                None => Ok(config),
                Some(problem) => Err(problem),
            },
            (Some(problem), _) => Err(problem),
            (None, None) => Err(merge::unreadable("the settings cannot be combined".to_owned())),
        }
    }

    /// The listen address, or the default of the role.
    pub fn listen(&self, role: Role) -> SocketAddr {
        let port = match role {
            Role::Web | Role::Mcp => 3000,
            Role::Api => 8001,
            Role::All | Role::Ai => 8000,
        };
        // `Config::load` has refused an invalid address.
        self.server.listen.parse().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The additional address that also answers in standby.
    pub fn private_listen(&self) -> Option<SocketAddr> {
        self.server.private_listen.parse().ok()
    }

    pub fn is_loopback(&self) -> bool {
        self.listen(Role::All).ip().is_loopback()
    }

    /// The service that generates for this process, with a trailing slash.
    pub fn ai_service_url(&self) -> Option<reqwest::Url> {
        let mut url = reqwest::Url::parse(&self.ai.service_url).ok()?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return None;
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Some(url)
    }

    /// The MCP server that checks for this process. Without a path, `/mcp` is used.
    pub fn mcp_server_url(&self) -> Option<reqwest::Url> {
        let mut url = reqwest::Url::parse(&self.mcp.server_url).ok()?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return None;
        }
        if url.path() == "/" {
            url.set_path("/mcp");
        }
        Some(url)
    }

    /// The backup folder, or an `s3://` address.
    pub fn backup_dir(&self) -> PathBuf {
        match self.backup.dir.as_os_str().is_empty() {
            true => self.data.dir.join("backups"),
            false => self.backup.dir.clone(),
        }
    }

    /// Timeouts of one model request.
    pub fn llm_limits(&self) -> llm::Limits {
        llm::Limits {
            connect: Duration::from_secs(self.model.connect_s),
            first_byte: Duration::from_secs(self.model.first_byte_s),
            between_bytes: Duration::from_secs(self.model.between_bytes_s),
            total: Duration::from_secs(self.model.total_s),
            ..llm::Limits::default()
        }
    }

    /// The proxies between this process and providers.
    pub fn proxies(&self) -> llm::Proxies {
        let Proxy { http, https, all, exceptions } = &self.proxy;
        llm::Proxies::new(http.clone(), https.clone(), all.clone(), exceptions)
    }

    /// A key that all processes share, derived from the first key of SECRET_KEY and `purpose`; `None` if SECRET_KEY
    /// is not set.
    pub fn shared_key(&self, purpose: &str) -> Option<[u8; 32]> {
        let secret = comma_separated(self.secrets.secret_key.expose_secret()).next()?;
        let hash = Sha256::new().chain_update(purpose).chain_update([0]).chain_update(secret);
        Some(hash.finalize().into())
    }

    /// Where to ask `provider`, with the keys of this configuration.
    pub fn endpoint(&self, provider: ProviderId) -> Endpoint {
        let mut endpoint = self.providers.endpoint(provider);
        if !self.model.model.is_empty() {
            endpoint = endpoint.with_model(self.model.model.clone());
        }
        endpoint
    }

    /// The price of a model from the built-in list or `model.prices`; `None` if unknown.
    pub fn price(&self, provider: ProviderId, model: &str) -> Option<llm::Price> {
        llm::list_price(provider, model).or_else(|| prices::find(&self.model.prices, provider, model))
    }

    /// The provider that writes diagrams when a request names none; `None` for the built-in drafter.
    pub fn default_provider(&self) -> Option<ProviderId> {
        match self.model.provider.as_str() {
            "builtin" => None,
            "auto" => llm::PROVIDERS
                .iter()
                .find(|row| row.is_public() && self.endpoint(row.id).is_configured())
                .map(|row| row.id),
            name => name.parse().ok(),
        }
    }

    /// Providers that could be asked now.
    pub fn configured_providers(&self) -> Vec<&'static str> {
        llm::PROVIDERS
            .iter()
            .filter(|row| row.is_public() && self.endpoint(row.id).is_configured())
            .map(|row| row.name)
            .collect()
    }
}

fn is_loopback_url(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
