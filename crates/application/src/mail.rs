//! Outgoing mail: through SMTP or, without SMTP settings, into files in the data folder.
//!
//! Addresses and texts are never logged.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::ExposeSecret;

use uuid::Uuid;

use super::Error;
use crate::private_files;
use config::Config;

#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Files(PathBuf),
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer")
    }
}

/// A plain-text message.
pub struct MailMessage<'a> {
    pub to: &'a str,
    pub subject: String,
    pub body: String,
}

impl Mailer {
    pub fn new(config: &Config) -> Result<Self, Error> {
        let settings = &config.mail;
        let from = settings.from.parse().map_err(|_| {
            Error::Unavailable(
                "The setting mail.from is invalid. Use the form BA Copilot <ba-copilot@example.com>."
                    .to_owned(),
            )
        })?;
        let transport = match settings.smtp_url.expose_secret() {
            "" => Transport::Files(config.data.dir.join("mail")),
            url => Transport::Smtp(
                AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|_| {
                        // The URL contains a password, so it is not repeated.
                        Error::Unavailable(
                            "The setting mail.smtp_url (SMTP_URL) is invalid. Use smtps://user:password@host:465 \
                             or smtp://user:password@host:587?tls=required."
                                .to_owned(),
                        )
                    })?
                    .build(),
            ),
        };
        Ok(Mailer { from, transport })
    }

    pub async fn send(&self, message: MailMessage<'_>) -> Result<(), Error> {
        let to = message.to.parse().map_err(|_| Error::Internal("a message has no address".to_owned()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(message.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(message.body)
            .map_err(|_| Error::Internal("a message could not be written".to_owned()))?;
        let sent = match &self.transport {
            Transport::Smtp(smtp) => {
                smtp.send(message).await.map(|_| ()).map_err(|error| smtp_problem(&error))
            }
            Transport::Files(folder) => {
                let (folder, text) = (folder.clone(), message.formatted());
                let written = tokio::task::spawn_blocking(move || write_message_file(&folder, &text)).await;
                match written {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) | Err(_) => Err("the folder `mail` in the data folder cannot be written"),
                }
            }
        };
        metrics::counter!("ba_copilot_mails_total", "sent" => sent.is_ok().to_string()).increment(1);
        sent.map_err(|why| {
            Error::Unavailable(format!("The message could not be sent: {why}. Try again later."))
        })
    }
}

/// The reply of the server may contain the address, so it is not repeated.
fn smtp_problem(error: &lettre::transport::smtp::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "the mail server did not answer in time",
        () if error.is_permanent() => "the mail server refused it",
        () if error.is_transient() => "the mail server cannot take it now",
        () if error.is_tls() => "the TLS connection to the mail server failed",
        () => "the mail server cannot be reached",
    }
}

/// Writes a message to a file readable only by its owner: it may contain a sign-in link.
fn write_message_file(folder: &Path, text: &[u8]) -> io::Result<()> {
    // Earlier versions created the folder with wider permissions.
    private_files::own_folder(folder)?;
    private_files::create_file(&folder.join(format!("{}.eml", Uuid::now_v7())))?.write_all(text)
}

const MAX_QUOTED: usize = 60;

/// Quotes a name chosen by a user for a message to another person: short, on one line, and without characters that
/// form a link, markup or an address.
pub(super) fn quoted(name: &str) -> String {
    let mut plain = String::new();
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        // A full stop at the end of a word, as in "Dr. Ada", does not form a domain name.
        let ends_word = c == '.' && chars.peek().is_none_or(|next| next.is_whitespace());
        plain.push(if ends_word || is_plain(c) { c } else { ' ' });
    }
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match plain.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("\"{}…\"", plain[..end].trim_end()),
        None => format!("\"{plain}\""),
    }
}

/// Letters, digits and vowel signs of any script, and punctuation that does not form a link.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '-' | '\'' | '’' | ',' | '(' | ')' | '&' | '+' | '!' | '–' | '—')
        || matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{65f}')
        || matches!(c, '\u{900}'..='\u{dff}' | '\u{e31}'..='\u{e4e}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_name_is_short_and_forms_no_link() {
        for (name, expected) in [
            ("Ada Lovelace", "\"Ada Lovelace\""),
            ("Dr. Ada K. Lovelace", "\"Dr. Ada K. Lovelace\""),
            ("Jean-Luc O’Neill (ops) & co.", "\"Jean-Luc O’Neill (ops) & co.\""),
            ("Zoë Müller", "\"Zoë Müller\""),
            ("Орлов 田中 अनिता", "\"Орлов 田中 अनिता\""),
            ("https://evil.example/a?b=c", "\"https evil example a b c\""),
            ("www.evil.example", "\"www evil example\""),
            ("evil.example. Now", "\"evil example. Now\""),
            ("mail me@evil.example", "\"mail me evil example\""),
            ("evil。example evil．example evil｡example", "\"evil example evil example evil example\""),
            ("<a href=x>b</a> **b** [b](c)", "\"a href x b a b b (c)\""),
            ("\" in BA Copilot. \"", "\"in BA Copilot.\""),
            ("two\r\nlines\tand\u{202e}more\u{200b}", "\"two lines and more\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(name), expected, "{name}");
        }
        let long = quoted(&"ä".repeat(200));
        assert_eq!((long.chars().count(), long.ends_with("ä…\"")), (MAX_QUOTED + 3, true));
    }
}
