//! `test`: what the tests need, then every test, then one closing line.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use crate::{Done, containers, has, mcp_tools, oidc_provider, postgres, program, s3_server, sh, tools};

/// What a test finds its PostgreSQL server under.
const POSTGRES_URL: &str = "BA_COPILOT_TEST_POSTGRES_URL";
/// Set to run what runs on SQLite on PostgreSQL instead.
const ON_POSTGRES: &str = "BA_COPILOT_TEST_ON_POSTGRES";
/// What a test finds its engine for containers under.
const DOCKER_HOST: &str = "BA_COPILOT_TEST_DOCKER_HOST";
/// Where a program can be linked statically, which is what goes into containers: what is tested is then what is deployed.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";
/// What needs the machine for itself: so many requests a second, and not one that fails.
const ALONE: [&str; 2] = ["deployment::", "attacks::load"];
/// The product through its router, which is what runs on both.
const ON_BOTH: [&str; 21] = [
    "accounts::",
    "api::",
    "attacks::credentials",
    "attacks::guessing",
    "attacks::invitations",
    "attacks::mail",
    "attacks::races",
    "audit_export::",
    "bad_input::",
    "budgets::",
    "email_address::",
    "events::",
    "filters::",
    "folders::",
    "jobs::",
    "oidc::",
    "once::",
    "permissions::",
    "projects::",
    "providers::",
    "recovery::",
];

pub(crate) fn run() -> Done {
    if !has("node") || !has("npm") {
        return Err("Node.js 20 or newer with npm is needed to make the Mermaid bundle: https://nodejs.org"
            .to_owned());
    }
    provide("Chromium, to look at pictures and pages", "chromium", &["chromium", "chromium-driver"]);
    provide("Redis, to share limits and checks between processes", "redis-server", &["redis-server"]);
    provide("Prometheus, to run the rules of alerts", "promtool", &["prometheus"]);
    provide("systemd, to start machines with it", "systemd-nspawn", &["systemd-container"]);
    provide("Alertmanager, to check its configuration", "amtool", &["prometheus-alertmanager"]);
    mcp_tools::provide();
    oidc_provider::provide();
    s3_server::provide();
    let server = provide_postgres();
    let url = server.as_ref().map(|server| server.url.as_str());
    let variables: Vec<(&str, &str)> = url.map(|url| (POSTGRES_URL, url)).into_iter().collect();
    let apart = ALONE.map(|filter| ["--skip", filter]).concat();
    let mut counts = cargo_test(&[&["--workspace", "--"], &apart[..]].concat(), &variables, false)?;
    let alone = [&["-p", "ba-copilot", "--test", "it", "--", "--test-threads", "1"][..], &ALONE].concat();
    counts.add(&cargo_test(&alone, &variables, false)?);
    if let Some(url) = url {
        let filters: Vec<&str> =
            ["-p", "ba-copilot", "--test", "it", "--"].into_iter().chain(ON_BOTH).collect();
        counts.add(&cargo_test(&filters, &[(POSTGRES_URL, url), (ON_POSTGRES, "1")], false)?);
    }
    drop(server);
    say(&counts)
}

/// The tests that need an engine for containers, alone.
pub(crate) fn containers() -> Done {
    let engine = provide_engine().ok_or("without an engine there is nothing to test")?;
    let filters = ["-p", "ba-copilot", "--test", "it", "--", "containers::"];
    say(&cargo_test(&filters, &[(DOCKER_HOST, &engine.host)], true)?)
}

/// The closing line.
fn say(counts: &Counts) -> Done {
    let Counts { passed, failed, skipped, success } = *counts;
    println!("\ntests: {passed} passed, {failed} failed, {skipped} skipped");
    match success && failed == 0 && passed > 0 {
        true => Ok(()),
        false => Err("there are failures above".to_owned()),
    }
}

/// Installs what is missing where that is allowed; says what to install where it is not. The tests that need it say
/// loudly when they are skipped.
fn provide(what: &str, program: &str, packages: &[&str]) {
    if tools::which(Path::new(program)).is_some() {
        return;
    }
    install(what, packages);
}

/// A server given from outside, or one of our own.
fn provide_postgres() -> Option<postgres::Postgres> {
    const WHAT: &str = "PostgreSQL 15 or newer, to run everything on it too";
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

/// An engine for containers, where one can be started: that needs root, and a program that is linked statically.
fn provide_engine() -> Option<containers::Engine> {
    const WHAT: &str = "an engine for containers (Docker), to deploy to them";
    let told = |problem: &str| {
        println!("NOT STARTED: {WHAT}: {problem}. The tests that need it will be skipped.");
    };
    if !is_root() || !links_statically() {
        told("it needs root, and glibc's static libraries (libc6-dev) on x86-64 Linux");
        return None;
    }
    provide(WHAT, "dockerd", &["docker.io", "docker-compose", "iptables"]);
    match containers::start() {
        Ok(engine) => {
            println!("Started {WHAT}");
            Some(engine)
        }
        Err(problem) => {
            told(&problem);
            None
        }
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// Whether a program can be linked with everything in it.
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

/// What the closing lines add up to.
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
    success: bool,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.success &= other.success;
    }
}

/// Runs tests, shows what they print and adds up their closing lines.
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
    let mut child = cargo
        .args(arguments)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let mut counts = Counts { passed: 0, failed: 0, skipped: 0, success: true };
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            if let Some(result) = line.strip_prefix("test result:") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
                counts.skipped += number_before(result, " ignored");
            }
        }
    }
    counts.success = child.wait().map_err(|error| error.to_string())?.success();
    Ok(counts)
}

fn number_before(text: &str, word: &str) -> u32 {
    let Some((before, _)) = text.split_once(word) else { return 0 };
    before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
