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
    dotenv::{self, Assigned, Mistake},
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
    /// The environment file and the variables that only it sets, with their lines.
    file: Option<PathBuf>,
    from_file: BTreeMap<String, usize>,
    /// Why a variable or the environment file cannot be used.
    problems: Vec<ConfigError>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// The variables of the process. A setting that is not UTF-8 is a problem; other such variables are left out.
    pub fn from_process() -> Self {
        let mut environment = Environment::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    environment.variables.insert(name, value);
                }
                Err(_) if setting_of(&name).is_some() => {
                    let problem = "its value is not UTF-8 text".to_owned();
                    environment.problems.push(ConfigError::Variable { name, problem });
                }
                Err(_) => (),
            }
        }
        environment
    }

    /// Adds the settings of `.env` in `folder` that the variables of the process do not set. An untrusted file is a
    /// configuration error and not ignored, because the server would start with other settings than the operator
    /// expects.
    #[must_use]
    pub fn with_dotenv(mut self, folder: &Path) -> Self {
        let path = folder.join(DOTENV);
        match read_dotenv(&path, &|name| self.get(name).map(str::to_owned)) {
            Ok(None) => (),
            Ok(Some(variables)) => {
                let own: BTreeSet<String> =
                    self.variables.keys().filter_map(|name| setting_of(name)).collect();
                let added = variables.into_iter().filter(|(name, found)| {
                    !found.value.is_empty() && setting_of(name).is_some_and(|setting| !own.contains(&setting))
                });
                for (name, found) in added {
                    self.from_file.insert(name.clone(), found.line);
                    self.variables.insert(name, found.value);
                }
                self.file = Some(path);
            }
            Err(problems) => self.problems.extend(problems),
        }
        self
    }

    /// The variables of an environment file; of the process only PATH and HOME, to find programs. References in the
    /// file are to its own variables, so that its meaning does not depend on the caller.
    ///
    /// # Errors
    /// If the file cannot be read, other users can write to it, or a line cannot be read: all such lines.
    pub fn from_file(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let file = File::open(path).map_err(|error| vec![unreadable(path, &error)])?;
        let found = file.metadata().map_err(|error| vec![unreadable(path, &error)])?;
        only_writable_by_owner(path, &found).map_err(|problem| vec![problem])?;
        let mut read = parse(path, file, &|_| None)?;
        read.retain(|_, found| !found.value.is_empty());
        let from_file = read.iter().map(|(name, found)| (name.clone(), found.line)).collect();
        let mut variables: BTreeMap<String, String> =
            read.into_iter().map(|(name, found)| (name, found.value)).collect();
        for name in ["PATH", "HOME"] {
            #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
            let here = std::env::var(name);
            if let (Ok(value), false) = (here, variables.contains_key(name)) {
                variables.insert(name.to_owned(), value);
            }
        }
        Ok(Environment { variables, file: Some(path.to_owned()), from_file, problems: Vec::new() })
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

    pub(super) fn problems(&self) -> &[ConfigError] {
        &self.problems
    }

    /// A message with the path of the environment file and the names of its variables; `None` if none is used.
    pub fn notice(&self) -> Option<String> {
        let file = self.file.as_ref().filter(|_| !self.from_file.is_empty())?;
        let names: Vec<&str> = self.from_file.keys().map(String::as_str).collect();
        Some(format!("Settings are read from {}: {}", file.display(), names.join(", ")))
    }

    /// Empty variables count as not set, because compose files set unset variables to an empty value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
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
        let file = self.file.clone().zip(self.from_file.get(&name).copied());
        Origin::Variable { name, file }
    }

    /// The value of `NAME`, or else the content of the file in `NAME_FILE`.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, ConfigError> {
        if let Some(value) = self.get(name) {
            return Ok(Some(value.to_owned()));
        }
        let Some(path) = self.get(&format!("{name}_FILE")) else { return Ok(None) };
        let text = fs::read_to_string(path).map_err(|error| ConfigError::File {
            path: format!("{path} (named by {name}_FILE)"),
            problem: error.to_string(),
        })?;
        // Editors on Windows write a byte order mark.
        let value = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
        match value.trim().is_empty() {
            true => Err(ConfigError::Variable {
                name: format!("{name}_FILE"),
                problem: format!("the file {path} is empty; write the value into it, or remove the variable"),
            }),
            false => Ok(Some(value.to_owned())),
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
fn read_dotenv(
    path: &Path,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<BTreeMap<String, Assigned>>, Vec<ConfigError>> {
    match open_dotenv(path) {
        Ok(None) => Ok(None),
        Ok(Some(file)) => parse(path, file, outside).map(Some),
        Err(problem) => Err(vec![problem]),
    }
}

fn open_dotenv(path: &Path) -> Result<Option<File>, ConfigError> {
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
    Ok(Some(file))
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

fn parse(
    path: &Path,
    file: File,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, Assigned>, Vec<ConfigError>> {
    let mut text = Vec::new();
    let read = file.take(MAX_DOTENV_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| vec![unreadable(path, &error)])?;
    if text.len() as u64 > MAX_DOTENV_BYTES {
        return Err(vec![untrusted(path, "it is larger than 1 MB, the limit for environment files")]);
    }
    dotenv::read(&text, outside).map_err(|mistakes| {
        let of_line = |mistake: Mistake| ConfigError::Variables {
            path: path.display().to_string(),
            line: mistake.line,
            problem: mistake.problem,
        };
        mistakes.into_iter().map(of_line).collect()
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::File { path: path.display().to_string(), problem: error.to_string() }
}

fn untrusted(path: &Path, problem: &str) -> ConfigError {
    ConfigError::Untrusted { path: path.display().to_string(), problem: problem.to_owned() }
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
            assert_eq!(environment.problems().is_empty(), trusted, "{mode:o}");
            assert_eq!(environment.get("MODEL").is_some(), trusted, "{mode:o}");
            assert_eq!(Environment::from_file(&path).is_ok(), trusted, "{mode:o}");
        }
        let problems = Environment::from_file(&path).unwrap_err();
        assert!(problems[0].to_string().contains("chmod go-w"), "{problems:?}");
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
            let environment = Environment::default().with_dotenv(folder.path());
            let problems = environment.problems();
            assert!(matches!(problems, [ConfigError::Untrusted { .. }]), "{problems:?}");
        }
        // A parent folder is not searched.
        let above = folder("MODEL=file\n");
        let below = above.path().join("below");
        fs::create_dir(&below).unwrap();
        let environment = Environment::default().with_dotenv(&below);
        assert_eq!((values(&environment), environment.problems()), (Vec::new(), &[][..]));
    }

    #[test]
    fn every_unreadable_line_is_reported_with_its_place() {
        let folder = folder("\u{feff}DATABASE_URL=sqlite:x\r\nMODEL='a\r\n\r\nSECRET_KEY=\"x$y\"\r\n");
        let path = folder.path().join(DOTENV);
        let environment = Environment::default().with_dotenv(folder.path());
        for problems in [environment.problems(), &Environment::from_file(&path).unwrap_err()] {
            let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(said.len(), 2, "{said:?}");
            assert!(said[0].starts_with(&format!("{}:2 cannot be used: ", path.display())), "{said:?}");
            assert!(said[0].contains("MODEL") && said[1].contains(":4 ") && said[1].contains("SECRET_KEY"));
        }
        assert!(values(&environment).is_empty());
    }

    #[test]
    fn value_file_must_have_a_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value").display().to_string();
        let environment = Environment::from_pairs([("SECRET_KEY_FILE", path.as_str())]);
        for (text, expected) in [
            ("s\n", Some("s")),
            ("\u{feff}s\r\n", Some("s")),
            (" a b ", Some(" a b ")),
            ("", None),
            ("\n \n", None),
        ] {
            fs::write(&path, text).unwrap();
            let read = environment.read("SECRET_KEY");
            match (&read, expected) {
                (Ok(value), Some(_)) => assert_eq!(value.as_deref(), expected, "{text:?}"),
                (Err(error), None) => {
                    let said = error.to_string();
                    assert!(said.contains("SECRET_KEY_FILE") && said.contains("is empty"), "{said}");
                }
                _ => panic!("{text:?}: {read:?}"),
            }
        }
    }

    /// What Compose gives for `.env.production.example`, by every reader of environment files.
    #[test]
    fn production_example_is_read_as_compose_reads_it() {
        let example = include_str!("../../../.env.production.example");
        let filled = example
            .replace("\nPOSTGRES_PASSWORD=\n", "\nPOSTGRES_PASSWORD=pg\n")
            .replace("\nREDIS_PASSWORD=\n", "\nREDIS_PASSWORD='re'\n");
        let expected = BTreeMap::from([
            ("PUBLIC_URL", "https://ba.example.com"),
            ("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:8000"),
            ("BA_COPILOT__SERVER__PROXIES", "1"),
            ("ALLOWED_HOSTS", "ba.example.com"),
            ("DATABASE_URL", "postgres://ba_copilot:pg@postgres:5432/ba_copilot"),
            ("REDIS_URL", "redis://:re@redis:6379"),
            ("BA_COPILOT__BACKUP__DIR", "/backups"),
            ("BA_COPILOT__BACKUP__EVERY_H", "24"),
            ("MAIL_FROM", "BA Copilot <ba-copilot@example.com>"),
            ("MCP_SERVER_URL", "http://mcp:3000/mcp"),
            ("BA_COPILOT__DEPLOY__TARGET", "systemd"),
            ("BA_COPILOT__DEPLOY__DIR", "/opt/ba-copilot"),
            ("LOG_LEVEL", "info"),
            ("BA_COPILOT__LOG__FORMAT", "json"),
        ]);
        let of_compose = BTreeMap::from([("POSTGRES_PASSWORD", "pg"), ("REDIS_PASSWORD", "re")]);
        for text in [filled.clone(), filled.replace('\n', "\r\n"), format!("\u{feff}{filled}")] {
            let folder = folder(&text);
            let development = Environment::default().with_dotenv(folder.path());
            assert_eq!(development.problems(), []);
            assert_eq!(development.pairs().collect::<BTreeMap<_, _>>(), expected);
            let deployed = Environment::from_file(&folder.path().join(DOTENV)).unwrap();
            let mut pairs: BTreeMap<_, _> = deployed.pairs().collect();
            pairs.retain(|name, _| !["PATH", "HOME"].contains(name));
            assert_eq!(pairs, expected.iter().chain(&of_compose).map(|(a, b)| (*a, *b)).collect());
            // As the containers of a deployment get it.
            let written: String =
                pairs.iter().map(|(name, value)| format!("{name}={}\n", dotenv::quoted(value))).collect();
            let read = dotenv::read(written.as_bytes(), &|_| None).unwrap();
            assert_eq!(
                read.iter()
                    .map(|(name, found)| (name.as_str(), found.value.as_str()))
                    .collect::<BTreeMap<_, _>>(),
                pairs
            );
        }
    }
}
