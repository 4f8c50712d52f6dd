//! Folders of a project, which contain diagrams and folders.

use serde_json::json;
use store::{Constraint, Folder, FolderId, Resource, Role, StoreError};

use super::{
    Error,
    access::{
        Caller, ProjectAccess, authorize_project, authorize_resource, project_id, retry_on_conflict, store,
    },
    page::{Listing, Page, fetch_all},
};
use crate::app::App;

const MAX_NAME_CHARS: usize = 100;

async fn authorize_folder(
    app: &App,
    caller: &Caller,
    id: &str,
    need: Role,
) -> Result<(Folder, ProjectAccess), Error> {
    let id = FolderId::parse(id).map_err(|_| Error::NotFound("folder"))?;
    let found = store(app)?.find_folder(&id).await?;
    let access = authorize_resource("folder", app, caller, &found.project_id, need).await?;
    Ok((found, access))
}

/// A validated name and its case-folded form, which is unique within the parent.
fn name(text: &str) -> Result<(String, String), Error> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&chars) || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "name",
            format!("The name of a folder must be one line of 1 to {MAX_NAME_CHARS} characters."),
        ));
    }
    let folded = name.to_lowercase();
    Ok((name, folded))
}

fn parent(id: Option<&str>) -> Result<Option<FolderId>, Error> {
    id.map(|id| FolderId::parse(id).map_err(|_| unknown_parent())).transpose()
}

fn unknown_parent() -> Error {
    Error::invalid("parent_id", "The project has no such folder. Use the id of one of its folders.")
}

fn refused(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::FolderName } => Error::Conflict(
            "A folder with this name already exists here; names are case-insensitive. Use another name."
                .to_owned(),
        ),
        StoreError::NotFound { what: Resource::Folder } => unknown_parent(),
        other => other.into(),
    }
}

/// All folders of a project, at any depth.
pub async fn list_folders(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Folder>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_folders(&access.project.id, &listing.request()?).await?.into())
}

/// All folders of a project, sorted by name.
pub async fn list_all_folders(app: &App, caller: &Caller, project: &str) -> Result<Vec<Folder>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    let (store, project) = (store(app)?, &access.project.id);
    let mut all = fetch_all(|page| async move { store.list_folders(project, &page).await }).await?;
    all.sort_by(|a, b| a.folded.cmp(&b.folded));
    Ok(all)
}

pub async fn create_folder(
    app: &App,
    caller: &Caller,
    project: &str,
    text: &str,
    inside: Option<&str>,
) -> Result<Folder, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Editor).await?;
    let (name, folded) = name(text)?;
    let now = app.clock.now_us();
    let folder = Folder {
        id: FolderId::parse(app.clock.new_id("fld"))?,
        project_id: access.project.id.clone(),
        parent_id: parent(inside)?,
        name,
        folded,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let event =
        caller.audit_event(app, "folder.create", Some(&access.project.id), folder.id.as_str(), &json!({}))?;
    store(app)?.create_folder(&folder, &event).await.map_err(refused)?;
    Ok(folder)
}

pub async fn find_folder(app: &App, caller: &Caller, id: &str) -> Result<Folder, Error> {
    Ok(authorize_folder(app, caller, id, Role::Viewer).await?.0)
}

#[derive(Debug, Clone, Default)]
pub struct FolderChanges {
    pub name: Option<String>,
    /// A folder; `Some(None)` for the top level.
    pub parent_id: Option<Option<String>>,
}

/// Updates a folder, if the revision matches.
pub async fn update_folder(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    changes: &FolderChanges,
) -> Result<Folder, Error> {
    retry_on_conflict(expected_revision, || async {
        let (old, access) = authorize_folder(app, caller, id, Role::Editor).await?;
        let (name, folded) = match &changes.name {
            Some(text) => name(text)?,
            None => (old.name.clone(), old.folded.clone()),
        };
        let lies_in = match &changes.parent_id {
            Some(inside) => parent(inside.as_deref())?,
            None => old.parent_id.clone(),
        };
        let details = json!({"renamed": name != old.name, "moved": lies_in != old.parent_id});
        let event =
            caller.audit_event(app, "folder.update", Some(&access.project.id), old.id.as_str(), &details)?;
        let expected_revision = expected_revision.unwrap_or(old.revision);
        store(app)?
            .update_folder(&old, expected_revision, (&name, &folded), lies_in.as_ref(), &event)
            .await
            .map_err(refused)
    })
    .await
}

/// Deletes an empty folder.
pub async fn delete_folder(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (folder, access) = authorize_folder(app, caller, id, Role::Editor).await?;
    let event =
        caller.audit_event(app, "folder.delete", Some(&access.project.id), folder.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_folder(&folder, &event).await?)
}
