//! Automation: one entry point, the same on every machine. `cargo xtask` lists the commands.
//!
//! It builds and runs other programs; it has no dependencies, so that it starts at once.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on the terminal")]

mod advisories;
mod bench;
mod bench_mcp;
mod containers;
mod dist;
mod e2e;
mod http;
mod lint_infra;
mod load;
mod mcp_tools;
mod oidc_provider;
mod postgres;
mod s3_server;
mod server;
mod test;
mod tidy;
mod tools;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// What went wrong, as a sentence.
type Done = Result<(), String>;

/// Its name, what it does, and how.
type Row = (&'static str, &'static str, fn() -> Done);

const COMMANDS: [Row; 13] = [
    ("ci", "the whole gate: format, lints, layering, licences, tests", ci),
    ("lint", "format, lints, layering, licences, the files of operations", lint),
    (
        "lint-infra",
        "the files of operations alone: containers, Compose, Helm, systemd, workflows",
        lint_infra::run,
    ),
    ("advisories", "known vulnerabilities of crates and npm packages; asks on the internet", advisories::run),
    ("test", "install or start what the tests need, then run every test", test::run),
    ("containers", "the tests that need an engine for containers, alone", test::containers),
    ("bundle", "make the Mermaid bundle and the fonts that the binary embeds", bundle),
    ("bench", "measure start, health, generation, checks and memory of the release binary", bench::run),
    (
        "load",
        "measure the release binary under a steady load: [--seconds 600] [--rate 500] [--database URL]",
        load::run,
    ),
    ("codegen", "write the generated pages in docs/ anew", codegen),
    ("tidy", "prove the layering rules and the shape of the files", tidy::run),
    ("e2e", "verify the built program as a deployment is: [--url URL] [--binary PATH]", e2e::run),
    ("dist", "make what is handed out, the same bytes each time: [--check-reproducible]", dist::run),
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

/// A program in the workspace, without what cargo told us of ourselves: build scripts that look at these variables would
/// otherwise be run anew, with everything after them, each time somebody calls cargo in the other way.
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
fn sh(name: &str, arguments: &[&str]) -> Done {
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

fn ci() -> Done {
    lint()?;
    test::run()
}

fn lint() -> Done {
    sh("cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    sh("cargo", &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    lint_infra::run()
}

fn bundle() -> Done {
    // The build script of mermend makes it when it is missing or stale; this makes it in any case.
    let _ = std::fs::remove_file(root().join("web/dist/stamp"));
    sh("cargo", &["check", "--release", "-p", "mermend"])
}

fn codegen() -> Done {
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
