//! `bench check [FOLDER]`: how long a verdict takes, beside mermaid.js in Node with jsdom, over a folder of diagrams.
//!
//! Both are asked the same way: a process of their own, one JSON line in, one line out, one text after the other.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Outcome, root, sh};

const COLD_STARTS: usize = 5;
const SMALL: &str = "flowchart LR\n  a --> b";

pub(crate) fn run(folder: Option<&str>) -> Outcome {
    let folder = folder.map_or_else(|| root().join("crates/mermend/src/kinds/samples"), PathBuf::from);
    let mut texts = Vec::new();
    collect(&folder, &mut texts)?;
    if texts.is_empty() {
        return Err(format!("{} holds no .mmd or .mermaid file", folder.display()));
    }
    sh("cargo", &["build", "--release"])?;
    let ours = || {
        let mut command = Command::new(root().join("target/release/ba-copilot"));
        command.args(["check", "--batch"]);
        command
    };
    println!("{} diagrams in {}", texts.len(), folder.display());
    let own = measure("ba-copilot", ours, &texts)?;
    let modules = fetch_jsdom()?;
    let node = || {
        let mut command = Command::new("node");
        command.arg(root().join("xtask/bench/peer.mjs")).arg(&modules).arg(root().join("web"));
        command
    };
    let peer = measure("mermaid.js", node, &texts)?;
    let differing: Vec<&Path> = texts
        .iter()
        .zip(own.iter().zip(&peer))
        .filter(|(_, (own, peer))| own != peer)
        .map(|((path, _), _)| path.as_path())
        .collect();
    println!("verdicts that differ: {}", differing.len());
    for path in differing.iter().take(10) {
        println!("  {}", path.display());
    }
    Ok(())
}

/// The diagrams of a folder and the folders in it, in the order of their names.
fn collect(folder: &Path, into: &mut Vec<(PathBuf, String)>) -> Outcome {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).map_err(problem)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "mmd" || extension == "mermaid") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            into.push((path, text));
        }
    }
    Ok(())
}

/// Installs jsdom below `target/`. mermaid.js is the one that the product embeds.
fn fetch_jsdom() -> Result<PathBuf, String> {
    let folder = root().join("target/bench");
    let wanted = root().join("xtask/bench/package.json");
    let manifest = fs::read(&wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    let installed = folder.join("installed.json");
    if fs::read(&installed).ok().as_ref() != Some(&manifest) {
        let write = |path: &Path| fs::write(path, &manifest).map_err(|error| error.to_string());
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        write(&folder.join("package.json"))?;
        let prefix = folder.display().to_string();
        sh("npm", &["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", &prefix])?;
        write(&installed)?;
    }
    Ok(folder)
}

/// Prints the times of one program, and returns its verdicts.
fn measure(
    name: &str,
    command: impl Fn() -> Command,
    texts: &[(PathBuf, String)],
) -> Result<Vec<bool>, String> {
    let mut cold = Vec::with_capacity(COLD_STARTS);
    for _ in 0..COLD_STARTS {
        let begun = Instant::now();
        let mut asked = Asked::start(command())?;
        asked.ask(SMALL)?;
        cold.push(begun.elapsed());
        asked.end();
    }
    let mut asked = Asked::start(command())?;
    asked.ask(SMALL)?;
    let (mut times, mut verdicts) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
    for (path, text) in texts {
        let begun = Instant::now();
        verdicts.push(asked.ask(text).map_err(|problem| format!("{}: {problem}", path.display()))?);
        times.push(begun.elapsed());
    }
    asked.end();
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
    times.sort_unstable();
    cold.sort_unstable();
    let at = |percent: usize| ms(times[(times.len() * percent / 100).min(times.len() - 1)]);
    println!(
        "{name:<11}p50 {}  p90 {}  p99 {}  worst {}  mean {}  cold start {}  (ms)",
        at(50),
        at(90),
        at(99),
        at(100),
        ms(mean),
        ms(cold[COLD_STARTS / 2])
    );
    Ok(verdicts)
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// A program that answers one line with one line.
struct Asked {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    number: u32,
}

impl Asked {
    fn start(mut command: Command) -> Result<Self, String> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = started.map_err(|error| format!("{command:?} could not be started: {error}"))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Asked { child, to, from: BufReader::new(from), number: 0 }),
            _ => Err("a process without pipes".to_owned()),
        }
    }

    fn ask(&mut self, code: &str) -> Result<bool, String> {
        self.number += 1;
        let line = format!("{{\"id\":{},\"code\":\"{}\"}}\n", self.number, escaped(code));
        self.to
            .write_all(line.as_bytes())
            .and_then(|()| self.to.flush())
            .map_err(|error| error.to_string())?;
        let mut answer = String::new();
        self.from.read_line(&mut answer).map_err(|error| error.to_string())?;
        match (answer.contains("\"valid\":true"), answer.contains("\"valid\":false")) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(format!("no verdict: {answer}")),
        }
    }

    /// Both programs end with their input.
    fn end(self) {
        let Asked { mut child, to, .. } = self;
        drop(to);
        let _ = child.wait();
    }
}

/// A text within a JSON string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            character if u32::from(character) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            character => out.push(character),
        }
    }
    out
}
