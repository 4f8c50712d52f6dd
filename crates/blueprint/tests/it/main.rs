//! The crate as others see it: with Mermaid's own parser as the judge of what it writes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "that is how a test fails")]

mod any_text;
mod lint;
mod normalize;
mod parse;
mod round_trip;

use std::sync::LazyLock;

use mermend::Checker;

/// One Mermaid for all tests.
static CHECKER: LazyLock<Checker> = LazyLock::new(Checker::default);

/// Both engines accept the text, or the test fails and shows it.
fn check_accepted(text: &str) {
    let checked = CHECKER.check(text);
    let fast = checked.fast.as_ref().is_some_and(mermend::Verdict::valid);
    assert!(checked.validated() && fast, "{text}\nmermaid: {:?}\nfast: {:?}", checked.mermaid, checked.fast);
}
