//! Stored diagrams and their versions.

use mermend::Engine;
use serde_json::{Value, json};
use store::{
    Diagram, DiagramId, FolderId, JsonText, NewDiagram, NewVersion, PageRequest, Role, StoreError, Touched,
    Version, VersionId, VersionOf, VersionSummary,
};

use super::{
    Error,
    access::{
        Caller, ProjectAccess, Scope, authorize_diagram, authorize_project, project_id, retry_on_conflict,
        store,
    },
    check::{self, CheckResult},
    list_filters::DiagramQuery,
    page::{Listing, Page},
    written_version::read_version,
};
use crate::{app::App, clock::rfc3339};

/// Length of the list of recent diagrams, which has no pages.
const RECENT_LIMIT: u32 = 50;
const MAX_TITLE_CHARS: usize = 200;
const MAX_NOTE_CHARS: usize = 2_000;
const MAX_REQUIREMENT_CHARS: usize = super::generate::MAX_MESSAGE_CHARS;

/// Most recent diagrams that the caller may see; empty without a database.
pub async fn list_recent(app: &App, caller: &Caller) -> Result<Vec<Diagram>, Error> {
    let Some(store) = &app.store else { return Ok(Vec::new()) };
    if caller.require_scope(Scope::Read).is_err() || (caller.person().is_none() && !caller.is_local()) {
        return Ok(Vec::new());
    }
    Ok(store.list_diagrams_of(caller.user_id(), &PageRequest::first(RECENT_LIMIT)).await?.items)
}

/// The newest version of a diagram, with its requirements and trace links.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<Value, Error> {
    if app.store.is_none() {
        return Err(Error::NotFound("diagram"));
    }
    let (diagram, version) = find_diagram(app, caller, id).await?;
    Ok(json!({
        "id": diagram.id.to_string(),
        "kind": diagram.kind,
        "title": diagram.title,
        "version": version.number,
        "validated": version.validated,
        "mermaid": version.mermaid,
        "requirement": version.requirement,
        "blueprint": version.blueprint.as_ref().map(JsonText::decode::<Value>).transpose()?,
        "findings": version.findings.decode::<Value>()?,
        "trace": version.trace.decode::<Value>()?,
        "created_at": rfc3339(version.created_at),
    }))
}

pub async fn list_diagrams(
    app: &App,
    caller: &Caller,
    project: &str,
    asked: &DiagramQuery,
    listing: &Listing,
) -> Result<Page<Diagram>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    let request = listing.request()?;
    let filter = asked.read(app, &access.project.id).await?;
    Ok(store(app)?.list_diagrams(&access.project.id, &filter, &request).await?.into())
}

/// Diagrams whose titles contain a word with each of the prefixes in `words`, newest first, one page.
pub async fn search_diagrams(
    app: &App,
    caller: &Caller,
    project: &str,
    words: &str,
    asked: &DiagramQuery,
    listing: &Listing,
) -> Result<Page<Diagram>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    listing.request()?;
    let limit = listing.limit.unwrap_or(RECENT_LIMIT);
    let filter = asked.read(app, &access.project.id).await?;
    let items = store(app)?.search_diagrams(&access.project.id, words, &filter, limit).await?;
    Ok(Page { items, next: None })
}

pub async fn find_diagram(app: &App, caller: &Caller, id: &str) -> Result<(Diagram, Version), Error> {
    let (diagram, _) = authorize_diagram(app, caller, id, Role::Viewer).await?;
    let version = store(app)?.find_version_number(&diagram.id, diagram.head_version).await?;
    Ok((diagram, version))
}

/// Content of a version, written by a user.
#[derive(Debug, Clone, Default)]
pub struct DiagramInput {
    pub code: String,
    pub requirement: Option<String>,
    pub note: Option<String>,
}

/// Creates a diagram from text. Invalid text is stored with its verdict.
pub async fn create_diagram(
    app: &App,
    caller: &Caller,
    project: &str,
    title: &str,
    folder: Option<&str>,
    written: DiagramInput,
) -> Result<(Diagram, Version), Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Editor).await?;
    let title = parse_title("title", title)?;
    let folder_id = folder.map(FolderId::parse).transpose().map_err(|_| unknown_folder())?;
    let id = DiagramId::parse(app.clock.new_id("dia"))?;
    let (version, kind) = validate_input(app, caller, id.clone(), written, None).await?;
    let new = NewDiagram { id: id.clone(), project_id: access.project.id.clone(), kind, title, folder_id };
    let version = NewVersion { of: VersionOf::New(new), ..version };
    let event =
        caller.audit_event(app, "diagram.create", Some(&access.project.id), id.as_str(), &json!({}))?;
    let made = store(app)?.record_version(&version, None, &Touched::Elements(Vec::new()), &event).await;
    made.map_err(map_folder_error)
}

/// Creates the next version, if the revision matches. Omitted fields keep their value.
pub async fn create_version(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    written: DiagramInput,
) -> Result<(Diagram, Version), Error> {
    retry_on_conflict(expected_revision, || async {
        let (diagram, access) = authorize_diagram(app, caller, id, Role::Editor).await?;
        reject_archived(&diagram)?;
        let before = store(app)?.find_version_number(&diagram.id, diagram.head_version).await?;
        let newest = Some((diagram.kind.as_str(), &before));
        let (version, _) = validate_input(app, caller, diagram.id.clone(), written.clone(), newest).await?;
        let of = Next { diagram: &diagram, access: &access, before: &before, event: "version.create" };
        record_next(app, caller, of, version, expected_revision).await
    })
    .await
}

/// Creates a version that is the same as an older one, with its trace, if the revision matches.
pub async fn restore_version(
    app: &App,
    caller: &Caller,
    id: &str,
    number: u32,
    expected_revision: Option<i64>,
) -> Result<(Diagram, Version), Error> {
    retry_on_conflict(expected_revision, || async {
        let (diagram, access) = authorize_diagram(app, caller, id, Role::Editor).await?;
        reject_archived(&diagram)?;
        let store = store(app)?;
        let before = store.find_version_number(&diagram.id, diagram.head_version).await?;
        let old = store.find_version_number(&diagram.id, number).await?;
        let version = NewVersion {
            id: VersionId::parse(app.clock.new_id("ver"))?,
            of: VersionOf::Existing(diagram.id.clone()),
            requirement: old.requirement,
            blueprint: old.blueprint,
            mermaid: old.mermaid,
            validated: old.validated,
            findings: old.findings,
            trace: old.trace,
            created_by: caller.user_id().cloned(),
            note: Some(format!("Version {number} restored")),
        };
        let of = Next { diagram: &diagram, access: &access, before: &before, event: "version.restore" };
        record_next(app, caller, of, version, expected_revision).await
    })
    .await
}

/// What a new version follows.
struct Next<'a> {
    diagram: &'a Diagram,
    access: &'a ProjectAccess,
    /// The newest version.
    before: &'a Version,
    /// Action of the audit event.
    event: &'static str,
}

async fn record_next(
    app: &App,
    caller: &Caller,
    Next { diagram, access, before, event }: Next<'_>,
    version: NewVersion,
    expected_revision: Option<i64>,
) -> Result<(Diagram, Version), Error> {
    let compared = check::compare_code(app, before.mermaid.clone(), version.mermaid.clone()).await?;
    let touched = match compared.by_element || compared.same {
        true => Touched::Elements(compared.changes.into_iter().map(|change| change.id).collect()),
        false => Touched::Everything,
    };
    let details = json!({"validated": version.validated});
    let event = caller.audit_event(app, event, Some(&access.project.id), diagram.id.as_str(), &details)?;
    let expected_revision = expected_revision.unwrap_or(diagram.revision);
    Ok(store(app)?.record_version(&version, Some(expected_revision), &touched, &event).await?)
}

#[derive(Debug, Clone, Default)]
pub struct DiagramChanges {
    pub title: Option<String>,
    pub archived: Option<bool>,
    /// A folder of the project; `Some(None)` for no folder.
    pub folder_id: Option<Option<String>>,
}

/// Updates a diagram, if the revision matches.
pub async fn update_diagram(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    changes: &DiagramChanges,
) -> Result<Diagram, Error> {
    retry_on_conflict(expected_revision, || async {
        let (diagram, access) = authorize_diagram(app, caller, id, Role::Editor).await?;
        let title = match &changes.title {
            Some(title) => parse_title("title", title)?,
            None => diagram.title.clone(),
        };
        let archived_at = match changes.archived {
            Some(true) => Some(diagram.archived_at.unwrap_or_else(|| app.clock.now_us())),
            Some(false) => None,
            None => diagram.archived_at,
        };
        let folder = match &changes.folder_id {
            Some(folder) => {
                folder.as_deref().map(FolderId::parse).transpose().map_err(|_| unknown_folder())?
            }
            None => diagram.folder_id.clone(),
        };
        let (renamed, moved) = (title != diagram.title, folder != diagram.folder_id);
        let details = json!({"archived": archived_at.is_some(), "renamed": renamed, "moved": moved});
        let event = caller.audit_event(
            app,
            "diagram.update",
            Some(&access.project.id),
            diagram.id.as_str(),
            &details,
        )?;
        let expected_revision = expected_revision.unwrap_or(diagram.revision);
        let changed = store(app)?
            .update_diagram(&diagram, expected_revision, &title, archived_at, folder.as_ref(), &event)
            .await;
        changed.map_err(map_folder_error)
    })
    .await
}

fn unknown_folder() -> Error {
    Error::invalid(
        "folder_id",
        "The project of the diagram has no such folder. Use the id of one of its folders.",
    )
}

/// Does not disclose whether a folder of another project exists.
fn map_folder_error(error: StoreError) -> Error {
    match error {
        StoreError::NotFound { what: store::Resource::Folder } => unknown_folder(),
        other => other.into(),
    }
}

pub async fn list_versions(
    app: &App,
    caller: &Caller,
    id: &str,
    listing: &Listing,
) -> Result<Page<VersionSummary>, Error> {
    let (diagram, _) = authorize_diagram(app, caller, id, Role::Viewer).await?;
    Ok(store(app)?.list_versions(&diagram.id, &listing.request()?).await?.into())
}

pub async fn find_version(app: &App, caller: &Caller, id: &str, number: u32) -> Result<Version, Error> {
    let (diagram, _) = authorize_diagram(app, caller, id, Role::Viewer).await?;
    Ok(store(app)?.find_version_number(&diagram.id, number).await?)
}

fn reject_archived(diagram: &Diagram) -> Result<(), Error> {
    match diagram.archived_at {
        None => Ok(()),
        Some(_) => Err(Error::Conflict(
            "This diagram is archived and cannot get new versions. Restore it first.".to_owned(),
        )),
    }
}

/// Validates the input, checks the text with Mermaid's own parser and reads it.
///
/// `newest` is the kind of the diagram and its newest version. Returns the kind as well.
async fn validate_input(
    app: &App,
    caller: &Caller,
    diagram: DiagramId,
    written: DiagramInput,
    newest: Option<(&str, &Version)>,
) -> Result<(NewVersion, String), Error> {
    if written.code.len() > app.config.check.max_text_bytes {
        return Err(Error::invalid(
            "code",
            format!(
                "The diagram is larger than {} bytes. Split it into several diagrams.",
                app.config.check.max_text_bytes
            ),
        ));
    }
    let old_requirement = newest.map(|(_, version)| version.requirement.clone());
    let requirement = written.requirement.or(old_requirement).unwrap_or_default().replace('\0', " ");
    if requirement.chars().count() > MAX_REQUIREMENT_CHARS {
        return Err(Error::invalid(
            "requirement",
            format!(
                "The requirements have more than {MAX_REQUIREMENT_CHARS} characters. Send one chapter at a time."
            ),
        ));
    }
    let note = written.note.map(|note| note.trim().replace('\0', " ")).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
        return Err(Error::invalid("note", format!("A note must have at most {MAX_NOTE_CHARS} characters.")));
    }
    // PostgreSQL cannot store U+0000; the verdict must be of exactly the stored text.
    let code = written.code.replace('\0', "");
    let CheckResult { checked, .. } = check::check_code(app, code.clone(), Engine::Mermaid).await?;
    let seen = checked.kind.map_or("unknown", |kind| kind.id);
    let (kind, before) = newest.map_or((seen, None), |(kind, version)| (kind, Some(version)));
    let read = read_version(app, kind, &code, &requirement, before).await?;
    let kind = kind.to_owned();
    let version = NewVersion {
        id: VersionId::parse(app.clock.new_id("ver"))?,
        of: VersionOf::Existing(diagram),
        requirement,
        blueprint: read.blueprint,
        mermaid: code,
        validated: checked.validated(),
        findings: JsonText::encode(&checked.findings)?,
        trace: read.trace,
        created_by: caller.user_id().cloned(),
        note,
    };
    Ok((version, kind))
}

fn parse_title(path: &str, text: &str) -> Result<String, Error> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.chars().count() > MAX_TITLE_CHARS || line.chars().any(char::is_control) {
        return Err(Error::invalid(
            path,
            format!("A title must be one line of 1 to {MAX_TITLE_CHARS} characters."),
        ));
    }
    Ok(line)
}
