//! The guide to installation, upgrade, rollback and restore, run from the first command to the last: unchanged on a
//! machine with systemd where one can be started, and always in an empty folder.
//!
//! The run in an empty folder differs from a real machine in two ways: system folders are folders of the test, and
//! `deploy` itself starts the processes. The system commands of the guide are recorded and checked.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::{
    acknowledged_writes::Call,
    process::BINARY,
    systemd_machine::{Booted, Network},
};

const PAGE: &str = include_str!("../../../../docs/install.md");

/// The commands of a page, in order.
fn commands(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

/// Creates the archives of the versions in the guide, as downloads.
fn download(folder: &Path) {
    for version in ["0.1.0", "0.2.0"] {
        pack(folder, version);
    }
    let sums = "sha256sum *.tar.gz > SHA256SUMS";
    assert!(Command::new("sh").args(["-c", sums]).current_dir(folder).status().expect("sums").success());
}

/// Checks the output of the commands of the guide.
fn check(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(out.matches("Deployed: ").count(), 4, "{out}");
    assert!(out.contains("/set-up"), "no link: {out}");
    assert!(out.contains("verified by a test restore"), "{out}");
    assert!(err.contains("Restored."), "{err}");
}

/// Stops the processes in the slots on drop.
struct Slots<'a>(&'a Path);

impl Drop for Slots<'_> {
    fn drop(&mut self) {
        for slot in ["blue", "green"] {
            if let Ok(pid) = fs::read_to_string(self.0.join("slots").join(slot).join("pid")) {
                let _ =
                    Command::new("kill").args(["-KILL", pid.split(' ').next().unwrap_or_default()]).status();
            }
        }
    }
}

/// An archive as `cargo xtask dist` creates it, with a modified program.
fn pack(folder: &Path, version: &str) {
    let name = format!("ba-copilot-{version}-x86_64-linux");
    let stage = folder.join(&name);
    fs::create_dir_all(stage.join("infra/systemd")).expect("a folder");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in ["infra/systemd/ba-copilot@.service", ".env.production.example"] {
        fs::copy(repository.join(file), stage.join(file)).expect("a copy");
    }
    let mut program = fs::read(BINARY).expect("the program");
    program.extend_from_slice(version.as_bytes());
    fs::write(stage.join("ba-copilot"), program).expect("written");
    fs::set_permissions(stage.join("ba-copilot"), fs::Permissions::from_mode(0o755)).expect("set");
    let archive = format!("{name}.tar.gz");
    let tar = ["--use-compress-program=gzip -1", "--create", "--file", &archive, "--remove-files", &name];
    assert!(Command::new("tar").args(tar).current_dir(folder).status().expect("tar").success());
}

#[test]
fn install_guide_commands_work_in_an_empty_folder() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    let ports: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let port = |number: usize| ports[number].local_addr().expect("an address").to_string();
    let (front, blue, green) = (port(0), port(1), port(2));
    drop(ports);
    download(folder.path());
    // System commands are only recorded.
    let asked = place("asked");
    fs::create_dir(folder.path().join("bin")).expect("a folder");
    for name in ["useradd", "systemctl"] {
        let shim = folder.path().join("bin").join(name);
        fs::write(&shim, format!("#!/bin/sh\necho {name} \"$@\" >> '{asked}'\n")).expect("written");
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).expect("set");
    }
    fs::create_dir(folder.path().join("units")).expect("a folder");

    let deploy = format!(
        "BA_COPILOT__DEPLOY__TARGET=processes\nBA_COPILOT__DEPLOY__BLUE={blue}\n\
         BA_COPILOT__DEPLOY__GREEN={green}\nBA_COPILOT__DEPLOY__OBSERVE_S=1"
    );
    let mut script = commands(PAGE);
    for (theirs, ours) in [
        ("BA_COPILOT__DEPLOY__TARGET=systemd", deploy.as_str()),
        ("-o ba-copilot -g ba-copilot ", ""),
        ("/opt/ba-copilot", &place("opt")),
        ("/var/lib/ba-copilot", &place("lib")),
        ("/var/backups/ba-copilot", &place("backups")),
        ("/etc/ba-copilot", &place("etc")),
        ("/etc/systemd/system/", &place("units/")),
        ("127.0.0.1:8000", &front),
    ] {
        assert!(script.contains(theirs), "the guide no longer contains {theirs}");
        script = script.replace(theirs, ours);
    }
    assert_eq!(script.matches("deploy --env").count(), 11, "the number of commands in the guide has changed");
    let opt = folder.path().join("opt");
    let _slots = Slots(&opt);
    let output = Command::new("sh")
        .args(["-eux", "-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", place("bin")))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    check(&output);
    let asked = fs::read_to_string(asked).expect("the recorded commands");
    assert!(asked.contains("useradd --system") && asked.contains("systemctl daemon-reload"), "{asked}");
    assert!(folder.path().join("units/ba-copilot@.service").is_file());
    let health = Call::get("/health").send(&front, "").expect("health").json;
    assert_eq!(health["status"], "healthy", "{health}");
}

#[test]
fn install_guide_works_on_a_machine_with_systemd() {
    let folder = TempDir::new().expect("a folder");
    // In a separate network namespace it has the ports of the guide.
    let Some(booted) = Booted::start(Network::Alone, &[folder.path()]) else { return };
    download(folder.path());
    let script = commands(PAGE);
    let here = folder.path().display().to_string();
    check(&booted.command(&here, ["sh", "-eux", "-c", &script]).output().expect("it runs"));
    assert_eq!(booted.output_of(&["systemctl", "is-active", "ba-copilot@blue"]), "active");
    assert_eq!(booted.output_of(&["systemctl", "is-enabled", "ba-copilot@blue"]), "enabled");
    // The service is sandboxed: systemd rates the exposure from 0, the lowest, to 10.
    let judged =
        booted.output_of(&["systemd-analyze", "security", "--no-pager", "--threshold=15", "ba-copilot@blue"]);
    assert!(judged.contains("Overall exposure level for ba-copilot@blue.service: 1."), "{judged}");
}
