//! `test`: installs or starts what the tests need, runs every test, and closes with each skip and the counts.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use test_support::{SKIPS, Skip, environment};

use crate::{
    Outcome, containers, deny, has, mcp_tools, oidc_provider, placement, postgres, program, root, s3_server,
    sh,
    skips::{Allowed, Counts},
    tools,
};

/// Names the PostgreSQL server of the tests.
const POSTGRES_URL: &str = "BA_COPILOT_TEST_POSTGRES_URL";
/// Set where tests of the router run on PostgreSQL instead of SQLite.
const ON_POSTGRES: &str = "BA_COPILOT_TEST_ON_POSTGRES";
/// Names the container engine of the tests.
const DOCKER_HOST: &str = "BA_COPILOT_TEST_DOCKER_HOST";
/// The target of the static program that goes into containers, so that the tested program is the deployed one.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";
/// Set to `true` where a skip that is not allowed fails the gate.
const CI: &str = "CI";

/// Skips that do not fail the gate where `CI=true` is set, each with the reason.
const ALLOWED: [Allowed; 4] = [
    Allowed {
        package: "mermend",
        test: "verdicts_agree_with_mermaid_in_a_browser",
        why: "its data may not be distributed; BA_COPILOT_CORPUS names its folder where it is available",
    },
    Allowed {
        package: "mermend",
        test: "picture::tests::libreoffice_puts_texts_at_the_same_height",
        why: "LibreOffice has half a gigabyte, and places text as librsvg does; the test runs where it is installed",
    },
    Allowed {
        package: "store",
        test: "durability::writes_until_killed",
        why: "no test, but the process that `acknowledged_writes_survive_sigkill` starts and kills",
    },
    Allowed {
        package: "ba-copilot",
        test: "containers::",
        why: "`cargo xtask containers` runs them, as a step of its own",
    },
];

pub(crate) fn run() -> Outcome {
    if !has("node") || !has("npm") {
        return Err("Node.js 20 or newer with npm is needed to make the Mermaid bundle: https://nodejs.org"
            .to_owned());
    }
    provide("Chromium, to look at pictures and pages", "chromium", &["chromium", "chromium-driver"]);
    provide("librsvg, to look at pictures as other viewers do", "rsvg-convert", &["librsvg2-bin"]);
    provide("Redis, to share limits and checks between processes", "redis-server", &["redis-server"]);
    provide("Prometheus, to run the rules of alerts", "promtool", &["prometheus"]);
    provide("systemd, to start machines with it", "systemd-nspawn", &["systemd-container"]);
    provide("age, to open an encrypted backup with the reference program", "age", &["age"]);
    provide("Alertmanager, to check its configuration", "amtool", &["prometheus-alertmanager"]);
    mcp_tools::provide();
    oidc_provider::provide();
    s3_server::provide();
    let server = provide_postgres();
    let url = server.as_ref().map(|server| server.url.as_str());
    let variables: Vec<(&str, &str)> = url.map(|url| (POSTGRES_URL, url)).into_iter().collect();
    let (both, alone) = placement::read(&root())?;
    let apart: Vec<&str> = alone.all().into_iter().flat_map(|filter| ["--skip", filter]).collect();
    let mut counts = cargo_test(&[&["--workspace", "--"], &apart[..]].concat(), &variables, false)?;
    counts.add(cargo_test(&[&alone.arguments()[..], &["--test-threads", "1"]].concat(), &variables, false)?);
    if let Some(url) = url {
        counts.add(cargo_test(&both.arguments(), &[(POSTGRES_URL, url), (ON_POSTGRES, "1")], false)?);
    } else {
        counts.skips.push(Skip {
            package: String::new(),
            test: both.all().join(" "),
            reason: "no PostgreSQL server, so that these ran on SQLite only".to_owned(),
        });
    }
    drop(server);
    let dependencies = deny::run();
    close(&counts, &ALLOWED).and(dependencies)
}

/// The tests that need a container engine, alone.
pub(crate) fn containers() -> Outcome {
    let engine = provide_engine().ok_or("there is no container engine to test with")?;
    let filters = ["-p", "ba-copilot", "--test", "it", "--", "containers::"];
    close(&cargo_test(&filters, &[(DOCKER_HOST, &engine.host)], true)?, &[])
}

/// Prints the closing lines; the result is that of the run.
fn close(counts: &Counts, allowed: &[Allowed]) -> Outcome {
    println!();
    for line in counts.closing_lines(allowed) {
        println!("{line}");
    }
    counts.verdict(in_ci(), allowed)
}

/// Whether a check that cannot run is an error.
pub(crate) fn in_ci() -> bool {
    environment(CI).is_some_and(|value| value == "true")
}

/// Installs what is missing where that is permitted; prints what to install where it is not. The tests that need it
/// then record that they are skipped.
fn provide(what: &str, program: &str, packages: &[&str]) {
    if tools::which(Path::new(program)).is_some() {
        return;
    }
    install(what, packages);
}

/// Starts a PostgreSQL server, if it is installed or can be.
fn provide_postgres() -> Option<postgres::Postgres> {
    const WHAT: &str = "PostgreSQL 15 or newer, as the second database";
    if postgres::programs().is_none() {
        install(WHAT, &["postgresql"]);
    }
    match postgres::start() {
        Ok(server) => {
            println!("Started PostgreSQL for the tests");
            Some(server)
        }
        Err(problem) => {
            println!("NOT STARTED: {WHAT}: {problem}. The tests that need it will be skipped.");
            None
        }
    }
}

/// Starts a container engine; this needs root, and a statically linked program.
fn provide_engine() -> Option<containers::Engine> {
    const WHAT: &str = "a container engine (Docker), to deploy to containers";
    let not_started = |problem: &str| {
        println!("NOT STARTED: {WHAT}: {problem}. The tests that need it will be skipped.");
    };
    if !is_root() || !links_statically() {
        not_started("it needs root, and glibc's static libraries (libc6-dev) on x86-64 Linux");
        return None;
    }
    provide(WHAT, "dockerd", &["docker.io", "docker-compose", "iptables"]);
    match containers::start() {
        Ok(engine) => {
            println!("Started {WHAT}");
            Some(engine)
        }
        Err(problem) => {
            not_started(&problem);
            None
        }
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Whether a program can be linked statically.
fn links_statically() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))
        && Command::new("cc")
            .arg("-print-file-name=libc.a")
            .output()
            .is_ok_and(|output| output.stdout.starts_with(b"/"))
}

fn install(what: &str, packages: &[&str]) {
    if is_root() && has("apt-get") {
        println!("Installing {what} ({})", packages.join(", "));
        let quiet = ["-qq", "-o", "Dpkg::Use-Pty=0"];
        let _ = sh("apt-get", &[&quiet[..], &["update"]].concat());
        let install = [&quiet[..], &["install", "-y", "--no-install-recommends"], packages].concat();
        if sh("apt-get", &install).is_ok() {
            return;
        }
    }
    println!(
        "NOT INSTALLED: {what}. The tests that need it will be skipped. On Debian: apt-get install {}",
        packages.join(" ")
    );
}

/// Runs tests, prints what they print and counts them.
fn cargo_test(arguments: &[&str], variables: &[(&str, &str)], statically: bool) -> Result<Counts, String> {
    let named: String = variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
    let mut cargo = program("cargo");
    cargo.args(["test", "--release", "--no-fail-fast"]);
    let mut how = String::new();
    if statically {
        const FLAGS: &str = "-C target-feature=+crt-static";
        how = format!("RUSTFLAGS='{FLAGS}' ");
        cargo.env("RUSTFLAGS", FLAGS).args(["--target", STATIC_TARGET]);
    }
    println!("$ {named}{how}cargo test --release --no-fail-fast {}", arguments.join(" "));
    let skips = SkipFile::new()?;
    let mut child = cargo
        .args(arguments)
        .envs(variables.iter().copied())
        .env(SKIPS, &skips.0)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let mut printed = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            printed.push(line);
        }
    }
    let success = child.wait().map_err(|error| error.to_string())?.success();
    Counts::of_run(&printed, &skips.read()?, success)
}

/// The file that skipped tests of one run are recorded in; removed when dropped.
pub(crate) struct SkipFile(pub(crate) PathBuf);

impl SkipFile {
    pub(crate) fn new() -> Result<SkipFile, String> {
        let file = std::env::temp_dir().join(format!("ba-copilot-skips-{}", std::process::id()));
        fs::write(&file, "").map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(SkipFile(file))
    }

    pub(crate) fn read(&self) -> Result<String, String> {
        fs::read_to_string(&self.0).map_err(|error| format!("{}: {error}", self.0.display()))
    }
}

impl Drop for SkipFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
