//! Requirements, their import and their trace links to diagram elements.

use serde_json::json;
use store::{Diagram, Requirement, RequirementId, RequirementVersion, Role, TraceLink, TraceLinkId};

use super::{
    Error,
    access::{
        Caller, ProjectAccess, authorize_diagram, authorize_project, authorize_resource, project_id,
        retry_on_conflict, store,
    },
    documents::Form,
    list_filters::{RequirementQuery, TraceLinkQuery},
    page::{Listing, Page},
};
use crate::app::App;

const MAX_CHARS: usize = 5_000;
/// Most requirements of one import.
const MAX_IMPORTED: usize = 1_000;
const MAX_ELEMENT_CHARS: usize = 200;

fn parse_text(text: &str) -> Result<String, Error> {
    let text = text.trim().replace('\0', " ");
    let chars = text.chars().count();
    if chars == 0 || chars > MAX_CHARS {
        return Err(Error::invalid(
            "text",
            format!("A requirement must have 1 to {MAX_CHARS} characters; this one has {chars}."),
        ));
    }
    Ok(text)
}

async fn authorize_requirement(
    app: &App,
    caller: &Caller,
    id: &str,
    need: Role,
) -> Result<(Requirement, ProjectAccess), Error> {
    let id = RequirementId::parse(id).map_err(|_| Error::NotFound("requirement"))?;
    let found = store(app)?.find_requirement(&id).await?;
    let access = authorize_resource("requirement", app, caller, &found.project_id, need).await?;
    Ok((found, access))
}

/// Filtered requirements of a project. With a search text, a page may have fewer items than the limit although more
/// follow.
pub async fn list_requirements(
    app: &App,
    caller: &Caller,
    project: &str,
    asked: &RequirementQuery,
    listing: &Listing,
) -> Result<Page<Requirement>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    let (filter, request) = (asked.read()?, listing.request()?);
    Ok(store(app)?.list_requirements(&access.project.id, &filter, &request).await?.into())
}

/// Creates requirements, all or none.
pub async fn create_requirements(
    app: &App,
    caller: &Caller,
    project: &str,
    texts: &[String],
) -> Result<Vec<Requirement>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Editor).await?;
    let mut new = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let text = parse_text(text).map_err(|error| match error {
            Error::Invalid { message, .. } => Error::invalid(&format!("requirements[{at}]"), message),
            other => other,
        })?;
        new.push((RequirementId::parse(app.clock.new_id("req"))?, text));
    }
    let id = access.project.id;
    let event = caller.audit_event(
        app,
        "requirement.create",
        Some(&id),
        id.as_str(),
        &json!({"count": new.len()}),
    )?;
    Ok(store(app)?.create_requirements(&id, &new, caller.user_id(), &event).await?)
}

/// Creates the requirements of a document, all or none.
pub async fn import_requirements(
    app: &App,
    caller: &Caller,
    project: &str,
    form: &'static Form,
    content: String,
) -> Result<Vec<Requirement>, Error> {
    // Authorized first, so that errors of the document disclose nothing about the project.
    authorize_project(app, caller, &project_id(project)?, Role::Editor).await?;
    let texts = form.read(content).await?;
    if texts.is_empty() {
        return Err(Error::invalid(
            "content",
            "The document has no requirements. Send paragraphs, a list, or a table with a column `requirement`.",
        ));
    }
    if texts.len() > MAX_IMPORTED {
        return Err(Error::invalid(
            "content",
            format!(
                "The document has {} requirements; at most {MAX_IMPORTED} are imported at once. Send one chapter \
                 at a time.",
                texts.len()
            ),
        ));
    }
    create_requirements(app, caller, project, &texts).await
}

pub async fn find_requirement(app: &App, caller: &Caller, id: &str) -> Result<Requirement, Error> {
    Ok(authorize_requirement(app, caller, id, Role::Viewer).await?.0)
}

pub async fn list_requirement_versions(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<Vec<RequirementVersion>, Error> {
    let (found, _) = authorize_requirement(app, caller, id, Role::Viewer).await?;
    Ok(store(app)?.list_requirement_versions(&found.id).await?)
}

#[derive(Debug, Clone, Default)]
pub struct RequirementChanges {
    /// A changed text creates a new version.
    pub text: Option<String>,
    pub archived: Option<bool>,
}

/// Updates a requirement, if the revision matches.
pub async fn update_requirement(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    changes: &RequirementChanges,
) -> Result<Requirement, Error> {
    retry_on_conflict(expected_revision, || async {
        let (old, access) = authorize_requirement(app, caller, id, Role::Editor).await?;
        let text = changes.text.as_deref().map(parse_text).transpose()?.filter(|text| *text != old.text);
        let archived_at = match changes.archived {
            Some(true) => Some(old.archived_at.unwrap_or_else(|| app.clock.now_us())),
            Some(false) => None,
            None => old.archived_at,
        };
        let details = json!({"archived": archived_at.is_some(), "reworded": text.is_some()});
        let event = caller.audit_event(
            app,
            "requirement.update",
            Some(&access.project.id),
            old.id.as_str(),
            &details,
        )?;
        let expected_revision = expected_revision.unwrap_or(old.revision);
        let changed = store(app)?
            .update_requirement(
                &old.id,
                expected_revision,
                text.as_deref(),
                archived_at,
                caller.user_id(),
                &event,
            )
            .await?;
        Ok(changed)
    })
    .await
}

/// Filtered trace links of a diagram.
pub async fn list_trace_links(
    app: &App,
    caller: &Caller,
    diagram: &str,
    asked: &TraceLinkQuery,
    listing: &Listing,
) -> Result<Page<TraceLink>, Error> {
    let (diagram, _) = authorize_diagram(app, caller, diagram, Role::Viewer).await?;
    Ok(store(app)?.list_trace_links(&diagram.id, &asked.read()?, &listing.request()?).await?.into())
}

/// Links an element of a diagram to a requirement, at their current versions.
pub async fn create_trace_link(
    app: &App,
    caller: &Caller,
    diagram: &str,
    element: &str,
    requirement: &str,
) -> Result<TraceLink, Error> {
    let (diagram, access): (Diagram, ProjectAccess) =
        authorize_diagram(app, caller, diagram, Role::Editor).await?;
    let element = element.trim();
    if element.is_empty() || element.chars().count() > MAX_ELEMENT_CHARS {
        return Err(Error::invalid(
            "element",
            format!("An element must be an id of 1 to {MAX_ELEMENT_CHARS} characters."),
        ));
    }
    let (requirement, _) = authorize_requirement(app, caller, requirement, Role::Viewer).await?;
    if requirement.project_id != diagram.project_id {
        return Err(Error::invalid(
            "requirement_id",
            "The requirement belongs to another project than the diagram. Use one of the same project.",
        ));
    }
    let link = TraceLink {
        id: TraceLinkId::parse(app.clock.new_id("lnk"))?,
        project_id: access.project.id.clone(),
        requirement_id: requirement.id,
        requirement_version: requirement.head_version,
        diagram_id: diagram.id,
        element: element.to_owned(),
        diagram_version: i64::from(diagram.head_version),
        suspect: None,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
    };
    let event = caller.audit_event(
        app,
        "trace_link.create",
        Some(&access.project.id),
        link.id.as_str(),
        &json!({}),
    )?;
    store(app)?.create_trace_link(&link, &event).await?;
    Ok(link)
}

async fn authorize_trace_link(
    app: &App,
    caller: &Caller,
    id: &str,
    need: Role,
) -> Result<(TraceLink, ProjectAccess), Error> {
    let id = TraceLinkId::parse(id).map_err(|_| Error::NotFound("trace link"))?;
    let link = store(app)?.find_trace_link(&id).await?;
    let access = authorize_resource("trace link", app, caller, &link.project_id, need).await?;
    Ok((link, access))
}

/// Confirms a trace link for the current versions of both sides.
pub async fn confirm_trace_link(app: &App, caller: &Caller, id: &str) -> Result<TraceLink, Error> {
    let (link, access) = authorize_trace_link(app, caller, id, Role::Reviewer).await?;
    let event = caller.audit_event(
        app,
        "trace_link.confirm",
        Some(&access.project.id),
        link.id.as_str(),
        &json!({}),
    )?;
    Ok(store(app)?.confirm_trace_link(&link.id, &event).await?)
}

pub async fn delete_trace_link(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (link, access) = authorize_trace_link(app, caller, id, Role::Editor).await?;
    let event = caller.audit_event(
        app,
        "trace_link.delete",
        Some(&access.project.id),
        link.id.as_str(),
        &json!({}),
    )?;
    Ok(store(app)?.delete_trace_link(&link.id, &event).await?)
}
