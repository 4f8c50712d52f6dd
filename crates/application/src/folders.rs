//! Folders: the drawers of a project, in which diagrams lie.

use serde_json::json;
use store::{Constraint, Folder, FolderId, Resource, Role, StoreError};

use super::{
    Error,
    access::{Caller, Entered, enter, enter_for, project_id, store, unless_seen},
    page::{Listing, Page, every},
};
use crate::app::App;

/// The longest name.
const MAX_NAME_CHARS: usize = 100;

async fn enter_folder(app: &App, caller: &Caller, id: &str, need: Role) -> Result<(Folder, Entered), Error> {
    let id = FolderId::parse(id).map_err(|_| Error::NotFound("folder"))?;
    let found = store(app)?.find_folder(&id).await?;
    let entered = enter_for("folder", app, caller, &found.project_id, need).await?;
    Ok((found, entered))
}

/// A name and the form of it by which it is there once.
fn name(text: &str) -> Result<(String, String), Error> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&chars) || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "name",
            format!("The name of a folder is one line of 1 to {MAX_NAME_CHARS} characters."),
        ));
    }
    let folded = name.to_lowercase();
    Ok((name, folded))
}

/// The folder that something is to lie in.
fn parent(id: Option<&str>) -> Result<Option<FolderId>, Error> {
    id.map(|id| FolderId::parse(id).map_err(|_| no_such_parent())).transpose()
}

fn no_such_parent() -> Error {
    Error::invalid("parent_id", "The project has no such folder to put it in.")
}

/// What the store says of where a folder lies, in words for whoever wanted it there.
fn refused(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { constraint: Constraint::FolderName } => Error::Conflict(
            "There is a folder of this name in the same place, perhaps in other capitals. Use another name."
                .to_owned(),
        ),
        StoreError::NotFound { what: Resource::Folder } => no_such_parent(),
        other => other.into(),
    }
}

/// The folders of a project, whatever they lie in.
///
/// # Errors
/// When the caller may not enter it.
pub async fn list_folders(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Folder>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_folders(&entered.project.id, &listing.request()?).await?.into())
}

/// All folders of a project by their names, for a page that shows where each lies.
///
/// # Errors
/// When the caller may not enter it.
pub async fn list_all_folders(app: &App, caller: &Caller, project: &str) -> Result<Vec<Folder>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    let (store, project) = (store(app)?, &entered.project.id);
    let mut all = every(|page| async move { store.list_folders(project, &page).await }).await?;
    all.sort_by(|a, b| a.folded.cmp(&b.folded));
    Ok(all)
}

/// Makes a folder, within another one if `inside` names one.
///
/// # Errors
/// When the caller may not write there, the name is taken, or it would lie too deep.
pub async fn create_folder(
    app: &App,
    caller: &Caller,
    project: &str,
    text: &str,
    inside: Option<&str>,
) -> Result<Folder, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Editor).await?;
    let (name, folded) = name(text)?;
    let now = app.clock.now_us();
    let folder = Folder {
        id: FolderId::parse(app.clock.new_id("fld"))?,
        project_id: entered.project.id.clone(),
        parent_id: parent(inside)?,
        name,
        folded,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let event =
        caller.did(app, "folder.create", Some(&entered.project.id), folder.id.as_str(), &json!({}))?;
    store(app)?.create_folder(&folder, &event).await.map_err(refused)?;
    Ok(folder)
}

/// One folder.
///
/// # Errors
/// When there is none, or the caller may not see it.
pub async fn find_folder(app: &App, caller: &Caller, id: &str) -> Result<Folder, Error> {
    Ok(enter_folder(app, caller, id, Role::Viewer).await?.0)
}

/// What may be changed of a folder.
#[derive(Debug, Clone, Default)]
pub struct FolderChanges {
    /// What it is called.
    pub name: Option<String>,
    /// Where it lies: in a folder, or in none.
    pub parent_id: Option<Option<String>>,
}

/// Changes a folder, if it is still the one that the caller has seen.
///
/// # Errors
/// When it is not, the caller may not write there, or it cannot lie there under that name.
pub async fn update_folder(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: Option<i64>,
    changes: &FolderChanges,
) -> Result<Folder, Error> {
    unless_seen(seen, || async {
        let (old, entered) = enter_folder(app, caller, id, Role::Editor).await?;
        let (name, folded) = match &changes.name {
            Some(text) => name(text)?,
            None => (old.name.clone(), old.folded.clone()),
        };
        let lies_in = match &changes.parent_id {
            Some(inside) => parent(inside.as_deref())?,
            None => old.parent_id.clone(),
        };
        let details = json!({"renamed": name != old.name, "moved": lies_in != old.parent_id});
        let event = caller.did(app, "folder.update", Some(&entered.project.id), old.id.as_str(), &details)?;
        let seen = seen.unwrap_or(old.revision);
        store(app)?
            .update_folder(&old, seen, (&name, &folded), lies_in.as_ref(), &event)
            .await
            .map_err(refused)
    })
    .await
}

/// Takes a folder away in which nothing lies.
///
/// # Errors
/// When something does, there is no such folder, or the caller may not write there.
pub async fn delete_folder(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (folder, entered) = enter_folder(app, caller, id, Role::Editor).await?;
    let event =
        caller.did(app, "folder.delete", Some(&entered.project.id), folder.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_folder(&folder, &event).await?)
}
