//! How many MCP calls a second, and how long each takes; other validators beside it, where they are installed.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{Outcome, has, http::Connection};

const CONNECTIONS: usize = 16;
const SECONDS: u64 = 5;

fn call(connection: &mut Connection, body: &str) -> Result<String, String> {
    let accept = "accept: application/json, text/event-stream\r\n";
    Ok(connection.ask("POST", "/mcp", accept, body)?.body)
}

fn tool(code: &str, engine: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\
         \"params\":{{\"name\":\"validate_mermaid\",\"arguments\":{{\"code\":\"{code}\",\
         \"engine\":\"{engine}\"}}}}}}"
    )
}

const NO_OP: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";

/// A small diagram that no request has named before.
fn distinct(number: u64) -> String {
    format!(
        "flowchart LR\\n  a{number}[\\\"Order received\\\"] --> b{{\\\"In stock?\\\"}}\\n  \
         b -->|yes| c[Ship]\\n  b -->|no| d"
    )
}

/// Calls a second over all connections.
fn rate(address: &str, body: impl Fn(u64) -> String + Sync) -> Result<f64, String> {
    let (count, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let number = AtomicU64::new(u64::from(std::process::id()) << 20);
    let begun = Instant::now();
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let work = || {
            let mut connection = Connection::open(address)?;
            while !ended.load(Ordering::Relaxed) {
                let answer = call(&mut connection, &body(number.fetch_add(1, Ordering::Relaxed)))?;
                if !answer.contains("\"result\"") || answer.contains("\"isError\":true") {
                    return Err(answer.chars().take(300).collect());
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        std::thread::sleep(Duration::from_secs(SECONDS));
        ended.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err("a thread panicked".to_owned())))
            .collect()
    });
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// Times of calls that begin every 5 ms, whether the ones before have ended or not.
fn at_200_a_second(address: &str) -> Result<Vec<u128>, String> {
    let begun = Instant::now();
    let threads: Vec<_> = (0..8_u64)
        .map(|thread| {
            let address = address.to_owned();
            std::thread::spawn(move || {
                let mut connection = Connection::open(&address)?;
                let mut times = Vec::new();
                for number in (thread..200 * SECONDS).step_by(8) {
                    let due = Duration::from_millis(5 * number);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    call(&mut connection, &tool(&distinct(number), "mermaid"))?;
                    // From when it was due: a call that waits for the one before it has waited.
                    times.push((begun.elapsed().saturating_sub(due)).as_micros());
                }
                Ok::<_, String>(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| "a thread panicked")??);
    }
    all.sort_unstable();
    Ok(all)
}

pub(crate) fn measure(address: &str) -> Outcome {
    let no_op = rate(address, |_| NO_OP.to_owned())?;
    println!("MCP, a call that does nothing (ping): {no_op:.0} a second over {CONNECTIONS} connections");
    let repeated = rate(address, |_| tool("flowchart LR\\n  a --> b", "mermaid"))?;
    println!("MCP, validate_mermaid, one small diagram again and again: {repeated:.0} a second");
    let fast = rate(address, |number| tool(&distinct(number), "fast"))?;
    println!(
        "MCP, validate_mermaid, fast engine, each diagram another: {fast:.0} a second, {:.0} % of doing nothing",
        100.0 * fast / no_op
    );
    let times = at_200_a_second(address)?;
    println!(
        "MCP, validate_mermaid, each diagram another, 200 a second: median {:.2} ms, p99 {:.2} ms of {}",
        times[times.len() / 2] as f64 / 1e3,
        times[times.len() * 99 / 100] as f64 / 1e3,
        times.len()
    );
    for (program, name, argument) in [
        ("mcp-mermaid-validator", "validateMermaid", "diagram"),
        ("mcp-mermaid", "generate_mermaid_diagram", "mermaid"),
    ] {
        if !has(program) {
            println!("{program}: not installed, so not measured");
            continue;
        }
        println!("{program}: {:.0} ms a call, median of 5", other(program, name, argument)?);
    }
    Ok(())
}

/// Another server over standard input and output: the median of five calls, in milliseconds.
fn other(program: &str, tool: &str, argument: &str) -> Result<f64, String> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut times = Vec::new();
    let mut ask = |message: &str, wait: bool| -> Result<Duration, String> {
        let begun = Instant::now();
        writeln!(input, "{message}").map_err(|error| error.to_string())?;
        let mut line = String::new();
        while wait && !line.contains("\"result\"") && !line.contains("\"error\"") {
            line.clear();
            if output.read_line(&mut line).map_err(|error| error.to_string())? == 0 {
                return Err(format!("{program} ended"));
            }
        }
        Ok(begun.elapsed())
    };
    let asked = (|| {
        ask(
            "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\
             \"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\
             \"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}",
            true,
        )?;
        ask("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", false)?;
        for number in 1..=5 {
            let call = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{number},\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\
                 \"arguments\":{{\"{argument}\":\"flowchart LR\\n  a --> b{number}\"}}}}}}"
            );
            times.push(ask(&call, true)?);
        }
        Ok::<(), String>(())
    })();
    let _ = child.kill();
    let _ = child.wait();
    asked?;
    times.sort_unstable();
    Ok(times[times.len() / 2].as_secs_f64() * 1e3)
}
