//! Hostile load beside regular load: slow diagrams, callers that disconnect, incomplete requests, invented methods and
//! parallel guesses, while regular clients work. No regular request fails, and memory stays bounded. Response times are
//! printed, not asserted.
//!
//! Runs alone.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    acknowledged_writes::{Call, wait_for},
    cli::run_in,
    process::Server,
};

/// The memory limit of the process, in MiB.
const MEMORY_MIB: u64 = 400;
/// Regular requests of each client.
const HONEST: usize = 80;
const HONEST_CLIENTS: usize = 3;

/// The pause between two attacks of one client: the clients use the same processors as the server.
const PAUSE: Duration = Duration::from_millis(10);

/// Random edges between nodes: layout is slow.
fn tangled(boxes: usize, edges: usize) -> String {
    let edge = |n: usize| format!("  n{} --> n{}\n", (n * 7919) % boxes, (n * 104_729 + n / boxes) % boxes);
    format!("flowchart TD\n{}", (0..edges).map(edge).collect::<String>())
}

/// A diagram that is drawn at any size, given enough time.
fn states(number: usize) -> String {
    let step = |n: usize| format!("  s{n} --> s{}\n", (n * 7 + 3) % number);
    format!("stateDiagram-v2\n{}", (0..number).map(step).collect::<String>())
}

fn program(folder: &Path, arguments: &[&str], input: &str) -> String {
    let arguments = [arguments, &["--data", "."]].concat();
    let ran = run_in(folder, &arguments, input.as_bytes(), &[]);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    ran.out
}

fn token(folder: &Path, person: &str) -> String {
    program(folder, &["user", "add", person, "--password-stdin"], "correct horse battery 9\n");
    let made = program(
        folder,
        &["token", "create", "--user", person, "--name", "test", "--scope", "read,write,generate"],
        "",
    );
    let token = made.split_whitespace().find(|word| word.starts_with("bac_"));
    token.unwrap_or_else(|| panic!("no token in {made}")).to_owned()
}

/// The peak memory of the process, in MiB.
fn peak_mib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// Sends bytes and returns the open connection; dropping it disconnects.
fn send(address: &str, bytes: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(bytes.as_bytes())?;
    Ok(stream)
}

fn post(token: &str, path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn honest_requests_succeed_beside_hostile_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let honest = token(folder.path(), "ada@example.com");
    let hostile = token(folder.path(), "eve@example.com");
    let many = "1000000";
    // Rate limits would reject most of this load; the test does not depend on them.
    let server = Server::start(
        folder.path(),
        &[
            // As in infra/systemd and infra/container.
            ("MALLOC_ARENA_MAX", "2"),
            ("BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE", many),
            ("BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE", many),
            ("BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", many),
        ],
    );
    let address = &server.address;
    let over = AtomicBool::new(false);
    let (attacks, failures, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let half_requests: Vec<TcpStream> = (0..300)
        .filter_map(|_| send(address, "POST /api/v1/validate HTTP/1.1\r\nhost: localhost\r\nx-slow: ").ok())
        .collect();
    assert!(half_requests.len() > 250);
    let again = |attack: &dyn Fn(usize)| {
        while !over.load(Ordering::Relaxed) {
            attack(attacks.fetch_add(1, Ordering::Relaxed));
            thread::sleep(PAUSE);
        }
    };
    let (again, hostile) = (&again, &hostile);
    thread::scope(|scope| {
        let answered = move |path: &'static str, body: &dyn Fn(usize) -> Value| {
            again(&|number| {
                // Any response is accepted: rejected, timed out, or successful.
                let body = body(number);
                drop(Call::post(path, &body).send(address, hostile));
            });
        };
        for format in ["svg", "png", "svg", "png"] {
            scope.spawn(move || {
                answered(
                    "/api/v1/render",
                    &|number| json!({"code": tangled(200 + number % 50, 490), "format": format}),
                );
            });
        }
        scope.spawn(move || {
            let wide = r#"%%{init:{"xyChart":{"width":100000,"height":100000}}}%%"#;
            answered("/api/v1/render", &|number| {
                let code = format!("{wide}\nxychart-beta\n  x-axis [a, b]\n  bar [1, {number}]\n");
                json!({"code": code, "format": "png"})
            });
        });
        for _ in 0..2 {
            scope.spawn(move || {
                answered("/api/v1/validate", &|number| json!({"code": tangled(3_000 + number, 9_000)}));
            });
            scope.spawn(move || {
                let opened = "A[&amp;&#".repeat(20_000);
                answered(
                    "/api/v1/repair",
                    &|number| json!({"code": format!("flowchart TD\n  n{number}\n{opened}")}),
                );
            });
            scope.spawn(move || {
                answered("/api/v1/compare", &|number| {
                    json!({"old": tangled(13_000, 13_000), "new": tangled(13_000 + number, 13_000)})
                });
            });
            // Disconnects after the request is sent.
            scope.spawn(move || {
                again(&|number| {
                    let request =
                        post(hostile, "/api/v1/validate", &json!({"code": tangled(1_000 + number, 3_000)}));
                    drop(send(address, &request));
                });
            });
            scope.spawn(move || {
                again(&|number| {
                    let request =
                        format!("M{number} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
                    if let Ok(mut stream) = send(address, &request) {
                        drop(stream.read_to_end(&mut Vec::new()));
                    }
                });
            });
        }
        for _ in 0..4 {
            scope.spawn(move || {
                again(&|number| {
                    let guess = json!({"email": "ada@example.com", "password": format!("guess {number}")});
                    drop(Call::post("/api/v1/sign-in", &guess).send(address, ""));
                });
            });
        }
        let (honest, failures, times) = (&honest, &failures, &times);
        let clients: Vec<_> = (0..HONEST_CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    for number in 0..HONEST {
                        let code = format!("flowchart LR\n  a{client}x{number} --> b\n");
                        let message =
                            format!("A customer places orders. Order {client}x{number} has a date.");
                        let bodies = [
                            ("/api/v1/validate", json!({"code": code})),
                            ("/api/v1/repair", json!({"code": format!("{code}  c --> d[run()]\n")})),
                            ("/api/v1/generate/class-diagram", json!({"message": message})),
                        ];
                        let (path, body) = &bodies[number % 3];
                        let began = Instant::now();
                        let answer = match number % 4 {
                            0 => Call::get("/api/v1/projects").send(address, honest),
                            _ => Call::post(path, body).send(address, honest),
                        };
                        times.lock().expect("times").push(began.elapsed());
                        match answer {
                            Ok(answer) if answer.status == 200 => {}
                            Ok(answer) => failures
                                .lock()
                                .expect("failures")
                                .push(format!("{path}: {} {}", answer.status, answer.json)),
                            Err(error) => failures.lock().expect("failures").push(format!("{path}: {error}")),
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        over.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    drop(half_requests);
    let mut times = times.into_inner().expect("times");
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    let peak = peak_mib(server.process_id());
    println!(
        "{} hostile requests; {} honest ones: median {:?}, p99 {:?}, worst {:?}; peak {peak} MiB",
        attacks.load(Ordering::Relaxed),
        times.len(),
        at(50),
        at(99),
        at(100)
    );
    let failures = failures.into_inner().expect("failures");
    assert_eq!(failures, Vec::<String>::new());
    assert!(peak < MEMORY_MIB, "{peak} MiB");
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

/// Work of a disconnected caller does not delay shutdown, and ends within its time limit.
#[test]
fn shutdown_does_not_wait_for_abandoned_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(
        folder.path(),
        // Longer than the time limit of the test: only cancellation can end it.
        &[("BA_COPILOT__PICTURE__TIME_S", "600"), ("BA_COPILOT__CHECK__TIME_S", "600")],
    );
    let running = |name: &str| {
        let (_, metrics) = server.request("GET", "/metrics", "").expect("metrics");
        let line = metrics.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    let drawing = json!({"code": states(3_000), "format": "svg"});
    let held = send(&server.address, &post("", "/api/v1/render", &drawing)).expect("sent");
    wait_for("the drawing to begin", || running("ba_copilot_work_running") > 0.0);
    drop(held);
    wait_for("the drawing to be cancelled", || running("ba_copilot_work_running") == 0.0);
    let held = send(&server.address, &post("", "/api/v1/render", &drawing)).expect("sent");
    wait_for("the drawing to begin", || running("ba_copilot_work_running") > 0.0);
    drop(held);
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

/// A text too large to validate in time has no verdict, and the next request is answered.
#[test]
fn timed_out_check_is_not_invalid_and_blocks_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(
        folder.path(),
        &[("BA_COPILOT__CHECK__TIME_S", "1"), ("BA_COPILOT__PICTURE__TIME_S", "1")],
    );
    let ask = |path: &str, body: Value| {
        let (status, body) = server.request("POST", path, &body.to_string()).expect("an answer");
        (status, serde_json::from_str::<Value>(&body).unwrap_or(Value::Null))
    };
    let large = tangled(30_000, 40_000);
    let (status, checked) = ask("/api/v1/validate", json!({"code": large}));
    assert_eq!(
        (status, &checked["valid"], &checked["findings"][0]["code"]),
        (200, &json!(false), &json!("MMD005"))
    );
    let (status, problem) = ask("/api/v1/render", json!({"code": states(3_000)}));
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_input")));
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("time limit")), "{problem}");
    let (status, checked) = ask("/api/v1/validate", json!({"code": "flowchart LR\n  a --> b\n"}));
    assert_eq!((status, &checked["valid"]), (200, &json!(true)));
}

/// An image has at most 16 megapixels, and the error names the limit.
#[test]
fn picture_pixels_are_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let wide = r#"%%{init:{"xyChart":{"width":100000,"height":100000}}}%%"#;
    let body =
        json!({"code": format!("{wide}\nxychart-beta\n  x-axis [a, b]\n  bar [1, 2]\n"), "format": "png"});
    let before = peak_mib(server.process_id());
    let mut answers: Vec<(String, u64)> = Vec::new();
    thread::scope(|scope| {
        let asked: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = send(
                        &server.address,
                        &post("", "/api/v1/render", &body)
                            .replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"),
                    )
                    .expect("sent");
                    let mut bytes = Vec::new();
                    stream.read_to_end(&mut bytes).expect("an answer");
                    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
                    let png = &bytes[end + 4..];
                    let side =
                        |at: usize| u64::from(u32::from_be_bytes(png[at..at + 4].try_into().expect("four")));
                    (String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase(), side(16) * side(20))
                })
            })
            .collect();
        answers.extend(asked.into_iter().map(|asked| asked.join().expect("no panic")));
    });
    for (head, pixels) in answers {
        assert!(head.starts_with("http/1.1 200") && head.contains("picture-scale: 0."), "{head}");
        assert!(pixels > 0 && pixels <= 16 << 20, "{pixels}");
    }
    let more = peak_mib(server.process_id()) - before;
    // The pixels of one image, twice: painted and encoded, plus the memory of the engine.
    assert!(more < 300, "{more} MiB more");
}
