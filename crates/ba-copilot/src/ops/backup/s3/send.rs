//! One request to the storage: signed, within bounds of time and size, and tried again where that may help.
//!
//! What is said of a refusal is its status and its code, never its text: some storages quote keys there.

use std::time::Duration;

use reqwest::{Client, Method, Response, Url, header::HeaderMap};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::{
    super::{Error, Site, archive::hex, folder, place::Place},
    sign::{Keys, Signed, authorization, encode, query},
    xml,
};
use crate::config::Addressing;

/// How often a request is tried.
const TRIES: u32 = 5;
/// How long to wait before the second try; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take to a request without a body.
const ANSWER: Duration = Duration::from_secs(60);
/// How long it may take to send a body and be answered.
const BODY: Duration = Duration::from_secs(900);
/// How long the next bytes of an answer may take.
pub(super) const BYTES: Duration = Duration::from_secs(60);
/// Longer answers are not read; a page of a list has some 500 kB.
const LARGEST: usize = 8 << 20;

/// A bucket, and the part of it that is ours.
#[derive(Debug, Clone)]
pub(in super::super) struct Bucket {
    client: Client,
    keys: Keys,
    region: String,
    base: Url,
    /// Before each key: `/bucket/`, or `/` where the bucket is the host.
    root: String,
    pub(super) site: Site,
    pub(super) place: Place,
    /// Before each name: `prefix/`, or nothing.
    pub(super) prefix: String,
    pub(super) part_bytes: u64,
}

/// What is asked of the storage.
pub(super) struct Ask {
    method: Method,
    /// The name, without the prefix; none to ask about the bucket.
    name: Option<String>,
    parameters: Vec<(&'static str, String)>,
    /// Names in small letters.
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    tries: u32,
}

impl Ask {
    pub(super) fn new(method: Method, name: Option<&str>) -> Self {
        Ask {
            method,
            name: name.map(str::to_owned),
            parameters: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            tries: TRIES,
        }
    }

    pub(super) fn parameter(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(self, body: Vec<u8>) -> Self {
        Ask { body, ..self }
    }

    /// Without this header.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    /// Tried no second time.
    pub(super) fn once(self) -> Self {
        Ask { tries: 1, ..self }
    }
}

/// What was answered; no refusal.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// Why there is none.
#[derive(Debug)]
pub(super) struct Refused {
    place: Place,
    /// 0 if nobody answered.
    pub(super) status: u16,
    /// In the words of the storage, or ours if it gave none.
    pub(super) code: String,
    region: Option<String>,
    tried: u32,
}

impl Refused {
    /// Whether another try may come to something else.
    fn may_pass(&self) -> bool {
        // What was sent is not what arrived, or others were at it.
        let codes =
            ["RequestTimeout", "SlowDown", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted"];
        matches!(self.status, 0 | 408 | 429 | 500..=599 if self.code != "NotImplemented")
            || codes.contains(&self.code.as_str())
    }

    fn cure(&self) -> String {
        let set_keys =
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair of keys that this storage knows.";
        match (self.code.as_str(), self.status) {
            (
                "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken"
                | "TokenRefreshRequired" | "InvalidSecurity",
                _,
            )
            | (_, 401) => set_keys.to_owned(),
            ("RequestTimeTooSkewed", _) => "Set the clock of this machine.".to_owned(),
            ("NoSuchBucket", _) => "Make the bucket, or correct its name.".to_owned(),
            (
                "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
                _,
            )
            | (_, 300..=399) => {
                let region = self.region.as_deref().unwrap_or("that of the bucket");
                format!("Set AWS_REGION to {region}, and AWS_ENDPOINT_URL_S3 to what belongs to it.")
            }
            (_, 403) => "Let this key list the bucket, and read, write and delete in it.".to_owned(),
            ("PreconditionFailed", _) => {
                "Something else has this name, and was not overwritten; make another backup.".to_owned()
            }
            (_, 404) => {
                format!("`ba-copilot backup list {}` shows what is there.", self.place.parent())
            }
            (_, 507) => "Make room in the storage, or keep backups for fewer days.".to_owned(),
            (_, 0) => "See that the storage runs, that AWS_ENDPOINT_URL_S3 is its address, and that this machine reaches it.".to_owned(),
            (_, 429 | 500..=599) => "The storage has trouble of its own; try again later.".to_owned(),
            _ => "Ask those who run the storage what this means.".to_owned(),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let cure = refused.cure();
        let times = match refused.tried {
            0 | 1 => String::new(),
            tried => format!(", {tried} times"),
        };
        let why = match refused.status {
            0 => format!("{}{times}", refused.code),
            status => format!("the storage answered {status} {}{times}", refused.code).replace(" ,", ","),
        };
        Error::Storage { place: refused.place.to_string(), why: why.trim_end().to_owned(), cure }
    }
}

impl Bucket {
    /// The way to a part of a bucket; nothing is sent yet.
    pub(in super::super) fn open(site: &Site, bucket: &str, key: &str) -> Result<Self, Error> {
        let place = Place::S3 { bucket: bucket.to_owned(), key: key.to_owned() };
        let unusable = |why: &str, cure: &str| Error::Storage {
            place: place.to_string(),
            why: why.to_owned(),
            cure: cure.to_owned(),
        };
        let settings = &site.config.s3;
        if settings.access_key_id.expose_secret().is_empty()
            || settings.secret_access_key.expose_secret().is_empty()
        {
            return Err(unusable(
                "there is no key to reach it with",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SECRET_ACCESS_KEY_FILE to a file that holds the latter.",
            ));
        }
        let amazon = settings.endpoint.is_empty();
        let endpoint = match amazon {
            true => format!("https://s3.{}.amazonaws.com", settings.region),
            false => settings.endpoint.clone(),
        };
        let wrong_endpoint = || {
            unusable(
                "its address cannot be read",
                "Set AWS_ENDPOINT_URL_S3 to one such as https://s3.example.com.",
            )
        };
        let mut base = Url::parse(&endpoint).map_err(|_| wrong_endpoint())?;
        let in_host = match settings.addressing {
            Addressing::Host => true,
            Addressing::Path => false,
            // A point in a name fits no certificate.
            Addressing::Auto => amazon && !bucket.contains('.'),
        };
        if in_host {
            let host = format!("{bucket}.{}", base.host_str().unwrap_or_default());
            base.set_host(Some(&host)).map_err(|_| wrong_endpoint())?;
        }
        let tls = llm::tls_config().map_err(|_| unusable("TLS cannot be set up", "Report this."))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("ba-copilot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // What is signed is signed for one host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| unusable("no client for it can be made", "Report this."))?;
        Ok(Bucket {
            client,
            keys: Keys {
                id: settings.access_key_id.clone(),
                secret: settings.secret_access_key.clone(),
                token: settings.session_token.clone(),
            },
            region: settings.region.clone(),
            base,
            root: if in_host { "/".to_owned() } else { format!("/{bucket}/") },
            site: site.clone(),
            prefix: if key.is_empty() { String::new() } else { format!("{key}/") },
            place,
            part_bytes: settings.part_mb << 20,
        })
    }

    /// Asks until there is an answer, or no hope for one.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, Refused> {
        self.again(ask.tries, || async {
            let mut response = self.begin(ask).await?;
            let headers = response.headers().clone();
            let body = self.read(&mut response, ask).await?;
            // Putting parts together takes so long that the storage says yes before it knows.
            if body.contains("<Error>") {
                let leaves = xml::leaves(&body);
                if let Some(code) = xml::find(&leaves, "Error/Code") {
                    return Err(self.refused(ask, 500, code));
                }
            }
            Ok(Answer { headers, body })
        })
        .await
    }

    /// Does something again while that may help, at most so many times.
    pub(super) async fn again<T, F: Future<Output = Result<T, Refused>>>(
        &self,
        tries: u32,
        work: impl Fn() -> F,
    ) -> Result<T, Refused> {
        let mut tried = 0;
        loop {
            tried += 1;
            match work().await {
                Err(refused) if refused.may_pass() && tried < tries => {
                    tracing::debug!(storage.status = refused.status, "The storage is asked again");
                    tokio::time::sleep(PAUSE * (1 << (tried - 1))).await;
                }
                Err(refused) => return Err(Refused { tried, ..refused }),
                Ok(done) => return Ok(done),
            }
        }
    }

    /// Sends once, and reads no more than the head of an answer that is no refusal.
    pub(super) async fn begin(&self, ask: &Ask) -> Result<Response, Refused> {
        let within = if ask.body.is_empty() { ANSWER } else { BODY };
        let sent = async {
            self.sign(ask).body(ask.body.clone()).send().await.map_err(|error| self.unreachable(ask, &error))
        };
        let mut response = match tokio::time::timeout(within, sent).await {
            Ok(sent) => sent?,
            Err(_) => return Err(self.refused(ask, 0, "no answer in time")),
        };
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let mut region = header("x-amz-bucket-region");
        let leaves = xml::leaves(&self.read(&mut response, ask).await.unwrap_or_default());
        region = region.or_else(|| xml::find(&leaves, "Error/Region").map(str::to_owned));
        let code = xml::find(&leaves, "Error/Code").unwrap_or_default();
        Err(Refused { region, ..self.refused(ask, status, code) })
    }

    async fn read(&self, response: &mut Response, ask: &Ask) -> Result<String, Refused> {
        let mut body = Vec::new();
        while let Some(chunk) = self.next_bytes(response, ask).await? {
            if body.len() + chunk.len() > LARGEST {
                return Err(self.refused(ask, 0, "an answer that is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// More of an answer, if there is more.
    pub(super) async fn next_bytes(
        &self,
        response: &mut Response,
        ask: &Ask,
    ) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, Refused> {
        match tokio::time::timeout(BYTES, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.unreachable(ask, &error)),
            Err(_) => Err(self.refused(ask, 0, "no answer in time")),
        }
    }

    fn sign(&self, ask: &Ask) -> reqwest::RequestBuilder {
        let key = ask.name.as_ref().map(|name| format!("{}{name}", self.prefix)).unwrap_or_default();
        let parameters: Vec<(&str, &str)> =
            ask.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let query = query(&parameters);
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.root, encode(&key, true)));
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let stamp = folder::stamp(self.site.clock.now_us());
        let body_sha256 = hex(&Sha256::digest(&ask.body));
        let token = self.keys.token.expose_secret();
        let mut headers: Vec<(&str, &str)> =
            ask.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend([
            ("host", host.as_str()),
            ("x-amz-content-sha256", body_sha256.as_str()),
            ("x-amz-date", stamp.as_str()),
        ]);
        headers.extend(Some(("x-amz-security-token", token)).filter(|(_, token)| !token.is_empty()));
        headers.sort_unstable();
        let authorization = authorization(
            &self.keys,
            &self.region,
            &stamp,
            &Signed {
                method: ask.method.as_str(),
                path: url.path(),
                query: &query,
                headers: &headers,
                body_sha256: &body_sha256,
            },
        );
        let mut request = self.client.request(ask.method.clone(), url.clone());
        // The client says itself which host it calls.
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        request.header("authorization", authorization)
    }

    pub(super) fn refused(&self, ask: &Ask, status: u16, code: &str) -> Refused {
        let place = ask.name.as_ref().map_or_else(|| self.place.clone(), |name| self.place.join(name));
        Refused { place, status, code: code.to_owned(), region: None, tried: 1 }
    }

    fn unreachable(&self, ask: &Ask, error: &reqwest::Error) -> Refused {
        // The innermost reason is the one that helps.
        let mut inner: &dyn std::error::Error = error;
        while let Some(source) = inner.source() {
            inner = source;
        }
        self.refused(ask, 0, &format!("it cannot be reached ({inner})"))
    }
}
