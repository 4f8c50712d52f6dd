//! `deploy` under load, with real processes: a switch between versions loses no request, a faulty version never
//! serves, and a switch by killing the old version fails the same checks.
//!
//! Runs alone.

mod systemd;

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    acknowledged_writes::{Call, wait_for},
    cli::{Ran, run_in},
    constant_load::{Crowd, LISTENERS},
    postgres::Postgres,
    process::BINARY,
    systemd_machine::{Booted, Network},
};

/// A machine with a deployment folder; the processes in its slots end with it.
struct Machine {
    folder: TempDir,
    front: String,
    /// Set where versions run as units of systemd instead of processes of this machine.
    booted: Option<Booted>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        for slot in ["blue", "green"] {
            let Ok(text) = fs::read_to_string(self.path("deployed/slots").join(slot).join("pid")) else {
                continue;
            };
            let id = text.split(' ').next().unwrap_or_default().to_owned();
            let _ = Command::new("kill").args(["-KILL", &id]).status();
        }
    }
}

impl Machine {
    /// A machine on which versions are processes.
    fn new(more: &[(&str, &str)]) -> Machine {
        let folder = TempDir::new().expect("a folder");
        let place = |name: &str| folder.path().join(name).display().to_string();
        let (deployed, data) = (place("deployed"), place("data"));
        let settings = [
            ("BA_COPILOT__DEPLOY__TARGET", "processes"),
            ("BA_COPILOT__DEPLOY__DIR", &deployed),
            ("BA_COPILOT__DATA__DIR", &data),
        ];
        Machine::with(folder, None, &[&settings, more].concat())
    }

    /// A machine on which versions are units of systemd.
    fn with_systemd() -> Option<Machine> {
        let folder = TempDir::new().expect("a folder");
        let booted = Booted::start(Network::Shared, &[folder.path()])?;
        systemd::install(&booted);
        let settings = [
            ("BA_COPILOT__DEPLOY__TARGET", "systemd"),
            ("BA_COPILOT__DEPLOY__DIR", "/opt/ba-copilot"),
            ("BA_COPILOT__DATA__DIR", "/var/lib/ba-copilot"),
        ];
        Some(Machine::with(folder, Some(booted), &settings))
    }

    fn with(folder: TempDir, booted: Option<Booted>, more: &[(&str, &str)]) -> Machine {
        let ports: Vec<TcpListener> =
            (0..3).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let address = |number: usize| ports[number].local_addr().expect("an address").to_string();
        let (front, blue, green) = (address(0), address(1), address(2));
        let mut settings = vec![
            ("BA_COPILOT__DEPLOY__BLUE", blue.as_str()),
            ("BA_COPILOT__DEPLOY__GREEN", &green),
            ("BA_COPILOT__DEPLOY__OBSERVE_S", "1"),
            ("BA_COPILOT__DEPLOY__READY_S", "60"),
            ("BA_COPILOT__SERVER__LISTEN", &front),
            ("BA_COPILOT__SERVER__DRAIN_S", "1"),
            ("BA_COPILOT__CHECK__THREADS", "1"),
            ("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", "1000000"),
            ("BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE", "1000000"),
            ("BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "1000000"),
        ];
        settings.extend(more);
        let text: String = settings.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
        let machine = Machine { folder, front, booted };
        machine.settings(&text);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, text: &str) {
        let file = self.path(".env.staging");
        let mut file =
            fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    /// Another version: the same program with an unused byte appended.
    fn version(&self, name: &str) -> String {
        let path = self.path(name);
        fs::copy(BINARY, &path).expect("a copy");
        let mut file = fs::OpenOptions::new().append(true).open(&path).expect("a file");
        file.write_all(name.as_bytes()).expect("written");
        path.display().to_string()
    }

    /// A version with a different behavior of `serve`.
    fn bad_version(&self, name: &str, serve: &str) -> String {
        let path = self.path(name);
        let program = self.program();
        let script =
            format!("#!/bin/sh\ncase \"$1\" in\n  serve) {serve} ;;\n  *) exec {program} \"$@\" ;;\nesac\n");
        fs::write(&path, script).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        path.display().to_string()
    }

    /// The path of the program for the user that runs versions.
    fn program(&self) -> &'static str {
        if self.booted.is_some() { systemd::PROGRAM } else { BINARY }
    }

    fn deploy(&self, arguments: &[&str]) -> Ran {
        let arguments = [&["deploy", "--env", "staging"], arguments].concat();
        let Some(booted) = &self.booted else {
            let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display());
            return run_in(self.folder.path(), &arguments, b"", &[("PATH", &path)]);
        };
        let words = [&[self.program()], arguments.as_slice()].concat();
        let output =
            booted.command(&self.folder.path().display().to_string(), words).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran {
            code: output.status.code().expect("a code"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    fn deployed(&self, arguments: &[&str]) -> String {
        let ran = self.deploy(arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    }

    /// The response of /health at the front.
    fn health(&self) -> Value {
        Call::get("/health").send(&self.front, "").expect("health").json
    }

    fn release(&self) -> String {
        self.health()["release"].as_str().expect("a release").to_owned()
    }

    /// The number of slots with a running process.
    fn serving(&self) -> usize {
        let runs = |slot: &&&str| match &self.booted {
            None => process_of(&self.path("deployed/slots").join(slot)).is_some(),
            Some(booted) => systemd::runs(booted, slot),
        };
        ["blue", "green"].iter().filter(runs).count()
    }
}

/// The id of the process in a slot.
fn process_of(slot: &Path) -> Option<String> {
    let id = fs::read_to_string(slot.join("pid")).ok()?.split(' ').next()?.to_owned();
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    (!stat.contains(") Z ")).then_some(id)
}

/// The number of responses between two events.
const BETWEEN: usize = 150;

fn three_swaps_and_two_bad_versions(machine: &Machine) {
    let (one, two, three) = (machine.version("one"), machine.version("two"), machine.version("three"));
    let out = machine.deployed(&["--program", &one]);
    assert!(out.contains("Back up: skipped, there is no data yet"), "{out}");
    let first = machine.release();
    let crowd = Crowd::start(&machine.front, "");
    crowd.wait_for_more(BETWEEN);
    let go_on = |what: &str| {
        crowd.wait_for_more(BETWEEN);
        assert_eq!(crowd.failures(), Vec::<String>::new(), "{what}");
        assert_eq!(machine.serving(), 1, "{what}");
    };

    // Three switches: forward, forward, and rollback.
    let out = machine.deployed(&["--program", &two]);
    assert!(out.contains("verified by a test restore"), "no backup: {out}");
    let second = machine.release();
    go_on("the first switch");
    machine.deployed(&["--program", &three]);
    let third = machine.release();
    go_on("the second switch");
    machine.deployed(&["--rollback"]);
    assert_eq!(machine.release(), second);
    go_on("the third switch");
    assert_eq!([&first, &second, &third].iter().collect::<std::collections::BTreeSet<_>>().len(), 3);

    wait_for("every stream to reconnect after each switch", || crowd.reopened() >= 3 * LISTENERS);

    // Faulty versions, which must not serve.
    let never_ready = machine.bad_version("never-ready", "exec sleep 600");
    let ends = machine.bad_version("ends", "echo it cannot go on >&2; exit 3");
    let fails = machine.bad_version(
        "fails",
        &format!("BA_COPILOT__SERVER__MAX_BODY_BYTES=10 exec {} serve", machine.program()),
    );
    machine.settings("BA_COPILOT__DEPLOY__READY_S=3\n");
    for (program, why) in [
        (never_ready, ["was not ready after 3 s", "Start"]),
        (ends, ["The new version exited. Recent log:", "\n  it cannot go on"]),
        (fails, ["failed verification", "Verify"]),
    ] {
        let ran = machine.deploy(&["--program", &program]);
        assert_eq!(ran.code, 1, "{program}: {}{}", ran.out, ran.err);
        assert!(why.iter().all(|why| ran.err.contains(why)), "{program}: {}", ran.err);
        assert!(ran.err.contains(&format!("{second} still serves in slot")), "{program}: {}", ran.err);
        assert_eq!(machine.release(), second, "{program}");
        go_on(&program);
    }
    crowd.end();
    assert_eq!(crowd.failures(), Vec::<String>::new());
    crowd.compare();
}

#[test]
fn deployment_loses_nothing_on_sqlite() {
    three_swaps_and_two_bad_versions(&Machine::new(&[]));
}

#[test]
fn deployment_loses_nothing_on_postgres() {
    let Some(postgres) = Postgres::start() else { return };
    three_swaps_and_two_bad_versions(&Machine::new(&[("DATABASE_URL", &postgres.url())]));
}

#[test]
fn deployment_by_killing_is_detected() {
    let machine = Machine::new(&[]);
    machine.deployed(&["--program", &machine.version("one")]);
    let crowd = Crowd::start(&machine.front, "");
    crowd.wait_for_more(BETWEEN);
    let slot = machine.path("deployed/slots/blue");
    let id = process_of(&slot).expect("a process");
    assert!(Command::new("kill").args(["-KILL", &id]).status().expect("kill").success());
    wait_for("the end of the process", || process_of(&slot).is_none());
    machine.deployed(&["--program", &machine.version("two")]);
    wait_for("failures", || !crowd.failures().is_empty());
    crowd.end();
    let failures = crowd.failures();
    assert!(failures.iter().any(|failure| failure.starts_with("client")), "{failures:?}");
    assert!(failures.iter().any(|failure| failure.starts_with("listener")), "{failures:?}");
}

#[test]
fn interrupted_deployment_leaves_a_serving_version() {
    let machine = Machine::new(&[]);
    machine.deployed(&["--program", &machine.version("one")]);
    let (first, two) = (machine.release(), machine.version("two"));
    machine.settings("BA_COPILOT__DEPLOY__OBSERVE_S=600\n");
    let crowd = Crowd::start(&machine.front, "");
    let begin = || {
        let child = Command::new(BINARY)
            .args(["deploy", "--env", "staging", "--program", &two])
            .current_dir(machine.folder.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        wait_for("the new version to serve", || {
            let kept = fs::read_to_string(machine.path("deployed/deployed.json")).unwrap_or_default();
            kept.contains("green")
        });
        crowd.wait_for_more(BETWEEN);
        child
    };
    let signal = |child: &Child, name: &str| {
        let status = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
        assert!(status.success());
    };

    // SIGTERM makes the deployment roll back.
    let child = begin();
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("was interrupted") && said.contains(&format!("{first} still serves")), "{said}");
    assert_eq!((machine.release(), machine.serving()), (first.clone(), 1));
    crowd.wait_for_more(BETWEEN);

    // After SIGKILL both versions run: the new one serves, the old one is on standby, and the next deployment cleans
    // up.
    let mut child = begin();
    signal(&child, "-KILL");
    child.wait().expect("an end");
    crowd.wait_for_more(BETWEEN);
    assert_eq!(machine.serving(), 2);
    machine.settings("BA_COPILOT__DEPLOY__OBSERVE_S=1\n");
    machine.deployed(&["--rollback"]);
    assert_eq!((machine.release(), machine.serving()), (first, 1));
    crowd.end();
    assert_eq!(crowd.failures(), Vec::<String>::new());
    crowd.compare();
}

#[test]
fn sources_are_tested_and_built_by_default() {
    let machine = Machine::new(&[]);
    // A toolchain that records its arguments, and whose builds are the program of these tests.
    let (asked, broken) = (machine.path("asked"), machine.path("broken"));
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {}\ncase \"$2\" in\n  \
         test) if [ -e {} ]; then echo 'two tests failed' >&2; exit 101; fi ;;\n  \
         dist) mkdir -p target/dist && cp {BINARY} target/dist/ba-copilot ;;\nesac\n",
        asked.display(),
        broken.display()
    );
    fs::create_dir(machine.path("bin")).expect("a folder");
    fs::write(machine.path("bin/cargo"), script).expect("written");
    fs::set_permissions(machine.path("bin/cargo"), fs::Permissions::from_mode(0o755)).expect("set");
    let check = |arguments: &[&str], asks: &str, says: &str| {
        let ran = machine.deploy(arguments);
        let asks_for = fs::read_to_string(&asked).unwrap_or_default();
        assert_eq!(asks_for.replace('\n', ", "), asks, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(format!("{}{}", ran.out, ran.err).contains(says), "{arguments:?}: {}{}", ran.out, ran.err);
        // The file may be missing.
        let _ = fs::remove_file(&asked);
        ran.code
    };
    fs::write(&broken, "").expect("written");
    assert_eq!(check(&[], "xtask test, ", "two tests failed"), 1);
    assert!(!machine.path("deployed/releases").exists() && machine.serving() == 0);
    assert_eq!(check(&["--dry-run"], "", "it runs `cargo xtask test`"), 0);
    assert_eq!(check(&["--skip-tests"], "xtask dist, ", "Test: skipped, --skip-tests"), 0);
    let first = machine.release();
    fs::remove_file(&broken).expect("removed");
    assert_eq!(check(&[], "xtask test, xtask dist, ", "`cargo xtask test` succeeded"), 0);
    assert_eq!(check(&["--skip-tests", "--skip-build"], "", "Build: skipped, --skip-build"), 0);
    assert_eq!((machine.release(), machine.serving()), (first, 1));
}

#[test]
fn deployment_that_cannot_start_changes_nothing() {
    let machine = Machine::new(&[]);
    let out = machine.deployed(&["--program", BINARY, "--dry-run"]);
    assert!(out.contains("Switch: skipped, a dry run"), "{out}");
    assert!(!machine.path("deployed").exists(), "a dry run created files");

    let ran = machine.deploy(&["--rollback"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("There is no earlier version"), "{}", ran.err);

    let ran = machine.deploy(&["--program", "/bin/true"]);
    assert!(ran.code == 1 && ran.err.contains("is not this program"), "{}{}", ran.out, ran.err);

    let file = machine.path(".env.staging");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
    let ran = machine.deploy(&["--program", BINARY]);
    assert!(ran.code == 1 && ran.err.contains("chmod 600"), "{}{}", ran.out, ran.err);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");

    // Of two concurrent deployments, one is refused.
    let lock = fs::File::create(machine.path("deployed/deploy.lock")).expect("a file");
    lock.lock().expect("locked");
    let ran = machine.deploy(&["--program", BINARY]);
    assert!(ran.code == 2 && ran.err.contains("Another deployment is running"), "{}{}", ran.out, ran.err);
    drop(lock);

    machine.settings("BA_COPILOT__DEPLOY__TARGTE=compose\n");
    let ran = machine.deploy(&["--program", BINARY]);
    assert!(ran.code == 2 && ran.err.contains("Did you mean `deploy.target`"), "{}{}", ran.out, ran.err);
    assert_eq!(machine.serving(), 0);
}
