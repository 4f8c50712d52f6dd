//! The public address: its host, its origin, and the path below which the server is reached.

use reqwest::Url;

use crate::{Config, ConfigError, Role};

/// The first segments of the server's own paths. Below a path that begins like one of them, a proxy that strips the
/// path and one that keeps it could not be told apart.
pub const RESERVED_SEGMENTS: [&str; 21] = [
    ".well-known",
    "account",
    "api",
    "assets",
    "diagrams",
    "docs",
    "forgot-password",
    "health",
    "invitation",
    "livez",
    "mcp",
    "metrics",
    "openapi.json",
    "projects",
    "readyz",
    "reset-password",
    "set-up",
    "sign-in",
    "sign-out",
    "startupz",
    "verify-email",
];

/// `/ba` of `/ba/`, and nothing of `/`; `None` for a path that is not made of plain segments.
pub fn as_base_path(path: &str) -> Option<&str> {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let base = path.trim_end_matches('/');
    match base.strip_prefix('/') {
        None => base.is_empty().then_some(""),
        Some(segments) => (base.len() <= 200 && segments.split('/').all(plain)).then_some(base),
    }
}

impl Config {
    /// The public address of the server, without a trailing slash.
    pub fn public_url(&self) -> String {
        match self.server.public_url.trim_end_matches('/') {
            "" => format!("http://{}", self.listen(Role::All)),
            url => url.to_owned(),
        }
    }

    fn parsed_public_url(&self) -> Option<Url> {
        Url::parse(&self.server.public_url).ok()
    }

    /// The path of the public address, for example `/ba`; empty if the server has its host to itself.
    pub fn base_path(&self) -> String {
        let path = self.parsed_public_url();
        path.as_ref().and_then(|url| as_base_path(url.path())).unwrap_or_default().to_owned()
    }

    /// The host of the public address, as browsers name it.
    pub fn public_host(&self) -> Option<String> {
        self.parsed_public_url()?.host_str().map(str::to_owned)
    }

    /// The origin of the public address, as browsers name it.
    pub fn public_origin(&self) -> Option<String> {
        Some(self.parsed_public_url()?.origin().ascii_serialization())
    }

    pub(super) fn check_public_url(&self) -> Option<ConfigError> {
        if self.server.public_url.is_empty() {
            return None;
        }
        let problem =
            |problem: String| Some(ConfigError::Value { key: "server.public_url".to_owned(), problem });
        let url = match self.parsed_public_url() {
            Some(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            _ => return problem("it must be a URL such as https://ba.example.com".to_owned()),
        };
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return problem("it must be a URL without user name, query and fragment".to_owned());
        }
        let Some(base) = as_base_path(url.path()) else {
            return problem(
                "its path must be segments of letters, digits, `-`, `.`, `_` and `~`, such as \
                 https://example.com/ba"
                    .to_owned(),
            );
        };
        let first = base.split('/').nth(1).unwrap_or_default();
        if RESERVED_SEGMENTS.contains(&first) {
            return problem(format!(
                "its path must not begin with `/{first}`, which is a path of this server itself; choose another \
                 one, such as https://example.com/ba"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    fn check(url: &str, expected: Result<(&str, &str, &str), &str>) {
        let loaded = Config::load(None, &Environment::from_pairs([("PUBLIC_URL", url)]));
        match (loaded, expected) {
            (Ok(config), Ok((base, host, origin))) => {
                assert_eq!(config.base_path(), base, "{url}");
                assert_eq!(config.public_host().as_deref(), Some(host), "{url}");
                assert_eq!(config.public_origin().as_deref(), Some(origin), "{url}");
            }
            (Err(error), Err(words)) => {
                let text = error.to_string();
                assert!(text.contains("server.public_url") && text.contains(words), "{url}: {text}");
            }
            (loaded, expected) => {
                panic!("{url}: {expected:?}, got {:?}", loaded.map(|config| config.base_path()))
            }
        }
    }

    #[test]
    fn public_url_has_a_base_path_or_a_problem() {
        for (url, expected) in [
            ("https://ba.example.com", Ok(("", "ba.example.com", "https://ba.example.com"))),
            ("https://ba.example.com/", Ok(("", "ba.example.com", "https://ba.example.com"))),
            ("https://example.com/ba", Ok(("/ba", "example.com", "https://example.com"))),
            ("https://example.com:8443/ba/", Ok(("/ba", "example.com", "https://example.com:8443"))),
            ("https://example.com:443/tools/ba.1", Ok(("/tools/ba.1", "example.com", "https://example.com"))),
            ("http://[::1]:8000/ba", Ok(("/ba", "[::1]", "http://[::1]:8000"))),
            ("https://[2001:DB8:0::7]/", Ok(("", "[2001:db8::7]", "https://[2001:db8::7]"))),
            (
                "https://bücher.example/x_y~z",
                Ok(("/x_y~z", "xn--bcher-kva.example", "https://xn--bcher-kva.example")),
            ),
            ("https://example.com/a/../b", Ok(("/b", "example.com", "https://example.com"))),
            ("https://example.com/api", Err("`/api`")),
            ("https://example.com/docs/ba", Err("`/docs`")),
            ("https://example.com/a//b", Err("segments")),
            ("https://example.com/a b", Err("segments")),
            ("https://example.com/%62a", Err("segments")),
            ("https://example.com/ba?x=1", Err("query")),
            ("https://example.com/ba#x", Err("fragment")),
            ("https://user@example.com/ba", Err("user name")),
            ("ba.example.com", Err("must be a URL")),
            ("ftp://example.com/ba", Err("must be a URL")),
        ] {
            check(url, expected);
        }
    }
}
