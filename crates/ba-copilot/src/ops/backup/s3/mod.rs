//! Backups in S3-compatible storage: an object for each, and a note beside it once it was tried. What is sent is signed with the checksum
//! of its contents, so that nothing arrives that was not sent; an object is there when all of it is, and none is ever overwritten.
//!
//! Speaks the part of the protocol that all such storages have in common. `sign.rs` is how a request is signed, `send.rs` how one is sent,
//! `upload.rs` how a backup gets there and `download.rs` how it comes back.

mod download;
mod send;
mod sign;
mod upload;
mod xml;

use reqwest::Method;
use store::TimeUs;

pub(super) use send::Bucket;

use self::send::{Ask, Refused};
use super::{
    Error,
    folder::{Found, NOTE, PREFIX, Seen, read_name},
};

/// What a killed process had begun to send goes after so long.
const LEFT_BEHIND_S: i64 = 86_400;

/// One thing in the bucket.
struct Listed {
    name: String,
    size_bytes: u64,
}

impl Bucket {
    /// The backups there, newest first.
    pub(super) async fn list(&self) -> Result<Vec<Found>, Error> {
        let listed = self.list_objects().await?;
        let mut found = Vec::new();
        for object in &listed {
            let Some((created_at, encrypted)) = read_name(&object.name) else { continue };
            let note = format!("{}{NOTE}", object.name);
            let seen = match listed.iter().any(|other| other.name == note) {
                true => self.find_note(&note).await?,
                false => None,
            };
            let place = self.place.join(&object.name);
            found.push(Found { place, created_at, size_bytes: object.size_bytes, encrypted, seen });
        }
        found.sort_by(|a, b| (b.created_at, b.place.name()).cmp(&(a.created_at, a.place.name())));
        Ok(found)
    }

    async fn list_objects(&self) -> Result<Vec<Listed>, Refused> {
        let mut listed: Vec<Listed> = Vec::new();
        let mut more: Option<String> = None;
        loop {
            let mut ask = Ask::new(Method::GET, None)
                .parameter("list-type", "2")
                // Nothing of what lies deeper.
                .parameter("delimiter", "/")
                .parameter("prefix", format!("{}{PREFIX}", self.prefix));
            if let Some(more) = more.take() {
                ask = ask.parameter("continuation-token", more);
            }
            for (path, text) in xml::leaves(&self.ask(&ask).await?.body) {
                match path.as_str() {
                    "ListBucketResult/Contents/Key" => {
                        let name = text.strip_prefix(&self.prefix).unwrap_or_default().to_owned();
                        listed.push(Listed { name, size_bytes: 0 });
                    }
                    "ListBucketResult/Contents/Size" => {
                        if let Some(last) = listed.last_mut() {
                            last.size_bytes = text.parse().unwrap_or_default();
                        }
                    }
                    "ListBucketResult/NextContinuationToken" => more = Some(text),
                    _ => (),
                }
            }
            if more.is_none() {
                return Ok(listed);
            }
        }
    }

    async fn find_note(&self, name: &str) -> Result<Option<Seen>, Refused> {
        match self.ask(&Ask::new(Method::GET, Some(name))).await {
            Ok(answer) => Ok(serde_json::from_str(&answer.body).ok()),
            // It may be gone by now: others keep the place tidy too.
            Err(refused) if refused.status == 404 => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// Notes what came of trying a backup.
    pub(super) async fn keep_note(&self, name: &str, text: Vec<u8>) -> Result<(), Error> {
        self.ask(&Ask::new(Method::PUT, Some(&format!("{name}{NOTE}"))).body(text)).await?;
        Ok(())
    }

    /// Deletes a backup, and the note about it.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.ask(&Ask::new(Method::DELETE, Some(name))).await?;
        // Without its backup a note says nothing; whether it was there does not matter.
        let _ = self.ask(&Ask::new(Method::DELETE, Some(&format!("{name}{NOTE}"))).once()).await;
        Ok(())
    }

    /// Takes away what killed processes had begun to send, which nobody sees and somebody pays for. Not every storage can say what that is,
    /// and not every key may ask: then it stays, and the storage's own rules have to take it away.
    async fn withdraw_left_behind(&self) {
        let ask = Ask::new(Method::GET, None)
            .parameter("uploads", "")
            .parameter("prefix", format!("{}{PREFIX}", self.prefix));
        let Ok(answer) = self.ask(&ask.once()).await else { return };
        let oldest = self.site.clock.now_us().plus_seconds(-LEFT_BEHIND_S);
        let mut name = String::new();
        for (path, text) in xml::leaves(&answer.body) {
            match path.as_str() {
                "ListMultipartUploadsResult/Upload/Key" => {
                    name = text.strip_prefix(&self.prefix).unwrap_or_default().to_owned();
                }
                "ListMultipartUploadsResult/Upload/UploadId" if self.is_left(&name, oldest) => {
                    self.withdraw(&name, &text).await;
                }
                _ => (),
            }
        }
    }

    fn is_left(&self, name: &str, oldest: TimeUs) -> bool {
        read_name(name).is_some_and(|(begun_at, _)| begun_at < oldest)
    }
}
