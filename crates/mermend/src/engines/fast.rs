//! The fast engine: merman, a Mermaid parser written in Rust. The only module that parses with it.

use std::{panic, sync::OnceLock, time::Instant};

use merman::{Error, OperationControl, SemanticParser, model::semantic::ParsedSemanticDiagram};

use super::{Failure, Outcome, Rejection, Verdict, fast_bounds};
use crate::deadline::Deadline;

/// How much of the time that is left the fast engine may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it: its verdict decides.
    All,
    /// A quarter: Mermaid's own parser decides, and needs the rest.
    Part,
}

impl Share {
    fn control(self, deadline: &Deadline) -> OperationControl {
        match (self, deadline.remaining()) {
            (Share::Part, Some(time)) => deadline.control().child().with_deadline(time / 4),
            _ => deadline.control(),
        }
    }
}

/// Asks merman for its verdict.
pub(crate) fn verdict(text: &str, deadline: &Deadline, share: Share) -> Verdict {
    let started = Instant::now();
    let outcome = match parse(text, deadline, share) {
        Ok(Ok(parsed)) => Outcome::Accepted { mermaid_type: parsed.metadata.diagram_type.to_string() },
        Ok(Err(error)) => Outcome::Rejected(rejection(&error)),
        Err(failure) => Outcome::Failed(failure),
    };
    Verdict {
        outcome,
        micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        cached: false,
    }
}

/// Parses a text. A panic of the parser is a failure, not a crash.
///
/// # Errors
/// When the text is beyond what merman can read in time, or the deadline is exceeded.
pub(crate) fn parse(
    text: &str,
    deadline: &Deadline,
    share: Share,
) -> Result<Result<ParsedSemanticDiagram, Error>, Failure> {
    static PARSER: OnceLock<SemanticParser> = OnceLock::new();
    let too_slow = |_| Failure::TooSlow;
    if deadline.exceeded() {
        return Err(Failure::TooSlow);
    }
    deadline.spend(text.len()).map_err(too_slow)?;
    fast_bounds::admit(text)?;
    let parser = PARSER.get_or_init(SemanticParser::new);
    let control = share.control(deadline);
    let parsed =
        panic::catch_unwind(panic::AssertUnwindSafe(|| parser.parse_diagram_controlled_sync(text, &control)));
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
