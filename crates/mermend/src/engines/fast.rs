//! The fast engine: merman, a Mermaid parser written in Rust. The only module that parses with it.

use std::{
    panic,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use merman::{Error, OperationControl, SemanticParser, model::semantic::ParsedSemanticDiagram};

use super::{
    fast_bounds,
    verdict::{DiagramSize, Failure, Outcome, Rejection, Verdict},
};
use crate::deadline::Deadline;

/// How much of the time that is left the fast engine may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it: its verdict decides.
    All,
    /// A quarter, and no more than some seconds: Mermaid's own parser decides, and needs the rest.
    Part,
}

const MAX_PART: Duration = Duration::from_millis(2_500);

impl Share {
    fn control(self, deadline: &Deadline) -> OperationControl {
        match (self, deadline.remaining()) {
            (Share::Part, Some(time)) => deadline.control().child().with_deadline((time / 4).min(MAX_PART)),
            _ => deadline.control(),
        }
    }
}

/// Asks merman for its verdict.
pub(crate) fn verdict(text: &str, deadline: &Deadline, share: Share) -> Verdict {
    let started = Instant::now();
    let outcome = match parse(text, deadline, share) {
        Ok(Ok(parsed)) => Outcome::Accepted {
            mermaid_type: parsed.metadata.diagram_type.to_string(),
            size: DiagramSize::default(),
        },
        Ok(Err(error)) => Outcome::Rejected(rejection(&error)),
        Err(failure) => Outcome::Failed(failure),
    };
    Verdict {
        outcome,
        micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        cached: false,
    }
}

/// What merman says of a text.
type Parsed = Result<ParsedSemanticDiagram, Error>;

/// Texts up to this size are read at once, whatever they hold.
const SMALL: usize = 2_000;
/// How many readings may go on although their time was over.
const MAX_ABANDONED: usize = 2;
/// Between two looks at whether the caller has cancelled.
const LOOK: Duration = Duration::from_millis(20);
const THREAD_STACK_BYTES: usize = 16 << 20;

/// Parses a text. A panic of the parser is a failure, not a crash.
///
/// merman looks at its time limit only here and there, so a text that is not small is read on a thread of its own,
/// which is abandoned when the time is over: it ends at merman's next look.
///
/// # Errors
/// When the text is beyond what merman can read in reasonable time, the deadline is exceeded, or too many threads are
/// abandoned.
pub(crate) fn parse(text: &str, deadline: &Deadline, share: Share) -> Result<Parsed, Failure> {
    if deadline.exceeded() || deadline.spend(text.len()).is_err() {
        return Err(Failure::TooSlow);
    }
    fast_bounds::admit(text)?;
    let control = share.control(deadline);
    if text.len() <= SMALL {
        return parse_here(text, &control);
    }
    if ABANDONED.load(Ordering::Acquire) >= MAX_ABANDONED {
        return Err(Failure::Busy);
    }
    let (answer, wait) = mpsc::sync_channel(1);
    let (text, watched) = (text.to_owned(), control.clone());
    let running = Arc::new(Running::default());
    let reading = Arc::clone(&running);
    thread::Builder::new()
        .name("merman".to_owned())
        .stack_size(THREAD_STACK_BYTES)
        .spawn(move || {
            // The caller may not wait any more.
            let _ = answer.send(parse_here(&text, &watched));
            reading.end();
        })
        .map_err(|_| Failure::Unavailable)?;
    loop {
        match wait.recv_timeout(LOOK) {
            Ok(parsed) => return parsed,
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Unavailable),
            Err(RecvTimeoutError::Timeout) if control.checkpoint().is_err() => {
                running.abandon();
                return Err(Failure::TooSlow);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Readings that go on although their time was over.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// Whether a reading is waited for. Whichever of its two ends comes second counts it no more.
#[derive(Default)]
struct Running {
    /// One of the two sides has ended.
    one_side_ended: Mutex<bool>,
}

impl Running {
    /// The caller waits no more.
    fn abandon(&self) {
        let mut ended = self.one_side_ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            ABANDONED.fetch_add(1, Ordering::AcqRel);
        }
        *ended = true;
    }

    /// The reading is over.
    fn end(&self) {
        let mut abandoned = self.one_side_ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *abandoned {
            ABANDONED.fetch_sub(1, Ordering::AcqRel);
        }
        *abandoned = true;
    }
}

fn parse_here(text: &str, control: &OperationControl) -> Result<Parsed, Failure> {
    static PARSER: OnceLock<SemanticParser> = OnceLock::new();
    let parser = PARSER.get_or_init(SemanticParser::new);
    let parsed =
        panic::catch_unwind(panic::AssertUnwindSafe(|| parser.parse_diagram_controlled_sync(text, control)));
    match parsed {
        Ok(Ok(Err(Error::OperationCancelled(_))) | Err(_)) => Err(Failure::TooSlow),
        Ok(Ok(parsed)) => Ok(parsed),
        Err(_) => Err(Failure::Unavailable),
    }
}

fn rejection(error: &Error) -> Rejection {
    let mut rejection = Rejection { message: error.to_string(), ..Rejection::default() };
    match error {
        Error::DiagramParse { diagnostic, .. } => {
            rejection.message = diagnostic.message().to_owned();
            rejection.bytes = diagnostic.span().map(|span| (span.start, span.end));
        }
        Error::DetectType(_) | Error::UnsupportedDiagram { .. } => rejection.unknown_kind = true,
        Error::MalformedFrontMatter
        | Error::InvalidDirectiveJson { .. }
        | Error::InvalidFrontMatterYaml { .. } => {
            rejection.settings = true;
        }
        _ => {}
    }
    rejection.within_bounds()
}
