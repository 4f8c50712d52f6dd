//! The sources of settings, and the environment variables that set them.

use std::{fmt, path::PathBuf, sync::LazyLock};

use super::providers;

/// Variables with names of their own, besides those of providers.
const ALIASES: [(&str, &str); 42] = [
    ("MODEL", "model.model"),
    ("DATABASE_URL", "data.database_url"),
    ("DATABASE_DIRECT_URL", "data.direct_url"),
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
    // Where both are set, the one in capitals counts: later names take precedence.
    ("http_proxy", "proxy.http"),
    ("HTTP_PROXY", "proxy.http"),
    ("https_proxy", "proxy.https"),
    ("HTTPS_PROXY", "proxy.https"),
    ("all_proxy", "proxy.all"),
    ("ALL_PROXY", "proxy.all"),
    ("no_proxy", "proxy.exceptions"),
    ("NO_PROXY", "proxy.exceptions"),
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

pub(super) const PREFIX: &str = "BA_COPILOT__";

/// Variables with names of their own, each with the setting it is.
pub fn variables() -> &'static [(&'static str, &'static str)] {
    static ALL: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        providers::settings().map(|setting| (setting.variable, setting.key)).chain(ALIASES).collect()
    });
    &ALL
}

/// The source of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// The file given with `--config`.
    File {
        path: String,
        /// Starts at 1.
        line: Option<usize>,
    },
    /// An environment variable, `NAME` or `NAME_FILE`.
    Variable {
        name: String,
        /// The environment file that sets it, with the line; `None` for a variable of the process.
        file: Option<(PathBuf, usize)>,
    },
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Origin::File { path, line: None } => f.write_str(path),
            Origin::Variable { name, file: None } => write!(f, "variable {name}"),
            Origin::Variable { name, file: Some((file, line)) } => {
                write!(f, "variable {name} in {}:{line}", file.display())
            }
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The setting of a variable with the prefix.
pub(super) fn prefixed_key(variable: &str) -> Option<String> {
    Some(variable.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", "."))
}

/// The setting of a variable with the prefix or an alias; `None` for other variables.
pub(super) fn key_of(variable: &str) -> Option<String> {
    let known = variables().iter().find(|(name, _)| *name == variable).map(|(_, key)| (*key).to_owned());
    known.or_else(|| prefixed_key(variable))
}
