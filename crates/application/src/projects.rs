//! Projects: what people work in together.

use serde_json::json;
use store::{AuditEvent, AuditOf, Project, ProjectId, Role};

use super::{
    Error,
    access::{Caller, Scope, enter, enter_any, project_id, store, unless_seen},
    accounts,
    list_filters::EventsAsked,
    page::{Listing, Page},
};
use crate::app::App;

/// A project and what the caller is in it.
#[derive(Debug, Clone)]
pub struct ProjectWithRole {
    /// The project.
    pub project: Project,
    /// What the caller is in it.
    pub role: Role,
}

/// The projects that the caller may enter.
///
/// # Errors
/// When their token may not read.
pub async fn list_projects(
    app: &App,
    caller: &Caller,
    listing: &Listing,
) -> Result<Page<ProjectWithRole>, Error> {
    caller.may(Scope::Read)?;
    let request = listing.request()?;
    let store = store(app)?;
    Ok(match caller.user_id() {
        None if !caller.is_local() => return Err(Error::NotFound("project")),
        None => Page::from(store.list_projects(&request).await?)
            .map(|project| ProjectWithRole { project, role: Role::Owner }),
        Some(user) => Page::from(store.list_projects_of(user, &request).await?)
            .map(|mine| ProjectWithRole { project: mine.project, role: mine.role }),
    })
}

/// The projects that the caller may write into; none where nothing is kept.
///
/// # Errors
/// When the database does not answer.
pub async fn list_writable(app: &App, caller: &Caller) -> Result<Vec<Project>, Error> {
    if app.store.is_none() {
        return Ok(Vec::new());
    }
    let page =
        list_projects(app, caller, &Listing { after: None, limit: Some(store::MAX_PAGE_LIMIT) }).await?;
    let writable =
        page.items.into_iter().filter(|mine| mine.role >= Role::Editor && mine.project.archived_at.is_none());
    Ok(writable.map(|mine| mine.project).collect())
}

/// Makes a project, whose owner the caller is.
///
/// # Errors
/// When the name cannot be used.
pub async fn create_project(app: &App, caller: &Caller, name: &str) -> Result<ProjectWithRole, Error> {
    caller.may(Scope::Write)?;
    if caller.person().is_none() && !caller.is_local() {
        return Err(Error::NotFound("project"));
    }
    let id = ProjectId::parse(app.clock.new_id("prj"))?;
    let name = accounts::name("name", name)?;
    let event = caller.did(app, "project.create", Some(&id), id.as_str(), &json!({}))?;
    let project = store(app)?.create_project(&id, &name, caller.user_id(), &event).await?;
    Ok(ProjectWithRole { project, role: Role::Owner })
}

/// One project.
///
/// # Errors
/// When there is none, or the caller may not enter it.
pub async fn find_project(app: &App, caller: &Caller, id: &str) -> Result<ProjectWithRole, Error> {
    let entered = enter(app, caller, &project_id(id)?, Role::Viewer).await?;
    Ok(ProjectWithRole { project: entered.project, role: entered.role })
}

/// What may be changed of a project.
#[derive(Debug, Clone, Default)]
pub struct ProjectChanges {
    /// What it is called.
    pub name: Option<String>,
    /// It is put away.
    pub archived: Option<bool>,
}

/// Changes a project, if its revision is still the one that the caller has seen.
///
/// # Errors
/// When it is not, or the caller is no owner.
pub async fn update_project(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: Option<i64>,
    changes: &ProjectChanges,
) -> Result<ProjectWithRole, Error> {
    unless_seen(seen, || async {
        let entered = enter_any(app, caller, &project_id(id)?, Role::Owner).await?;
        let old = entered.project;
        let name = match &changes.name {
            Some(name) => accounts::name("name", name)?,
            None => old.name.clone(),
        };
        let archived_at = match changes.archived {
            Some(true) => Some(old.archived_at.unwrap_or_else(|| app.clock.now_us())),
            Some(false) => None,
            None => old.archived_at,
        };
        let details = json!({"archived": archived_at.is_some(), "renamed": name != old.name});
        let event = caller.did(app, "project.update", Some(&old.id), old.id.as_str(), &details)?;
        let project = store(app)?
            .update_project(&old.id, seen.unwrap_or(old.revision), &name, archived_at, &event)
            .await?;
        Ok(ProjectWithRole { project, role: entered.role })
    })
    .await
}

/// The project that something goes into for which the caller named none: the one they own longest.
pub(super) async fn usual_project(app: &App, caller: &Caller) -> Result<ProjectId, Error> {
    let Some(user) = caller.user_id() else {
        return if caller.is_local() {
            Ok(ProjectId::default_project())
        } else {
            Err(Error::NotFound("project"))
        };
    };
    match store(app)?.find_own_project(user).await {
        Ok(project) => Ok(project.id),
        Err(store::StoreError::NotFound { .. }) => Err(Error::invalid(
            "project_id",
            "You own no project; make one, or name one in which you may write.",
        )),
        Err(other) => Err(other.into()),
    }
}

/// What happened in a project, of what is asked for.
///
/// # Errors
/// When the caller is no owner of it, or nobody knows what is asked for.
pub async fn list_project_events(
    app: &App,
    caller: &Caller,
    id: &str,
    asked: &EventsAsked,
    listing: &Listing,
) -> Result<Page<AuditEvent>, Error> {
    let entered = enter_any(app, caller, &project_id(id)?, Role::Owner).await?;
    let of = AuditOf::Project(&entered.project.id);
    Ok(store(app)?.list_audit_events(of, &asked.read()?, &listing.request()?).await?.into())
}

/// What happened on the server, of what is asked for.
///
/// # Errors
/// When the caller does not run it, or nobody knows what is asked for.
pub async fn list_events(
    app: &App,
    caller: &Caller,
    asked: &EventsAsked,
    listing: &Listing,
) -> Result<Page<AuditEvent>, Error> {
    caller.admin()?;
    Ok(store(app)?.list_audit_events(AuditOf::Everyone, &asked.read()?, &listing.request()?).await?.into())
}
