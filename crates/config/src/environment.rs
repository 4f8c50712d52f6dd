//! Environment variables of the process and of an environment file. The only module that reads them.
//!
//! `.env` decides where data and keys are sent, so its location alone is no reason to trust it. It is read from the
//! current folder, never from a parent; only if it belongs to the user of the process and no other user can write to
//! it; and only by commands for operators, which `cli` selects.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{Mode, OFlags},
    process::geteuid,
};

use super::{
    error::ConfigError,
    sources::{Origin, key_of},
};

const DOTENV: &str = ".env";
/// Larger files are refused.
const MAX_DOTENV_BYTES: u64 = 1 << 20;

/// The variables of the process and of an environment file.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The environment file and the variables that only it sets.
    file: Option<PathBuf>,
    from_file: BTreeSet<String>,
    /// Why the environment file cannot be used.
    problem: Option<ConfigError>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// The variables of the process, without those that are not UTF-8.
    pub fn from_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment { variables: std::env::vars_os().filter_map(text).collect(), ..Environment::default() }
    }

    /// Adds the settings of `.env` in `folder` that the variables of the process do not set. An untrusted file is a
    /// configuration error and not ignored, because the server would start with other settings than the operator
    /// expects.
    #[must_use]
    pub fn with_dotenv(mut self, folder: &Path) -> Self {
        let path = folder.join(DOTENV);
        match read_dotenv(&path) {
            Ok(None) => (),
            Ok(Some(variables)) => {
                let own: BTreeSet<String> =
                    self.variables.keys().filter_map(|name| setting_of(name)).collect();
                let added = variables.into_iter().filter(|(name, value)| {
                    !value.is_empty() && setting_of(name).is_some_and(|setting| !own.contains(&setting))
                });
                for (name, value) in added {
                    self.from_file.insert(name.clone());
                    self.variables.insert(name, value);
                }
                self.file = Some(path);
            }
            Err(problem) => self.problem = Some(problem),
        }
        self
    }

    /// The variables of a file in `.env` format; of the process only PATH and HOME, to find programs.
    ///
    /// # Errors
    /// If the file cannot be read, other users can write to it, or a line is not `NAME=value`.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let found = file.metadata().map_err(|error| unreadable(path, &error))?;
        only_writable_by_owner(path, &found)?;
        let mut variables = parse(path, file)?;
        variables.retain(|_, value| !value.is_empty());
        let from_file = variables.keys().cloned().collect();
        for name in ["PATH", "HOME"] {
            #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
            let here = std::env::var(name);
            if let (Ok(value), false) = (here, variables.contains_key(name)) {
                variables.insert(name.to_owned(), value);
            }
        }
        Ok(Environment { variables, file: Some(path.to_owned()), from_file, problem: None })
    }

    /// All variables with their values, including secrets: only for the environment of a child process.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Environment { variables, ..Environment::default() }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Why the environment file cannot be used.
    pub(super) fn problem(&self) -> Option<&ConfigError> {
        self.problem.as_ref()
    }

    /// A message with the path of the environment file and the names of its variables; `None` if none is used.
    pub fn notice(&self) -> Option<String> {
        let file = self.file.as_ref().filter(|_| !self.from_file.is_empty())?;
        let names: Vec<&str> = self.from_file.iter().map(String::as_str).collect();
        Some(format!("Settings are read from {}: {}", file.display(), names.join(", ")))
    }

    /// Empty variables count as not set, because compose files set unset variables to an empty value.
    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs().map(|(name, _)| name)
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        let name = match self.get(name) {
            Some(_) => name.to_owned(),
            None => format!("{name}_FILE"),
        };
        let file = self.file.clone().filter(|_| self.from_file.contains(&name));
        Origin::Variable { name, file }
    }

    /// The value of `NAME`, or else the content of the file in `NAME_FILE`.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, ConfigError> {
        if let Some(value) = self.get(name) {
            return Ok(Some(value.to_owned()));
        }
        let Some(path) = self.get(&format!("{name}_FILE")) else { return Ok(None) };
        match fs::read_to_string(path) {
            Ok(value) => Ok(Some(value.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => Err(ConfigError::File {
                path: format!("{path} (named by {name}_FILE)"),
                problem: error.to_string(),
            }),
        }
    }

    /// The socket of the service manager that started this process (`NOTIFY_SOCKET`).
    pub fn notify_socket(&self) -> Option<&str> {
        self.get("NOTIFY_SOCKET")
    }

    /// The watchdog timeout of the service manager (`WATCHDOG_USEC`).
    pub fn watchdog(&self) -> Option<Duration> {
        let for_others = self.get("WATCHDOG_PID").is_some_and(|pid| *pid != std::process::id().to_string());
        let micros = self.get("WATCHDOG_USEC").filter(|_| !for_others)?.parse().ok()?;
        Some(Duration::from_micros(micros)).filter(|every| !every.is_zero())
    }

    pub fn no_color(&self) -> bool {
        self.get("NO_COLOR").is_some()
    }
}

/// The setting of a variable `NAME` or `NAME_FILE`; `None` if the variable is not a setting.
fn setting_of(variable: &str) -> Option<String> {
    let name = variable.strip_suffix("_FILE").unwrap_or(variable);
    if name == "DEBUG" { Some(name.to_owned()) } else { key_of(name) }
}

/// `None` if the file does not exist.
fn read_dotenv(path: &Path) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
    let entry = match fs::symlink_metadata(path) {
        Ok(entry) => entry,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    // Non-blocking, because opening a named pipe would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|error| unreadable(path, &error.into()))?.into();
    let found = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(untrusted(
            path,
            "it is not a regular file. Remove it, or set the variables in the environment",
        ));
    }
    // Also check the owner of the entry: a symbolic link of another user could point to any file of this user.
    if let Some(owner) = [entry.uid(), found.uid()].into_iter().find(|uid| *uid != geteuid().as_raw()) {
        return Err(untrusted(
            path,
            &format!(
                "it belongs to another user (uid {owner}), and it decides where data and keys are sent. Run \
                 the command as that user or in another folder, or set the variables in the environment"
            ),
        ));
    }
    only_writable_by_owner(path, &found)?;
    if found.len() > MAX_DOTENV_BYTES {
        return Err(untrusted(path, "it is larger than 1 MB, the limit for environment files"));
    }
    parse(path, file.take(MAX_DOTENV_BYTES)).map(Some)
}

fn only_writable_by_owner(path: &Path, found: &fs::Metadata) -> Result<(), ConfigError> {
    match found.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(untrusted(
            path,
            &format!(
                "other users can write to it, and it decides where data and keys are sent. Check its \
                 content, then run `chmod go-w {}`",
                path.display()
            ),
        )),
    }
}

fn parse(path: &Path, text: impl std::io::Read) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut variables = BTreeMap::new();
    for line in dotenvy::from_read_iter(text) {
        let (variable, value) = line.map_err(|error| match error {
            dotenvy::Error::Io(error) => unreadable(path, &error),
            error => {
                ConfigError::Variables { path: path.display().to_string(), problem: without_values(&error) }
            }
        })?;
        variables.insert(variable, value);
    }
    Ok(variables)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::File { path: path.display().to_string(), problem: error.to_string() }
}

fn untrusted(path: &Path, problem: &str) -> ConfigError {
    ConfigError::Untrusted { path: path.display().to_string(), problem: problem.to_owned() }
}

/// The parse error without the line itself, which may contain a secret.
fn without_values(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::LineParse(line, at) => {
            let name = line.split('=').next().unwrap_or_default().trim();
            match name.len() < line.len() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                true => {
                    format!("the value of {name} is not valid from character {at}; put it in quotes")
                }
                false => "a line does not have the form NAME=value".to_owned(),
            }
        }
        _ => "it cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DOTENV), text).unwrap();
        fs::set_permissions(folder.path().join(DOTENV), fs::Permissions::from_mode(0o644)).unwrap();
        folder
    }

    fn values(environment: &Environment) -> Vec<String> {
        environment.pairs().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn dotenv_sets_only_what_the_process_does_not_set() {
        let folder = folder(
            "MODEL=file\nLOG_LEVEL=debug\nMCP_TOKEN=t\nAI_SERVICE_TOKEN_FILE=f\n\
             BA_COPILOT__DATA__DATABASE_URL=sqlite:x\nPATH=/evil\nNOTIFY_SOCKET=/evil\nSECRET_KEY=\n",
        );
        let own = Environment::from_pairs([
            ("MODEL", "own"),
            // Empty, which the file does not replace.
            ("LOG_LEVEL", ""),
            // The same settings under other names.
            ("MCP_TOKEN_FILE", "/own"),
            ("BA_COPILOT__AI__TOKEN", "own"),
            ("DATABASE_URL", "sqlite:own"),
        ]);
        let environment = own.clone().with_dotenv(folder.path());
        assert_eq!(values(&environment), values(&own));
        assert_eq!(environment.notice(), None);
        let environment = Environment::default().with_dotenv(folder.path());
        assert_eq!(
            values(&environment),
            [
                "AI_SERVICE_TOKEN_FILE=f",
                "BA_COPILOT__DATA__DATABASE_URL=sqlite:x",
                "LOG_LEVEL=debug",
                "MCP_TOKEN=t",
                "MODEL=file"
            ]
        );
        let notice = environment.notice().unwrap();
        assert!(notice.ends_with(
            "/.env: AI_SERVICE_TOKEN_FILE, BA_COPILOT__DATA__DATABASE_URL, LOG_LEVEL, MCP_TOKEN, MODEL"
        ));
    }

    #[test]
    fn file_writable_by_other_users_is_refused() {
        let folder = folder("MODEL=file\n");
        let path = folder.path().join(DOTENV);
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false), (0o602, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let environment = Environment::default().with_dotenv(folder.path());
            assert_eq!(environment.problem().is_none(), trusted, "{mode:o}");
            assert_eq!(environment.get("MODEL").is_some(), trusted, "{mode:o}");
            assert_eq!(Environment::from_file(&path).is_ok(), trusted, "{mode:o}");
        }
        let problem = Environment::from_file(&path).unwrap_err().to_string();
        assert!(problem.contains("chmod go-w"), "{problem}");
    }

    #[test]
    fn only_regular_files_are_read() {
        for make in [
            |path: &Path| fs::create_dir(path),
            |path: &Path| Ok(rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::from(0o600))?),
            |path: &Path| symlink("/dev/zero", path),
        ] {
            let folder = tempfile::tempdir().unwrap();
            make(&folder.path().join(DOTENV)).unwrap();
            let problem = Environment::default().with_dotenv(folder.path()).problem().cloned();
            assert!(matches!(problem, Some(ConfigError::Untrusted { .. })), "{problem:?}");
        }
        let broken = folder("MODEL=one two\n");
        let problem = Environment::default().with_dotenv(broken.path()).problem().cloned().unwrap();
        assert!(
            matches!(problem, ConfigError::Variables { .. }) && !problem.to_string().contains("two"),
            "{problem}"
        );
        // A parent folder is not searched.
        let above = folder("MODEL=file\n");
        let below = above.path().join("below");
        fs::create_dir(&below).unwrap();
        let environment = Environment::default().with_dotenv(&below);
        assert_eq!((values(&environment), environment.problem()), (Vec::new(), None));
    }
}
