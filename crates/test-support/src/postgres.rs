//! A PostgreSQL server for one test, which can be stopped and restarted: it has a folder and a port of its own.
//!
//! `cargo xtask test` starts a shared server; this one is for tests that would disturb other tests.

#![expect(clippy::expect_used, reason = "a failed test panics")]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{skip, wait_for};

/// PostgreSQL refuses to run as root: it runs as the user of Debian's package, or as `nobody`.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// The process is ended by its own id.
pub struct Postgres {
    server: Child,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server; `None`, counted as a skip, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Option<Postgres> {
        Postgres::start_prepared(|_| ())
    }

    /// The same; `prepare` gets the data folder before the server starts. What it creates there is made the server's.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_prepared(prepare: impl FnOnce(&Path)) -> Option<Postgres> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Some(programs) = programs() else {
            skip("PostgreSQL 15 or newer is not installed");
            return None;
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ba-copilot-pg-{}-{count}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        let own = || {
            if let Some(user) = unprivileged() {
                run(Command::new("chown").arg("-R").arg(user).arg(&folder));
            }
        };
        own();
        let data = folder.join("data");
        run(as_user(&programs.join("initdb"), true)
            .args(["--username=tests", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(&folder));
        prepare(&data);
        own();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let server = spawn(&programs, &folder, port);
        let mut postgres = Postgres { server, programs, folder, port };
        postgres.wait_until_ready();
        Some(postgres)
    }

    /// `host:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("postgres://tests@{}/postgres", self.address())
    }

    /// A fast shutdown: clients are disconnected, and committed data is kept.
    ///
    /// # Panics
    /// If it fails.
    pub fn stop_fast(&mut self) {
        self.signal("-INT");
        assert!(self.server.wait().expect("an end").success(), "the server failed");
    }

    /// Restarts the server with the same port and data.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        self.server = spawn(&self.programs, &self.folder, self.port);
        self.wait_until_ready();
    }

    fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([name, &self.server.id().to_string()]).status();
    }

    fn wait_until_ready(&mut self) {
        let log = self.folder.join("log");
        wait_for("an answer of PostgreSQL", || {
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(self.server.try_wait().expect("a state").is_none(), "it exited: {}", log());
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.args([
                "-q",
                "-h",
                "127.0.0.1",
                "-U",
                "tests",
                "-d",
                "postgres",
                "-p",
                &self.port.to_string(),
            ]);
            asked.status().expect("pg_isready starts").success()
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediate shutdown without a checkpoint; the folder is deleted.
        self.signal("-QUIT");
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(programs: &Path, folder: &Path, port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log");
    as_user(&programs.join("postgres"), true)
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", "", "-c", "fsync=off"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres starts")
}

/// The folder of `initdb` and `postgres`: the newest version in Debian's location, or on the path.
pub fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    if let Ok(output) = Command::new("sh").args(["-c", "command -v initdb"]).output() {
        let found = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        folders.extend(found.parent().map(Path::to_owned));
    }
    folders.into_iter().find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The user that replaces root.
pub fn unprivileged() -> Option<&'static str> {
    let root = output_of("id", &["-u"]).as_deref() == Some("0");
    USERS.into_iter().find(|user| root && output_of("id", &[user]).is_some())
}

/// A program that runs as that user and, on request, ends with the thread that starts it.
///
/// # Panics
/// If the user has no group.
pub fn as_user(program: &Path, end_with_thread: bool) -> Command {
    let Some(user) = unprivileged() else { return Command::new(program) };
    let group = output_of("id", &["-g", user]).expect("a group");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", &group, "--clear-groups"]);
    if end_with_thread {
        command.args(["--pdeathsig", "QUIT"]);
    }
    command.arg(program);
    command
}

/// Runs a command that must succeed.
///
/// # Panics
/// If it fails.
pub fn run(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
