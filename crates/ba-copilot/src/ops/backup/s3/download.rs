//! How a backup comes back from the bucket: into a file, as it arrives; where the way breaks, on from there.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use reqwest::{Method, header::HeaderMap};

use super::{super::Error, Ask, Bucket, Refused};

/// How often the way may break before anything more has come.
const TRIES: u32 = 5;

/// How far it is.
struct Progress {
    file: File,
    at: u64,
    /// How long it is, and which contents these are; none before the first answer.
    of: Option<(u64, String)>,
}

impl Bucket {
    /// Gets what has this name into a new file.
    pub(in super::super) async fn download(&self, name: &str, into: &Path) -> Result<(), Error> {
        let problem = |error: std::io::Error| Error::file(into, &error);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into).map_err(problem)?;
        let progress = tokio::sync::Mutex::new(Progress { file, at: 0, of: None });
        loop {
            let before = progress.lock().await.at;
            match self.again(TRIES, || async { self.go_on(name, &mut *progress.lock().await).await }).await {
                Ok(written) => return written.map_err(problem),
                // Something came; what breaks now and then still ends.
                Err(refused) if refused.status == 0 && progress.lock().await.at > before => (),
                Err(refused) => return Err(refused.into()),
            }
        }
    }

    /// From where it is to the end. The inner trouble is that of the file.
    async fn go_on(&self, name: &str, progress: &mut Progress) -> Result<std::io::Result<()>, Refused> {
        let mut ask = Ask::new(Method::GET, Some(name));
        if let Some((_, tag)) = &progress.of
            && progress.at > 0
        {
            // Of the very same contents, or not at all.
            ask = ask.header("range", format!("bytes={}-", progress.at)).header("if-match", tag);
        }
        let mut response = self.begin(&ask).await?;
        let says = |headers: &HeaderMap, name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
        if progress.at > 0 && response.status().as_u16() != 206 {
            return Err(self.refused(&ask, response.status().as_u16(), "PartsNotServed"));
        }
        if progress.of.is_none() {
            let size = says(response.headers(), "content-length").and_then(|size| size.parse().ok());
            let tag = says(response.headers(), "etag").unwrap_or_default();
            progress.of = size.map(|size| (size, tag));
        }
        while let Some(bytes) = self.next_bytes(&mut response, &ask).await? {
            if let Err(error) = progress.file.write_all(&bytes) {
                return Ok(Err(error));
            }
            progress.at += bytes.len() as u64;
        }
        match &progress.of {
            Some((size, _)) if *size != progress.at => Err(self.refused(&ask, 0, "the way to it broke")),
            _ => Ok(progress.file.sync_all()),
        }
    }
}
