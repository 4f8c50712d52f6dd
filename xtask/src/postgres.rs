//! A PostgreSQL server for the tests, in a folder and on a port of its own, removed when they end.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{has, tools::which};

/// The oldest version that is supported.
const OLDEST: u32 = 15;
/// A server refuses to run as root, so that it runs as the user that Debian's package makes, or as `nobody`.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// How long it may take to answer.
const START: Duration = Duration::from_secs(60);

/// A running server; ended with its folder when dropped.
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    /// Where it is reached: a user who may make databases.
    pub(crate) url: String,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT: at once, without writing anything; the folder is removed anyway.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where `initdb` and `postgres` are: on the path, or where Debian keeps them.
pub(crate) fn programs() -> Option<PathBuf> {
    let on_path = which(Path::new("initdb")).and_then(|program| program.parent().map(Path::to_owned));
    let mut folders: Vec<PathBuf> = on_path.into_iter().collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> =
            versions.flatten().map(|version| version.path().join("bin")).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders.into_iter().find(|folder| {
        folder.join("initdb").is_file()
            && version(&folder.join("postgres")).is_some_and(|found| found >= OLDEST)
    })
}

fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    // "postgres (PostgreSQL) 15.18 (Debian …)"
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// Starts one.
pub(crate) fn start() -> Result<Postgres, String> {
    let programs = programs().ok_or_else(|| format!("PostgreSQL {OLDEST} or newer is not installed"))?;
    let folder = std::env::temp_dir().join(format!("ba-copilot-postgres-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let user = unprivileged();
    if let Some(user) = user {
        run(Command::new("chown").arg(user).arg(&folder))?;
    }
    let data = folder.join("data");
    let mut initdb = as_user(user, &programs.join("initdb"));
    initdb
        .args(["--username=tests", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
        .arg(&data);
    run(&mut initdb)?;
    // Free a moment ago; if another process takes it meanwhile, the start fails with an error.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| error.to_string())?
        .port();
    let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let server = as_user(user, &programs.join("postgres"))
        .arg("-D")
        .arg(&data)
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""])
        // No test kills this server, so that its data need not survive a crash.
        .args(["-c", "fsync=off", "-c", "max_connections=300"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("postgres could not be started: {error}"))?;
    let mut started = Postgres { server, folder, url: format!("postgres://tests@127.0.0.1:{port}/postgres") };
    let since = Instant::now();
    loop {
        // In English, because the cluster was made without a locale; a program to ask is not everywhere.
        let log = fs::read_to_string(started.folder.join("log")).unwrap_or_default();
        if let Ok(Some(status)) = started.server.try_wait() {
            return Err(format!("postgres ended ({status}): {}", log.lines().last().unwrap_or_default()));
        }
        if log.contains("ready to accept connections") {
            return Ok(started);
        }
        if since.elapsed() > START {
            return Err("postgres did not answer within a minute".to_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The user to run as instead of root.
fn unprivileged() -> Option<&'static str> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let known =
        |user: &&&str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
    if root { USERS.iter().find(known).copied() } else { None }
}

/// Runs a program as that user; it ends with this process where `setpriv` is installed.
fn as_user(user: Option<&str>, program: &Path) -> Command {
    if !has("setpriv") {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        let group = Command::new("id").args(["-g", user]).output();
        let group =
            group.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        command.args(["--reuid", user, "--regid", &group, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program);
    command
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program} could not be started: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("{program} failed: {}", errors.lines().last().unwrap_or_default()))
        }
    }
}
