//! Mermaid's own parser, run in QuickJS on its own threads.
//!
//! Each thread owns one JavaScript runtime with a memory limit, a stack limit and a time limit for each text: processor
//! time of the thread, so that a verdict does not depend on how busy the machine is. A runtime that reached a limit is
//! replaced, so that one text never affects the verdict on the next. Texts wait for a thread in a bounded queue
//! (`queue.rs`); a text whose deadline is exceeded is not run at all. The bundle is made by `web/bundle.mjs`, in parts:
//! a kind of diagram is compiled when it is first met.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use lru::LruCache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    machine::Machine,
    queue::{Job, Queue},
    verdict::{DiagramSize, Failure, Outcome, Rejection, Verdict},
};
use crate::{
    deadline::{Deadline, DeadlineExceeded},
    text::LineIndex,
};

/// The version of Mermaid inside.
pub(crate) const VERSION: &str = env!("MERMEND_MERMAID_VERSION");

/// Larger than the JavaScript stack, because native frames sit between.
const THREAD_STACK_BYTES: usize = 64 << 20;

/// Between two looks at whether the caller has cancelled, while an answer is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Limits of the engine.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) threads: NonZeroUsize,
    /// The most processor time for one text.
    pub(crate) time: Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) cache_entries: NonZeroUsize,
    pub(crate) queue_entries: NonZeroUsize,
}

type Digested = [u8; 32];

/// The engine: a queue, its threads, and what they answered before.
pub(crate) struct Engine {
    settings: Settings,
    queue: Arc<Queue>,
    started: AtomicBool,
    cache: Mutex<LruCache<Digested, Outcome>>,
}

impl Engine {
    /// Describes an engine. No thread is started before the first text.
    pub(crate) fn new(settings: Settings) -> Self {
        let cache = Mutex::new(LruCache::new(settings.cache_entries));
        let queue = Arc::new(Queue::new(settings.queue_entries));
        Engine { settings, queue, started: AtomicBool::new(false), cache }
    }

    /// Waits for Mermaid's verdict on `text`, until `deadline`.
    pub(crate) fn verdict(&self, text: &str, deadline: &Deadline) -> Verdict {
        let started = Instant::now();
        let key: Digested = Sha256::digest(text.as_bytes()).into();
        let known = self.cache.lock().ok().and_then(|mut cache| cache.get(&key).cloned());
        let cached = known.is_some();
        let outcome = known.unwrap_or_else(|| {
            let outcome = self.ask(text, deadline).unwrap_or_else(Outcome::Failed);
            // A limit may have been reached because the machine was busy: such a verdict is not remembered.
            if !matches!(outcome, Outcome::Failed(_))
                && let Ok(mut cache) = self.cache.lock()
            {
                cache.put(key, outcome.clone());
            }
            outcome
        });
        Verdict { outcome, micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), cached }
    }

    fn ask(&self, text: &str, deadline: &Deadline) -> Result<Outcome, Failure> {
        if deadline.exceeded() || deadline.spend(text.len()).is_err() {
            return Err(Failure::TooSlow);
        }
        self.start()?;
        let (answer, wait) = mpsc::sync_channel(1);
        self.queue.push(Job { text: text.to_owned(), deadline: deadline.clone(), answer })?;
        loop {
            let left = deadline.remaining().unwrap_or(LOOK);
            match wait.recv_timeout(left.min(LOOK)) {
                Ok(outcome) => return Ok(outcome),
                Err(_) if deadline.exceeded() => return Err(Failure::TooSlow),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Unavailable),
            }
        }
    }

    /// Starts the threads with the first text.
    fn start(&self) -> Result<(), Failure> {
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        for number in 0..self.settings.threads.get() {
            let (queue, settings) = (Arc::clone(&self.queue), self.settings.clone());
            let thread = thread::Builder::new()
                .name(format!("mermaid-{number}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || work(&queue, &settings));
            if thread.is_err() && number == 0 {
                self.started.store(false, Ordering::Release);
                return Err(Failure::Unavailable);
            }
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &Queue, settings: &Settings) {
    let mut machine = None;
    while let Some(job) = queue.next_job() {
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            if machine.is_none() {
                machine = Machine::start(settings.time, settings.memory_bytes);
            }
            machine.as_ref().map_or(Outcome::Failed(Failure::Unavailable), |machine| {
                match machine.ask(&job.text, &job.deadline) {
                    Ok(reply) => read_reply(&reply, &job.text, &job.deadline)
                        .unwrap_or(Outcome::Failed(Failure::TooSlow)),
                    Err(failure) => Outcome::Failed(failure),
                }
            })
        }))
        .unwrap_or(Outcome::Failed(Failure::Unavailable));
        if matches!(outcome, Outcome::Failed(_)) {
            machine = None;
        }
        // The caller may not wait any more.
        let _ = job.answer.send(outcome);
    }
}

/// What `check` in `web/mermaid/entry.js` answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reply {
    valid: bool,
    kind: String,
    edges: u32,
    characters: u32,
    name: Option<String>,
    message: String,
    location: Option<Location>,
    // A number, or a number as text: it depends on who threw the error.
    line: serde_json::Value,
    unexpected: Option<serde_json::Value>,
    token: Option<serde_json::Value>,
    expected: serde_json::Value,
    parsed: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    first_line: serde_json::Value,
    last_line: serde_json::Value,
    first_column: serde_json::Value,
    last_column: serde_json::Value,
}

fn read_reply(json: &str, text: &str, deadline: &Deadline) -> Result<Outcome, DeadlineExceeded> {
    deadline.spend(json.len())?;
    let Ok(reply) = serde_json::from_str::<Reply>(json) else {
        return Ok(Outcome::Failed(Failure::Unavailable));
    };
    if reply.valid {
        let size = DiagramSize { edges: reply.edges, characters: reply.characters };
        return Ok(Outcome::Accepted { mermaid_type: reply.kind, size });
    }
    // Without memory for an error, the engine throws `null`.
    let without_memory = reply.message.contains("out of memory") || reply.message == "null";
    if reply.name.as_deref() == Some("InternalError") || without_memory {
        return Ok(Outcome::Failed(Failure::TooDeep));
    }
    let unknown_kind = reply.name.as_deref() == Some("UnknownDiagramError");
    let settings = !unknown_kind && reply.parsed.is_none();
    let rejection = Rejection {
        bytes: locate(&reply, text, deadline)?,
        unexpected: reply
            .unexpected
            .as_ref()
            .and_then(|v| v.as_str())
            .filter(|t| !t.is_empty())
            .map(str::to_owned),
        expected: reply
            .expected
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|token| token.as_str().map(str::to_owned))
            .collect(),
        message: reply.message,
        unknown_kind,
        settings,
    };
    Ok(Outcome::Rejected(rejection.within_bounds()))
}

/// The place in `text` that Mermaid points at. Mermaid counts in what is left after it has taken front matter,
/// directives and comments away, so its lines are first mapped to those of the text.
fn locate(
    reply: &Reply,
    text: &str,
    deadline: &Deadline,
) -> Result<Option<(usize, usize)>, DeadlineExceeded> {
    let Some(parsed) = reply.parsed.as_deref() else {
        return Ok(None);
    };
    let index = LineIndex::within(text, deadline);
    let lines = original_lines(parsed, &index, deadline)?;
    Ok(place(reply, &index, &lines))
}

/// The place that a reply names, with the original line of each line that Mermaid parsed.
fn place(reply: &Reply, index: &LineIndex<'_>, lines: &[usize]) -> Option<(usize, usize)> {
    let number = |value: Option<f64>| value.filter(|n| n.is_finite() && *n >= 0.0).map(|n| n as usize);
    let original = |line: usize| lines.get(line.saturating_sub(1)).or(lines.last()).copied();
    let end_of_text = reply.token.as_ref().and_then(|t| t.as_str()) == Some("EOF")
        || matches!(reply.token.as_ref().and_then(serde_json::Value::as_f64), Some(1.0));
    if let Some(location) = reply.location.as_ref().filter(|_| !end_of_text) {
        let first = original(number(as_number(&location.first_line))?)?;
        let last = original(number(as_number(&location.last_line))?)?;
        let start = index.utf16_offset(first, number(as_number(&location.first_column))?);
        let end = index.utf16_offset(last, number(as_number(&location.last_column))?);
        return Some((start, end.max(start)));
    }
    let (line, column) = line_and_column(&reply.message);
    let line = line.or_else(|| number(as_number(&reply.line)).map(|line| line + 1))?;
    let line = original(line)?;
    match column {
        Some(column) => {
            let at = index.utf16_offset(line, column.saturating_sub(1));
            Some((at, at))
        }
        None => index.line(line).map(|(start, content)| {
            let indent = content.len() - content.trim_start().len();
            (start + indent, start + content.trim_end().len().max(indent))
        }),
    }
}

/// A number, or a text that is one.
fn as_number(value: &serde_json::Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// `line 4, column 12` of a message; either may be missing.
fn line_and_column(message: &str) -> (Option<usize>, Option<usize>) {
    let after = |word: &str| {
        let (_, rest) = message.split_once(word)?;
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    (after("on line").or_else(|| after("line ")), after("column"))
}

/// For each line of what Mermaid parsed, the 1-based line of the text that it came from.
///
/// Mermaid only ever removes, so walking both in step finds each line again; a line from which something was cut out
/// is found by what is left of it, and where even that fails the next line is taken.
fn original_lines(
    parsed: &str,
    index: &LineIndex<'_>,
    deadline: &Deadline,
) -> Result<Vec<usize>, DeadlineExceeded> {
    let count = index.line_count();
    // The lines of each content, from the first to the last.
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut bytes = 0;
    for number in 1..=count {
        let content = index.line(number).map_or("", |(_, content)| content.trim());
        deadline.spend(content.len() + 1)?;
        bytes += content.len() + 1;
        places.entry(content).or_default().push(number);
    }
    // What is left of a cut line stands near; looking for it in all lines, for every line, would take too long.
    let mut search = 4 * bytes + (1 << 16);
    let mut next = 1;
    let mut lines = Vec::new();
    for line in parsed.lines() {
        deadline.spend(line.len() + 1)?;
        let wanted = line.trim();
        let same = places
            .get(wanted)
            .and_then(|numbers| numbers.get(numbers.partition_point(|number| *number < next)).copied());
        let mut found = same;
        if same.is_none() && !wanted.is_empty() {
            for number in next..=count {
                let content = index.line(number).map_or("", |(_, content)| content);
                let Some(left) = search.checked_sub(content.len() + 1) else { break };
                search = left;
                deadline.spend(content.len() + 1)?;
                if content.contains(wanted) {
                    found = Some(number);
                    break;
                }
            }
        }
        let found = found.unwrap_or(next.min(count));
        next = found + 1;
        lines.push(found);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{assert_linear, repeated};

    fn lines(parsed: &str, text: &str) -> Vec<usize> {
        let deadline = Deadline::none();
        original_lines(parsed, &LineIndex::within(text, &deadline), &deadline).unwrap()
    }

    #[test]
    fn lines_are_found_behind_what_was_removed() {
        for (parsed, text, expected) in [
            ("pie\na\nb", "---\nx: y\n---\npie\n%% c\n  a\nb\n", &[4, 6, 7][..]),
            ("pie\na\na\na", "pie\na\n\na\na", &[1, 2, 4, 5]),
            ("pie\na b", "pie\n  a b %%{x}%%", &[1, 2]),
            ("pie\nunknown\nb", "pie\na\nb", &[1, 2, 3]),
            ("a\na\na", "a", &[1, 1, 1]),
            ("", "a", &[]),
        ] {
            assert_eq!(lines(parsed, text), expected, "{text:?}");
        }
    }

    #[test]
    fn they_are_found_in_linear_work() {
        for (parsed, text) in [
            ("a{n}\n", "a{n}\n"),
            ("b{n}\n", "a{n}\n"),
            ("a\n", "a\n"),
            ("a{n} \n", "a{n} %%{x}%%\n"),
            ("\n", "a\n"),
            ("aaaaaaaaab\n", "aaaaaaaaaa\n"),
        ] {
            assert_linear(&format!("{parsed:?} {text:?}"), 40_000, |size, deadline| {
                let (parsed, text) = (repeated(parsed, size), repeated(text, size));
                original_lines(&parsed, &LineIndex::within(&text, deadline), deadline).unwrap();
            });
        }
    }
}
