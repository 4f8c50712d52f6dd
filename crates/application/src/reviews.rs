//! Comments, approvals and baselines of diagrams, and the glossary of a project.

use serde_json::json;
use store::{
    Approval, ApprovalId, Baseline, BaselineId, BaselineItem, Comment, CommentId, Role, Term, TermId,
};

use super::{
    Error,
    access::{
        Caller, ProjectAccess, authorize_diagram, authorize_project, authorize_resource, project_id,
        retry_on_conflict, store,
    },
    accounts,
    list_filters::CommentQuery,
    page::{Listing, Page},
};
use crate::app::App;

const MAX_BODY_CHARS: usize = 10_000;
const MAX_DEFINITION_CHARS: usize = 2_000;
const MAX_NOTE_CHARS: usize = 2_000;

fn parse_text(path: &str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim().replace('\0', " ");
    let chars = text.chars().count();
    if chars == 0 || chars > most {
        return Err(Error::invalid(
            path,
            format!("`{path}` must have 1 to {most} characters; this one has {chars}."),
        ));
    }
    Ok(text)
}

/// Filtered comments of a diagram.
pub async fn list_comments(
    app: &App,
    caller: &Caller,
    diagram: &str,
    asked: &CommentQuery,
    listing: &Listing,
) -> Result<Page<Comment>, Error> {
    let (diagram, _) = authorize_diagram(app, caller, diagram, Role::Viewer).await?;
    Ok(store(app)?.list_comments(&diagram.id, &asked.read()?, &listing.request()?).await?.into())
}

/// Creates a comment on a diagram or one of its elements.
pub async fn create_comment(
    app: &App,
    caller: &Caller,
    diagram: &str,
    element: Option<String>,
    body: &str,
) -> Result<Comment, Error> {
    let (diagram, access) = authorize_diagram(app, caller, diagram, Role::Reviewer).await?;
    let comment = Comment {
        id: CommentId::parse(app.clock.new_id("cmt"))?,
        project_id: access.project.id.clone(),
        diagram_id: diagram.id,
        version: i64::from(diagram.head_version),
        element: element.map(|element| parse_text("element", &element, 200)).transpose()?,
        body: parse_text("body", body, MAX_BODY_CHARS)?,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
        resolved_by: None,
        resolved_at: None,
    };
    let event = caller.audit_event(
        app,
        "comment.create",
        Some(&access.project.id),
        comment.id.as_str(),
        &json!({}),
    )?;
    store(app)?.create_comment(&comment, &event).await?;
    Ok(comment)
}

/// Resolves or reopens a comment.
pub async fn resolve_comment(app: &App, caller: &Caller, id: &str, resolved: bool) -> Result<Comment, Error> {
    let id = CommentId::parse(id).map_err(|_| Error::NotFound("comment"))?;
    let found = store(app)?.find_comment(&id).await?;
    let access = authorize_resource("comment", app, caller, &found.project_id, Role::Reviewer).await?;
    let details = json!({"resolved": resolved});
    let event =
        caller.audit_event(app, "comment.resolve", Some(&access.project.id), id.as_str(), &details)?;
    let by = resolved.then(|| (caller.user_id(), app.clock.now_us()));
    Ok(store(app)?.resolve_comment(&id, by, &event).await?)
}

/// The approvals and rejections of a version.
pub async fn list_approvals(
    app: &App,
    caller: &Caller,
    diagram: &str,
    version: u32,
    listing: &Listing,
) -> Result<Page<Approval>, Error> {
    let (diagram, _) = authorize_diagram(app, caller, diagram, Role::Viewer).await?;
    let store = store(app)?;
    store.find_version_number(&diagram.id, version).await?;
    Ok(store.list_approvals(&diagram.id, i64::from(version), &listing.request()?).await?.into())
}

/// Approves or rejects a version. A second decision of the same user replaces the first. A version that Mermaid does
/// not accept cannot be approved.
pub async fn create_approval(
    app: &App,
    caller: &Caller,
    diagram: &str,
    version: u32,
    decision: &str,
    note: Option<String>,
) -> Result<Approval, Error> {
    let (diagram, access) = authorize_diagram(app, caller, diagram, Role::Reviewer).await?;
    if !["approved", "rejected"].contains(&decision) {
        return Err(Error::invalid("decision", "A decision must be `approved` or `rejected`."));
    }
    let store = store(app)?;
    let found = store.find_version_number(&diagram.id, version).await?;
    if decision == "approved" && !found.validated {
        return Err(Error::Conflict(
            "Mermaid does not accept this version, so it cannot be approved. Correct it first.".to_owned(),
        ));
    }
    let note = note.filter(|note| !note.trim().is_empty());
    let approval = Approval {
        id: ApprovalId::parse(app.clock.new_id("apr"))?,
        diagram_id: diagram.id,
        version: i64::from(version),
        decision: decision.to_owned(),
        note: note.map(|note| parse_text("note", &note, MAX_NOTE_CHARS)).transpose()?,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
    };
    let details = json!({"version": version, "decision": decision});
    let event = caller.audit_event(
        app,
        "approval.create",
        Some(&access.project.id),
        approval.diagram_id.as_str(),
        &details,
    )?;
    store.create_approval(&approval, &event).await?;
    Ok(approval)
}

pub async fn list_baselines(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Baseline>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_baselines(&access.project.id, &listing.request()?).await?.into())
}

/// Creates a baseline of the newest versions of all diagrams and requirements that are not archived.
pub async fn create_baseline(
    app: &App,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Result<(Baseline, Vec<BaselineItem>), Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Editor).await?;
    let baseline = Baseline {
        id: BaselineId::parse(app.clock.new_id("bas"))?,
        project_id: access.project.id.clone(),
        name: accounts::name("name", name)?,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
    };
    let event = caller.audit_event(
        app,
        "baseline.create",
        Some(&access.project.id),
        baseline.id.as_str(),
        &json!({}),
    )?;
    let store = store(app)?;
    store.create_baseline(&baseline, &event).await?;
    Ok(store.find_baseline(&baseline.id).await?)
}

/// A baseline and its items.
pub async fn find_baseline(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(Baseline, Vec<BaselineItem>), Error> {
    let id = BaselineId::parse(id).map_err(|_| Error::NotFound("baseline"))?;
    let found = store(app)?.find_baseline(&id).await?;
    authorize_resource("baseline", app, caller, &found.0.project_id, Role::Viewer).await?;
    Ok(found)
}

/// The glossary terms of a project.
pub async fn list_terms(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Term>, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_terms(&access.project.id, &listing.request()?).await?.into())
}

pub async fn create_term(
    app: &App,
    caller: &Caller,
    project: &str,
    term: &str,
    definition: &str,
) -> Result<Term, Error> {
    let access = authorize_project(app, caller, &project_id(project)?, Role::Editor).await?;
    let name = accounts::name("term", term)?;
    let now = app.clock.now_us();
    let term = Term {
        id: TermId::parse(app.clock.new_id("trm"))?,
        project_id: access.project.id.clone(),
        folded: name.to_lowercase(),
        term: name,
        definition: parse_text("definition", definition, MAX_DEFINITION_CHARS)?,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let event =
        caller.audit_event(app, "term.create", Some(&access.project.id), term.id.as_str(), &json!({}))?;
    store(app)?.create_term(&term, &event).await.map_err(map_duplicate_term)?;
    Ok(term)
}

fn map_duplicate_term(error: store::StoreError) -> Error {
    match error {
        store::StoreError::Conflict { constraint: store::Constraint::Term } => {
            Error::Conflict("This term is already in the glossary. Change the existing one.".to_owned())
        }
        other => other.into(),
    }
}

async fn authorize_term(app: &App, caller: &Caller, id: &str) -> Result<(Term, ProjectAccess), Error> {
    let id = TermId::parse(id).map_err(|_| Error::NotFound("term"))?;
    let found = store(app)?.find_term(&id).await?;
    let access = authorize_resource("term", app, caller, &found.project_id, Role::Editor).await?;
    Ok((found, access))
}

/// Updates a term, if the revision matches.
pub async fn update_term(
    app: &App,
    caller: &Caller,
    id: &str,
    expected_revision: Option<i64>,
    term: Option<&str>,
    definition: Option<&str>,
) -> Result<Term, Error> {
    retry_on_conflict(expected_revision, || async {
        let (old, access) = authorize_term(app, caller, id).await?;
        let name =
            term.map(|term| accounts::name("term", term)).transpose()?.unwrap_or_else(|| old.term.clone());
        let definition = definition
            .map(|text| parse_text("definition", text, MAX_DEFINITION_CHARS))
            .transpose()?
            .unwrap_or_else(|| old.definition.clone());
        let event =
            caller.audit_event(app, "term.update", Some(&access.project.id), old.id.as_str(), &json!({}))?;
        let folded = name.to_lowercase();
        let expected_revision = expected_revision.unwrap_or(old.revision);
        store(app)?
            .update_term(&old.id, expected_revision, (&name, &folded), &definition, &event)
            .await
            .map_err(map_duplicate_term)
    })
    .await
}

pub async fn delete_term(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (term, access) = authorize_term(app, caller, id).await?;
    let event =
        caller.audit_event(app, "term.delete", Some(&access.project.id), term.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_term(&term.id, &event).await?)
}
