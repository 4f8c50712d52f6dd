//! Alerts, evaluated by Prometheus: its own unit tests of the rules, and real servers with real faults, each of which
//! must fire exactly its alert.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{skip, wait_for};

use crate::{
    faults::{SmallDisk, fill},
    metrics::{dashboards, root},
    process::Server,
    providers::{read_request, respond, vendor},
};

/// Whether a program is installed; counted as skipped if not.
fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(format!("{program} is not installed"));
    }
    there
}

/// Runs a checker in a folder of `ops` and returns its output if it succeeds.
fn check(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}{problem}");
    said
}

fn rules() -> String {
    fs::read_to_string(root().join("infra/prometheus/rules.yml")).expect("rules")
}

/// The values of a key in the rules.
fn values<'a>(rules: &'a str, key: &str) -> Vec<&'a str> {
    rules
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key))
        .map(str::trim)
        .collect()
}

#[test]
fn prometheus_accepts_rules_and_configuration() {
    if !has("promtool") {
        return;
    }
    let folder = root().join("infra/prometheus");
    check("promtool", &["check", "rules", "rules.yml"], &folder);
    check("promtool", &["check", "config", "prometheus.yml"], &folder);
    check("promtool", &["test", "rules", "rules_test.yml"], &folder);
    // Each expression of a dashboard must be valid, too.
    let mut file = "groups:\n  - name: dashboards\n    rules:\n".to_owned();
    for (number, (_, expression)) in dashboards().iter().enumerate() {
        let expression = json!(expression.replace("$instance", ".*"));
        file.push_str(&format!("      - {{record: \"r{number}\", expr: {expression}}}\n"));
    }
    let copy = TempDir::new().expect("a folder");
    fs::write(copy.path().join("dashboards.yml"), file).expect("written");
    check("promtool", &["check", "rules", "dashboards.yml"], copy.path());
}

#[test]
fn each_alert_has_a_test_and_a_runbook_section() {
    let (rules, root) = (rules(), root());
    let tests = fs::read_to_string(root.join("infra/prometheus/rules_test.yml")).expect("tests");
    let alerts = values(&rules, "alert:");
    for alert in &alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not in rules_test.yml");
    }
    let runbooks = values(&rules, "runbook_url:");
    assert_eq!(runbooks.len(), alerts.len());
    let chapter = fs::read_to_string(root.join("docs/operations.md")).expect("docs/operations.md");
    for runbook in runbooks {
        let anchor = runbook.strip_prefix("docs/operations.md#").expect("a section of operations.md");
        assert!(chapter.contains(&format!("<a id=\"{anchor}\"></a>")), "docs/operations.md has no {anchor}");
    }
}

#[test]
fn alertmanager_accepts_its_example() {
    if !has("amtool") {
        return;
    }
    let text = fs::read_to_string(root().join("infra/alertmanager/alertmanager.yml")).expect("the example");
    let (notes, _) = text.split_once("\nglobal:").expect("notes");
    let mut filled = text.clone();
    for (name, value) in [
        ("SMTP_SMARTHOST", "mail.example.com:587"),
        ("SMTP_USERNAME", "alerts"),
        ("ALERT_FROM", "alerts@example.com"),
        ("ALERT_TO", "operators@example.com"),
        ("ALERT_PAGE_URL", "https://pager.example.com/hook"),
    ] {
        assert!(notes.contains(name), "{name} is not documented");
        filled = filled.replace(&format!("${{{name}}}"), value);
    }
    assert!(!filled.contains("${"), "{filled}");
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("alertmanager.yml"), filled).expect("written");
    check("amtool", &["check-config", "alertmanager.yml"], folder.path());
    let route = |labels: &[&str]| {
        let arguments = [&["config", "routes", "test", "--config.file=alertmanager.yml"], labels].concat();
        check("amtool", &arguments, folder.path()).trim().to_owned()
    };
    assert_eq!(route(&["severity=critical", "alertname=BaCopilotDown"]), "page");
    assert_eq!(route(&["severity=warning", "alertname=BaCopilotSlow"]), "mail");
}

/// One request to any HTTP server; the status is 0 without a response.
fn http(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        // HTTP/1.0, which has no chunked encoding.
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             {headers}content-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().unwrap_or_default();
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// A Prometheus process, stopped by its process id when dropped.
struct Prometheus {
    server: Child,
    address: String,
    _folder: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Prometheus {
    /// Scrapes these targets every second with the real rules, without their `for` durations.
    fn start(targets: &[(&'static str, String)]) -> Prometheus {
        let folder = TempDir::new().expect("a folder");
        let hasty: String = rules()
            .lines()
            .map(|line| {
                if line.trim().starts_with("for:") {
                    "        for: 1s\n".to_owned()
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        fs::write(folder.path().join("rules.yml"), hasty).expect("written");
        let mut config = concat!(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n",
            "rule_files: [rules.yml]\n",
            "scrape_configs:\n",
            "  - job_name: ba-copilot\n",
            "    static_configs:\n",
        )
        .to_owned();
        for (name, address) in targets {
            config.push_str(&format!("      - {{targets: [\"{address}\"], labels: {{instance: {name}}}}}\n"));
        }
        fs::write(folder.path().join("prometheus.yml"), config).expect("written");
        // Another process can take the free port in between; then the start fails and is repeated with another port.
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address").to_string();
            drop(listener);
            let mut server = Command::new("prometheus")
                .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
                .arg(format!("--web.listen-address={address}"))
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("prometheus starts");
            while server.try_wait().expect("a state").is_none() {
                if http(&address, "GET", "/-/ready", "", "").0 == 200 {
                    return Prometheus { server, address, _folder: folder };
                }
            }
        }
    }

    fn ask(&self, path: &str) -> Value {
        let (status, body) = http(&self.address, "GET", path, "", "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).expect("JSON")["data"].clone()
    }

    /// The firing alerts by instance; alerts without an instance have an empty name.
    fn firing(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut firing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for alert in self.ask("/api/v1/alerts")["alerts"].as_array().expect("alerts") {
            if alert["state"] == "firing" {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
                firing.entry(label("instance")).or_default().insert(label("alertname"));
            }
        }
        firing
    }

    /// The number of targets that answered the last scrape.
    fn up(&self) -> usize {
        let found = self.ask("/api/v1/query?query=count(up==1)");
        found["result"][0]["value"][1].as_str().and_then(|count| count.parse().ok()).unwrap_or_default()
    }
}

/// A server with a separate data folder.
struct Target {
    name: &'static str,
    server: Option<Server>,
    data: PathBuf,
}

impl Target {
    fn start(on: &Path, name: &'static str, arguments: &[&str], variables: &[(&str, &str)]) -> Target {
        let data = on.join(name);
        fs::create_dir(&data).expect("a folder");
        let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
        let variables = [&[("BA_COPILOT__CHECK__THREADS", "1")], variables].concat();
        let server = Server::start_with(&arguments, &data, &variables);
        Target { name, server: Some(server), data }
    }

    fn address(&self) -> String {
        self.server.as_ref().expect("a server").address.clone()
    }

    fn post(&self, path: &str, headers: &str, body: &Value) -> u16 {
        http(&self.address(), "POST", path, headers, &body.to_string()).0
    }

    fn generate(&self, fallback: bool) -> u16 {
        let body = json!({"message": "A customer places orders.", "fallback": fallback});
        self.post("/api/v1/generate/class-diagram", "", &body)
    }

    fn create_diagram(&self) -> u16 {
        let code = format!("flowchart LR\n{}", "  a --> b\n".repeat(300));
        self.post("/api/v1/projects/default/diagrams", "", &json!({"title": "Orders", "code": code}))
    }
}

/// A control group with a memory limit, removed on drop; the server must be stopped before.
struct Group(PathBuf);

impl Group {
    /// Limits a server to little more memory than it uses; `None`, counted as skipped, without the permission for it.
    fn around(server: &Server) -> Option<Group> {
        let (_, metrics) = http(&server.address, "GET", "/metrics", "", "");
        let has = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "))?;
        let limit = format!("{}", (has.parse::<f64>().ok()? * 1.1) as u64);
        let name = format!("ba-copilot-test-{}", std::process::id());
        for (folder, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let group = Group(Path::new(folder).join(&name));
            if Path::new(folder).join("cgroup.procs").exists()
                && fs::create_dir(&group.0).is_ok()
                && fs::write(group.0.join(file), &limit).is_ok()
                && fs::write(group.0.join("cgroup.procs"), server.process_id().to_string()).is_ok()
            {
                return Some(group);
            }
        }
        skip("no memory limit can be set: this needs root and a writable cgroup");
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// A model response with this many tokens.
fn completion(content: &str, tokens: u64) -> String {
    json!({"id": "1", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 10, "total_tokens": tokens + 10}})
    .to_string()
}

const BLUEPRINT: &str = r#"{"classes": [{"name": "Customer"}, {"name": "Order"}], "relationships": []}"#;

#[test]
fn each_fault_fires_exactly_its_alert() {
    if !has("prometheus") {
        return;
    }
    // Models: one rejects every request, one gives an invalid first answer, one is expensive, and one never responds.
    let (refuses, _refuses) = vendor(|mut stream, _| {
        read_request(&mut stream);
        respond(&mut stream, "401 Unauthorized", "application/json", "{}");
    });
    let (errs, _errs) = vendor(|mut stream, _| {
        let again = read_request(&mut stream).contains("\"role\":\"assistant\"");
        let says = if again { BLUEPRINT } else { r#"{"classes": 7}"# };
        respond(&mut stream, "200 OK", "application/json", &completion(says, 11));
    });
    let (dear, _dear) = vendor(|mut stream, _| {
        read_request(&mut stream);
        respond(&mut stream, "200 OK", "application/json", &completion(BLUEPRINT, 950_000));
    });
    let (hangs, _hangs) = vendor(|stream, over| {
        let _ = over.recv();
        drop(stream);
    });
    let model = |url: &str| [("OPENAI_BASE_URL", url.to_owned()), ("MODEL", "m".to_owned())];
    // Dropped last: what the servers depend on. The disk of the machine may be full.
    let (folder, roomy, disk) =
        (TempDir::new().expect("a folder"), SmallDisk::new("1g"), SmallDisk::new("24m"));
    let on = roomy.as_ref().map_or(folder.path(), |disk| disk.0.path());
    let group;
    let start = |name, variables: &[(&str, String)]| {
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Target::start(on, name, &[], &variables)
    };
    let one_at_once = [&model(&hangs)[..], &[("BA_COPILOT__JOBS__AT_ONCE", "1".to_owned())]].concat();
    let checker = Target::start(on, "its-checker", &["--role", "mcp"], &[]);
    let url = format!("http://{}", checker.address());

    // All servers are healthy at first, each with the dependency that fails later.
    let well = start("well", &[]);
    let mut gone = start("gone", &[]);
    let moved = start("moved", &[]);
    let unchecked = Target::start(on, "unchecked", &["--role", "ai"], &[("MCP_SERVER_URL", &url)]);
    let refused = start("refused", &model(&refuses));
    let again = start("again", &model(&errs));
    let spent = start("spent", &model(&dear));
    let busy = start("busy", &one_at_once);
    let telling = start("telling", &[("BA_COPILOT__WEBHOOKS__ALLOW_PRIVATE", "true".to_owned())]);
    let heavy = start("heavy", &[]);
    let alone = start("alone", &[("REDIS_URL", "redis://127.0.0.1:1".to_owned())]);
    let full = disk.as_ref().map(|disk| Target::start(disk.0.path(), "full", &[], &[]));
    let targets: Vec<(&'static str, String)> =
        [&well, &gone, &moved, &unchecked, &refused, &again, &spent, &busy, &telling, &heavy, &alone]
            .into_iter()
            .chain(&full)
            .map(|target| (target.name, target.address()))
            .collect();
    let prometheus = Prometheus::start(&targets);
    // Until the first target is scraped, the alert for missing targets fires.
    let unwatched = |firing: &BTreeMap<String, BTreeSet<String>>| {
        firing.get("").is_some_and(|alerts| alerts.contains("BaCopilotNotWatched"))
    };
    wait_for("all targets to be scraped", || {
        prometheus.up() == targets.len() && !unwatched(&prometheus.firing())
    });

    // Start all faults.
    let mut expected = BTreeMap::new();
    let mut expect = |name: &str, alerts: &[&str]| {
        expected.insert(
            name.to_owned(),
            alerts.iter().map(|alert| format!("BaCopilot{alert}")).collect::<BTreeSet<_>>(),
        );
    };
    gone.server = None;
    expect("gone", &["Down"]);
    fs::rename(moved.data.join("ba-copilot.db"), moved.data.join("elsewhere.db")).expect("moved");
    expect("moved", &["Unhealthy"]);
    drop(checker);
    expect("unchecked", &["CheckerUnreachable"]);
    expect("refused", &["ErrorRate", "ModelFailing"]);
    expect("again", &["RetryRate"]);
    expect("alone", &["Degraded"]);
    group = heavy.server.as_ref().and_then(Group::around);
    if group.is_some() {
        expect("heavy", &["MemoryHigh"]);
    }
    if let Some(disk) = &disk {
        fill(disk.0.path());
        expect("full", &["DatabaseErrors", "DiskLow", "ErrorRate"]);
    }
    let budget = json!({"period": "total", "max_tokens": 1_000_000}).to_string();
    let (status, said) = http(&spent.address(), "PUT", "/api/v1/projects/default/budget", "", &budget);
    assert!((200..300).contains(&status), "{said}");
    // The first request passes the threshold, the second uses the rest, the third does not reach the model; each gets
    // its diagram.
    for _ in 0..3 {
        assert_eq!(spent.generate(true), 200);
    }
    for _ in 0..110 {
        let body = json!({"message": "A customer places orders."});
        let asked = busy.post("/api/v1/generate/class-diagram", "prefer: respond-async\r\n", &body);
        assert_eq!(asked, 202);
    }
    let webhook = json!({"url": "http://127.0.0.1:1/hook", "events": ["*"]});
    assert_eq!(telling.post("/api/v1/projects/default/webhooks", "", &webhook), 201);
    // Backups are not specific to an instance, and here there is none.
    expect("", &["BackupMissing", "BudgetNearlySpent", "BudgetSpent", "JobsPilingUp", "WebhooksFailing"]);

    let missing =
        |firing: &BTreeMap<String, BTreeSet<String>>, name: &str| firing.get(name) != expected.get(name);
    let mut firing = BTreeMap::new();
    wait_for("everything fires", || {
        firing = prometheus.firing();
        if roomy.is_none() {
            firing.values_mut().for_each(|alerts| {
                alerts.remove("BaCopilotDiskLow");
            });
            firing.retain(|_, alerts| !alerts.is_empty());
        }
        for (name, alerts) in &firing {
            let allowed = expected.get(name).cloned().unwrap_or_default();
            assert!(alerts.is_subset(&allowed), "{name}: {alerts:?} fire and not only {allowed:?}");
        }
        if firing == expected {
            return true;
        }
        // Faults of requests are visible only while there are requests.
        if missing(&firing, "refused") {
            assert_eq!(refused.generate(false), 502);
        }
        if missing(&firing, "again") {
            assert_eq!(again.generate(false), 200);
        }
        if missing(&firing, "") {
            assert_eq!(telling.create_diagram(), 201);
        }
        if let Some(full) = full.as_ref().filter(|_| missing(&firing, "full")) {
            full.create_diagram();
        }
        false
    });
}
