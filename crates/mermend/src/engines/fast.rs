//! The fast engine: merman, a Mermaid parser written in Rust. The only module that parses with it.

use std::{panic, sync::OnceLock, time::Instant};

use merman::{Error, SemanticParser};

use super::{Failure, Outcome, Rejection, Verdict};

/// Asks merman for its verdict. A panic of the parser is a failed check, not a crash.
pub(crate) fn verdict(text: &str) -> Verdict {
    static PARSER: OnceLock<SemanticParser> = OnceLock::new();
    let started = Instant::now();
    let parser = PARSER.get_or_init(SemanticParser::new);
    let outcome = match panic::catch_unwind(|| parser.parse_diagram_sync(text)) {
        Ok(Ok(parsed)) => Outcome::Accepted { mermaid_type: parsed.metadata.diagram_type.to_string() },
        Ok(Err(error)) => Outcome::Rejected(rejection(&error)),
        Err(_) => Outcome::Failed(Failure::Unavailable),
    };
    Verdict {
        outcome,
        micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        cached: false,
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
    rejection
}
