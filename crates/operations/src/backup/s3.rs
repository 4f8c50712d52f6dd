//! Backups in S3-compatible storage: one object each, and one for the result of its verification. The library signs,
//! retries and assembles requests; this module decides which requests are sent, their limits, and the words of errors.
//!
//! Requests are signed with the checksum of their body, so a corrupted upload is refused, and an object exists only
//! when it is complete. Errors contain the status and the code of the storage, never its text, which can quote keys.

use std::{
    cmp::Reverse,
    error::Error as _,
    fs::File,
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use futures_util::TryStreamExt;
use object_store::{
    BackoffConfig, ClientOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector, HttpError},
    path::Path as Key,
};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{
    context::{BackupContext, blocking},
    entry::{BackupEntry, NOTE_SUFFIX, Verification, read_name},
    error::Error,
    location::{BucketPath, Location},
};
use application::private_files;
use config::Addressing;

const MAX_RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a request without a body, including retries, and for the next bytes of a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);
/// For a request with a body, including retries.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(900);
/// The limit of the protocol.
const MAX_PARTS: u64 = 10_000;
const MAX_VERIFICATION_BYTES_SUFFIX: u64 = 1 << 20;

/// A bucket and the prefix for backups.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    storage: AmazonS3,
    address: BucketPath,
    part_bytes: u64,
}

/// Uses the HTTP client and TLS settings of the rest of the program.
#[derive(Debug)]
struct OurClient(reqwest::Client);

impl HttpConnector for OurClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl Bucket {
    /// Sends nothing yet.
    pub(super) fn open(context: &BackupContext, address: &BucketPath) -> Result<Self, Error> {
        let (location, bucket) = (Location::S3(address.clone()), &address.bucket);
        let unusable = |reason: &str, cure: &str| Error::Storage {
            location: location.to_string(),
            reason: reason.to_owned(),
            cure: cure.to_owned(),
        };
        let settings = &context.config.s3;
        let (id, secret) =
            (settings.access_key_id.expose_secret(), settings.secret_access_key.expose_secret());
        if id.is_empty() || secret.is_empty() {
            return Err(unusable(
                "there is no access key",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SECRET_ACCESS_KEY_FILE to a file with the \
                 latter.",
            ));
        }
        let tls =
            llm::tls_config().map_err(|_| unusable("TLS cannot be initialized", "Report this as a bug."))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A signature is valid for one host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| unusable("no HTTP client can be created", "Report this as a bug."))?;
        let amazon = settings.endpoint.is_empty();
        let virtual_hosted = match settings.addressing {
            Addressing::Host => true,
            Addressing::Path => false,
            // A wildcard certificate does not match a name with a dot.
            Addressing::Auto => amazon && !bucket.contains('.'),
        };
        // Not `from_env`: only `config` reads the environment.
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&settings.region)
            .with_access_key_id(id)
            .with_secret_access_key(secret)
            .with_virtual_hosted_style_request(virtual_hosted)
            .with_http_connector(OurClient(client))
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(500),
                    ..BackoffConfig::default()
                },
                max_retries: MAX_RETRIES,
                retry_timeout: RETRY_TIMEOUT,
            });
        if !settings.session_token.expose_secret().is_empty() {
            builder = builder.with_token(settings.session_token.expose_secret());
        }
        if !amazon {
            let wrong = || {
                unusable(
                    "its address is invalid",
                    "Set AWS_ENDPOINT_URL_S3 to an address such as https://s3.example.com.",
                )
            };
            let mut endpoint = reqwest::Url::parse(&settings.endpoint).map_err(|_| wrong())?;
            if virtual_hosted {
                let host = format!("{bucket}.{}", endpoint.host_str().unwrap_or_default());
                endpoint.set_host(Some(&host)).map_err(|_| wrong())?;
            }
            builder = builder
                .with_allow_http(endpoint.scheme() == "http")
                .with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        let storage = builder
            .build()
            .map_err(|_| unusable("its settings are invalid", "Check the section s3 of the settings."))?;
        Ok(Bucket { storage, address: address.clone(), part_bytes: settings.part_mb << 20 })
    }

    fn key(&self, name: &str) -> Result<Key, Error> {
        Key::parse(self.address.join(name).key)
            .map_err(|_| Error::NotABackup(self.location(name).to_string()))
    }

    fn location(&self, name: &str) -> Location {
        Location::S3(self.address.join(name))
    }

    /// Newest first.
    pub(super) async fn list(&self) -> Result<Vec<BackupEntry>, Error> {
        let here = Location::S3(self.address.clone());
        let prefix = Key::parse(&self.address.key).map_err(|_| Error::NotABackup(here.to_string()))?;
        // Without nested prefixes.
        let listed =
            self.within(RESPONSE_TIMEOUT, &here, self.storage.list_with_delimiter(Some(&prefix))).await?;
        let mut entries = Vec::new();
        for object in &listed.objects {
            let Some(name) = object.location.filename() else { continue };
            let Some((created_at, encrypted)) = read_name(name) else { continue };
            let note = format!("{name}{NOTE_SUFFIX}");
            let verification =
                match listed.objects.iter().any(|other| other.location.filename() == Some(&note)) {
                    true => self.find_verification(&note).await?,
                    false => None,
                };
            let location = self.location(name);
            entries.push(BackupEntry {
                location,
                created_at,
                size_bytes: object.size,
                encrypted,
                verification,
            });
        }
        entries.sort_by_key(|it| Reverse((it.created_at, it.location.name())));
        Ok(entries)
    }

    async fn find_verification(&self, name: &str) -> Result<Option<Verification>, Error> {
        let key = self.key(name)?;
        let read = async {
            let note = match self.storage.get(&key).await {
                Ok(note) if note.meta.size <= MAX_VERIFICATION_BYTES_SUFFIX => note,
                // Another process may have deleted it.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let text = note.bytes().await?;
            Ok(serde_json::from_slice(&text).ok())
        };
        self.within(RESPONSE_TIMEOUT, &self.location(name), read).await
    }

    pub(super) async fn store_verification(&self, name: &str, text: Vec<u8>) -> Result<(), Error> {
        let name = format!("{name}{NOTE_SUFFIX}");
        let key = self.key(&name)?;
        self.within(RESPONSE_TIMEOUT, &self.location(&name), self.storage.put(&key, text.into())).await?;
        Ok(())
    }

    /// Deletes a backup and the result of its verification.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let key = self.key(name)?;
        self.within(RESPONSE_TIMEOUT, &self.location(name), self.storage.delete(&key)).await?;
        let note = format!("{name}{NOTE_SUFFIX}");
        let key = self.key(&note)?;
        // There may be none.
        let _ = self.within(RESPONSE_TIMEOUT, &self.location(&note), self.storage.delete(&key)).await;
        Ok(())
    }

    /// Uploads a file under a new name, with one part in memory at a time.
    pub(super) async fn upload(&self, file: &Path, name: &str, size_bytes: u64) -> Result<(), Error> {
        let (key, location) = (self.key(name)?, self.location(name));
        // Large files need larger parts.
        let part_bytes = self.part_bytes.max(size_bytes.div_ceil(MAX_PARTS));
        let mut parts = Parts::open(file, part_bytes).await?;
        if size_bytes <= part_bytes {
            let whole = parts.next().await?;
            self.within(UPLOAD_TIMEOUT, &location, self.storage.put(&key, whole)).await?;
            return self.check_size(&key, &location, size_bytes).await;
        }
        let mut upload = self.within(RESPONSE_TIMEOUT, &location, self.storage.put_multipart(&key)).await?;
        let sent =
            self.upload_parts(&mut *upload, &mut parts, &location, size_bytes.div_ceil(part_bytes)).await;
        if let Err(error) = sent {
            // If only the response to the last request was lost, the object is complete.
            if self.check_size(&key, &location, size_bytes).await.is_ok() {
                return Ok(());
            }
            if self.within(RESPONSE_TIMEOUT, &location, upload.abort()).await.is_err() {
                tracing::warn!(
                    "An incomplete upload could not be aborted; a lifecycle rule of the bucket for incomplete uploads \
                     deletes it"
                );
            }
            return Err(error);
        }
        self.check_size(&key, &location, size_bytes).await
    }

    async fn upload_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        parts: &mut Parts,
        location: &Location,
        count: u64,
    ) -> Result<(), Error> {
        for _ in 0..count {
            let part = parts.next().await?;
            self.within(UPLOAD_TIMEOUT, location, upload.put_part(part)).await?;
        }
        self.within(UPLOAD_TIMEOUT, location, upload.complete()).await?;
        Ok(())
    }

    /// Checks that the object has the size of the file.
    async fn check_size(&self, key: &Key, location: &Location, size_bytes: u64) -> Result<(), Error> {
        let there = self.within(RESPONSE_TIMEOUT, location, self.storage.head(key)).await?;
        match there.size == size_bytes {
            true => Ok(()),
            false => Err(Error::Storage {
                location: location.to_string(),
                reason: format!("the storage has {} of {} bytes", there.size, size_bytes),
                cure: "Create another backup, and ask the operator of the storage.".to_owned(),
            }),
        }
    }

    /// Downloads an object to a new file. The library resumes a broken download.
    pub(super) async fn download(&self, name: &str, into: &Path) -> Result<(), Error> {
        let (key, location) = (self.key(name)?, self.location(name));
        let failed = |error: std::io::Error| Error::file(into, &error);
        let mut file = private_files::create_file(into).map_err(failed)?;
        let found = self.within(RESPONSE_TIMEOUT, &location, self.storage.get(&key)).await?;
        let mut bytes = found.into_stream();
        while let Some(some) = self.within(RESPONSE_TIMEOUT, &location, bytes.try_next()).await? {
            file.write_all(&some).map_err(failed)?;
        }
        file.sync_all().map_err(failed)
    }

    /// Runs a request with a timeout, and explains its error.
    async fn within<T>(
        &self,
        time: Duration,
        location: &Location,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Error> {
        let failure = match timeout(time, work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => StorageFailure::from_error(&error),
            Err(_) => {
                StorageFailure { status: None, reason: format!("no response within {} s", time.as_secs()) }
            }
        };
        let cure = failure.cure(&Location::S3(self.address.clone()));
        let reason = match failure.status {
            None => failure.reason,
            Some(status) => format!("the storage answered {status} {}", failure.reason).trim_end().to_owned(),
        };
        Err(Error::Storage { location: location.to_string(), reason, cure })
    }
}

/// Reads a file in parts.
struct Parts {
    file: File,
    path: std::path::PathBuf,
    part_bytes: u64,
}

impl Parts {
    async fn open(path: &Path, part_bytes: u64) -> Result<Self, Error> {
        let path = path.to_owned();
        blocking(move || {
            let file = File::open(&path).map_err(|error| Error::file(&path, &error))?;
            Ok(Parts { file, path, part_bytes })
        })
        .await
    }

    async fn next(&mut self) -> Result<PutPayload, Error> {
        let failed = |error: std::io::Error| Error::file(&self.path, &error);
        let file = self.file.try_clone().map_err(failed)?;
        let (path, part_bytes) = (self.path.clone(), self.part_bytes);
        blocking(move || {
            let mut part = Vec::new();
            file.take(part_bytes).read_to_end(&mut part).map_err(|error| Error::file(&path, &error))?;
            Ok(part.into())
        })
        .await
    }
}

/// A failed request.
#[derive(Debug, PartialEq, Eq)]
struct StorageFailure {
    /// None without a response.
    status: Option<u16>,
    /// The error code of the storage, or our own words.
    reason: String,
}

impl StorageFailure {
    /// The library exposes neither status nor code except in the text of its errors, so that is parsed.
    fn from_error(error: &object_store::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if inner.is::<HttpError>() {
                return StorageFailure {
                    status: None,
                    reason: "it cannot be reached, or the connection was lost".to_owned(),
                };
            }
            cause = inner.source();
        }
        StorageFailure::parse(&error.to_string())
    }

    fn parse(text: &str) -> Self {
        let between = |from: &str, to: &str| text.split_once(from)?.1.split_once(to).map(|(part, _)| part);
        let status = between("status code: ", " ").and_then(|digits| digits.parse().ok());
        let code = between("<Code>", "</Code>").unwrap_or_default();
        let is_code = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
        let reason = match (is_code && !code.is_empty(), status) {
            (true, _) => code,
            (false, Some(_)) => "",
            (false, None) => "an unknown response",
        };
        StorageFailure { status, reason: reason.to_owned() }
    }

    fn cure(&self, prefix: &Location) -> String {
        match (self.reason.as_str(), self.status) {
            (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "InvalidToken"
                | "ExpiredToken"
                | "TokenRefreshRequired"
                | "InvalidSecurity",
                _,
            )
            | (_, Some(401)) => {
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a valid pair of keys.".to_owned()
            }
            ("RequestTimeTooSkewed", _) => "Set the clock of this machine.".to_owned(),
            ("NoSuchBucket", _) => "Create the bucket, or correct its name.".to_owned(),
            (
                "PermanentRedirect"
                | "TemporaryRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
                _,
            )
            | (_, Some(300..=399)) => {
                "Set AWS_REGION to that of the bucket, and AWS_ENDPOINT_URL_S3 to its endpoint.".to_owned()
            }
            ("BadDigest" | "XAmzContentSHA256Mismatch", _) => {
                "The upload was corrupted. Create another backup.".to_owned()
            }
            (_, Some(403)) => {
                "Allow this key to list the bucket, and to read, write and delete objects.".to_owned()
            }
            (_, Some(404)) => format!("`ba-copilot backup list {prefix}` lists the backups."),
            (_, Some(507)) => "Free space in the storage, or keep backups for fewer days.".to_owned(),
            ("SlowDown" | "InternalError" | "ServiceUnavailable", _) | (_, Some(429 | 500..=599)) => {
                "The storage reports an internal problem. Try again later."
                    .to_owned()
            }
            (_, None) => {
                "Check that the storage runs, that AWS_ENDPOINT_URL_S3 is its address, and that this machine can \
                          connect to it."
                    .to_owned()
            }
            _ => "Ask the operator of the storage.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, status: Option<u16>, reason: &str) {
        assert_eq!(StorageFailure::parse(text), StorageFailure { status, reason: reason.to_owned() });
    }

    #[test]
    fn errors_contain_only_status_and_code() {
        let quoting = "Error performing GET http://h/b in 2ms - Server returned non-2xx status code: 403 Forbidden: \
                       <Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        check(quoting, Some(403), "SignatureDoesNotMatch");
        check("Server returned non-2xx status code: 503 Service Unavailable: ", Some(503), "");
        check("Server returned error response: <Error><Code>SlowDown</Code></Error>", None, "SlowDown");
        check("status code: 400 Bad Request: <Code>AKIA secret</Code>", Some(400), "");
        check("something else", None, "an unknown response");
    }
}
