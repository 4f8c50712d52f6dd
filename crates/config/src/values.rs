//! Validation of setting values. Does not inspect the machine; `doctor` does.

use std::net::SocketAddr;

use llm::ProviderId;
use secrecy::ExposeSecret;

use super::{Config, ConfigError, comma_separated, is_loopback_url, prices, provider_names};

impl Config {
    /// All invalid values.
    pub(super) fn check_values(&self) -> Vec<ConfigError> {
        let mut problems = self.check_oidc();
        problems.extend(self.check_traces());
        problems.extend(self.check_s3());
        problems.extend(self.check_database());
        problems.extend(self.check_urls());
        problems.extend(self.check_public_url());
        let mut wrong = |key: &str, problem: String| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem });
        };
        if !["auto", "builtin"].contains(&self.model.provider.as_str())
            && self.model.provider.parse::<ProviderId>().is_err()
        {
            wrong(
                "model.provider",
                format!(
                    "`{}` is not a provider; use auto, builtin, {}",
                    self.model.provider,
                    provider_names().join(", ")
                ),
            );
        }
        if let Err(problem) = prices::parse(&self.model.prices) {
            wrong("model.prices", problem);
        }
        if self.model.max_retries > 3 {
            wrong("model.max_retries", format!("{} is not allowed; use 0 to 3", self.model.max_retries));
        }
        if !self.server.listen.is_empty() && self.server.listen.parse::<SocketAddr>().is_err() {
            wrong(
                "server.listen",
                format!("`{}` is not an IP address with a port, such as 127.0.0.1:8000", self.server.listen),
            );
        }
        if !self.server.private_listen.is_empty()
            && !self.private_listen().is_some_and(|address| address.ip().is_loopback())
        {
            wrong(
                "server.private_listen",
                format!(
                    "`{}` is not a loopback address with a port, such as 127.0.0.1:8081",
                    self.server.private_listen
                ),
            );
        }
        let deploy = &self.deploy;
        for (key, address) in [("deploy.blue", &deploy.blue), ("deploy.green", &deploy.green)] {
            if !address.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback()) {
                wrong(
                    key,
                    format!("`{address}` is not a loopback address with a port, such as 127.0.0.1:8081"),
                );
            }
        }
        if deploy.blue == deploy.green {
            wrong("deploy.green", "it must differ from deploy.blue".to_owned());
        }
        if !deploy.dir.is_absolute() {
            wrong("deploy.dir", "it must be an absolute path, such as /opt/ba-copilot".to_owned());
        }
        if !(1..=3600).contains(&deploy.ready_s) || deploy.observe_s > 3600 {
            wrong("deploy", "ready_s must be 1 to 3600, and observe_s 0 to 3600".to_owned());
        }
        let release = &self.server.release;
        if release.chars().count() > 100 || !release.chars().all(|c| c.is_ascii_graphic()) {
            wrong(
                "server.release",
                "it must have at most 100 characters, without spaces and non-ASCII \
                                     characters"
                    .to_owned(),
            );
        }
        if self.mcp.timeout_s == 0 || self.mcp.calls_per_minute == 0 {
            wrong("mcp", "timeout_s and calls_per_minute must be at least 1".to_owned());
        }
        let accounts = &self.accounts;
        if accounts.session_idle_h < 1 || accounts.session_max_h < 1 || accounts.session_rotate_min < 1 {
            wrong(
                "accounts",
                "session_idle_h, session_max_h and session_rotate_min must be at least 1".to_owned(),
            );
        }
        if !(8..=128).contains(&accounts.min_password_chars) {
            wrong("accounts.min_password_chars", "it must be 8 to 128".to_owned());
        }
        if self.server.drain_s > 600 {
            wrong("server.drain_s", "it must be 0 to 600".to_owned());
        }
        let server = &self.server;
        if !(16..=1_000_000).contains(&server.max_connections) {
            wrong("server.max_connections", "it must be 16 to 1000000".to_owned());
        }
        for (key, seconds) in [
            ("server.header_read_s", server.header_read_s),
            ("server.body_idle_s", server.body_idle_s),
            ("server.body_total_s", server.body_total_s),
            ("server.keep_alive_s", server.keep_alive_s),
            ("server.write_idle_s", server.write_idle_s),
        ] {
            if !(1..=86_400).contains(&seconds) {
                wrong(key, "it must be 1 to 86400".to_owned());
            }
        }
        if self.server.proxies > 8 {
            wrong("server.proxies", "it must be 0 to 8".to_owned());
        }
        let limits = &self.limits;
        if [limits.requests_per_minute, limits.token_requests_per_minute, limits.address_requests_per_minute]
            .contains(&0)
        {
            wrong("limits", "all limits must be at least 1".to_owned());
        }
        if !(1..=64).contains(&self.jobs.at_once) {
            wrong("jobs.at_once", "it must be 1 to 64".to_owned());
        }
        if !(1..=60).contains(&self.webhooks.timeout_s) {
            wrong("webhooks.timeout_s", "it must be 1 to 60".to_owned());
        }
        if !(1..=1000).contains(&self.redis.timeout_ms) {
            wrong("redis.timeout_ms", "it must be 1 to 1000".to_owned());
        }
        if let Some(short) = comma_separated(self.secrets.secret_key.expose_secret())
            .map(|key| key.chars().count())
            .find(|chars| *chars < 32)
        {
            wrong("secrets.secret_key", format!("a key has {short} characters; at least 32 are required"));
        }
        if self.picture.time_s == 0 {
            wrong("picture.time_s", "it must be at least 1".to_owned());
        }
        if self.check.time_s == 0 {
            wrong("check.time_s", "it must be at least 1".to_owned());
        }
        if self.model.total_s == 0 {
            wrong("model.total_s", "it must be at least 1".to_owned());
        }
        problems
    }

    fn check_oidc(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let oidc = &self.oidc;
        if oidc.issuer.is_empty() {
            return problems;
        }
        let mut wrong = |key: &str, problem: &str| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() });
        };
        let safe = reqwest::Url::parse(&oidc.issuer).is_ok_and(|url| {
            let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            // Without TLS, an attacker in the network could impersonate users.
            plain
                && (url.scheme() == "https" && url.has_host()
                    || url.scheme() == "http" && is_loopback_url(&url))
        });
        if !safe {
            wrong("oidc.issuer", "it must be an https URL such as https://accounts.example.com");
        }
        if oidc.client_id.is_empty() {
            wrong(
                "oidc.client_id",
                "it is required with oidc.issuer; register this server with the provider",
            );
        }
        if self.server.public_url.is_empty() && !self.is_loopback() {
            wrong("server.public_url", "it is required with oidc.issuer, for the redirect URI");
        }
        if comma_separated(&oidc.scopes).any(|scope| scope.contains(char::is_whitespace)) {
            wrong("oidc.scopes", "scopes must be separated by commas");
        }
        if comma_separated(&oidc.email_domains)
            .any(|domain| domain.contains(['@', '/', ' ']) || !domain.contains('.'))
        {
            wrong("oidc.email_domains", "entries must be domains such as example.com");
        }
        if oidc.name.chars().count() > 60 || oidc.name.chars().any(char::is_control) {
            wrong("oidc.name", "it must be one line of at most 60 characters");
        }
        problems
    }
}
