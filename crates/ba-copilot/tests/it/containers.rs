//! Real containers: the image, all services of the Compose file, and deployments under load behind the proxy.
//!
//! Needs a separate container engine, which `cargo xtask containers` starts where possible, and a statically linked
//! program.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use test_support::skip;

use crate::{acknowledged_writes::wait_for, constant_load::Crowd, process::BINARY, users::PASSWORD};

/// The address of the test engine, `unix://…`.
const ENGINE: &str = "BA_COPILOT_TEST_DOCKER_HOST";
/// The number of responses between two events.
const BETWEEN: usize = 150;

const KEY: &str = "a 'secret' of at least thirty-two characters";
const MCP_TOKEN: &str = "a token for those who check, long enough";
const AI_TOKEN: &str = "a token for those who generate, long enough";
const DATABASE_PASSWORD: &str = "a-password-of-postgres";
const REDIS_PASSWORD: &str = "a-password-of-redis";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A machine with a container engine and a deployment folder; everything on it is stopped on drop.
struct Machine {
    folder: TempDir,
    engine: String,
    front: String,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let all = self.docker(&["ps", "--all", "--quiet"]);
        let ids = String::from_utf8_lossy(&all.stdout).into_owned();
        self.docker(
            &[&["rm", "--force", "--volumes"], ids.split_whitespace().collect::<Vec<_>>().as_slice()]
                .concat(),
        );
        self.docker(&["network", "prune", "--force"]);
        let volumes = self.docker(&["volume", "ls", "--quiet"]);
        let volumes = String::from_utf8_lossy(&volumes.stdout).into_owned();
        let names: Vec<&str> = volumes.split_whitespace().collect();
        self.docker(&[&["volume", "rm", "--force"], names.as_slice()].concat());
    }
}

impl Machine {
    fn new() -> Option<Machine> {
        #[expect(clippy::disallowed_methods, reason = "the runner says where the engine is")]
        let Ok(engine) = std::env::var(ENGINE) else {
            skip("no container engine; `cargo xtask containers` starts one and runs these tests");
            return None;
        };
        let headers = Command::new("readelf").args(["--program-headers", BINARY]).output().expect("readelf");
        if String::from_utf8_lossy(&headers.stdout).contains("INTERP") {
            skip("the program is not linked statically: RUSTFLAGS='-C target-feature=+crt-static'");
            return None;
        }
        let ports: Vec<TcpListener> =
            (0..5).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let port = |number: usize| ports[number].local_addr().expect("an address").port().to_string();
        let folder = TempDir::new().expect("a folder");
        let front = format!("127.0.0.1:{}", port(0));
        let machine = Machine { folder, engine, front };
        let compose = repository().join("infra/compose").display().to_string();
        let place = machine.path("place").display().to_string();
        // Characters that a Compose file cannot hold unescaped.
        let key = machine.path("key");
        fs::write(&key, format!("{KEY}\n")).expect("written");
        machine.settings(&[
            ("PUBLIC_URL", &format!("http://{}", machine.front)),
            ("SECRET_KEY_FILE", &key.display().to_string()),
            ("MCP_TOKEN", MCP_TOKEN),
            ("AI_SERVICE_TOKEN", AI_TOKEN),
            ("POSTGRES_PASSWORD", DATABASE_PASSWORD),
            ("REDIS_PASSWORD", REDIS_PASSWORD),
            ("DATABASE_URL", "postgres://ba_copilot:${POSTGRES_PASSWORD}@postgres:5432/ba_copilot"),
            ("REDIS_URL", "redis://:${REDIS_PASSWORD}@redis:6379"),
            ("BA_COPILOT__SERVER__LISTEN", "0.0.0.0:8000"),
            ("BA_COPILOT__SERVER__PROXIES", "1"),
            ("BA_COPILOT__SERVER__DRAIN_S", "2"),
            ("BA_COPILOT__CHECK__THREADS", "1"),
            ("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", "1000000"),
            ("BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE", "1000000"),
            ("BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "1000000"),
            ("BA_COPILOT__DEPLOY__TARGET", "compose"),
            ("BA_COPILOT__DEPLOY__DIR", &place),
            ("BA_COPILOT__DEPLOY__COMPOSE_DIR", &compose),
            ("BA_COPILOT__DEPLOY__BLUE", &format!("127.0.0.1:{}", port(1))),
            ("BA_COPILOT__DEPLOY__GREEN", &format!("127.0.0.1:{}", port(2))),
            ("BA_COPILOT__DEPLOY__OBSERVE_S", "1"),
            ("DEV_PORT", &port(0)),
            ("DEV_POSTGRES_PORT", &port(3)),
            ("DEV_PROMETHEUS_PORT", &port(4)),
        ]);
        Some(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self, settings: &[(&str, &str)]) {
        let file = self.path(".env.staging");
        let mut file =
            fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file).expect("a file");
        for (name, value) in settings {
            writeln!(file, "{name}=\"{value}\"").expect("written");
        }
    }

    /// A program that uses the test engine.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("DOCKER_HOST", &self.engine)
            // Where Debian installs the client that matches its engine.
            .env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin")
            .stdin(Stdio::null());
        command
    }

    fn docker(&self, arguments: &[&str]) -> Output {
        self.command("docker", arguments).output().expect("docker")
    }

    fn output_of(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Starts the services that are not redeployed.
    fn start_infrastructure(&self) {
        let files: Vec<String> = ["compose.yaml", "compose.dev.yaml"]
            .iter()
            .map(|file| repository().join("infra/compose").join(file).display().to_string())
            .collect();
        let common = ["-p", "ba-copilot", "--env-file", ".env.staging", "-f", &files[0], "-f", &files[1]];
        let services = ["up", "-d", "proxy", "postgres", "redis", "prometheus", "alertmanager"];
        let output =
            self.command("docker-compose", &[&common[..], &services].concat()).output().expect("compose");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for service in ["postgres", "redis", "proxy"] {
            let name = format!("ba-copilot_{service}_1");
            wait_for(service, || {
                self.docker(&["inspect", "--format", "{{.State.Health.Status}}", &name])
                    .stdout
                    .starts_with(b"healthy")
            });
        }
    }

    /// The stripped program with extra bytes at its end, which have no effect.
    fn version(&self, name: &str) -> String {
        let path = self.path(name);
        let stripped = Command::new("strip").arg("-o").arg(&path).arg(BINARY).status().expect("strip");
        assert!(stripped.success());
        let mut file = fs::OpenOptions::new().append(true).open(&path).expect("a file");
        file.write_all(name.as_bytes()).expect("written");
        path.display().to_string()
    }

    fn deploy(&self, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut child = self
            .command(BINARY, &[&["deploy", "--env", "staging"], arguments].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("an end");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn deployed(&self, arguments: &[&str], input: &str) -> String {
        let (code, out, err) = self.deploy(arguments, input);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out
    }

    fn release(&self) -> String {
        let health = page(&self.front, "/health");
        let (_, release) =
            health.split_once("\"release\":\"").unwrap_or_else(|| panic!("no release: {health}"));
        release.split('"').next().unwrap_or_default().to_owned()
    }

    fn slots(&self) -> Vec<String> {
        let names = self.output_of(&["ps", "--format", "{{.Names}}", "--filter", "name=_web_1"]);
        names.lines().map(str::to_owned).collect()
    }
}

/// A page with its head.
fn page(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The HTTP status of a page.
fn status(address: &str, path: &str) -> String {
    page(address, path).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// The containers show no secret when inspected, and the program has all secrets.
fn check_secrets(machine: &Machine, token: &str) {
    let names = machine.output_of(&["ps", "--format", "{{.Names}}", "--filter", "name=ba-copilot-"]);
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in names {
        let seen = machine.output_of(&["inspect", name]);
        assert!(seen.contains("SECRET_KEY_FILE=/run/secrets/SECRET_KEY"), "{name}: {seen}");
        for secret in [KEY, MCP_TOKEN, AI_TOKEN, DATABASE_PASSWORD, REDIS_PASSWORD, token] {
            assert!(!seen.contains(secret), "{name} shows {secret}");
        }
    }
}

fn check_image(machine: &Machine, image: &str) {
    let seen = machine.output_of(&["image", "inspect", image]);
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(seen[0]["Config"]["User"], "65532:65532");
    assert!(seen[0]["Config"]["Healthcheck"].is_object(), "{seen}");
    // The image has one program and the data folder; the files that the engine adds are empty.
    let id = machine.output_of(&["create", image]);
    let archive = machine.path("image.tar");
    machine.output_of(&["export", "--output", &archive.display().to_string(), &id]);
    let listed = Command::new("tar").arg("--list").arg("--file").arg(&archive).output().expect("tar");
    let listed = String::from_utf8(listed.stdout).expect("names");
    let of_engine = |name: &&str| {
        !["dev", "etc", "proc", "sys"].iter().any(|folder| name.starts_with(folder)) && *name != ".dockerenv"
    };
    assert_eq!(listed.lines().filter(of_engine).collect::<Vec<_>>(), ["ba-copilot", "data/"]);
    // The program works without any capability.
    let careful = [
        "run",
        "--detach",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--network",
        "none",
        "--security-opt",
        "no-new-privileges",
        "--memory",
        "512m",
        "--pids-limit",
        "100",
        image,
        "serve",
        "--listen",
        "127.0.0.1:8000",
    ];
    let id = machine.output_of(&careful);
    wait_for("health", || machine.docker(&["exec", &id, "/ba-copilot", "healthcheck"]).status.success());
    machine.output_of(&["rm", "--force", "--volumes", &id]);
}

#[test]
fn container_deployment_loses_nothing() {
    let Some(machine) = Machine::new() else { return };
    let (one, two, three) = (machine.version("one"), machine.version("two"), machine.version("three"));
    machine.start_infrastructure();

    // Without an account no sign-in is possible, so the first one is created with the same version.
    let (code, _, err) = machine.deploy(&["--program", &one], "");
    assert!(code == Some(1) && err.contains("ended by itself"), "{err}");
    assert!(err.contains("there are no accounts"), "{err}");
    let add = ["--", "user", "add", "ada@example.com", "--password-stdin"];
    machine.deployed(&add, PASSWORD);
    let scopes = "read,write,generate,mcp";
    let create = ["--", "token", "create", "--user", "ada@example.com", "--name", "crowd", "--scope", scopes];
    let token = machine.deployed(&create, "").trim().to_owned();
    machine.settings(&[("VERIFY_TOKEN", &token)]);
    let out = machine.deployed(&["--program", &one], "");
    assert!(out.contains("18 checks passed") || out.contains("17 checks passed"), "{out}");
    let first = machine.release();
    check_image(&machine, &format!("ba-copilot:{first}"));
    check_secrets(&machine, &token);

    let crowd = Crowd::start(&machine.front, &token);
    crowd.wait_for_more(BETWEEN);
    let go_on = |what: &str| {
        crowd.wait_for_more(BETWEEN);
        assert_eq!(crowd.failures(), Vec::<String>::new(), "{what}");
        assert_eq!(machine.slots().len(), 1, "{what}");
    };
    let out = machine.deployed(&["--program", &two], "");
    assert!(out.contains("verified by a test restore"), "no backup: {out}");
    let second = machine.release();
    go_on("the first swap");
    machine.deployed(&["--program", &three], "");
    assert!(![&first, &second].contains(&&machine.release()));
    go_on("the second swap");
    machine.deployed(&["--rollback"], "");
    assert_eq!(machine.release(), second);
    go_on("the third swap");

    // A version that failed verification gets no traffic.
    machine.settings(&[("BA_COPILOT__SERVER__MAX_BODY_BYTES", "10")]);
    let (code, out, err) = machine.deploy(&["--program", &three], "");
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.contains("failed verification"), "{err}");
    assert!(err.contains(&format!("{second} still serves")), "{err}");
    assert_eq!(machine.release(), second);
    go_on("a version that fails");
    machine.settings(&[("BA_COPILOT__SERVER__MAX_BODY_BYTES", "1000000")]);

    // Prometheus scrapes the active slot. Only the proxy can be reached from outside.
    let targets = "http://localhost:9090/api/v1/targets?state=active";
    wait_for("Prometheus to see the version", || {
        let seen = machine.docker(&["exec", "ba-copilot_prometheus_1", "wget", "-q", "-O", "-", targets]);
        let seen: Value = serde_json::from_slice(&seen.stdout).unwrap_or_default();
        let up = seen["data"]["activeTargets"].as_array().into_iter().flatten();
        up.filter(|target| target["health"] == "up").count() == 4
    });
    assert_eq!(status(&machine.front, "/metrics"), "404");
    assert_eq!(status(&machine.front, "/livez"), "200");
    crowd.end();
    assert_eq!(crowd.failures(), Vec::<String>::new());
    crowd.compare();

    // A killed version is detected, too.
    let crowd = Crowd::start(&machine.front, &token);
    crowd.wait_for_more(BETWEEN);
    for name in machine.output_of(&["ps", "--format", "{{.Names}}"]).lines() {
        if name.starts_with("ba-copilot-") {
            machine.output_of(&["kill", "--signal", "KILL", name]);
        }
    }
    wait_for("failures", || !crowd.failures().is_empty());
    machine.deployed(&["--program", &three], "");
    crowd.end();
}
