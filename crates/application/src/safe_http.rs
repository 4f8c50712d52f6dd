//! HTTP client for addresses from user input (webhooks).
//!
//! It must not reach the server's own network, also not through a name that resolves differently later (DNS
//! rebinding): names are resolved here, and only public addresses are connected to. It follows no redirect, uses no
//! proxy and reads no response body.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::network::is_public;
use config::Webhooks;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct SafeHttpClient {
    client: Client,
    /// Private addresses are allowed, by configuration.
    private: bool,
}

/// Safe to show and to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SafeHttpError {
    /// The address is private.
    #[error("the address is in a private network")]
    Private,
    #[error("the address cannot be reached")]
    Unreachable,
    #[error("the receiver did not respond in time")]
    TimedOut,
}

impl SafeHttpError {
    /// Label for metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            SafeHttpError::Private => "private",
            SafeHttpError::Unreachable => "unreachable",
            SafeHttpError::TimedOut => "timed_out",
        }
    }
}

impl SafeHttpClient {
    pub fn new(settings: &Webhooks) -> Result<Self, String> {
        let mut client = Client::builder()
            .tls_backend_preconfigured(llm::tls_config().map_err(|_| "TLS cannot be set up".to_owned())?)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_secs(settings.timeout_s))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A connection is rarely reused, and the name may resolve differently.
            .pool_max_idle_per_host(0);
        if !settings.allow_private {
            client = client.dns_resolver(Arc::new(PublicResolver));
        }
        let client = client.build().map_err(|_| "the HTTPS client cannot be built".to_owned())?;
        Ok(SafeHttpClient { client, private: settings.allow_private })
    }

    /// Validates an address; the error is a message for the user.
    pub fn validate_url(&self, text: &str) -> Result<Url, &'static str> {
        let url =
            Url::parse(text).map_err(|_| "This is not a URL. Use one such as https://example.com/hook.")?;
        if !(url.scheme() == "https" || url.scheme() == "http" && self.private) {
            return Err("The address must begin with https://, for an encrypted connection.");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("The address must not contain a user name or a password: other members can see it.");
        }
        if !self.private && is_private_host(&url) {
            return Err("The address is in a private network. Use a public one.");
        }
        Ok(url)
    }

    /// Posts JSON and returns the status.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, SafeHttpError> {
        if !self.private && is_private_host(url) {
            return Err(SafeHttpError::Private);
        }
        let mut request = self.client.post(url.clone()).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match request.body(body).send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Err(SafeHttpError::TimedOut),
            Err(error) if is_private(&error) => Err(SafeHttpError::Private),
            Err(_) => Err(SafeHttpError::Unreachable),
        }
    }
}

/// Whether the host is a private IP address, or a name that is used only in private networks.
fn is_private_host(url: &Url) -> bool {
    // An IPv6 address is in brackets.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.');
    match host.parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => {
            !host.contains('.')
                || [".localhost", ".local", ".internal", ".home.arpa"].iter().any(|end| host.ends_with(end))
        }
    }
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.downcast_ref::<SafeHttpError>() == Some(&SafeHttpError::Private) {
            return true;
        }
        source = error.source();
    }
    false
}

/// DNS resolver that returns only public addresses.
struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            match public.is_empty() {
                true => Err(SafeHttpError::Private.into()),
                false => Ok(Box::new(public.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_refused_with_a_reason() {
        let outside = SafeHttpClient::new(&Webhooks { allow_private: false, timeout_s: 1 });
        let inside = SafeHttpClient::new(&Webhooks { allow_private: true, timeout_s: 1 });
        let (Ok(outside), Ok(inside)) = (outside, inside) else { return };
        for (url, from_outside, from_inside) in [
            ("https://example.com/hook", true, true),
            ("http://example.com/hook", false, true),
            ("https://127.0.0.1/hook", false, true),
            ("https://2130706433/hook", false, true),
            ("https://0x7f.1/hook", false, true),
            ("https://[::1]/hook", false, true),
            ("https://[::ffff:10.0.0.1]/", false, true),
            ("https://[64:ff9b::10.0.0.1]/", false, true),
            ("https://[3fff::1]/", false, true),
            ("https://192.88.99.1/", false, true),
            ("https://localhost/hook", false, true),
            ("https://localhost./hook", false, true),
            ("https://db.internal/", false, true),
            ("https://user:secret@example.com/", false, false),
            ("ftp://example.com/", false, false),
            ("example.com", false, false),
            ("", false, false),
        ] {
            assert_eq!(outside.validate_url(url).is_ok(), from_outside, "{url}");
            assert_eq!(inside.validate_url(url).is_ok(), from_inside, "{url}");
        }
    }
}
