//! Diagrams that are kept, and their versions.

use mermend::Engine;
use serde_json::{Value, json};
use store::{
    Diagram, DiagramId, FolderId, JsonText, NewDiagram, NewVersion, PageRequest, Role, StoreError, Touched,
    Version, VersionId, VersionOf, VersionSummary,
};

use super::{
    Error,
    access::{Caller, Scope, enter, enter_diagram, project_id, store, unless_seen},
    check::{self, Judged},
    list_filters::DiagramsAsked,
    page::{Listing, Page},
};
use crate::{app::App, clock::rfc3339};

/// How many are listed where nobody turns pages.
const LISTED: u32 = 50;
/// The longest title and the longest note.
const MAX_TITLE_CHARS: usize = 200;
const MAX_NOTE_CHARS: usize = 2_000;
/// The longest requirement text of a version.
const MAX_REQUIREMENT_CHARS: usize = super::generate::MAX_MESSAGE_CHARS;

/// The diagrams made last that the caller may see; none where nothing is kept.
///
/// # Errors
/// When the database does not answer.
pub async fn list_recent(app: &App, caller: &Caller) -> Result<Vec<Diagram>, Error> {
    let Some(store) = &app.store else { return Ok(Vec::new()) };
    if caller.may(Scope::Read).is_err() || (caller.person().is_none() && !caller.is_local()) {
        return Ok(Vec::new());
    }
    Ok(store.list_diagrams_of(caller.user_id(), &PageRequest::first(LISTED)).await?.items)
}

/// The newest version of a diagram, with its requirements and trace.
///
/// # Errors
/// When there is no such diagram, or the caller may not see it.
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

/// The diagrams of a project, of those that are asked for.
///
/// # Errors
/// When the caller may not enter it, or nobody knows what is asked for.
pub async fn list_diagrams(
    app: &App,
    caller: &Caller,
    project: &str,
    asked: &DiagramsAsked,
    listing: &Listing,
) -> Result<Page<Diagram>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    let request = listing.request()?;
    let filter = asked.read(app, &entered.project.id).await?;
    Ok(store(app)?.list_diagrams(&entered.project.id, &filter, &request).await?.into())
}

/// The diagrams of a project, of those that are asked for, whose titles have words that begin with all the words of `words`,
/// last made first; not more than fit on a page.
///
/// # Errors
/// When the caller may not enter it, or nobody knows what is asked for.
pub async fn search_diagrams(
    app: &App,
    caller: &Caller,
    project: &str,
    words: &str,
    asked: &DiagramsAsked,
    listing: &Listing,
) -> Result<Page<Diagram>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    listing.request()?;
    let limit = listing.limit.unwrap_or(LISTED);
    let filter = asked.read(app, &entered.project.id).await?;
    let items = store(app)?.search_diagrams(&entered.project.id, words, &filter, limit).await?;
    Ok(Page { items, next: None })
}

/// A diagram and its newest version.
///
/// # Errors
/// When there is no such diagram, or the caller may not see it.
pub async fn find_diagram(app: &App, caller: &Caller, id: &str) -> Result<(Diagram, Version), Error> {
    let (diagram, _) = enter_diagram(app, caller, id, Role::Viewer).await?;
    let version = store(app)?.find_version_number(&diagram.id, diagram.head_version).await?;
    Ok((diagram, version))
}

/// What a person writes.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The Mermaid text.
    pub code: String,
    /// The requirements that it draws.
    pub requirement: Option<String>,
    /// What there is to say of it.
    pub note: Option<String>,
}

/// Begins a diagram that a person wrote. It may be wrong: that is said with it.
///
/// # Errors
/// When the caller may not write there, or the input cannot be used.
pub async fn create_diagram(
    app: &App,
    caller: &Caller,
    project: &str,
    title: &str,
    folder: Option<&str>,
    written: Written,
) -> Result<(Diagram, Version), Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Editor).await?;
    let title = one_line("title", title)?;
    let folder_id = folder.map(FolderId::parse).transpose().map_err(|_| no_such_folder())?;
    let id = DiagramId::parse(app.clock.new_id("dia"))?;
    let (version, kind) = judge(app, caller, VersionOf::Existing(id.clone()), written, None).await?;
    let new = NewDiagram { id: id.clone(), project_id: entered.project.id.clone(), kind, title, folder_id };
    let version = NewVersion { of: VersionOf::New(new), ..version };
    let event = caller.did(app, "diagram.create", Some(&entered.project.id), id.as_str(), &json!({}))?;
    let made = store(app)?.record_version(&version, None, &Touched::Elements(Vec::new()), &event).await;
    made.map_err(in_its_project)
}

/// Writes the next version, if the diagram is still the one that the caller has seen. What is not said stays as it was.
///
/// # Errors
/// When it is not, the caller may not write there, or the input cannot be used.
pub async fn create_version(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: Option<i64>,
    written: Written,
) -> Result<(Diagram, Version), Error> {
    unless_seen(seen, || async {
        let (diagram, entered) = enter_diagram(app, caller, id, Role::Editor).await?;
        not_archived(&diagram)?;
        let store = store(app)?;
        let before = store.find_version_number(&diagram.id, diagram.head_version).await?;
        let seen = seen.unwrap_or(diagram.revision);
        let of = VersionOf::Existing(diagram.id.clone());
        let (version, _) = judge(app, caller, of, written.clone(), Some(before.requirement)).await?;
        let compared = check::compare_code(app, before.mermaid, version.mermaid.clone()).await?;
        let touched = match compared.by_element || compared.same {
            true => Touched::Elements(compared.changes.into_iter().map(|change| change.id).collect()),
            false => Touched::Everything,
        };
        let event = caller.did(
            app,
            "version.create",
            Some(&entered.project.id),
            diagram.id.as_str(),
            &json!({"validated": version.validated}),
        )?;
        Ok(store.record_version(&version, Some(seen), &touched, &event).await?)
    })
    .await
}

/// What may be changed of a diagram itself.
#[derive(Debug, Clone, Default)]
pub struct DiagramChanges {
    /// What it is called.
    pub title: Option<String>,
    /// It is put away.
    pub archived: Option<bool>,
    /// Where it lies: in a folder of its project, or in none.
    pub folder_id: Option<Option<String>>,
}

/// Changes a diagram, if it is still the one that the caller has seen.
///
/// # Errors
/// When it is not, the caller may not write there, or its project has no such folder.
pub async fn update_diagram(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: Option<i64>,
    changes: &DiagramChanges,
) -> Result<Diagram, Error> {
    unless_seen(seen, || async {
        let (diagram, entered) = enter_diagram(app, caller, id, Role::Editor).await?;
        let title = match &changes.title {
            Some(title) => one_line("title", title)?,
            None => diagram.title.clone(),
        };
        let archived_at = match changes.archived {
            Some(true) => Some(diagram.archived_at.unwrap_or_else(|| app.clock.now_us())),
            Some(false) => None,
            None => diagram.archived_at,
        };
        let folder = match &changes.folder_id {
            Some(folder) => {
                folder.as_deref().map(FolderId::parse).transpose().map_err(|_| no_such_folder())?
            }
            None => diagram.folder_id.clone(),
        };
        let (renamed, moved) = (title != diagram.title, folder != diagram.folder_id);
        let details = json!({"archived": archived_at.is_some(), "renamed": renamed, "moved": moved});
        let event =
            caller.did(app, "diagram.update", Some(&entered.project.id), diagram.id.as_str(), &details)?;
        let seen = seen.unwrap_or(diagram.revision);
        let changed =
            store(app)?.update_diagram(&diagram, seen, &title, archived_at, folder.as_ref(), &event).await;
        changed.map_err(in_its_project)
    })
    .await
}

fn no_such_folder() -> Error {
    Error::invalid("folder_id", "The project of the diagram has no such folder to put it in.")
}

/// Of folders of other projects nobody learns whether they exist.
fn in_its_project(error: StoreError) -> Error {
    match error {
        StoreError::NotFound { what: store::Resource::Folder } => no_such_folder(),
        other => other.into(),
    }
}

/// The versions of a diagram, newest first.
///
/// # Errors
/// When the caller may not see it.
pub async fn list_versions(
    app: &App,
    caller: &Caller,
    id: &str,
    listing: &Listing,
) -> Result<Page<VersionSummary>, Error> {
    let (diagram, _) = enter_diagram(app, caller, id, Role::Viewer).await?;
    Ok(store(app)?.list_versions(&diagram.id, &listing.request()?).await?.into())
}

/// One version of a diagram.
///
/// # Errors
/// When there is none, or the caller may not see it.
pub async fn find_version(app: &App, caller: &Caller, id: &str, number: u32) -> Result<Version, Error> {
    let (diagram, _) = enter_diagram(app, caller, id, Role::Viewer).await?;
    Ok(store(app)?.find_version_number(&diagram.id, number).await?)
}

fn not_archived(diagram: &Diagram) -> Result<(), Error> {
    match diagram.archived_at {
        None => Ok(()),
        Some(_) => Err(Error::Conflict(
            "This diagram is archived, so it gets no new versions. Restore it first.".to_owned(),
        )),
    }
}

/// What a person wrote, with the verdict of Mermaid's own parser.
async fn judge(
    app: &App,
    caller: &Caller,
    of: VersionOf,
    written: Written,
    old_requirement: Option<String>,
) -> Result<(NewVersion, String), Error> {
    if written.code.len() > app.config.check.max_text_bytes {
        return Err(Error::invalid(
            "code",
            format!(
                "The diagram is larger than {} bytes. Draw it as several.",
                app.config.check.max_text_bytes
            ),
        ));
    }
    let requirement = written.requirement.or(old_requirement).unwrap_or_default().replace('\0', " ");
    if requirement.chars().count() > MAX_REQUIREMENT_CHARS {
        return Err(Error::invalid(
            "requirement",
            format!(
                "The requirements have more than {MAX_REQUIREMENT_CHARS} characters. Keep one chapter at a time."
            ),
        ));
    }
    let note = written.note.map(|note| note.trim().replace('\0', " ")).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
        return Err(Error::invalid("note", format!("A note has at most {MAX_NOTE_CHARS} characters.")));
    }
    // What no database keeps is no part of a diagram either; the verdict is of exactly what is kept.
    let code = written.code.replace('\0', "");
    let Judged { checked, .. } = check::check_code(app, code.clone(), Engine::Mermaid).await?;
    let kind = checked.kind.map_or("unknown", |kind| kind.id).to_owned();
    let version = NewVersion {
        id: VersionId::parse(app.clock.new_id("ver"))?,
        of,
        requirement,
        blueprint: None,
        mermaid: code,
        validated: checked.validated(),
        findings: JsonText::encode(&checked.findings)?,
        trace: JsonText::empty_list(),
        created_by: caller.user_id().cloned(),
        note,
    };
    Ok((version, kind))
}

fn one_line(path: &str, text: &str) -> Result<String, Error> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.chars().count() > MAX_TITLE_CHARS || line.chars().any(char::is_control) {
        return Err(Error::invalid(
            path,
            format!("A title is one line of 1 to {MAX_TITLE_CHARS} characters."),
        ));
    }
    Ok(line)
}
