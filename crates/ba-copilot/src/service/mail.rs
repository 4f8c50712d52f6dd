//! Messages to people: through SMTP, or, where none is configured, into files in the data folder.
//!
//! Never logs an address or a word of a message.

use std::path::PathBuf;

use lettre::{
    AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::ExposeSecret;

use super::Error;
use crate::config::Config;

/// The way to people.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Files(PathBuf),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer")
    }
}

/// A message.
pub struct Letter<'a> {
    /// To whom.
    pub to: &'a str,
    /// About what.
    pub subject: String,
    /// What it says; plain text.
    pub body: String,
}

impl Mailer {
    /// The way that the configuration names.
    ///
    /// # Errors
    /// When the URL or the sender cannot be used.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let settings = &config.mail;
        let from = settings.from.parse().map_err(|_| {
            Error::Unavailable(
                "The setting mail.from is no sender; write one such as BA Copilot <ba-copilot@example.com>."
                    .to_owned(),
            )
        })?;
        let way = match settings.smtp_url.expose_secret() {
            "" => Way::Files(config.data.dir.join("mail")),
            url => Way::Smtp(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|_| {
                        // The URL holds a password, so it is not repeated.
                        Error::Unavailable(
                            "The setting mail.smtp_url (SMTP_URL) cannot be used; write smtps://user:password@host:465 or smtp://user:password@host:587?tls=required."
                                .to_owned(),
                        )
                    })?
                    .build(),
            ),
        };
        Ok(Mailer { from, way })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When it cannot be handed over.
    pub async fn send(&self, letter: Letter<'_>) -> Result<(), Error> {
        let to = letter.to.parse().map_err(|_| Error::Internal("a message has no address".to_owned()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body)
            .map_err(|_| Error::Internal("a message could not be written".to_owned()))?;
        let sent = match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await.map(|_| ()).map_err(|error| smtp_problem(&error)),
            Way::Files(folder) => match tokio::fs::create_dir_all(folder).await {
                Ok(()) => AsyncFileTransport::<Tokio1Executor>::new(folder)
                    .send(message)
                    .await
                    .map(|_| ())
                    .map_err(|_| "the folder `mail` in the data folder cannot be written"),
                Err(_) => Err("the folder `mail` in the data folder cannot be made"),
            },
        };
        metrics::counter!("ba_copilot_mails_total", "sent" => sent.is_ok().to_string()).increment(1);
        sent.map_err(|why| {
            Error::Unavailable(format!("The message could not be sent: {why}. Try again later."))
        })
    }
}

/// The server's own words may repeat the address.
fn smtp_problem(error: &lettre::transport::smtp::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "the mail server did not answer in time",
        () if error.is_permanent() => "the mail server refused it",
        () if error.is_transient() => "the mail server cannot take it now",
        () if error.is_tls() => "the connection to the mail server is not safe",
        () => "the mail server cannot be reached",
    }
}
