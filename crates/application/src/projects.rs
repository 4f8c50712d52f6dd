//! Projects and their audit events.

use serde_json::json;
use store::{AuditEvent, AuditOf, Project, ProjectId, Role};

use super::{
    Error,
    access::{
        Caller, Scope, authorize_project, authorize_project_any_state, project_id, retry_on_conflict, store,
    },
    accounts,
    list_filters::AuditEventQuery,
    page::{Listing, Page},
};
use crate::app::App;

#[derive(Debug, Clone)]
pub struct ProjectWithRole {
    pub project: Project,
    pub role: Role,
}

/// The projects of which the caller is a member.
pub async fn list_projects(
    app: &App,
    caller: &Caller,
    listing: &Listing,
) -> Result<Page<ProjectWithRole>, Error> {
    caller.require_scope(Scope::Read)?;
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

/// The projects that the caller may edit; empty without a database.
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

/// Creates a project owned by the caller.
pub async fn create_project(app: &App, caller: &Caller, name: &str) -> Result<ProjectWithRole, Error> {
    caller.require_scope(Scope::Write)?;
    if caller.person().is_none() && !caller.is_local() {
        return Err(Error::NotFound("project"));
    }
    let id = ProjectId::parse(app.clock.new_id("prj"))?;
    let name = accounts::name("name", name)?;
    let event = caller.audit_event(app, "project.create", Some(&id), id.as_str(), &json!({}))?;
    let project = store(app)?.create_project(&id, &name, caller.user_id(), &event).await?;
    Ok(ProjectWithRole { project, role: Role::Owner })
}

pub async fn find_project(app: &App, caller: &Caller, id: &str) -> Result<ProjectWithRole, Error> {
    let access = authorize_project(app, caller, &project_id(id)?, Role::Viewer).await?;
    Ok(ProjectWithRole { project: access.project, role: access.role })
}

#[derive(Debug, Clone, Default)]
pub struct ProjectChanges {
    pub name: Option<String>,
    pub archived: Option<bool>,
}

/// Updates a project, if the revision matches.
pub async fn update_project(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    changes: &ProjectChanges,
) -> Result<ProjectWithRole, Error> {
    retry_on_conflict(expected_revision, || async {
        let access = authorize_project_any_state(app, caller, &project_id(id)?, Role::Owner).await?;
        let old = access.project;
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
        let event = caller.audit_event(app, "project.update", Some(&old.id), old.id.as_str(), &details)?;
        let project = store(app)?
            .update_project(&old.id, expected_revision.unwrap_or(old.revision), &name, archived_at, &event)
            .await?;
        Ok(ProjectWithRole { project, role: access.role })
    })
    .await
}

/// The project of a request without one: the oldest project that the caller owns.
pub(super) async fn default_project(app: &App, caller: &Caller) -> Result<ProjectId, Error> {
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
            "You own no project. Create one, or use the id of a project that you can edit.",
        )),
        Err(other) => Err(other.into()),
    }
}

/// Filtered audit events of a project.
pub async fn list_project_events(
    app: &App,
    caller: &Caller,
    id: &str,
    asked: &AuditEventQuery,
    listing: &Listing,
) -> Result<Page<AuditEvent>, Error> {
    let access = authorize_project_any_state(app, caller, &project_id(id)?, Role::Owner).await?;
    let of = AuditOf::Project(&access.project.id);
    Ok(store(app)?.list_audit_events(of, &asked.read()?, &listing.request()?).await?.into())
}

/// Filtered audit events of the server.
pub async fn list_events(
    app: &App,
    caller: &Caller,
    asked: &AuditEventQuery,
    listing: &Listing,
) -> Result<Page<AuditEvent>, Error> {
    caller.require_admin()?;
    Ok(store(app)?.list_audit_events(AuditOf::Everyone, &asked.read()?, &listing.request()?).await?.into())
}
