//! A machine with systemd as its first process: a container with the programs of the machine that the tests run on.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{fs::symlink, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use test_support::skip;

use crate::acknowledged_writes::wait_for;

const CONTAINER: &str = "systemd-nspawn";
/// The time limit for its start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The search path of programs in the container.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// A separate network without other machines.
    Alone,
    /// The network of the host.
    Shared,
}

/// A running machine; it leaves nothing behind.
pub(crate) struct Booted {
    container: Option<Child>,
    /// The id of its first process on the host.
    first: String,
    notifications: UnixDatagram,
    /// Reads its notifications after the start, until the other half of the pair is dropped.
    reader: Option<(Arc<()>, JoinHandle<()>)>,
    network: Network,
    with: Vec<PathBuf>,
    folder: TempDir,
}

impl Drop for Booted {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        // The container ends after its first process.
        let _ = Command::new("kill").args(["-KILL", &self.first]).stderr(Stdio::null()).status();
        let begun = Instant::now();
        while !self.first.is_empty() && !self.has_ended() && begun.elapsed() < START_LIMIT {
            thread::sleep(Duration::from_millis(10));
        }
        if let Some(mut container) = self.container.take() {
            let _ = container.kill();
            let _ = container.wait();
        }
    }
}

impl Booted {
    /// Starts a machine with these folders and files of the host; `None`, counted as a skip, where this is not
    /// possible.
    pub(crate) fn start(network: Network, with: &[&Path]) -> Option<Booted> {
        let folder = TempDir::new().expect("a folder");
        let with = with.iter().map(|path| (*path).to_owned()).collect();
        let socket = folder.path().join("told");
        let notifications = UnixDatagram::bind(&socket).expect("a socket");
        notifications.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        let mut booted = Booted {
            container: None,
            first: String::new(),
            notifications,
            reader: None,
            network,
            with,
            folder,
        };
        let started = create_root(&booted.path("/")).and_then(|()| booted.boot());
        if let Err(problem) = started {
            skip(format!(
                "no machine with systemd can be started (needs root and systemd-container): {problem}"
            ));
            return None;
        }
        Some(booted)
    }

    fn boot(&mut self) -> Result<(), String> {
        if let Some((wanted, reader)) = self.reader.take() {
            drop(wanted);
            reader.join().expect("no panic");
        }
        let place = |name: &str| self.folder.path().join(name);
        let errors = fs::File::create(place("errors")).expect("a file");
        // A name that no running machine has.
        let name = self.folder.path().file_name().unwrap_or_default().to_string_lossy().replace('.', "");
        let container = Command::new(CONTAINER)
            .args(["--register=no", "--keep-unit", "--notify-ready=yes", "--boot", "--console=pipe"])
            .args([&format!("--machine=ba-copilot-{name}"), "--bind-ro=/usr"])
            .arg(format!("--directory={}", place("root").display()))
            .args(self.with.iter().map(|path| format!("--bind={}", path.display())))
            .args((self.network == Network::Alone).then_some("--private-network"))
            .env("NOTIFY_SOCKET", place("told"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        self.container = Some(container.map_err(|error| format!("{CONTAINER}: {error}"))?);
        self.wait_until_up()
    }

    fn has_ended(&mut self) -> bool {
        self.container.as_mut().is_none_or(|container| !matches!(container.try_wait(), Ok(None)))
    }

    /// Waits until it reports that the start is complete.
    fn wait_until_up(&mut self) -> Result<(), String> {
        let (begun, mut message) = (Instant::now(), [0; 4096]);
        loop {
            let length = self.notifications.recv(&mut message).unwrap_or_default();
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if let Some(first) = text.lines().find_map(|line| line.strip_prefix("X_NSPAWN_LEADER_PID=")) {
                first.clone_into(&mut self.first);
            }
            if text.lines().any(|line| line == "READY=1") {
                self.read_notifications();
                return Ok(());
            }
            if begun.elapsed() > START_LIMIT || self.has_ended() {
                let said = fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
                return Err(format!("it does not start: {}", said.trim()));
            }
        }
    }

    /// Reads its later notifications: the first process blocks until they are read.
    fn read_notifications(&mut self) {
        let (notifications, wanted) = (self.notifications.try_clone().expect("a socket"), Arc::new(()));
        let still = Arc::downgrade(&wanted);
        let reader = thread::spawn(move || {
            while still.strong_count() > 0 {
                // A timeout of the socket is not an error.
                let _ = notifications.recv(&mut [0; 4096]);
            }
        });
        self.reader = Some((wanted, reader));
    }

    /// The path on the host of a path in the machine.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("root").join(inside.trim_start_matches('/'))
    }

    /// A command that runs in the machine.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        folder: &str,
        words: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first, "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root"]);
        command.args((self.network == Network::Alone).then_some("--net"));
        command
            .args(["env", "--ignore-environment", &format!("--chdir={folder}"), PATH, "HOME=/root"])
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// The output of a command in the machine, which must succeed.
    pub(crate) fn output_of(&self, words: &[&str]) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let ask = || self.command("/", words).output().expect("nsenter");
        let mut output = ask();
        // systemd occasionally closes a connection before it answers.
        for _ in 0..5 {
            if !text(&output.stderr).contains("Transport endpoint is not connected") {
                break;
            }
            output = ask();
        }
        assert!(output.status.success(), "{words:?}: {} {}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Shuts the machine down and starts it again.
    pub(crate) fn reboot(&mut self) {
        self.output_of(&["systemctl", "poweroff"]);
        wait_for("the shutdown", || self.has_ended());
        self.boot().unwrap_or_else(|problem| panic!("{problem}"));
    }
}

/// Creates the root folder of a newly installed machine.
fn create_root(root: &Path) -> Result<(), String> {
    for folder in ["dev", "etc/systemd/system", "opt", "proc", "root", "run", "sys", "tmp", "usr", "var/lib"]
    {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.join(name)).expect("a link");
    }
    let etc = root.join("etc");
    for (name, text) in [
        ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("group", "root:x:0:\n"),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
        ("hosts", "127.0.0.1 localhost\n"),
        // Empty, so that this is not a first boot, which would enable all installed units.
        ("machine-id", ""),
    ] {
        fs::write(etc.join(name), text).expect("written");
    }
    for name in ["login.defs", "os-release", "pam.d", "security"] {
        let copied =
            Command::new("cp").args(["-rL", &format!("/etc/{name}")]).arg(&etc).output().expect("cp");
        if !copied.status.success() {
            return Err(String::from_utf8_lossy(&copied.stderr).trim().to_owned());
        }
    }
    let units = etc.join("systemd/system");
    symlink("/usr/lib/systemd/system/multi-user.target", units.join("default.target")).expect("a link");
    // No user signs in.
    for unit in ["systemd-logind.service", "dbus.service", "dbus.socket", "getty.target"] {
        symlink("/dev/null", units.join(unit)).expect("a link");
    }
    Ok(())
}
