//! How a backup gets into the bucket: at once if it is small, in parts if it is not, and only whole. One part is in memory at a time.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use reqwest::Method;

use super::{
    super::{Error, blocking, manifest::Listed},
    Ask, Bucket, Refused, xml,
};

/// The protocol knows no more parts.
const MOST_PARTS: u64 = 10_000;
/// What we note of a backup with the storage, by which it is known again after an answer that was lost.
const CHECKSUM: &str = "x-amz-meta-sha256";

impl Bucket {
    /// Puts a file there under a name that nothing has.
    pub(in super::super) async fn upload(&self, file: &Path, name: &str, what: &Listed) -> Result<(), Error> {
        self.withdraw_left_behind().await;
        // What is too long for so many parts has longer ones.
        let part_bytes = self.part_bytes.max(what.size_bytes.div_ceil(MOST_PARTS));
        match what.size_bytes <= part_bytes {
            true => {
                let body = read_part(file, 0, what.size_bytes).await?;
                let ask = Ask::new(Method::PUT, Some(name)).header(CHECKSUM, &what.sha256).body(body);
                self.finish(ask, name, what).await
            }
            false => {
                let ask = Ask::new(Method::POST, Some(name))
                    .parameter("uploads", "")
                    .header(CHECKSUM, &what.sha256);
                let begun = self.ask(&ask).await?;
                let leaves = xml::leaves(&begun.body);
                let Some(upload) = xml::find(&leaves, "InitiateMultipartUploadResult/UploadId") else {
                    return Err(self.refused(&ask, 0, "an answer without an upload id").into());
                };
                let sent = self.upload_parts(file, name, upload, part_bytes, what).await;
                if sent.is_err() {
                    self.withdraw(name, upload).await;
                }
                sent
            }
        }
    }

    async fn upload_parts(
        &self,
        file: &Path,
        name: &str,
        upload: &str,
        part_bytes: u64,
        what: &Listed,
    ) -> Result<(), Error> {
        let mut parts = String::new();
        for number in 1..=what.size_bytes.div_ceil(part_bytes) {
            let from = (number - 1) * part_bytes;
            let body = read_part(file, from, part_bytes.min(what.size_bytes - from)).await?;
            let ask = Ask::new(Method::PUT, Some(name))
                .parameter("partNumber", number.to_string())
                .parameter("uploadId", upload)
                .body(body);
            let answer = self.ask(&ask).await?;
            let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok());
            let Some(tag) = tag.filter(|tag| !tag.contains(['<', '&'])) else {
                return Err(self.refused(&ask, 0, "an answer without an ETag").into());
            };
            parts.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
        }
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}</CompleteMultipartUpload>"
        );
        let ask = Ask::new(Method::POST, Some(name)).parameter("uploadId", upload).body(body.into_bytes());
        self.finish(ask, name, what).await
    }

    /// The request after which the backup is there: never in the place of something else. Looks whether it arrived.
    async fn finish(&self, ask: Ask, name: &str, what: &Listed) -> Result<(), Error> {
        let ask = ask.header("if-none-match", "*");
        let refused = match self.ask(&ask).await {
            Ok(_) => None,
            // Storages that know no such condition; a name is in any case given once.
            Err(refused) if refused.code == "NotImplemented" => {
                if self.is_there(name, what).await?.is_some() {
                    return Err(refused.into());
                }
                self.ask(&ask.without("if-none-match")).await.err()
            }
            Err(refused) => Some(refused),
        };
        match (self.is_there(name, what).await, refused) {
            // If it was refused all the same, the answer to an earlier try was lost.
            (Ok(Some(true)), _) => Ok(()),
            (_, Some(refused)) => Err(refused.into()),
            (Err(refused), None) => Err(refused.into()),
            (Ok(_), None) => {
                let ask = Ask::new(Method::HEAD, Some(name));
                Err(self.refused(&ask, 0, "it took the backup, and has something else").into())
            }
        }
    }

    /// Whether something has this name; if so, whether it is this.
    async fn is_there(&self, name: &str, what: &Listed) -> Result<Option<bool>, Refused> {
        match self.ask(&Ask::new(Method::HEAD, Some(name))).await {
            Ok(answer) => {
                let says = |header: &str| answer.headers.get(header).and_then(|value| value.to_str().ok());
                let size = says("content-length") == Some(what.size_bytes.to_string().as_str());
                Ok(Some(size && says(CHECKSUM) == Some(what.sha256.as_str())))
            }
            Err(refused) if refused.status == 404 => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// Takes back an upload that did not come to its end.
    pub(super) async fn withdraw(&self, name: &str, upload: &str) {
        let ask = Ask::new(Method::DELETE, Some(name)).parameter("uploadId", upload);
        if let Err(refused) = self.ask(&ask.once()).await {
            // The next backup tries again, once a day is over.
            tracing::warn!(
                storage.status = refused.status,
                "Parts of a backup that was not made are still in the storage"
            );
        }
    }
}

async fn read_part(file: &Path, from: u64, size_bytes: u64) -> Result<Vec<u8>, Error> {
    let path = file.to_owned();
    blocking(move || {
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut part = vec![0; usize::try_from(size_bytes).unwrap_or(usize::MAX)];
            file.read_exact(&mut part)?;
            Ok(part)
        };
        read().map_err(|error| Error::file(&path, &error))
    })
    .await
}
