//! Where each element of a diagram comes from in the requirements.

use std::collections::HashMap;

use blueprint::{Element, ElementKind, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most places of one element.
const MAX_PLACES: usize = 8;

/// An element of the diagram and its source in the requirements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[schema(as = TraceReply)]
pub struct TraceEntry {
    /// Id of the element in the diagram.
    #[schema(example = "Order")]
    pub element: String,
    /// Number of the sentence in the requirements, from 1.
    #[schema(example = 1)]
    pub requirement: usize,
    /// First byte.
    pub start: usize,
    /// End byte, exclusive.
    pub end: usize,
    /// The words.
    #[schema(example = "orders")]
    pub text: String,
}

/// The source of each element: from the drafter, else the quote of the model, else its label.
pub fn trace_elements(requirement: &str, elements: &[Element]) -> Vec<TraceEntry> {
    let sentences = drafter::sentences(requirement);
    elements.iter().flat_map(|element| trace_element(requirement, &sentences, element)).collect()
}

fn trace_element(requirement: &str, sentences: &[Span], element: &Element) -> Vec<TraceEntry> {
    let mut spans = element.sources.clone();
    if spans.is_empty()
        && let Some(words) = &element.evidence
    {
        spans = drafter::locate(requirement, words);
    }
    if spans.is_empty() {
        spans = drafter::locate(requirement, &element.label);
    }
    let entries = spans.into_iter().take(MAX_PLACES);
    entries.filter_map(|span| entry(requirement, sentences, &element.id, span)).collect()
}

fn entry(requirement: &str, sentences: &[Span], element: &str, span: Span) -> Option<TraceEntry> {
    let text = requirement.get(span.start..span.end)?;
    Some(TraceEntry {
        element: element.to_owned(),
        requirement: sentences.partition_point(|sentence| sentence.start <= span.start).max(1),
        start: span.start,
        end: span.end,
        text: text.to_owned(),
    })
}

/// The elements of a version, and where they come from.
pub struct TracedVersion<'a> {
    pub elements: &'a [Element],
    pub trace: &'a [TraceEntry],
}

/// The trace of a new version: an element that is still there keeps its sources, under its new id if it was renamed.
/// A new element is traced by its label. Sources are searched again where the requirement changed.
///
/// `renamed` holds the names that changed, from old to new.
pub fn carry_trace(
    before: &TracedVersion<'_>,
    renamed: &HashMap<String, String>,
    requirement: &str,
    elements: &[Element],
) -> Vec<TraceEntry> {
    let sentences = drafter::sentences(requirement);
    let mut sources: HashMap<&str, Vec<&TraceEntry>> = HashMap::new();
    for entry in before.trace {
        sources.entry(&entry.element).or_default().push(entry);
    }
    let mut was: HashMap<Identity<'_>, &str> = HashMap::new();
    for (identity, element) in identities(before.elements, renamed) {
        was.entry(identity).or_insert(element);
    }
    let mut trace = Vec::new();
    for ((identity, id), element) in identities(elements, &HashMap::new()).zip(elements) {
        // Of a version that was broken, the ids are all that is known.
        let unread = before.elements.is_empty() && sources.contains_key(id);
        match was.get(&identity).copied().or(unread.then_some(id)) {
            None => trace.extend(trace_element(requirement, &sentences, element)),
            Some(before) => {
                let kept = sources.get(before).into_iter().flatten();
                let spans = kept.filter_map(|entry| find_again(requirement, entry));
                trace.extend(spans.filter_map(|span| entry(requirement, &sentences, id, span)));
            }
        }
    }
    trace
}

/// The entries whose words are still in the requirement, of a diagram whose elements cannot be read.
pub fn keep_trace(trace: &[TraceEntry], requirement: &str) -> Vec<TraceEntry> {
    let sentences = drafter::sentences(requirement);
    let found = trace.iter().filter_map(|old| Some((old, find_again(requirement, old)?)));
    found.filter_map(|(old, span)| entry(requirement, &sentences, &old.element, span)).collect()
}

/// Where the words of an entry are now: the nearest place.
fn find_again(requirement: &str, entry: &TraceEntry) -> Option<Span> {
    if requirement.get(entry.start..entry.end) == Some(&entry.text) {
        return Some(Span { start: entry.start, end: entry.end });
    }
    drafter::locate(requirement, &entry.text).into_iter().min_by_key(|span| span.start.abs_diff(entry.start))
}

/// What makes two elements the same, whatever the ids in the text are: its kind, the names of the boxes that it is,
/// stands in or joins, and what tells it from others there.
type Identity<'a> = (ElementKind, Vec<&'a str>, &'a str);

/// The identity of each element, with its id. `renamed` replaces the names of boxes.
fn identities<'a>(
    elements: &'a [Element],
    renamed: &'a HashMap<String, String>,
) -> impl Iterator<Item = (Identity<'a>, &'a str)> {
    use ElementKind as Is;
    let is_box = |element: &&Element| matches!(element.kind, Is::Class | Is::Actor | Is::UseCase | Is::Node);
    let boxes: HashMap<&str, &str> =
        elements.iter().filter(is_box).map(|it| (it.mermaid_id.as_str(), it.id.as_str())).collect();
    elements.iter().map(move |element| {
        let mut ids = element.mermaid_id.split(' ');
        let (ids, rest) = match element.kind {
            Is::Class | Is::Actor | Is::UseCase | Is::Node => (vec![element.mermaid_id.as_str()], ""),
            Is::Attribute | Is::Method | Is::Literal => {
                (vec![element.mermaid_id.as_str()], element.label.as_str())
            }
            Is::Relationship | Is::Link | Is::Edge => {
                (ids.by_ref().take(2).collect(), ids.next().unwrap_or_default())
            }
        };
        let name = |id: &&'a str| {
            let name = boxes.get(id).copied().unwrap_or(id);
            renamed.get(name).map_or(name, String::as_str)
        };
        let names = ids.iter().map(name).collect();
        ((element.kind, names, rest), element.id.as_str())
    })
}
