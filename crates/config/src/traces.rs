//! `[traces]` and `[errors]`: where spans and errors are told, by the names that OpenTelemetry and Sentry have for it.

use llm::SecretString;
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use sentry_types::Dsn;
use serde::Deserialize;

use super::{Config, ConfigError, words};

/// `[traces]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each setting")]
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
#[expect(missing_docs, reason = "default.toml documents each setting")]
pub struct Errors {
    pub sentry_dsn: SecretString,
}

/// Which traces are told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Those that begin here: this part of them, from 0 to 1.
    pub ratio: f64,
    /// Whoever began a trace elsewhere has decided for it.
    pub parent_decides: bool,
}

impl Traces {
    /// Where spans are sent; none where nobody is told of them.
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

    /// What is sent along, as name and value; none if that cannot be read.
    pub fn headers(&self) -> Option<Vec<(String, String)>> {
        words(self.headers.expose_secret())
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let (name, value) = (name.trim(), percent_decoded(value.trim()));
                let fits =
                    HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(&value).is_ok();
                fits.then(|| (name.to_owned(), value))
            })
            .collect()
    }

    /// Which traces are told; none if there is no such sampler.
    pub fn sampling(&self) -> Option<Sampling> {
        let (parent_decides, root) = match self.sampler.strip_prefix("parentbased_") {
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
        Some(Sampling { ratio, parent_decides })
    }
}

impl Errors {
    /// Where errors are sent; none where nobody is told of them.
    pub fn dsn(&self) -> Option<Dsn> {
        self.sentry_dsn.expose_secret().parse().ok()
    }
}

impl Config {
    /// What is wrong with where spans and errors are told. Repeats nothing that may be secret.
    pub(super) fn check_traces(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, problem: &str| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() });
        };
        let traces = &self.traces;
        let dsn = self.errors.sentry_dsn.expose_secret();
        if !traces.endpoint.is_empty() {
            if traces.url().is_none() {
                wrong("traces.endpoint", "it must be an address such as http://127.0.0.1:4318");
            }
            if traces.headers().is_none() {
                wrong("traces.headers", "they must be written as name=value, separated by commas");
            }
            if traces.sampling().is_none() {
                wrong(
                    "traces.sampler",
                    "it must be always_on, always_off or traceidratio, with parentbased_ before it or not, and traces.sampler_arg a number from 0 to 1",
                );
            }
            let name = &traces.service_name;
            if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
                wrong("traces.service_name", "it must be a name of at most 100 characters");
            }
        }
        if !dsn.is_empty() && self.errors.dsn().is_none() {
            wrong(
                "errors.sentry_dsn",
                "it must be what Sentry calls a DSN, such as https://KEY@HOST/PROJECT",
            );
        }
        // Shells know a variable ENV of their own, which must hurt nobody who does not use this one.
        let told = !traces.endpoint.is_empty() || !dsn.is_empty();
        let environment = &self.server.environment;
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if told && (environment.len() > 64 || !environment.bytes().all(fits)) {
            wrong("server.environment", "it must be a name such as production");
        }
        problems
    }
}

/// As in the standard's headers: `%20` is a space, and `+` is itself.
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
    fn spans_are_sent_where_the_standard_says() {
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
    fn headers_are_read_as_the_standard_writes_them() {
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
    fn samplers_are_those_of_the_standard() {
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
            let read = traces("", "", sampler, arg).sampling().map(|it| (it.ratio, it.parent_decides));
            assert_eq!(read, expected, "{sampler} {arg}");
        }
    }
}
