//! The addresses of the database. Opens none.

use std::path::PathBuf;

use reqwest::Url;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{Config, ConfigError};

/// What is between this program and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooler {
    /// Found out when the database is opened.
    Auto,
    /// Nothing, or a pooler that keeps one connection of the server for each client.
    None,
    /// A pooler that assigns a connection of the server for each transaction.
    Transaction,
}

/// Parameters of a PostgreSQL URL, with the meaning that libpq gives them; the last one is the driver's own.
const PARAMETERS: [&str; 9] = [
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "options",
    "statement-cache-capacity",
];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Checks a database URL without opening the database.
///
/// # Errors
/// What is wrong with it, without any part of it that may be secret.
pub fn check_database_url(text: &str) -> Result<(), String> {
    match text.split_once(':') {
        Some(("sqlite", path)) => check_path(path.strip_prefix("//").unwrap_or(path)),
        Some(("postgres" | "postgresql", _)) => check_postgres(text),
        _ => Err("it must begin with sqlite: or postgres:, as in sqlite:./data/ba-copilot.db or \
                  postgres://user:password@host/database"
            .to_owned()),
    }
}

fn check_path(path: &str) -> Result<(), String> {
    let problem = match path {
        "" => "it names no file",
        _ if path.ends_with('/') => "it names a folder and not a file",
        _ if path.starts_with(":memory:") || path.contains("mode=memory") => {
            "a database in memory is empty for every connection; name a file"
        }
        _ if path.contains(['?', '\0']) => "a sqlite: URL takes a path and no parameters",
        _ => return Ok(()),
    };
    Err(format!("{problem}; write a path, as in sqlite:./data/ba-copilot.db"))
}

fn check_postgres(text: &str) -> Result<(), String> {
    const FORM: &str = "write postgres://user:password@host:5432/database, with special characters in the password \
                        percent-encoded";
    let url = Url::parse(text).map_err(|error| format!("it is not a URL ({error}); {FORM}"))?;
    if url.cannot_be_a_base() {
        return Err(format!("it has no host; {FORM}"));
    }
    if url.fragment().is_some() {
        return Err(format!("it contains a # that is not percent-encoded; {FORM}"));
    }
    let mut has_host = url.host_str().is_some_and(|host| !host.is_empty());
    let (mut certificate, mut key) = (false, false);
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" if !SSL_MODES.contains(&&*value) => {
                return Err(format!("sslmode must be one of {}", SSL_MODES.join(", ")));
            }
            "port" if value.parse::<u16>().is_err() => {
                return Err("the parameter port is not a port".to_owned());
            }
            "statement-cache-capacity" if value.parse::<usize>().is_err() => {
                return Err("statement-cache-capacity must be a number".to_owned());
            }
            "sslrootcert" | "sslcert" | "sslkey" if value.is_empty() => {
                return Err(format!("{name} must be the path of a file"));
            }
            "host" => has_host = true,
            "sslcert" => certificate = true,
            "sslkey" => key = true,
            known if PARAMETERS.contains(&known) => (),
            // Anything else may be the rest of a password with a question mark.
            other => {
                let is_name = other.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-');
                let shown = if is_name { format!("the parameter {other}") } else { "a parameter".to_owned() };
                return Err(format!(
                    "{shown} is not supported; remove it. Supported are {}, and special characters in the password \
                     must be percent-encoded",
                    PARAMETERS.join(", ")
                ));
            }
        }
    }
    match () {
        () if !has_host => Err(format!("it has no host; {FORM}")),
        () if certificate != key => Err("sslcert and sslkey must be set together".to_owned()),
        () => Ok(()),
    }
}

impl Config {
    pub fn database_url(&self) -> String {
        match self.data.database_url.expose_secret() {
            "" => format!("sqlite:{}", self.data.dir.join("ba-copilot.db").display()),
            url => url.to_owned(),
        }
    }

    /// The address for what a pooler cannot pass on: notifications, `pg_dump`, and other databases of the server.
    pub fn direct_database_url(&self) -> String {
        match self.data.direct_url.expose_secret() {
            "" => self.database_url(),
            url => url.to_owned(),
        }
    }

    /// The database file, if the database is SQLite.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let url = self.database_url();
        let rest = url.strip_prefix("sqlite:")?;
        Some(rest.strip_prefix("//").unwrap_or(rest).into())
    }

    pub(super) fn check_database(&self) -> Vec<ConfigError> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, problem: String| {
            problems.push(ConfigError::Value { key: key.to_owned(), problem });
        };
        let (url, direct) = (self.data.database_url.expose_secret(), self.data.direct_url.expose_secret());
        if !url.is_empty()
            && let Err(problem) = check_database_url(url)
        {
            wrong("data.database_url", problem);
        }
        if !direct.is_empty() {
            match check_database_url(direct) {
                Err(problem) => wrong("data.direct_url", problem),
                Ok(()) if direct.starts_with("sqlite:") || self.sqlite_file().is_some() => wrong(
                    "data.direct_url",
                    "it is for PostgreSQL behind a pooler; with SQLite, remove it".to_owned(),
                ),
                Ok(()) => (),
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_url_is_checked_without_repeating_it() {
        for (url, problem) in [
            ("sqlite:./data/x.db", ""),
            ("sqlite:///var/lib/x y.db", ""),
            ("sqlite:", "names no file"),
            ("sqlite:/var/lib/", "folder"),
            ("sqlite::memory:", "memory"),
            ("sqlite:geheim.db?mode=rwc", "no parameters"),
            ("postgres://ada:geheim@db/ba", ""),
            ("postgresql://ada:geheim@[::1]:5432/ba?sslmode=verify-full&sslrootcert=/ca.pem", ""),
            ("postgres://ada@db/ba?sslcert=/c&sslkey=/k&application_name=x&options=-c%20a%3Db", ""),
            ("postgres:///ba?host=/var/run/postgresql", ""),
            ("postgres://%2Fvar%2Frun/ba", ""),
            ("postgres://ada:geheim@db:geheim/ba", "not a URL"),
            ("postgres://ada:ge/heim@db/ba", "percent-encoded"),
            ("postgres://ada:1#geheim@db/ba", "percent-encoded"),
            ("postgres://ada:1?geheim@db/ba", "percent-encoded"),
            ("postgres:geheim", "no host"),
            ("postgres:///ba", "no host"),
            ("postgres://db/ba?sslmode=geheim", "sslmode must be one of disable, allow"),
            ("postgres://db/ba?sslcert=/geheim", "together"),
            ("postgres://db/ba?sslrootcert=", "path of a file"),
            ("postgres://db/ba?channel_binding=geheim", "channel_binding is not supported"),
            ("postgres://db/ba?port=geheim", "port"),
            ("mysql://ada:geheim@db/ba", "must begin with"),
            ("geheim", "must begin with"),
        ] {
            let said = check_database_url(url).err().unwrap_or_default();
            assert_eq!(said.is_empty(), problem.is_empty(), "{url}: {said}");
            assert!(said.contains(problem) && !said.contains("geheim"), "{url}: {said}");
        }
    }
}
