//! Validation of addresses that no other section checks: each must be of the form that its reader expects.

use reqwest::Url;
use secrecy::ExposeSecret;

use super::{Config, ConfigError, comma_separated};

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Desktop programs have origins of other schemes.
fn is_origin(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| url.has_host() && ["", "/"].contains(&url.path()) && url.query().is_none())
}

impl Config {
    /// Problems never contain a value: it may hold a password.
    pub(super) fn check_urls(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, problem: &str| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() });
        };
        if !self.mcp.server_url.is_empty() && self.mcp_server_url().is_none() {
            wrong("mcp.server_url", "it must be a URL such as http://mcp:3000/mcp");
        }
        if !self.ai.service_url.is_empty() && self.ai_service_url().is_none() {
            wrong("ai.service_url", "it must be a URL such as http://ai:8000");
        }
        if !self.mcp.public_url.is_empty() && !is_web_address(&self.mcp.public_url) {
            wrong("mcp.public_url", "it must be a URL such as https://ba.example.com/mcp");
        }
        if !comma_separated(&self.mcp.authorization_servers).all(is_web_address) {
            wrong(
                "mcp.authorization_servers",
                "it must be a comma-separated list of URLs such as https://accounts.example.com",
            );
        }
        if !comma_separated(&self.mcp.allowed_origins).all(is_origin) {
            wrong(
                "mcp.allowed_origins",
                "it must be a comma-separated list of origins such as https://chat.example.com, without a path",
            );
        }
        let redis = self.redis.url.expose_secret();
        if !redis.is_empty()
            && !Url::parse(redis)
                .is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host())
        {
            wrong(
                "redis.url",
                "it must be a URL such as redis://127.0.0.1:6379 or rediss://:password@host:6379",
            );
        }
        let smtp = self.mail.smtp_url.expose_secret();
        if !smtp.is_empty()
            && !Url::parse(smtp).is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host())
        {
            wrong(
                "mail.smtp_url",
                "it must be a URL such as smtps://user:password@host:465 or \
                 smtp://user:password@host:587?tls=required",
            );
        }
        for (key, url) in self.providers.base_urls().filter(|(_, url)| !url.is_empty()) {
            if !is_web_address(url) {
                wrong(key, "it must be a URL such as http://127.0.0.1:11434/v1/");
            }
        }
        let proxy = &self.proxy;
        for (key, url) in
            [("proxy.http", &proxy.http), ("proxy.https", &proxy.https), ("proxy.all", &proxy.all)]
        {
            if !llm::Proxies::is_valid(url.expose_secret()) {
                wrong(
                    key,
                    "it must be the URL of a proxy such as http://proxy.example.com:3128, with http, https, socks5 or \
                     socks5h; special characters of a user name or password must be percent-encoded",
                );
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    #[test]
    fn address_of_the_wrong_form_is_reported_with_its_source() {
        let folder = tempfile::tempdir().unwrap();
        for (variable, good, wrong) in [
            ("PUBLIC_URL", "https://ba.example.com/tools", "ba.example.org"),
            ("DATABASE_URL", "postgres://db/ba?sslmode=require", "postgres://db/ba?sslmode=on"),
            ("DATABASE_URL", "sqlite:x.db", "./x.db"),
            ("REDIS_URL", "rediss://:p@host:6379/0", "redis:host"),
            ("SMTP_URL", "smtp://u:p@host:587?tls=required", "mail.example.com:25"),
            ("MCP_SERVER_URL", "http://mcp:3000", "checker:3000"),
            ("AI_SERVICE_URL", "http://ai:8000", "ai:8000/"),
            ("OPENAI_BASE_URL", "http://localhost:11434/v1/", "localhost:11434/v1"),
            ("MCP_ALLOWED_ORIGINS", "https://a.example, http://localhost:6274", "https://a.example/path"),
            ("BA_COPILOT__MCP__PUBLIC_URL", "https://a.example/mcp", "a.example/mcp"),
            ("BA_COPILOT__MCP__AUTHORIZATION_SERVERS", "https://a.example/realm", "https://a.example, b"),
            ("AWS_ENDPOINT_URL_S3", "https://s3.example.com", "s3.example.org"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", "collector:4318"),
            ("SENTRY_DSN", "https://key@host/1", "https://host"),
            ("HTTPS_PROXY", "http://u:p@proxy:3128", "ftp://proxy:3128"),
            ("all_proxy", "socks5h://127.0.0.1:1080", "proxy port"),
        ] {
            for (value, expected) in [(good, 0), (wrong, 1)] {
                let path = folder.path().join(".env");
                std::fs::write(&path, format!("\n{variable}='{value}'\n")).unwrap();
                let environment = Environment::default().with_dotenv(folder.path());
                let problems = Config::inspect(None, &environment, &[]).problems;
                assert_eq!(problems.len(), expected, "{variable}={value}: {problems:?}");
                for problem in problems {
                    let source = format!("Source: variable {variable} in {}:2.", path.display());
                    assert!(problem.to_string().ends_with(&source), "{problem}");
                    assert!(!problem.to_string().contains(value), "{problem}");
                }
            }
        }
    }
}
