//! `[traces]` and `[errors]`: export of traces and error reports, as configured by OpenTelemetry and Sentry.

use llm::SecretString;
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use sentry_types::Dsn;
use serde::Deserialize;

use super::{Config, ConfigError, comma_separated};

/// `[traces]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    pub endpoint: String,
    pub headers: SecretString,
    pub service_name: String,
    pub sampler: String,
    pub sampler_arg: String,
}

/// `[errors]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    pub sentry_dsn: SecretString,
}

/// Which traces are exported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The ratio of traces that start in this process, 0 to 1.
    pub ratio: f64,
    /// Whether the sampling flag of a remote parent is used.
    pub parent_based: bool,
}

impl Traces {
    /// The URL for spans; `None` if traces are not exported.
    pub fn url(&self) -> Option<Url> {
        let mut url = Url::parse(&self.endpoint).ok()?;
        let fits = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !fits {
            return None;
        }
        url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
        Some(url)
    }

    /// The headers of export requests; `None` if they cannot be parsed.
    pub fn headers(&self) -> Option<Vec<(String, String)>> {
        comma_separated(self.headers.expose_secret())
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let (name, value) = (name.trim(), percent_decoded(value.trim()));
                let fits =
                    HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(&value).is_ok();
                fits.then(|| (name.to_owned(), value))
            })
            .collect()
    }

    /// `None` if the sampler or its argument is not valid.
    pub fn sampling(&self) -> Option<Sampling> {
        let (parent_based, root) = match self.sampler.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, self.sampler.as_str()),
        };
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" if self.sampler_arg.is_empty() => 1.0,
            "traceidratio" => self.sampler_arg.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))?,
            _ => return None,
        };
        Some(Sampling { ratio, parent_based })
    }
}

impl Errors {
    /// `None` if error reports are not sent.
    pub fn dsn(&self) -> Option<Dsn> {
        self.sentry_dsn.expose_secret().parse().ok()
    }
}

impl Config {
    /// Problems never contain a value that may be secret.
    pub(super) fn check_traces(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, problem: &str| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() });
        };
        let traces = &self.traces;
        let dsn = self.errors.sentry_dsn.expose_secret();
        if !traces.endpoint.is_empty() {
            if traces.url().is_none() {
                wrong("traces.endpoint", "it must be a URL such as http://127.0.0.1:4318");
            }
            if traces.headers().is_none() {
                wrong("traces.headers", "it must be a comma-separated list of name=value");
            }
            if traces.sampling().is_none() {
                wrong(
                    "traces.sampler",
                    "it must be always_on, always_off or traceidratio, optionally with the prefix \
                     parentbased_, and traces.sampler_arg must be a number from 0 to 1",
                );
            }
            let name = &traces.service_name;
            if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
                wrong("traces.service_name", "it must have 1 to 100 characters");
            }
        }
        if !dsn.is_empty() && self.errors.dsn().is_none() {
            wrong("errors.sentry_dsn", "it must be a Sentry DSN such as https://KEY@HOST/PROJECT");
        }
        // Shells use a variable ENV for another purpose, so its value is only checked if it is exported.
        let exported = !traces.endpoint.is_empty() || !dsn.is_empty();
        let environment = &self.server.environment;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if exported && (environment.len() > 64 || !environment.bytes().all(fits)) {
            wrong(
                "server.environment",
                "it must be a name such as production: at most 64 letters, digits \
                                         and -_. characters",
            );
        }
        problems
    }
}

/// Percent-decoding as in W3C Baggage: `%20` is a space, `+` is literal.
fn percent_decoded(value: &str) -> String {
    let value = format!("={}", value.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(value.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(endpoint: &str, headers: &str, sampler: &str, arg: &str) -> Traces {
        Traces {
            endpoint: endpoint.to_owned(),
            headers: headers.into(),
            service_name: "ba-copilot".to_owned(),
            sampler: sampler.to_owned(),
            sampler_arg: arg.to_owned(),
        }
    }

    #[test]
    fn endpoint_gets_the_standard_path() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4318", Some("http://127.0.0.1:4318/v1/traces")),
            ("https://collector.example.com/otlp/", Some("https://collector.example.com/otlp/v1/traces")),
            ("https://user:password@collector.example.com", None),
            ("https://collector.example.com/?key=secret", None),
            ("grpc://collector.example.com", None),
            ("collector:4318", None),
            ("", None),
        ] {
            let url = traces(endpoint, "", "always_on", "").url();
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{endpoint}");
        }
    }

    #[test]
    fn headers_are_parsed_as_in_the_otlp_specification() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("a=b", Some(vec![("a", "b")])),
            (
                "Authorization=Basic%20Zm9v+a==, x-scope = team&a ,",
                Some(vec![("Authorization", "Basic Zm9v+a=="), ("x-scope", "team&a")]),
            ),
            ("no value", None),
            ("two words=x", None),
            ("a=%0d%0ab: c", None),
        ] {
            let read = traces("", text, "always_on", "").headers();
            let read: Option<Vec<(&str, &str)>> = read
                .as_ref()
                .map(|all| all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn samplers_are_those_of_the_opentelemetry_specification() {
        for (sampler, arg, expected) in [
            ("always_on", "", Some((1.0, false))),
            ("always_off", "0.5", Some((0.0, false))),
            ("traceidratio", "0.25", Some((0.25, false))),
            ("traceidratio", "", Some((1.0, false))),
            ("traceidratio", "2", None),
            ("traceidratio", "NaN", None),
            ("parentbased_always_on", "", Some((1.0, true))),
            ("parentbased_always_off", "", Some((0.0, true))),
            ("parentbased_traceidratio", "0.1", Some((0.1, true))),
            ("jaeger_remote", "", None),
            ("", "", None),
        ] {
            let read = traces("", "", sampler, arg).sampling().map(|it| (it.ratio, it.parent_based));
            assert_eq!(read, expected, "{sampler} {arg}");
        }
    }
}
