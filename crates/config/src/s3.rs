//! Settings and addresses of S3-compatible storage. Makes no requests.

use llm::SecretString;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{Config, ConfigError};

pub const S3_SCHEME: &str = "s3://";

/// `[s3]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    pub endpoint: String,
    pub region: String,
    pub addressing: Addressing,
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
    pub session_token: SecretString,
    pub part_mb: u64,
}

/// How the URL of an object contains the bucket name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// `Host` for Amazon S3, `Path` for other endpoints.
    Auto,
    /// `https://host/bucket/key`
    Path,
    /// `https://bucket.host/key`
    Host,
}

/// The bucket and the key prefix of `s3://BUCKET/PREFIX`, without a trailing slash; `None` if `text` is not an S3
/// address.
///
/// # Errors
/// Why the address is not valid.
pub fn s3_address(text: &str) -> Option<Result<(&str, &str), String>> {
    let rest = text.strip_prefix(S3_SCHEME)?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let key = key.trim_end_matches('/');
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_name) {
        return Some(Err(format!(
            "`{text}` has no valid bucket name; write s3://BUCKET/PREFIX, where BUCKET has 3 to 63 lowercase \
             letters, digits, dots and hyphens"
        )));
    }
    // Clients and proxies normalize these to other keys.
    if !key.is_empty() && key.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Some(Err(format!(
            "`{text}` has an empty, `.` or `..` path segment; write s3://BUCKET/PREFIX"
        )));
    }
    Some(Ok((bucket, key)))
}

impl Config {
    pub(super) fn check_s3(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, problem: &str| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem: problem.to_owned() });
        };
        let s3 = &self.s3;
        match self.backup.dir.to_str().and_then(s3_address) {
            Some(Err(problem)) => wrong("backup.dir", &problem),
            Some(Ok(_))
                if [&s3.access_key_id, &s3.secret_access_key]
                    .iter()
                    .any(|key| key.expose_secret().is_empty()) =>
            {
                wrong(
                    "backup.dir",
                    "s3:// requires an access key; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                );
            }
            _ => (),
        }
        let is_address = |url: &reqwest::Url| {
            let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
            plain && matches!(url.scheme(), "http" | "https") && url.has_host()
        };
        if !s3.endpoint.is_empty() && !reqwest::Url::parse(&s3.endpoint).is_ok_and(|url| is_address(&url)) {
            wrong("s3.endpoint", "it must be a URL such as https://s3.example.com");
        }
        if s3.region.is_empty() || !s3.region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            wrong("s3.region", "it must be a region name such as eu-central-1");
        }
        // 5 MB is the minimum of the protocol; the maximum bounds memory, which holds one part.
        if !(5..=512).contains(&s3.part_mb) {
            wrong("s3.part_mb", "it must be 5 to 512");
        }
        problems
    }
}
