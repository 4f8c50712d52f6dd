//! Proxies between this process and vendors, by the rules of curl.
//!
//! Addresses of this machine are always connected to directly, as in Go: a proxy cannot reach a model that listens on
//! 127.0.0.1. Holds passwords, and shows none.

use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{NoProxy, Proxy};
use secrecy::{ExposeSecret, SecretString};

const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// Which requests go through which proxy. The default is none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Proxies(Arc<Inner>);

#[derive(Default)]
struct Inner {
    http: SecretString,
    https: SecretString,
    all: SecretString,
    exceptions: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("exceptions", &self.0.exceptions).finish_non_exhaustive()
    }
}

impl Proxies {
    /// Proxies for `http://` and `https://` addresses and for both; empty for none. `exceptions` are hosts, domains
    /// and networks that are connected to directly, separated by commas; `*` is everything.
    pub fn new(http: SecretString, https: SecretString, all: SecretString, exceptions: &str) -> Self {
        let separator = |c: char| c == ',' || c.is_whitespace();
        let mut list = THIS_MACHINE.to_owned();
        for entry in exceptions.split(separator).filter(|entry| !entry.is_empty()) {
            list.push(',');
            list.push_str(without_port(entry.strip_prefix("*.").unwrap_or(entry)));
        }
        Self(Arc::new(Inner { http, https, all, exceptions: list }))
    }

    /// Whether a proxy can be used: `[scheme://][user:password@]host[:port]` with one of the known schemes.
    pub fn is_valid(proxy: &str) -> bool {
        let url = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        let parsed = reqwest::Url::parse(&url).is_ok_and(|url| url.has_host());
        let everything = Matcher::builder().all(url).build();
        let used = everything.intercept(&"http://example.com/".parse().unwrap_or_default()).is_some();
        proxy.is_empty() || parsed && used
    }

    /// The proxy that a request to this address takes, as `scheme://host:port` without credentials.
    pub fn find(&self, url: &str) -> Option<String> {
        let Inner { http, https, all, exceptions } = &*self.0;
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        let matcher = Matcher::builder()
            .http(text(http))
            .https(text(https))
            .all(text(all))
            .no(exceptions.clone())
            .build();
        let found = matcher.intercept(&url.parse().ok()?)?;
        Some(found.uri().to_string().trim_end_matches('/').to_owned())
    }

    pub(crate) fn apply(
        &self,
        mut client: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, reqwest::Error> {
        // Only these; the environment is read by the configuration.
        client = client.no_proxy();
        let Inner { http, https, all, exceptions } = &*self.0;
        let kinds: [(fn(&str) -> reqwest::Result<Proxy>, &SecretString); 3] =
            [(|url| Proxy::http(url), http), (|url| Proxy::https(url), https), (|url| Proxy::all(url), all)];
        for (proxy, url) in kinds {
            if !url.expose_secret().is_empty() {
                let proxy = proxy(url.expose_secret())?;
                client = client.proxy(proxy.no_proxy(NoProxy::from_string(exceptions)));
            }
        }
        Ok(client)
    }
}

/// An exception holds for all ports. `::1` is an address, not a port.
fn without_port(entry: &str) -> &str {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(http: &str, https: &str, all: &str, exceptions: &str) -> Proxies {
        Proxies::new(http.into(), https.into(), all.into(), exceptions)
    }

    #[track_caller]
    fn check(proxies: &Proxies, url: &str, expected: Option<&str>) {
        assert_eq!(proxies.find(url).as_deref(), expected, "{url}");
    }

    #[test]
    fn proxy_is_chosen_by_scheme_and_exceptions() {
        let both = proxies(
            "http://plain:3128",
            "secure:3129",
            "",
            " .corp.example , 10.0.0.0/8,*.lan:8080 gpu:8000",
        );
        check(&both, "http://models.example/v1/", Some("http://plain:3128"));
        check(&both, "https://models.example/v1/", Some("http://secure:3129"));
        for direct in [
            "http://localhost:11434/v1/",
            "https://127.0.0.1/v1/",
            "http://[::1]:8080/v1/",
            "https://llm.corp.example/v1/",
            "http://10.1.2.3/v1/",
            "http://box.lan/v1/",
            "http://gpu:8000/v1/",
        ] {
            check(&both, direct, None);
        }
        let all = proxies("", "", "socks5h://ada:secret@socks:1080", "");
        check(&all, "https://models.example/", Some("socks5h://socks:1080"));
        check(&all, "http://models.example/", Some("socks5h://socks:1080"));
        check(&proxies("", "", "http://p:1", "*"), "https://models.example/", None);
        check(&proxies("http://p:1", "", "", ""), "https://models.example/", None);
        check(&Proxies::default(), "https://models.example/", None);
        assert!(!format!("{all:?}").contains("secret"));
    }

    #[test]
    fn unusable_proxy_is_recognised() {
        for (proxy, valid) in [
            ("", true),
            ("http://proxy.example:3128", true),
            ("https://proxy.example", true),
            ("proxy.example:3128", true),
            ("http://ada:p%40ss@proxy:3128/", true),
            ("socks5://proxy:1080", true),
            ("ftp://proxy", false),
            ("http://", false),
            ("http://a b", false),
            ("http://proxy:port", false),
        ] {
            assert_eq!(Proxies::is_valid(proxy), valid, "{proxy}");
        }
    }
}
