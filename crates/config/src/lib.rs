//! Configuration: read once at start, passed down, never global.
//!
//! The only reader of the environment. `default.toml` is the defaults, the documentation and the example at once.
//! Sources, the last one wins: `default.toml`, a file, the environment, flags. See `merge.rs` for how.

mod check;
mod environment;
mod merge;
mod prices;
mod providers;
mod s3;
mod show;
mod split_secrets;
mod traces;
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
pub use environment::Environment;
pub use merge::{ConfigError, Origin, variables};
pub use providers::{Providers, provider_names, provider_values};
pub use s3::{Addressing, S3, S3_SCHEME, s3_address};
pub use show::{Inspection, Problem, SECRETS, Setting, address};
pub use split_secrets::Apart;
pub use traces::{Errors, Sampling, Traces};

/// `default.toml` with the section `[providers]`, which the table of providers writes.
pub static DEFAULT_TOML: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", include_str!("default.toml"), providers::section()));

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How to serve.
    pub server: Server,
    /// Where things are kept.
    pub data: Data,
    /// Copies of it.
    pub backup: Backup,
    /// How storage for them is reached.
    pub s3: S3,
    /// How people prove who they are.
    pub accounts: Accounts,
    /// With whom else people may sign in.
    pub oidc: Oidc,
    /// How messages are sent.
    pub mail: Mail,
    /// What seals.
    pub secrets: Secrets,
    /// What several processes share.
    pub redis: Redis,
    /// How much is too much.
    pub limits: Limits,
    /// Work that goes on after the answer.
    pub jobs: Jobs,
    /// Who is told of what happens.
    pub webhooks: Webhooks,
    /// What is told, and how.
    pub log: Log,
    /// Who is told of spans.
    pub traces: Traces,
    /// Who is told of errors.
    pub errors: Errors,
    /// Bounds of a check.
    pub check: Check,
    /// Drawing.
    pub picture: Picture,
    /// How other servers are looked at.
    pub verify: Verify,
    /// How new versions come into service.
    pub deploy: Deploy,
    /// The service that generates, and the one that generates for us.
    pub ai: Ai,
    /// The MCP server, and the one that checks for us.
    pub mcp: Mcp,
    /// Who writes diagrams.
    pub model: Model,
    /// Keys and addresses of vendors.
    pub providers: Providers,
    /// The file that was given with `--config`, if one was; backups take it along.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
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
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Data {
    pub dir: PathBuf,
    pub database_url: SecretString,
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// `[backup]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Backup {
    pub dir: PathBuf,
    pub every_h: u32,
    pub keep_days: u32,
    pub passphrase: SecretString,
}

/// `[accounts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
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
#[expect(missing_docs, reason = "default.toml documents each setting")]
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
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Mail {
    pub smtp_url: SecretString,
    pub from: String,
}

/// `[secrets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Secrets {
    pub secret_key: SecretString,
}

/// `[redis]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Redis {
    pub url: SecretString,
    pub timeout_ms: u64,
}

/// `[limits]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Limits {
    pub requests_per_minute: u32,
    pub token_requests_per_minute: u32,
    pub address_requests_per_minute: u32,
}

/// `[jobs]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Jobs {
    pub at_once: usize,
}

/// `[webhooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Webhooks {
    pub timeout_s: u64,
    pub allow_private: bool,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[verify]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Verify {
    pub token: SecretString,
}

/// `[deploy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
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

/// What runs the processes that are deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployTarget {
    /// Units of systemd.
    Systemd,
    /// Containers of Docker Compose.
    Compose,
    /// Nobody: processes that nothing starts again.
    Processes,
}

/// `[ai]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Ai {
    pub service_url: String,
    pub token: SecretString,
}

impl Ai {
    /// The tokens that callers may send; empty when none is asked for.
    pub fn tokens(&self) -> Vec<&str> {
        words(self.token.expose_secret()).collect()
    }
}

/// `[mcp]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
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
    /// The tokens that callers may send; empty when none is asked for.
    pub fn tokens(&self) -> Vec<&str> {
        words(self.token.expose_secret()).collect()
    }
}

/// The words of a list separated by commas.
pub fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// Pages and what they call, for people.
    Web,
    /// The API for programs, and the work that goes on after the answer.
    Api,
    /// Generates and checks, and keeps nothing.
    Ai,
    /// Checks for others over MCP, and keeps nothing.
    Mcp,
}

impl Role {
    /// Every role and its name.
    pub const NAMES: [(&str, Role); 5] =
        [("all", Role::All), ("web", Role::Web), ("api", Role::Api), ("ai", Role::Ai), ("mcp", Role::Mcp)];

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::NAMES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
    }

    /// Whether it has a database.
    pub fn keeps(self) -> bool {
        matches!(self, Role::All | Role::Web | Role::Api)
    }

    /// Whether it has pages for people.
    pub fn has_pages(self) -> bool {
        self != Role::Api && self != Role::Mcp
    }

    /// Whether it takes up jobs and makes backups. Of several processes exactly one kind does, so that pages stay quick.
    pub fn works(self) -> bool {
        matches!(self, Role::All | Role::Api)
    }
}

/// `[model]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
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
    /// The defaults, the file if there is one, and the environment, in this order.
    ///
    /// # Errors
    /// Names the source and the setting that cannot be used.
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
            (None, None) => Err(merge::unreadable("the settings do not fit together".to_owned())),
        }
    }

    /// Where a process of this role listens.
    pub fn listen(&self, role: Role) -> SocketAddr {
        let port = match role {
            Role::Web | Role::Mcp => 3000,
            Role::Api => 8001,
            Role::All | Role::Ai => 8000,
        };
        // An address that cannot be read was refused when the configuration was loaded.
        self.server.listen.parse().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Where it answers besides, whether it stands by or not.
    pub fn private_listen(&self) -> Option<SocketAddr> {
        self.server.private_listen.parse().ok()
    }

    /// Only this machine reaches the server.
    pub fn is_loopback(&self) -> bool {
        self.listen(Role::All).ip().is_loopback()
    }

    /// The address under which people reach the server, without a slash at its end.
    pub fn public_url(&self) -> String {
        match self.server.public_url.trim_end_matches('/') {
            "" => format!("http://{}", self.listen(Role::All)),
            url => url.to_owned(),
        }
    }

    /// The service that generates for this one.
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

    /// The server that checks for this one; a bare host means its /mcp.
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

    /// The URL of the database.
    pub fn database_url(&self) -> String {
        match self.data.database_url.expose_secret() {
            "" => format!("sqlite:{}", self.data.dir.join("ba-copilot.db").display()),
            url => url.to_owned(),
        }
    }

    /// The file of the database, if it is one.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let url = self.database_url();
        let rest = url.strip_prefix("sqlite:")?;
        Some(rest.strip_prefix("//").unwrap_or(rest).into())
    }

    /// Where backups go: a folder, or the address of a part of a bucket.
    pub fn backup_dir(&self) -> PathBuf {
        match self.backup.dir.as_os_str().is_empty() {
            true => self.data.dir.join("backups"),
            false => self.backup.dir.clone(),
        }
    }

    /// Bounds of one question to a model.
    pub fn llm_limits(&self) -> llm::Limits {
        llm::Limits {
            connect: Duration::from_secs(self.model.connect_s),
            first_byte: Duration::from_secs(self.model.first_byte_s),
            between_bytes: Duration::from_secs(self.model.between_bytes_s),
            total: Duration::from_secs(self.model.total_s),
            ..llm::Limits::default()
        }
    }

    /// A key for what several processes do alike, made from the first of SECRET_KEY and told apart from its other uses by
    /// `purpose`; none where SECRET_KEY is not set.
    pub fn shared_key(&self, purpose: &str) -> Option<[u8; 32]> {
        let secret = words(self.secrets.secret_key.expose_secret()).next()?;
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

    /// What tokens of a model cost, as far as anybody knows.
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

/// Whether an address leads to this machine itself.
fn is_this_machine(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
