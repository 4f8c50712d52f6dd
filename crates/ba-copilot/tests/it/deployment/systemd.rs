//! The deployment tests on a machine with systemd, whose units run the versions.

use std::{fs, path::Path};

use super::{BETWEEN, Machine, three_swaps_and_two_bad_versions};
use crate::{
    acknowledged_writes::{Call, wait_for},
    constant_load::Crowd,
    process::BINARY,
    systemd_machine::Booted,
};

/// The path of the program in the machine: units have no access to the folder for temporary files, in which tests may
/// run.
pub(super) const PROGRAM: &str = "/opt/program";

/// Installs what the first block of `docs/install.md` installs.
pub(super) fn install(booted: &Booted) {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/systemd/ba-copilot@.service");
    fs::copy(unit, booted.path("/etc/systemd/system/ba-copilot@.service")).expect("a copy");
    fs::copy(BINARY, booted.path(PROGRAM)).expect("a copy");
    for words in [
        "useradd --system --user-group --home-dir /var/lib/ba-copilot ba-copilot",
        "install -d -o ba-copilot -g ba-copilot -m 700 /var/lib/ba-copilot",
        "systemctl daemon-reload",
    ] {
        booted.output_of(&words.split(' ').collect::<Vec<_>>());
    }
}

pub(super) fn runs(booted: &Booted, slot: &str) -> bool {
    property(booted, &format!("ba-copilot@{slot}"), "MainPID") != "0"
}

/// A property of a unit, as reported by systemd.
fn property(booted: &Booted, unit: &str, name: &str) -> String {
    booted.output_of(&["systemctl", "show", "--value", "--property", name, unit])
}

#[test]
fn systemd_deployment_loses_nothing() {
    let Some(machine) = Machine::with_systemd() else { return };
    three_swaps_and_two_bad_versions(&machine);
}

#[test]
fn systemd_unit_and_machine_restart() {
    let Some(mut machine) = Machine::with_systemd() else { return };
    machine.deployed(&["--program", &machine.version("one")]);
    let out = machine.deployed(&["--program", &machine.version("two")]);
    assert!(out.contains("stopped after its last request"), "{out}");
    let (release, unit) = (machine.release(), "ba-copilot@green");
    let crowd = Crowd::start(&machine.front, "");
    crowd.wait_for_more(BETWEEN);
    crowd.end();
    assert_eq!(crowd.failures(), Vec::<String>::new());
    let booted = machine.booted.as_ref().expect("a machine");

    // The log level is changed while the unit runs, and the journal contains only lines of JSON.
    booted.output_of(&["systemctl", "reload", unit]);
    let journal = || booted.output_of(&["journalctl", "--output=cat", "--unit", unit, "_COMM=program"]);
    wait_for("the reload", || journal().contains("Reloaded the configuration"));
    for line in journal().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }

    // A killed process and a hanging process are restarted.
    let seen = |signal: &str, result: &str| {
        let before = property(booted, unit, "MainPID");
        booted.output_of(&["systemctl", "kill", "--kill-whom=main", "--signal", signal, unit]);
        wait_for(result, || {
            let now = property(booted, unit, "MainPID");
            now != before && now != "0" && property(booted, unit, "ActiveState") == "active"
        });
        assert_eq!(machine.release(), release, "{signal}");
    };
    seen("KILL", "a restart by systemd");
    seen("STOP", "a restart by the watchdog");
    assert_eq!(property(booted, unit, "NRestarts"), "2");

    // After a reboot, only the active version starts, and no acknowledged write is lost.
    machine.booted.as_mut().expect("a machine").reboot();
    wait_for("the front", || Call::get("/health").send(&machine.front, "").is_ok());
    assert_eq!((machine.release(), machine.serving()), (release, 1));
    crowd.compare();
}
