//! The real program as users run it: start, SIGTERM, SIGKILL, and the content of its log.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_ba-copilot");

/// A running server. The process is ended by its own id.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    log: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(data: &Path, variables: &[(&str, &str)]) -> Server {
        Server::start_with(&["--listen", "127.0.0.1:0"], data, variables)
    }

    pub(crate) fn start_with(arguments: &[&str], data: &Path, variables: &[(&str, &str)]) -> Server {
        Server::start_by(&[BINARY], arguments, data, variables)
    }

    /// Starts the server by a command whose last argument is the program, followed by these arguments.
    pub(crate) fn start_by(
        command: &[&str],
        arguments: &[&str],
        data: &Path,
        variables: &[(&str, &str)],
    ) -> Server {
        let mut program = Command::new(command[0]);
        program.args(&command[1..]).arg("serve").args(arguments).arg("--data").arg(data);
        Server::run(program, data, variables)
    }

    /// Starts the server by this command.
    pub(crate) fn run(mut program: Command, data: &Path, variables: &[(&str, &str)]) -> Server {
        let mut child = program
            .current_dir(data)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a log")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            log.lock().expect("the log").push_str(&format!("{line}\n"));
            if let Some((_, rest)) = line.split_once("http://") {
                address = rest
                    .split(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                break;
            }
        }
        assert!(!address.is_empty(), "no address in the log: {}", log.lock().expect("the log"));
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| kept.lock().expect("the log").push_str(&format!("{line}\n")))
        });
        Server { child, address, log, reader: Some(reader) }
    }

    /// Sends one request; returns the status and the body.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             x-ai-api-key: canary-key-77\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer
            .split_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        Ok((status, body))
    }

    pub(crate) fn generate(&self, message: &str) -> std::io::Result<Value> {
        let (status, body) =
            self.request("POST", "/api/v1/generate/class-diagram", &json!({"message": message}).to_string())?;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).map_err(|_| std::io::ErrorKind::UnexpectedEof.into())
    }

    pub(crate) fn logged(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill");
        assert!(status.success());
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the process to exit and returns the complete log.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("an end");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log");
        }
        let log = self.log.lock().expect("the log").clone();
        (status, log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sigterm_stops_cleanly_and_the_log_has_no_content() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start(folder.path(), &[("LOG_LEVEL", "trace")]);
    assert_eq!(server.request("GET", "/health", "").expect("health").0, 200);
    server.generate("A canaryhuman places canaryorders.").expect("a diagram");
    server
        .request("POST", "/api/v1/validate", r#"{"code":"flowchart LR\n canarynode[[["}"#)
        .expect("a verdict");
    server
        .request("POST", "/api/v1/repair", r#"{"code":"flowchart LR\n canarynode[a(b)]"}"#)
        .expect("a repair");
    server.request("POST", "/api/v1/render", r#"{"code":"flowchart LR\n canarynode"}"#).expect("a picture");
    server.request("POST", "/api/v1/validate", r#"{"code":"canary"#).expect("a problem");
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("all requests were answered"), "{log}");
    assert!(!log.to_lowercase().contains("canary"), "contents in the log:\n{log}");
    // Without a terminal, log lines are JSON.
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"].is_string()), "{line}");
    }
}

#[test]
fn acknowledged_writes_survive_sigkill() {
    let folder = TempDir::new().expect("a folder");
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let server = Server::start(folder.path(), &[]);
        for number in 0..(4 + round * 3) {
            let reply = server
                .generate(&format!("A customer places orders number {round} {number}."))
                .expect("a diagram");
            let metadata = &reply["response"]["metadata"];
            acknowledged.push((
                metadata["generation_id"].as_str().expect("an id").to_owned(),
                metadata["diagram_id"].as_str().expect("an id").to_owned(),
            ));
        }
        server.signal("-KILL");
        server.wait();
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite:{}", folder.path().join("ba-copilot.db").display());
        let store = store::Store::connect(&url, &store::ConnectOptions::default()).await.expect("the store");
        for (generation, diagram) in &acknowledged {
            store
                .find_generation(&store::GenerationId::parse(generation.as_str()).expect("an id"))
                .await
                .expect("the generation");
            let diagram = store::DiagramId::parse(diagram.as_str()).expect("an id");
            assert!(store.find_version_number(&diagram, 1).await.expect("the version").validated);
        }
    });
    assert_eq!(acknowledged.len(), 21);
}

#[test]
fn server_without_accounts_refuses_public_addresses() {
    let folder = TempDir::new().expect("a folder");
    let output = Command::new(BINARY)
        .args(["serve", "--listen", "0.0.0.0:0", "--data"])
        .arg(folder.path())
        .current_dir(folder.path())
        .env_clear()
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("ba-copilot user add"), "{said}");
}

#[test]
fn server_with_accounts_listens_publicly_and_authenticates() {
    let folder = TempDir::new().expect("a folder");
    let call = |arguments: &[&str]| {
        let output = Command::new(BINARY)
            .args(arguments)
            .arg("--data")
            .arg(folder.path())
            .current_dir(folder.path())
            .env_clear()
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    // A set-up link is sufficient to start; every other request is unauthenticated.
    let link = call(&["user", "setup-link"]);
    let mut server = Server::start_with(&["--listen", "0.0.0.0:0"], folder.path(), &[]);
    let port = server.address.rsplit(':').next().expect("a port").to_owned();
    server.address = format!("127.0.0.1:{port}");
    assert_eq!(server.request("GET", "/health", "").expect("health").0, 200);
    let generate = r#"{"message":"A customer places orders."}"#;
    assert_eq!(server.request("POST", "/api/v1/generate/class-diagram", generate).expect("an answer").0, 401);
    let (status, page) = server.request("GET", "/set-up", "").expect("an answer");
    assert!(status == 303 && !page.contains("Your name"), "{status} {page}");
    let code = crate::users::code_of(&link);
    let (status, page) = server.request("GET", &format!("/set-up?code={code}"), "").expect("an answer");
    assert!(status == 200 && page.contains("Your name"), "{status} {page}");
    call(&["user", "add", "ada@example.com"]);
    let token =
        call(&["token", "create", "--user", "ada@example.com", "--name", "ci", "--scope", "generate"]);
    let mut stream = TcpStream::connect(&server.address).expect("a connection");
    let head = format!(
        "POST /api/v1/generate/class-diagram HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{generate}",
        server.address,
        token.trim(),
        generate.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"validated\":true"), "{answer}");
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    for secret in [token.trim(), code.as_str(), "ada@example.com"] {
        assert!(!log.contains(secret), "a secret in the log:\n{log}");
    }
}
