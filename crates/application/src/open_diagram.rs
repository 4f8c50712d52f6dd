//! A stored diagram as its page shows it, and the changes of two people at once.

use blueprint::Element;
use mermend::{Deadline, DeadlineExceeded, Merged};
use store::{Diagram, Generation, Role, Version};

use super::{
    Error,
    access::{Caller, authorize_diagram, store},
    check::{self, too_slow},
    written_version::version_elements,
};
use crate::{app::App, cpu_pool::Use, session::TraceEntry};

/// A version of a diagram with what a reader needs beside it.
#[derive(Debug, Clone)]
pub struct OpenDiagram {
    pub diagram: Diagram,
    /// The version that is shown.
    pub version: Version,
    pub elements: Vec<Element>,
    pub trace: Vec<TraceEntry>,
    pub coverage: Coverage,
    /// How the version was generated; `None` if a user wrote it.
    pub generation: Option<Generation>,
    /// Whether the caller may write versions.
    pub may_edit: bool,
}

/// How many sentences of the requirement became elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Byte ranges of the sentences, and whether an element comes from each.
    pub sentences: Vec<(usize, usize, bool)>,
}

impl Coverage {
    pub fn of(requirement: &str, trace: &[TraceEntry]) -> Self {
        let covered = |start, end| trace.iter().any(|entry| entry.start < end && start < entry.end);
        let sentences = drafter::sentences(requirement);
        let sentences = sentences.iter().map(|at| (at.start, at.end, covered(at.start, at.end)));
        Coverage { sentences: sentences.collect() }
    }

    pub fn total(&self) -> usize {
        self.sentences.len()
    }

    pub fn covered(&self) -> usize {
        self.sentences.iter().filter(|(.., covered)| *covered).count()
    }
}

/// Version `number` of a diagram, or its newest one.
pub async fn open_diagram(
    app: &App,
    caller: &Caller,
    id: &str,
    number: Option<u32>,
) -> Result<OpenDiagram, Error> {
    let (diagram, access) = authorize_diagram(app, caller, id, Role::Viewer).await?;
    let store = store(app)?;
    let version = store.find_version_number(&diagram.id, number.unwrap_or(diagram.head_version)).await?;
    let generation = match &version.generation_id {
        Some(id) => Some(store.find_generation(id).await?),
        None => None,
    };
    let trace: Vec<TraceEntry> = version.trace.decode()?;
    Ok(OpenDiagram {
        elements: version_elements(&version)?,
        coverage: Coverage::of(&version.requirement, &trace),
        trace,
        generation,
        may_edit: access.role >= Role::Editor && access.project.archived_at.is_none(),
        diagram,
        version,
    })
}

/// What happened to a diagram since its version `seen`, and the text that holds it together with `mine`.
#[derive(Debug, Clone)]
pub struct Merge {
    /// What others changed, in sentences; empty if only lines could be compared.
    pub their_changes: Vec<String>,
    pub merged: Merged,
}

/// Merges a text that was made from version `seen` with the newest version.
pub async fn merge_version(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: u32,
    mine: &str,
) -> Result<Merge, Error> {
    let (diagram, _) = authorize_diagram(app, caller, id, Role::Viewer).await?;
    let store = store(app)?;
    let base = store.find_version_number(&diagram.id, seen).await?.mermaid;
    let theirs = store.find_version_number(&diagram.id, diagram.head_version).await?.mermaid;
    let compared = check::compare_code(app, base.clone(), theirs.clone()).await?;
    let (mine, deadline) = (mine.to_owned(), Deadline::after(app.config.check_time()));
    let size_bytes = base.len() + theirs.len() + mine.len();
    let merge = move |deadline: &Deadline| mermend::merge_within(&base, &mine, &theirs, deadline);
    let merged = app.cpu.run(Use::Processor, size_bytes, deadline, merge).await?;
    Ok(Merge {
        their_changes: compared.changes.into_iter().map(|change| change.message).collect(),
        merged: merged.map_err(|DeadlineExceeded| too_slow(app, "code", "The changes were not merged"))?,
    })
}
