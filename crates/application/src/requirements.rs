//! Requirements, where they come from, and the links from them to elements of diagrams.

use serde_json::json;
use store::{Diagram, Requirement, RequirementId, RequirementVersion, Role, TraceLink, TraceLinkId};

use super::{
    Error,
    access::{Caller, Entered, enter, enter_diagram, enter_for, project_id, store, unless_seen},
    documents::Form,
    list_filters::{LinksAsked, RequirementsAsked},
    page::{Listing, Page},
};
use crate::app::App;

/// The longest requirement.
const MAX_CHARS: usize = 5_000;
/// So many are imported at once.
const MAX_IMPORTED: usize = 1_000;
const MAX_ELEMENT_CHARS: usize = 200;

fn words(text: &str) -> Result<String, Error> {
    let text = text.trim().replace('\0', " ");
    let chars = text.chars().count();
    if chars == 0 || chars > MAX_CHARS {
        return Err(Error::invalid(
            "text",
            format!("A requirement has 1 to {MAX_CHARS} characters; this one has {chars}."),
        ));
    }
    Ok(text)
}

async fn enter_requirement(
    app: &App,
    caller: &Caller,
    id: &str,
    need: Role,
) -> Result<(Requirement, Entered), Error> {
    let id = RequirementId::parse(id).map_err(|_| Error::NotFound("requirement"))?;
    let found = store(app)?.find_requirement(&id).await?;
    let entered = enter_for("requirement", app, caller, &found.project_id, need).await?;
    Ok((found, entered))
}

/// The requirements of a project, of those that are asked for. With words to look for, a page may have fewer than asked
/// for although there are more.
///
/// # Errors
/// When the caller may not enter it, or nobody knows what is asked for.
pub async fn list_requirements(
    app: &App,
    caller: &Caller,
    project: &str,
    asked: &RequirementsAsked,
    listing: &Listing,
) -> Result<Page<Requirement>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    let (filter, request) = (asked.read()?, listing.request()?);
    Ok(store(app)?.list_requirements(&entered.project.id, &filter, &request).await?.into())
}

/// Writes requirements, all or none.
///
/// # Errors
/// When the caller may not write there, or one of them cannot be used.
pub async fn create_requirements(
    app: &App,
    caller: &Caller,
    project: &str,
    texts: &[String],
) -> Result<Vec<Requirement>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Editor).await?;
    let mut new = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let text = words(text).map_err(|error| match error {
            Error::Invalid { message, .. } => Error::invalid(&format!("requirements[{at}]"), message),
            other => other,
        })?;
        new.push((RequirementId::parse(app.clock.new_id("req"))?, text));
    }
    let id = entered.project.id;
    let event =
        caller.did(app, "requirement.create", Some(&id), id.as_str(), &json!({"count": new.len()}))?;
    Ok(store(app)?.create_requirements(&id, &new, caller.user_id(), &event).await?)
}

/// Writes the requirements of a document, all or none.
///
/// # Errors
/// When it holds none, too many, or one that cannot be used.
pub async fn import_requirements(
    app: &App,
    caller: &Caller,
    project: &str,
    form: &'static Form,
    content: String,
) -> Result<Vec<Requirement>, Error> {
    // Asked first, so that nobody learns anything about a project from what its answers say of a document.
    enter(app, caller, &project_id(project)?, Role::Editor).await?;
    let texts = form.read(content).await?;
    if texts.is_empty() {
        return Err(Error::invalid(
            "content",
            "There are no requirements in this. Send paragraphs, a list, or a table with a column `requirement`.",
        ));
    }
    if texts.len() > MAX_IMPORTED {
        return Err(Error::invalid(
            "content",
            format!(
                "These are {} requirements; at most {MAX_IMPORTED} are taken at once. Send one chapter at a time.",
                texts.len()
            ),
        ));
    }
    create_requirements(app, caller, project, &texts).await
}

/// A requirement.
///
/// # Errors
/// When there is none, or the caller may not see it.
pub async fn find_requirement(app: &App, caller: &Caller, id: &str) -> Result<Requirement, Error> {
    Ok(enter_requirement(app, caller, id, Role::Viewer).await?.0)
}

/// The versions of a requirement, newest first.
///
/// # Errors
/// When there is none, or the caller may not see it.
pub async fn list_requirement_versions(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<Vec<RequirementVersion>, Error> {
    let (found, _) = enter_requirement(app, caller, id, Role::Viewer).await?;
    Ok(store(app)?.list_requirement_versions(&found.id).await?)
}

/// What may be changed of a requirement.
#[derive(Debug, Clone, Default)]
pub struct RequirementChanges {
    /// Other words: a new version.
    pub text: Option<String>,
    /// It does not count any more.
    pub archived: Option<bool>,
}

/// Changes a requirement, if it is still the one that the caller has seen.
///
/// # Errors
/// When it is not, or the caller may not write there.
pub async fn update_requirement(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: Option<i64>,
    changes: &RequirementChanges,
) -> Result<Requirement, Error> {
    unless_seen(seen, || async {
        let (old, entered) = enter_requirement(app, caller, id, Role::Editor).await?;
        let text = changes.text.as_deref().map(words).transpose()?.filter(|text| *text != old.text);
        let archived_at = match changes.archived {
            Some(true) => Some(old.archived_at.unwrap_or_else(|| app.clock.now_us())),
            Some(false) => None,
            None => old.archived_at,
        };
        let details = json!({"archived": archived_at.is_some(), "reworded": text.is_some()});
        let event =
            caller.did(app, "requirement.update", Some(&entered.project.id), old.id.as_str(), &details)?;
        let seen = seen.unwrap_or(old.revision);
        let changed = store(app)?
            .update_requirement(&old.id, seen, text.as_deref(), archived_at, caller.user_id(), &event)
            .await?;
        Ok(changed)
    })
    .await
}

/// The links of a diagram, of those that are asked for.
///
/// # Errors
/// When the caller may not see it, or nobody knows what is asked for.
pub async fn list_trace_links(
    app: &App,
    caller: &Caller,
    diagram: &str,
    asked: &LinksAsked,
    listing: &Listing,
) -> Result<Page<TraceLink>, Error> {
    let (diagram, _) = enter_diagram(app, caller, diagram, Role::Viewer).await?;
    Ok(store(app)?.list_trace_links(&diagram.id, &asked.read()?, &listing.request()?).await?.into())
}

/// Links an element of a diagram to a requirement, both as they are now.
///
/// # Errors
/// When the caller may not write there, or the two are not of one project.
pub async fn create_trace_link(
    app: &App,
    caller: &Caller,
    diagram: &str,
    element: &str,
    requirement: &str,
) -> Result<TraceLink, Error> {
    let (diagram, entered): (Diagram, Entered) = enter_diagram(app, caller, diagram, Role::Editor).await?;
    let element = element.trim();
    if element.is_empty() || element.chars().count() > MAX_ELEMENT_CHARS {
        return Err(Error::invalid(
            "element",
            format!("An element is named by its id, of 1 to {MAX_ELEMENT_CHARS} characters."),
        ));
    }
    let (requirement, _) = enter_requirement(app, caller, requirement, Role::Viewer).await?;
    if requirement.project_id != diagram.project_id {
        return Err(Error::invalid(
            "requirement_id",
            "The requirement belongs to another project than the diagram.",
        ));
    }
    let link = TraceLink {
        id: TraceLinkId::parse(app.clock.new_id("lnk"))?,
        project_id: entered.project.id.clone(),
        requirement_id: requirement.id,
        requirement_version: requirement.head_version,
        diagram_id: diagram.id,
        element: element.to_owned(),
        diagram_version: i64::from(diagram.head_version),
        suspect: None,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
    };
    let event =
        caller.did(app, "trace_link.create", Some(&entered.project.id), link.id.as_str(), &json!({}))?;
    store(app)?.create_trace_link(&link, &event).await?;
    Ok(link)
}

async fn enter_link(app: &App, caller: &Caller, id: &str, need: Role) -> Result<(TraceLink, Entered), Error> {
    let id = TraceLinkId::parse(id).map_err(|_| Error::NotFound("trace link"))?;
    let link = store(app)?.find_trace_link(&id).await?;
    let entered = enter_for("trace link", app, caller, &link.project_id, need).await?;
    Ok((link, entered))
}

/// The caller has looked at both sides as they are now, and they fit.
///
/// # Errors
/// When there is no such link, or the caller may not review there.
pub async fn confirm_trace_link(app: &App, caller: &Caller, id: &str) -> Result<TraceLink, Error> {
    let (link, entered) = enter_link(app, caller, id, Role::Reviewer).await?;
    let event =
        caller.did(app, "trace_link.confirm", Some(&entered.project.id), link.id.as_str(), &json!({}))?;
    Ok(store(app)?.confirm_trace_link(&link.id, &event).await?)
}

/// Takes a link away.
///
/// # Errors
/// When there is no such link, or the caller may not write there.
pub async fn delete_trace_link(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (link, entered) = enter_link(app, caller, id, Role::Editor).await?;
    let event =
        caller.did(app, "trace_link.delete", Some(&entered.project.id), link.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_trace_link(&link.id, &event).await?)
}
