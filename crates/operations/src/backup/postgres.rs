//! Finds and runs `pg_dump` and `pg_restore`, without the password on their command lines.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::error::Error;
use application::private_files;

/// Where Debian installs them, by version of the server.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// URL parameters that libpq accepts; it refuses those of our driver.
const LIBPQ_PARAMETERS: [&str; 8] =
    ["host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "options"];

/// Kills its process when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if the process has ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program for a server of this version: the oldest one that is not older than the server.
fn find(name: &str, server: u32) -> Result<PathBuf, Error> {
    let mut candidates = vec![PathBuf::from(name)];
    candidates.extend(
        fs::read_dir(DEBIAN_FOLDER)
            .into_iter()
            .flatten()
            .flatten()
            .map(|it| it.path().join("bin").join(name)),
    );
    let versions: Vec<(u32, PathBuf)> =
        candidates.into_iter().filter_map(|program| Some((major(&program)?, program))).collect();
    let newest = versions.iter().map(|(version, _)| *version).max();
    match versions.into_iter().filter(|(version, _)| *version >= server).min_by_key(|(version, _)| *version) {
        Some((_, program)) => Ok(program),
        None => Err(Error::Tool(match newest {
            Some(newest) => format!(
                "{name} has version {newest} and cannot read a server of version {server}. Install \
                 postgresql-client-{server}."
            ),
            None => format!(
                "{name} is not installed; backups of PostgreSQL need it. Install postgresql-client-{server}."
            ),
        })),
    }
}

/// `pg_dump (PostgreSQL) 15.18 (Debian …)` is 15.
fn major(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The URL for libpq without the password, and the password.
fn split(url: &str, database: Option<&str>) -> Result<(String, Option<String>), Error> {
    let unreadable = || Error::Tool("The PostgreSQL URL cannot be read.".to_owned());
    let mut url = reqwest::Url::parse(url).map_err(|_| unreadable())?;
    // Percent-encoded in the URL; libpq expects it decoded.
    let password =
        url.password().map(|written| percent_decoded(written).ok_or_else(unreadable)).transpose()?;
    url.set_password(None).map_err(|()| unreadable())?;
    let known: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| LIBPQ_PARAMETERS.contains(&name.as_ref()))
        .map(|(a, b)| (a.into(), b.into()))
        .collect();
    url.set_query(None);
    if !known.is_empty() {
        url.query_pairs_mut().extend_pairs(known);
    }
    if let Some(database) = database {
        url.set_path(database);
    }
    Ok((url.into(), password))
}

fn percent_decoded(text: &str) -> Option<String> {
    // A form writes a space as `+`, and a plus as %2B; in a password a plus is a plus.
    let form = format!("x={}", text.replace('+', "%2B"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned())
}

/// Runs a program on the database of `url`, or on another one of its server. Its log is written to `folder`.
pub(super) async fn run<I: AsRef<OsStr>>(
    name: &str,
    server: u32,
    (url, database): (&str, Option<&str>),
    arguments: impl IntoIterator<Item = I>,
    folder: &Path,
) -> Result<(), Error> {
    let program = find(name, server)?;
    let (url, password) = split(url, database)?;
    let log_file = folder.join(format!("{name}.log"));
    let log = private_files::replace_file(&log_file).map_err(|error| Error::file(&log_file, &error))?;
    let mut command = Command::new(&program);
    command.arg("--no-password").args(["--dbname", &url]).args(arguments);
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let failed = |reason: String| Error::Tool(format!("{name} failed: {reason}"));
    let mut running = Running(command.spawn().map_err(|error| failed(error.to_string()))?);
    let status = loop {
        match running.0.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) => break status,
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    };
    if status.success() {
        return Ok(());
    }
    // Further lines may quote stored data.
    let log = fs::read(&log_file).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    Err(failed(log.lines().next().unwrap_or("no reason was given").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_removed_from_the_url() {
        for (url, database, out, password) in [
            ("postgres://ada:s%40%2Bc+t@db:5433/ba", None, "postgres://ada@db:5433/ba", Some("s@+c+t")),
            ("postgres://ada@db/ba", Some("scratch"), "postgres://ada@db/scratch", None),
            (
                "postgresql://db/ba?sslmode=require&statement-cache-capacity=5",
                None,
                "postgresql://db/ba?sslmode=require",
                None,
            ),
        ] {
            assert_eq!(split(url, database).unwrap(), (out.to_owned(), password.map(str::to_owned)), "{url}");
        }
        assert!(split("not a URL", None).is_err());
    }
}
