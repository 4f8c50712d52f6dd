//! Backups in S3-compatible storage: an object for each, and a note beside it once it was tried. How requests are signed, sent again and
//! put together is the library's; which of them are made, within which bounds, and what is said of a refusal is decided here.
//!
//! What is sent is signed with the checksum of its contents, so that nothing arrives that was not sent; an object is there when all of it
//! is. What is said of a refusal is its status and its code, never its text: some storages quote keys there.

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
    Error, Site, blocking,
    folder::{Found, NOTE, Seen, read_name},
    place::{Address, Place},
};
use application::private_files;
use config::Addressing;

/// How often a request is sent again, and for how long.
const AGAIN: usize = 4;
const AGAIN_FOR: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
/// How long the storage may take for a request without a body, however often it is sent, and for the next bytes of an answer.
const ANSWER: Duration = Duration::from_secs(120);
/// How long it may take to send a body and be answered, the same way.
const BODY: Duration = Duration::from_secs(900);
/// The protocol knows no more parts.
const MOST_PARTS: u64 = 10_000;
/// Longer notes are none of ours.
const LARGEST_NOTE: u64 = 1 << 20;

/// A bucket, and the part of it that is ours.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    storage: AmazonS3,
    address: Address,
    part_bytes: u64,
}

/// The client and the TLS that everything else here has too.
#[derive(Debug)]
struct OurClient(reqwest::Client);

impl HttpConnector for OurClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

impl Bucket {
    /// The way to a part of a bucket; nothing is sent yet.
    pub(super) fn open(site: &Site, address: &Address) -> Result<Self, Error> {
        let (place, bucket) = (Place::S3(address.clone()), &address.bucket);
        let unusable = |why: &str, cure: &str| Error::Storage {
            place: place.to_string(),
            why: why.to_owned(),
            cure: cure.to_owned(),
        };
        let settings = &site.config.s3;
        let (id, secret) =
            (settings.access_key_id.expose_secret(), settings.secret_access_key.expose_secret());
        if id.is_empty() || secret.is_empty() {
            return Err(unusable(
                "there is no key to reach it with",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SECRET_ACCESS_KEY_FILE to a file that holds the latter.",
            ));
        }
        let tls = llm::tls_config().map_err(|_| unusable("TLS cannot be set up", "Report this."))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // What is signed is signed for one host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| unusable("no client for it can be made", "Report this."))?;
        let amazon = settings.endpoint.is_empty();
        let in_host = match settings.addressing {
            Addressing::Host => true,
            Addressing::Path => false,
            // A point in a name fits no certificate.
            Addressing::Auto => amazon && !bucket.contains('.'),
        };
        // Nothing is taken from the environment but by our settings.
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&settings.region)
            .with_access_key_id(id)
            .with_secret_access_key(secret)
            .with_virtual_hosted_style_request(in_host)
            .with_http_connector(OurClient(client))
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(500),
                    ..BackoffConfig::default()
                },
                max_retries: AGAIN,
                retry_timeout: AGAIN_FOR,
            });
        if !settings.session_token.expose_secret().is_empty() {
            builder = builder.with_token(settings.session_token.expose_secret());
        }
        if !amazon {
            let wrong = || {
                unusable(
                    "its address cannot be read",
                    "Set AWS_ENDPOINT_URL_S3 to one such as https://s3.example.com.",
                )
            };
            let mut endpoint = reqwest::Url::parse(&settings.endpoint).map_err(|_| wrong())?;
            if in_host {
                let host = format!("{bucket}.{}", endpoint.host_str().unwrap_or_default());
                endpoint.set_host(Some(&host)).map_err(|_| wrong())?;
            }
            builder = builder
                .with_allow_http(endpoint.scheme() == "http")
                .with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        let storage = builder
            .build()
            .map_err(|_| unusable("it cannot be used", "See what section s3 of the settings says of it."))?;
        Ok(Bucket { storage, address: address.clone(), part_bytes: settings.part_mb << 20 })
    }

    /// The key of what has this name.
    fn key(&self, name: &str) -> Result<Key, Error> {
        Key::parse(self.address.join(name).key).map_err(|_| Error::NotABackup(self.place(name).to_string()))
    }

    /// Its place, for people.
    fn place(&self, name: &str) -> Place {
        Place::S3(self.address.join(name))
    }

    /// The backups there, newest first.
    pub(super) async fn list(&self) -> Result<Vec<Found>, Error> {
        let here = Place::S3(self.address.clone());
        let prefix = Key::parse(&self.address.key).map_err(|_| Error::NotABackup(here.to_string()))?;
        // Nothing of what lies deeper.
        let listed = self.within(ANSWER, &here, self.storage.list_with_delimiter(Some(&prefix))).await?;
        let mut found = Vec::new();
        for object in &listed.objects {
            let Some(name) = object.location.filename() else { continue };
            let Some((created_at, encrypted)) = read_name(name) else { continue };
            let note = format!("{name}{NOTE}");
            let seen = match listed.objects.iter().any(|other| other.location.filename() == Some(&note)) {
                true => self.find_note(&note).await?,
                false => None,
            };
            let place = self.place(name);
            found.push(Found { place, created_at, size_bytes: object.size, encrypted, seen });
        }
        found.sort_by_key(|it| Reverse((it.created_at, it.place.name())));
        Ok(found)
    }

    async fn find_note(&self, name: &str) -> Result<Option<Seen>, Error> {
        let key = self.key(name)?;
        let read = async {
            let note = match self.storage.get(&key).await {
                Ok(note) if note.meta.size <= LARGEST_NOTE => note,
                // It may be gone by now: others keep the place tidy too.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let text = note.bytes().await?;
            Ok(serde_json::from_slice(&text).ok())
        };
        self.within(ANSWER, &self.place(name), read).await
    }

    /// Notes what came of trying a backup.
    pub(super) async fn keep_note(&self, name: &str, text: Vec<u8>) -> Result<(), Error> {
        let name = format!("{name}{NOTE}");
        let key = self.key(&name)?;
        self.within(ANSWER, &self.place(&name), self.storage.put(&key, text.into())).await?;
        Ok(())
    }

    /// Deletes a backup, and the note about it.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let key = self.key(name)?;
        self.within(ANSWER, &self.place(name), self.storage.delete(&key)).await?;
        let note = format!("{name}{NOTE}");
        let key = self.key(&note)?;
        // Without its backup a note says nothing; whether it was there does not matter.
        let _ = self.within(ANSWER, &self.place(&note), self.storage.delete(&key)).await;
        Ok(())
    }

    /// Puts a file there under a name that nothing has. One part is in memory at a time.
    pub(super) async fn upload(&self, file: &Path, name: &str, size_bytes: u64) -> Result<(), Error> {
        let (key, place) = (self.key(name)?, self.place(name));
        // What is too long for so many parts has longer ones.
        let part_bytes = self.part_bytes.max(size_bytes.div_ceil(MOST_PARTS));
        let mut parts = Parts::open(file, part_bytes).await?;
        if size_bytes <= part_bytes {
            let whole = parts.next().await?;
            self.within(BODY, &place, self.storage.put(&key, whole)).await?;
            return self.is_whole(&key, &place, size_bytes).await;
        }
        let mut upload = self.within(ANSWER, &place, self.storage.put_multipart(&key)).await?;
        let sent = self.upload_parts(&mut *upload, &mut parts, &place, size_bytes.div_ceil(part_bytes)).await;
        if let Err(error) = sent {
            // Where the answer to the last step is lost, or it was sent twice, everything is there all the same.
            if self.is_whole(&key, &place, size_bytes).await.is_ok() {
                return Ok(());
            }
            if self.within(ANSWER, &place, upload.abort()).await.is_err() {
                tracing::warn!(
                    "Parts of a backup that was not made are still in the storage; a rule of the bucket that ends incomplete uploads takes them away"
                );
            }
            return Err(error);
        }
        self.is_whole(&key, &place, size_bytes).await
    }

    async fn upload_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        parts: &mut Parts,
        place: &Place,
        count: u64,
    ) -> Result<(), Error> {
        for _ in 0..count {
            let part = parts.next().await?;
            self.within(BODY, place, upload.put_part(part)).await?;
        }
        self.within(BODY, place, upload.complete()).await?;
        Ok(())
    }

    /// Nothing is reported as kept that is not there.
    async fn is_whole(&self, key: &Key, place: &Place, size_bytes: u64) -> Result<(), Error> {
        let there = self.within(ANSWER, place, self.storage.head(key)).await?;
        match there.size == size_bytes {
            true => Ok(()),
            false => Err(Error::Storage {
                place: place.to_string(),
                why: format!("the storage keeps {} bytes of {}", there.size, size_bytes),
                cure: "Make another backup, and ask those who run the storage what this means.".to_owned(),
            }),
        }
    }

    /// Gets what has this name into a new file, as it arrives; where the way breaks, on from there.
    pub(super) async fn download(&self, name: &str, into: &Path) -> Result<(), Error> {
        let (key, place) = (self.key(name)?, self.place(name));
        let problem = |error: std::io::Error| Error::file(into, &error);
        let mut file = private_files::create_file(into).map_err(problem)?;
        let found = self.within(ANSWER, &place, self.storage.get(&key)).await?;
        let mut bytes = found.into_stream();
        while let Some(some) = self.within(ANSWER, &place, bytes.try_next()).await? {
            file.write_all(&some).map_err(problem)?;
        }
        file.sync_all().map_err(problem)
    }

    /// Does something with `place`, or says why not and what to do.
    async fn within<T>(
        &self,
        time: Duration,
        place: &Place,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Error> {
        let refusal = match timeout(time, work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => Refusal::read(&error),
            Err(_) => Refusal { status: None, why: format!("no answer in {} s", time.as_secs()) },
        };
        let cure = refusal.cure(&Place::S3(self.address.clone()));
        let why = match refusal.status {
            None => refusal.why,
            Some(status) => format!("the storage answered {status} {}", refusal.why).trim_end().to_owned(),
        };
        Err(Error::Storage { place: place.to_string(), why, cure })
    }
}

/// A file, a part after the other.
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
        let problem = |error: std::io::Error| Error::file(&self.path, &error);
        let file = self.file.try_clone().map_err(problem)?;
        let (path, part_bytes) = (self.path.clone(), self.part_bytes);
        blocking(move || {
            let mut part = Vec::new();
            file.take(part_bytes).read_to_end(&mut part).map_err(|error| Error::file(&path, &error))?;
            Ok(part.into())
        })
        .await
    }
}

/// What the storage said, in its own words as far as they are only words.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    /// None if nobody answered.
    status: Option<u16>,
    /// A code, or words of ours.
    why: String,
}

impl Refusal {
    /// The library hands out neither status nor code, but says both.
    fn read(error: &object_store::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if inner.is::<HttpError>() {
                return Refusal {
                    status: None,
                    why: "it cannot be reached, or the way to it breaks".to_owned(),
                };
            }
            cause = inner.source();
        }
        Refusal::parse(&error.to_string())
    }

    fn parse(said: &str) -> Self {
        let between = |from: &str, to: &str| said.split_once(from)?.1.split_once(to).map(|(text, _)| text);
        let status = between("status code: ", " ").and_then(|digits| digits.parse().ok());
        let code = between("<Code>", "</Code>").unwrap_or_default();
        let is_code = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
        let why = match (is_code && !code.is_empty(), status) {
            (true, _) => code,
            (false, Some(_)) => "",
            (false, None) => "an answer that nobody understands",
        };
        Refusal { status, why: why.to_owned() }
    }

    fn cure(&self, folder: &Place) -> String {
        match (self.why.as_str(), self.status) {
            (
                "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken"
                | "TokenRefreshRequired" | "InvalidSecurity",
                _,
            )
            | (_, Some(401)) => {
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair of keys that this storage knows.".to_owned()
            }
            ("RequestTimeTooSkewed", _) => "Set the clock of this machine.".to_owned(),
            ("NoSuchBucket", _) => "Make the bucket, or correct its name.".to_owned(),
            (
                "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
                _,
            )
            | (_, Some(300..=399)) => {
                "Set AWS_REGION to that of the bucket, and AWS_ENDPOINT_URL_S3 to what belongs to it.".to_owned()
            }
            ("BadDigest" | "XAmzContentSHA256Mismatch", _) => {
                "What arrived is not what was sent; make another backup.".to_owned()
            }
            (_, Some(403)) => "Let this key list the bucket, and read, write and delete in it.".to_owned(),
            (_, Some(404)) => format!("`ba-copilot backup list {folder}` shows what is there."),
            (_, Some(507)) => "Make room in the storage, or keep backups for fewer days.".to_owned(),
            ("SlowDown" | "InternalError" | "ServiceUnavailable", _) | (_, Some(429 | 500..=599)) => "The storage has trouble of its own; try again later.".to_owned(),
            (_, None) => "See that the storage runs, that AWS_ENDPOINT_URL_S3 is its address, and that this machine reaches it.".to_owned(),
            _ => "Ask those who run the storage what this means.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, status: Option<u16>, why: &str) {
        assert_eq!(Refusal::parse(said), Refusal { status, why: why.to_owned() });
    }

    #[test]
    fn only_the_status_and_the_code_of_a_refusal_are_told() {
        let quoting = "Error performing GET http://h/b in 2ms - Server returned non-2xx status code: 403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        check(quoting, Some(403), "SignatureDoesNotMatch");
        check("Server returned non-2xx status code: 503 Service Unavailable: ", Some(503), "");
        check("Server returned error response: <Error><Code>SlowDown</Code></Error>", None, "SlowDown");
        check("status code: 400 Bad Request: <Code>AKIA secret</Code>", Some(400), "");
        check("something else", None, "an answer that nobody understands");
    }
}
