//! Requirement text with the words that became elements of a diagram.

use maud::{Markup, html};
use serde_json::json;

use application::{open_diagram::Coverage, session::TraceEntry};

/// The requirement with the source words marked, and its sentences without an element. Overlapping marks are cut
/// where any of them begins or ends.
pub(super) fn marked(requirement: &str, trace: &[TraceEntry], coverage: &Coverage) -> Markup {
    let mut cuts: Vec<usize> = trace
        .iter()
        .flat_map(|entry| [entry.start, entry.end])
        .chain(coverage.sentences.iter().flat_map(|(start, end, _)| [*start, *end]))
        .chain([0, requirement.len()])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let unused = |start, end| coverage.sentences.iter().any(|(s, e, used)| !used && *s <= start && end <= *e);
    html! {
        @for pair in cuts.windows(2) {
            @let text = requirement.get(pair[0]..pair[1]).unwrap_or_default();
            @let elements = elements_at(trace, pair[0], pair[1]);
            @if !elements.is_empty() {
                mark data-elements=(json!(elements)) title=(elements.join(", ")) { (text) }
            } @else if unused(pair[0], pair[1]) {
                span."unused" title="No element of the diagram comes from this sentence." { (text) }
            } @else { (text) }
        }
    }
}

fn elements_at(trace: &[TraceEntry], start: usize, end: usize) -> Vec<&str> {
    let covers = |entry: &&TraceEntry| entry.start <= start && end <= entry.end;
    trace.iter().filter(covers).map(|entry| entry.element.as_str()).collect()
}

/// `18 of 22 sentences covered`; nothing without a requirement.
pub(super) fn coverage_text(coverage: &Coverage) -> Option<String> {
    match coverage.total() {
        0 => None,
        1 => Some(format!("{} of 1 sentence covered", coverage.covered())),
        total => Some(format!("{} of {total} sentences covered", coverage.covered())),
    }
}
