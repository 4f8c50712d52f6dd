//! Automation: one entry point, the same on every machine. `cargo xtask` lists the commands.
//!
//! It builds and runs other programs; it depends on nothing but a crate of a few lines, so that it starts at once.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on the terminal")]

mod advisories;
mod bench;
mod bench_check;
mod bench_mcp;
mod containers;
mod coverage;
mod deny;
mod dist;
mod e2e;
mod http;
mod lint_infra;
mod load;
mod mcp_tools;
mod oidc_provider;
mod placement;
mod postgres;
mod s3_server;
mod server;
mod skips;
mod test;
mod tidy;
mod tools;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// The error is a sentence for the terminal.
type Outcome = Result<(), String>;

/// A command: its name, its help and its function.
type Row = (&'static str, &'static str, fn() -> Outcome);

const COMMANDS: [Row; 15] = [
    ("ci", "the whole gate: format, lints, tests, licences", ci),
    ("lint", "format, lints, shape of the code, the files of operations", lint),
    (
        "lint-infra",
        "the files of operations alone: containers, Compose, Helm, systemd, workflows",
        lint_infra::run,
    ),
    ("advisories", "known vulnerabilities of crates and npm packages; needs the internet", advisories::run),
    ("deny", "licences, bans and sources of all dependencies (cargo-deny)", deny::run),
    ("test", "install or start what the tests need, run every test, check licences", test::run),
    ("containers", "the tests that need a container engine, alone", test::containers),
    ("coverage", "lines of the pure crates that their tests reach (cargo-llvm-cov)", coverage::run),
    ("bundle", "make the Mermaid bundle and the fonts that the binary embeds", bundle),
    (
        "bench",
        "measure the release binary: start, health, generation, memory; `check [FOLDER]`: verdicts beside mermaid.js",
        bench::run,
    ),
    (
        "load",
        "measure the release binary under a steady load: [--seconds 600] [--rate 500] [--database URL]",
        load::run,
    ),
    ("codegen", "write the generated pages in docs/", codegen),
    ("tidy", "size of files, width of lines, circles of imports, reasons of dependencies", tidy::run),
    ("e2e", "verify the built program as a deployment: [--url URL] [--binary PATH]", e2e::run),
    ("dist", "build the release archive, reproducibly: [--check-reproducible]", dist::run),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, _, run)) = COMMANDS.iter().find(|(command, ..)| *command == name) else {
        println!("cargo xtask COMMAND\n");
        for (command, does, _) in COMMANDS {
            println!("  {command:<11}{does}");
        }
        return ExitCode::from(2);
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask {name}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// A program in the workspace, without the variables that cargo sets for this one: build scripts that read them would
/// otherwise run again, with everything after them, each time cargo is called in the other way.
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for name in ["NAME", "VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH", "VERSION_PRE"] {
        command.env_remove(format!("CARGO_PKG_{name}"));
    }
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_LINKS"] {
        command.env_remove(name);
    }
    command
}

/// Runs a program in the workspace and waits for it.
fn sh(name: &str, arguments: &[&str]) -> Outcome {
    println!("$ {name} {}", arguments.join(" "));
    let status = program(name).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{name} {}` failed ({status})", arguments.join(" "))),
        Err(error) => Err(format!("`{name}` could not be started: {error}")),
    }
}

/// Whether a program is there.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn ci() -> Outcome {
    lint()?;
    test::run()
}

fn lint() -> Outcome {
    sh("cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    sh("cargo", &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    lint_infra::run()
}

fn bundle() -> Outcome {
    // The build script of mermend makes it when it is missing or stale; this makes it in any case.
    let _ = std::fs::remove_file(root().join("web/dist/stamp"));
    sh("cargo", &["check", "--release", "-p", "mermend"])
}

fn codegen() -> Outcome {
    println!("$ UPDATE_DOCS=1 cargo test --release --workspace --test it docs");
    let status = program("cargo")
        .args(["test", "--release", "--workspace", "--test", "it", "docs"])
        .env("UPDATE_DOCS", "1")
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("the generated pages were not written ({other:?})")),
    }
}
