//! `load`: a steady load of many kinds of requests for a long time: how long each takes, whether any fails, and
//! whether memory grows. Not part of the gate: machines are noisy, and it takes ten minutes.
//!
//! Requests are sent when they are due, whether those before were answered or not, and their time counts from then.

use std::{
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    bench::resident_mb,
    http::{Answer, Connection},
    root,
    server::Server,
    sh,
};

/// Connections, each with a thread: as many requests can be in progress at once.
const CONNECTIONS: u64 = 32;

/// The mix of requests: how many of a hundred, their name, and the expected status.
const MIX: [(u64, &str, u16); 9] = [
    (30, "list", 200),
    (22, "open", 200),
    (15, "search", 200),
    (8, "versions", 200),
    (6, "new version", 201),
    (4, "new diagram", 201),
    (5, "new requirement", 201),
    (6, "validate", 200),
    (4, "generate", 200),
];

/// How long, how many a second, and on which database.
struct Options {
    seconds: u64,
    rate: u64,
    database: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seconds: 600, rate: 500, database: None };
    let mut arguments = std::env::args().skip(2);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
        let number =
            || value.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| format!("{name} takes a number"));
        match name.as_str() {
            "--seconds" => options.seconds = number()?,
            "--rate" => options.rate = number()?,
            "--database" => options.database = Some(value),
            _ => {
                return Err(format!(
                    "unknown option {name}; known are --seconds, --rate and --database URL (filled by \
                     `cargo run --release -p store --example scale -- URL`)"
                ));
            }
        }
    }
    Ok(options)
}

pub(crate) fn run() -> Outcome {
    let options = options()?;
    sh("cargo", &["build", "--release"])?;
    let data = std::env::temp_dir().join(format!("ba-copilot-load-{}", std::process::id()));
    let result = serve_and_measure(&options, &data);
    let _ = std::fs::remove_dir_all(&data);
    result
}

fn serve_and_measure(options: &Options, data: &std::path::Path) -> Outcome {
    let mut command = Command::new(root().join("target/release/ba-copilot"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("BA_COPILOT__LOG__FORMAT", "text").env("LOG_LEVEL", "warn,ba_copilot::cli=info");
    for (name, value) in environment(options) {
        command.env(name, value);
    }
    let server = Server::start(&mut command)?;
    let address = server.address.clone();
    let token = match Connection::open(&address)?.ask("GET", "/api/v1/projects/p-0", "", "")?.status {
        401 => Some(make_token(options, data)?),
        _ => None,
    };
    let filled = token.is_some();
    let site = Site {
        address,
        authorization: token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default(),
        filled,
    };
    let begin = match filled {
        true => "in a database that was filled before",
        false => "in an empty database",
    };
    println!(
        "{} requests a second for {} s over {CONNECTIONS} connections, {begin}; resident {} MB",
        options.rate,
        options.seconds,
        resident_mb(server.id())
    );
    let over = AtomicBool::new(false);
    let results = std::thread::scope(|scope| {
        let memory = scope.spawn(|| watch_memory(server.id(), options.seconds, &over));
        let times = all_requests(&site, options);
        over.store(true, Ordering::Relaxed);
        memory.join().map_err(|_| "a thread panicked".to_owned())?;
        times
    });
    let times = results?;
    print_times(&times, options);
    let log = server.end("-KILL")?;
    println!("warnings and errors in the log: {}", log.len());
    log.iter().take(10).for_each(|line| println!("  {line}"));
    let errors: usize = times.iter().map(|time| time.errors.len()).sum();
    match errors {
        0 => Ok(()),
        errors => Err(format!("{errors} requests failed")),
    }
}

/// Environment of the server and of its command line.
fn environment(options: &Options) -> Vec<(&'static str, String)> {
    let names = [
        "BA_COPILOT__LIMITS__REQUESTS_PER_MINUTE",
        "BA_COPILOT__LIMITS__TOKEN_REQUESTS_PER_MINUTE",
        "BA_COPILOT__LIMITS__ADDRESS_REQUESTS_PER_MINUTE",
    ];
    let mut all: Vec<(&'static str, String)> =
        names.into_iter().map(|name| (name, "10000000".to_owned())).collect();
    if let Some(url) = &options.database {
        all.push(("DATABASE_URL", url.clone()));
    }
    all
}

/// A token of the person who owns every project of a filled database.
fn make_token(options: &Options, data: &std::path::Path) -> Result<String, String> {
    let output = Command::new(root().join("target/release/ba-copilot"))
        .args([
            "token",
            "create",
            "--user",
            "one@example.com",
            "--name",
            "load",
            "--scope",
            "read,write,generate",
            "--data",
        ])
        .arg(data)
        .envs(environment(options))
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The server that is measured.
struct Site {
    address: String,
    authorization: String,
    filled: bool,
}

fn watch_memory(process: u32, seconds: u64, over: &AtomicBool) {
    let step = Duration::from_secs((seconds / 10).max(1));
    let begun = Instant::now();
    let mut next = step;
    while !over.load(Ordering::Relaxed) {
        if begun.elapsed() >= next {
            println!("  after {:>4} s: resident {} MB", next.as_secs(), resident_mb(process));
            next += step;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What was measured of one kind of request.
#[derive(Default)]
struct Times {
    micros: Vec<u64>,
    errors: Vec<String>,
}

fn all_requests(site: &Site, options: &Options) -> Result<Vec<Times>, String> {
    let Site { address, authorization, filled } = site;
    // What writes go to, so that they find something.
    let mut first = Connection::open(address)?;
    let project = if *filled { "p-0" } else { "default" };
    let mut own = Vec::new();
    for number in 0..200 {
        own.push(made(&first.ask(
            "POST",
            &format!("/api/v1/projects/{project}/diagrams"),
            authorization,
            &diagram(number),
        )?)?);
    }
    let all: Vec<Mutex<Times>> = MIX.iter().map(|_| Mutex::default()).collect();
    let (total, begun) = (options.rate * options.seconds, Instant::now());
    std::thread::scope(|scope| {
        let work = |thread: u64| {
            let (own, all) = (&own, &all);
            move || {
                let mut connection = Connection::open(address)?;
                let mut dice = Dice(thread + 1);
                for number in (thread..total).step_by(CONNECTIONS as usize) {
                    let due = Duration::from_secs_f64(number as f64 / options.rate as f64);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    let kind = dice.kind();
                    let answer = send(&mut connection, site, kind, &mut dice, own, number);
                    let took = begun.elapsed().saturating_sub(due);
                    let mut times = all[kind].lock().map_err(|_| "a thread panicked")?;
                    times.micros.push(took.as_micros() as u64);
                    match answer {
                        Ok(answer) if answer.status == MIX[kind].2 => (),
                        Ok(answer) => times.errors.push(format!("{} {}", answer.status, answer.body)),
                        Err(problem) => {
                            times.errors.push(problem);
                            connection = Connection::open(address)?;
                        }
                    }
                }
                Ok(())
            }
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|thread| scope.spawn(work(thread))).collect();
        let ended =
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err("a thread panicked".to_owned())));
        ended.collect::<Result<(), String>>()
    })?;
    all.into_iter().map(|times| times.into_inner().map_err(|_| "a thread panicked".to_owned())).collect()
}

fn send(
    connection: &mut Connection,
    site: &Site,
    kind: usize,
    dice: &mut Dice,
    own: &[String],
    number: u64,
) -> Result<Answer, String> {
    let project = if site.filled { format!("p-{}", dice.below(200)) } else { "default".to_owned() };
    let some = if site.filled {
        format!("d-{}", dice.below(100_000))
    } else {
        own[dice.below(own.len() as u64) as usize].clone()
    };
    let mine = &own[dice.below(own.len() as u64) as usize];
    let who = site.authorization.as_str();
    let write_headers =
        format!("{who}idempotency-key: load-{}-{number}\r\nif-match: *\r\n", std::process::id());
    match MIX[kind].1 {
        "list" => connection.ask("GET", &format!("/api/v1/projects/{project}/diagrams"), who, ""),
        "open" => connection.ask("GET", &format!("/api/v1/diagrams/{some}"), who, ""),
        "search" => {
            let word = ["order", "cust", "invoice", "deliver", "pay", "claim"][dice.below(6) as usize];
            connection.ask("GET", &format!("/api/v1/projects/{project}/diagrams?q={word}"), who, "")
        }
        "versions" => connection.ask("GET", &format!("/api/v1/diagrams/{some}/versions"), who, ""),
        "new version" => {
            let code = format!("classDiagram\\n    class Order{number}\\n    Order{number} --> Customer");
            let body = format!("{{\"code\":\"{code}\",\"note\":\"change {number}\"}}");
            connection.ask("POST", &format!("/api/v1/diagrams/{mine}/versions"), &write_headers, &body)
        }
        "new diagram" => connection.ask(
            "POST",
            &format!("/api/v1/projects/{project}/diagrams"),
            &write_headers,
            &diagram(number),
        ),
        "new requirement" => {
            let body = format!("{{\"text\":\"A customer places order number {number}.\"}}");
            connection.ask("POST", &format!("/api/v1/projects/{project}/requirements"), &write_headers, &body)
        }
        "validate" => {
            let body = format!("{{\"code\":\"flowchart LR\\n  a{number}[\\\"x\\\"] --> b --> c\"}}");
            connection.ask("POST", "/api/v1/validate", who, &body)
        }
        _ => {
            let body = format!(
                "{{\"message\":\"A customer places orders. Each order of group {number} has a number, a date and \
                 a status.\",\"project_id\":\"{project}\"}}"
            );
            connection.ask("POST", "/api/v1/generate/class-diagram", who, &body)
        }
    }
}

fn diagram(number: u64) -> String {
    format!("{{\"title\":\"order {number}\",\"code\":\"classDiagram\\n    class Order{number}\"}}")
}

fn made(answer: &Answer) -> Result<String, String> {
    let id = answer.body.split_once("\"id\":\"").and_then(|(_, rest)| rest.split('"').next());
    id.map(str::to_owned).ok_or_else(|| format!("no diagram was made: {} {}", answer.status, answer.body))
}

/// The same sequence on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    fn kind(&mut self) -> usize {
        let mut at = self.below(MIX.iter().map(|(share, ..)| share).sum());
        for (kind, (share, ..)) in MIX.iter().enumerate() {
            match at.checked_sub(*share) {
                Some(rest) => at = rest,
                None => return kind,
            }
        }
        0
    }
}

fn print_times(times: &[Times], options: &Options) {
    println!(
        "{:<18}{:>9}{:>12}{:>12}{:>12}{:>8}",
        "", "requests", "median ms", "p99 ms", "worst ms", "errors"
    );
    let mut everything = Times::default();
    let line = |name: &str, times: &mut Vec<u64>, errors: usize| {
        times.sort_unstable();
        let at =
            |part: usize| times.get((times.len() * part / 1000).min(times.len().saturating_sub(1))).copied();
        let ms = |part| at(part).unwrap_or_default() as f64 / 1e3;
        println!(
            "{name:<18}{:>9}{:>12.2}{:>12.2}{:>12.2}{errors:>8}",
            times.len(),
            ms(500),
            ms(990),
            ms(1000)
        );
    };
    for ((_, name, _), times) in MIX.iter().zip(times) {
        everything.micros.extend(&times.micros);
        everything.errors.extend(times.errors.iter().take(3).map(|error| format!("{name}: {error}")));
        line(name, &mut times.micros.clone(), times.errors.len());
    }
    let errors = times.iter().map(|times| times.errors.len()).sum();
    line("all", &mut everything.micros, errors);
    println!("target: {} requests a second for {} s", options.rate, options.seconds);
    everything
        .errors
        .iter()
        .take(10)
        .for_each(|error| println!("  {}", error.chars().take(300).collect::<String>()));
}
