//! `e2e`: the built program, verified as a deployment is: in one process, and with a process for each role.
//!
//! `--url URL` verifies a running server; `--binary PATH` another program than that of `dist` or `cargo build
//! --release`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, root, server::Server};

pub(crate) fn run() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let binary = match option("--binary") {
        Some(binary) => PathBuf::from(binary),
        None => ["target/dist/ba-copilot", "target/release/ba-copilot"]
            .iter()
            .map(|place| root().join(place))
            .find(|place| place.is_file())
            .ok_or("there is no program: run `cargo xtask dist`, or name one with --binary")?,
    };
    let reports = root().join("target/e2e");
    fs::create_dir_all(&reports).map_err(|error| error.to_string())?;
    if let Some(url) = option("--url") {
        return verify(&binary, &url, &[], &reports.join("url.xml"));
    }
    let folder = std::env::temp_dir().join(format!("ba-copilot-e2e-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let outcome = all_of_them(&binary, &folder, &reports);
    let _ = fs::remove_dir_all(&folder);
    outcome
}

fn all_of_them(binary: &Path, folder: &Path, reports: &Path) -> Outcome {
    let one = folder.join("one");
    verify_all(binary, &one, &reports.join("all.xml"))?;
    let many = folder.join("many");
    let mcp = start(binary, "mcp", &many, &[])?;
    let ai = start(binary, "ai", &many, &[("MCP_SERVER_URL", &mcp.url())])?;
    let (checker, generator) = (mcp.url(), ai.url());
    let ways = [("MCP_SERVER_URL", checker.as_str()), ("AI_SERVICE_URL", generator.as_str())];
    let web = start(binary, "web", &many, &ways)?;
    let api = start(binary, "api", &many, &ways)?;
    let named: Vec<String> = [("api", &api), ("ai", &ai), ("mcp", &mcp)]
        .iter()
        .map(|(name, server)| format!("{name}={}", server.url()))
        .collect();
    let services = format!("web,database,ai_service,{}", named.join(","));
    verify(binary, &web.url(), &["--services", &services], &reports.join("roles.xml"))
}

/// One process in every role, with a backup that was tried, and restarted in the midst of it.
fn verify_all(binary: &Path, data: &Path, report: &Path) -> Outcome {
    let backups = data.join("backups").display().to_string();
    let variables = [("BA_COPILOT__BACKUP__DIR", backups.as_str())];
    // The first process makes the database; the one after it finds the backup and reports its age.
    let first = start(binary, "all", data, &variables)?;
    let created = Command::new(binary)
        .args(["backup", "create", "--verify", "--to", &backups, "--data"])
        .arg(data)
        .status()
        .map_err(|error| error.to_string())?;
    if !created.success() {
        return Err("no backup could be made".to_owned());
    }
    first.end("-TERM")?;
    let server = start(binary, "all", data, &variables)?;
    let (url, address) = (server.url(), server.address.clone());
    // The command of the verification asks for a new process, and waits until it serves.
    let (asked, begun) = (data.join("asked"), data.join("begun"));
    let command =
        format!("touch '{}'; until test -e '{}'; do sleep 0.05; done", asked.display(), begun.display());
    let more = ["--restart-command", command.as_str(), "--expect-backup-within", "1h"];
    std::thread::scope(|scope| {
        let verifying = scope.spawn(|| verify(binary, &url, &more, report));
        while !asked.exists() && !verifying.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let ended = server.end("-TERM");
        let after = ended.and_then(|_| start_at(&address, binary, "all", data, &variables));
        // Also if it does not start: the restart command must end, and the verification then fails.
        fs::write(&begun, "").map_err(|error| error.to_string())?;
        let outcome = verifying.join().unwrap_or_else(|_| Err("the verification broke off".to_owned()));
        after.map(drop).and(outcome)
    })
}

fn start(binary: &Path, role: &str, data: &Path, variables: &[(&str, &str)]) -> Result<Server, String> {
    start_at("127.0.0.1:0", binary, role, data, variables)
}

fn start_at(
    address: &str,
    binary: &Path,
    role: &str,
    data: &Path,
    variables: &[(&str, &str)],
) -> Result<Server, String> {
    fs::create_dir_all(data).map_err(|error| error.to_string())?;
    let mut command = Command::new(binary);
    command
        .args(["serve", "--role", role, "--listen", address, "--data"])
        .arg(data)
        .current_dir(data)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Server::start(&mut command)
}

fn verify(binary: &Path, url: &str, more: &[&str], report: &Path) -> Outcome {
    println!("\n{} verify --url {url} {}", binary.display(), more.join(" "));
    let status = Command::new(binary)
        .args(["verify", "--url", url, "--junit", &report.display().to_string()])
        .args(more)
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{url} does not do all that it should")) }
}
