//! `bench`: figures of the release binary, over real HTTP on loopback. Never part of the gate: machines are noisy.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use crate::{Outcome, bench_check, bench_mcp, root, server::Server, sh};

const REQUESTS: usize = 1_000;
const TEXT: &str = "A customer places orders. Each order has a number, a date and a status. \
                    An order consists of order lines. Each order line has a quantity and refers to a product. \
                    A product has a name and a price.";

pub(crate) fn run() -> Outcome {
    let mut arguments = std::env::args().skip(2);
    match arguments.next().as_deref() {
        None => {}
        Some("check") => return bench_check::run(arguments.next().as_deref()),
        Some(other) => {
            return Err(format!("there is no bench `{other}`; leave it out, or use `check [FOLDER]`"));
        }
    }
    sh("cargo", &["build", "--release"])?;
    let binary = root().join("target/release/ba-copilot");
    let size = std::fs::metadata(&binary).map_err(|error| error.to_string())?.len();
    println!("binary: {:.1} MB", size as f64 / 1e6);
    let data = std::env::temp_dir().join(format!("ba-copilot-bench-{}", std::process::id()));
    let started = Instant::now();
    let mut command = Command::new(&binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let result = match Server::start(command.env("BA_COPILOT__LOG__FORMAT", "text")) {
        Ok(server) => measure(&server, started),
        Err(problem) => Err(problem),
    };
    let _ = std::fs::remove_dir_all(&data);
    result
}

fn measure(server: &Server, started: Instant) -> Outcome {
    let address = &server.address;
    while !request(address, "GET", "/health", "").is_ok_and(|(status, _)| status == 200) {
        if started.elapsed() > Duration::from_secs(30) {
            return Err("the server did not become healthy in 30 s".to_owned());
        }
    }
    println!("start to first healthy answer: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    println!("resident memory after start: {} MB", resident_mb(server.id()));
    times("GET /health", || request(address, "GET", "/health", ""))?;
    let body = format!("{{\"message\":\"{TEXT}\"}}");
    times("built-in class diagram", || request(address, "POST", "/api/v1/generate/class-diagram", &body))?;
    let mut number = 0;
    times("built-in class diagram, each text another", || {
        number += 1;
        let body =
            format!("{{\"message\":\"{TEXT} A customer of group {number} has a discount number{number}.\"}}");
        request(address, "POST", "/api/v1/generate/class-diagram", &body)
    })?;
    let mut number = 0;
    times("validate, each text another", || {
        number += 1;
        let body = format!("{{\"code\":\"flowchart LR\\n  a{number}[\\\"x\\\"] --> b --> c\"}}");
        request(address, "POST", "/api/v1/validate", &body)
    })?;
    times("render SVG", || {
        request(address, "POST", "/api/v1/render", "{\"code\":\"flowchart LR\\n  a --> b --> c\"}")
    })?;
    bench_mcp::measure(address)?;
    println!("resident memory at the end: {} MB", resident_mb(server.id()));
    Ok(())
}

fn times(what: &str, mut ask: impl FnMut() -> Result<(u16, String), String>) -> Outcome {
    let mut micros = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let started = Instant::now();
        let (status, body) = ask()?;
        micros.push(started.elapsed().as_micros());
        if status != 200 {
            return Err(format!("{what}: {status} {}", body.chars().take(300).collect::<String>()));
        }
    }
    micros.sort_unstable();
    println!(
        "{what}: median {:.2} ms, p99 {:.2} ms of {REQUESTS}",
        micros[REQUESTS / 2] as f64 / 1e3,
        micros[REQUESTS * 99 / 100] as f64 / 1e3
    );
    Ok(())
}

/// One request on a connection of its own.
fn request(address: &str, method: &str, path: &str, body: &str) -> Result<(u16, String), String> {
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status =
        answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).ok_or("no HTTP answer")?;
    Ok((status, answer))
}

pub(crate) fn resident_mb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
