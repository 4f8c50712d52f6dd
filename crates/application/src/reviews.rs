//! What people think of diagrams: comments, approvals, baselines; and what words mean: the glossary.

use serde_json::json;
use store::{
    Approval, ApprovalId, Baseline, BaselineId, BaselineItem, Comment, CommentId, Role, Term, TermId,
};

use super::{
    Error,
    access::{Caller, Entered, enter, enter_diagram, enter_for, project_id, store, unless_seen},
    accounts,
    list_filters::CommentsAsked,
    page::{Listing, Page},
};
use crate::app::App;

const MAX_BODY_CHARS: usize = 10_000;
const MAX_DEFINITION_CHARS: usize = 2_000;
const MAX_NOTE_CHARS: usize = 2_000;

fn words(path: &str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim().replace('\0', " ");
    let chars = text.chars().count();
    if chars == 0 || chars > most {
        return Err(Error::invalid(
            path,
            format!("`{path}` has 1 to {most} characters; this one has {chars}."),
        ));
    }
    Ok(text)
}

/// The comments of a diagram, of those that are asked for.
///
/// # Errors
/// When the caller may not see it, or nobody knows what is asked for.
pub async fn list_comments(
    app: &App,
    caller: &Caller,
    diagram: &str,
    asked: &CommentsAsked,
    listing: &Listing,
) -> Result<Page<Comment>, Error> {
    let (diagram, _) = enter_diagram(app, caller, diagram, Role::Viewer).await?;
    Ok(store(app)?.list_comments(&diagram.id, &asked.read()?, &listing.request()?).await?.into())
}

/// Says something of a diagram, or of one element of it.
///
/// # Errors
/// When the caller may not review there, or the words cannot be kept.
pub async fn create_comment(
    app: &App,
    caller: &Caller,
    diagram: &str,
    element: Option<String>,
    body: &str,
) -> Result<Comment, Error> {
    let (diagram, entered) = enter_diagram(app, caller, diagram, Role::Reviewer).await?;
    let comment = Comment {
        id: CommentId::parse(app.clock.new_id("cmt"))?,
        project_id: entered.project.id.clone(),
        diagram_id: diagram.id,
        version: i64::from(diagram.head_version),
        element: element.map(|element| words("element", &element, 200)).transpose()?,
        body: words("body", body, MAX_BODY_CHARS)?,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
        resolved_by: None,
        resolved_at: None,
    };
    let event =
        caller.did(app, "comment.create", Some(&entered.project.id), comment.id.as_str(), &json!({}))?;
    store(app)?.create_comment(&comment, &event).await?;
    Ok(comment)
}

/// Says that a comment is dealt with, or not after all.
///
/// # Errors
/// When there is none, or the caller may not review there.
pub async fn resolve_comment(app: &App, caller: &Caller, id: &str, resolved: bool) -> Result<Comment, Error> {
    let id = CommentId::parse(id).map_err(|_| Error::NotFound("comment"))?;
    let found = store(app)?.find_comment(&id).await?;
    let entered = enter_for("comment", app, caller, &found.project_id, Role::Reviewer).await?;
    let details = json!({"resolved": resolved});
    let event = caller.did(app, "comment.resolve", Some(&entered.project.id), id.as_str(), &details)?;
    let by = resolved.then(|| (caller.user_id(), app.clock.now_us()));
    Ok(store(app)?.resolve_comment(&id, by, &event).await?)
}

/// The decisions about a version.
///
/// # Errors
/// When the caller may not see it.
pub async fn list_approvals(
    app: &App,
    caller: &Caller,
    diagram: &str,
    version: u32,
    listing: &Listing,
) -> Result<Page<Approval>, Error> {
    let (diagram, _) = enter_diagram(app, caller, diagram, Role::Viewer).await?;
    let store = store(app)?;
    store.find_version_number(&diagram.id, version).await?;
    Ok(store.list_approvals(&diagram.id, i64::from(version), &listing.request()?).await?.into())
}

/// Approves or rejects a version. Whoever decides again is taken at their last word. What Mermaid does not accept cannot
/// be approved.
///
/// # Errors
/// When the caller may not review there, or there is no such version or decision.
pub async fn create_approval(
    app: &App,
    caller: &Caller,
    diagram: &str,
    version: u32,
    decision: &str,
    note: Option<String>,
) -> Result<Approval, Error> {
    let (diagram, entered) = enter_diagram(app, caller, diagram, Role::Reviewer).await?;
    if !["approved", "rejected"].contains(&decision) {
        return Err(Error::invalid("decision", "A decision is `approved` or `rejected`."));
    }
    let store = store(app)?;
    let found = store.find_version_number(&diagram.id, version).await?;
    if decision == "approved" && !found.validated {
        return Err(Error::Conflict(
            "Mermaid does not accept this version, so it cannot be approved. Mend it first.".to_owned(),
        ));
    }
    let note = note.filter(|note| !note.trim().is_empty());
    let approval = Approval {
        id: ApprovalId::parse(app.clock.new_id("apr"))?,
        diagram_id: diagram.id,
        version: i64::from(version),
        decision: decision.to_owned(),
        note: note.map(|note| words("note", &note, MAX_NOTE_CHARS)).transpose()?,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
    };
    let details = json!({"version": version, "decision": decision});
    let event = caller.did(
        app,
        "approval.create",
        Some(&entered.project.id),
        approval.diagram_id.as_str(),
        &details,
    )?;
    store.create_approval(&approval, &event).await?;
    Ok(approval)
}

/// The baselines of a project.
///
/// # Errors
/// When the caller may not enter it.
pub async fn list_baselines(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Baseline>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_baselines(&entered.project.id, &listing.request()?).await?.into())
}

/// Remembers the newest version of everything in a project that counts.
///
/// # Errors
/// When the caller may not write there, or the name cannot be used.
pub async fn create_baseline(
    app: &App,
    caller: &Caller,
    project: &str,
    name: &str,
) -> Result<(Baseline, Vec<BaselineItem>), Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Editor).await?;
    let baseline = Baseline {
        id: BaselineId::parse(app.clock.new_id("bas"))?,
        project_id: entered.project.id.clone(),
        name: accounts::name("name", name)?,
        created_by: caller.user_id().cloned(),
        created_at: app.clock.now_us(),
    };
    let event =
        caller.did(app, "baseline.create", Some(&entered.project.id), baseline.id.as_str(), &json!({}))?;
    let store = store(app)?;
    store.create_baseline(&baseline, &event).await?;
    Ok(store.find_baseline(&baseline.id).await?)
}

/// A baseline and everything in it.
///
/// # Errors
/// When there is none, or the caller may not see it.
pub async fn find_baseline(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(Baseline, Vec<BaselineItem>), Error> {
    let id = BaselineId::parse(id).map_err(|_| Error::NotFound("baseline"))?;
    let found = store(app)?.find_baseline(&id).await?;
    enter_for("baseline", app, caller, &found.0.project_id, Role::Viewer).await?;
    Ok(found)
}

/// The words of a project and what they mean.
///
/// # Errors
/// When the caller may not enter it.
pub async fn list_terms(
    app: &App,
    caller: &Caller,
    project: &str,
    listing: &Listing,
) -> Result<Page<Term>, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Viewer).await?;
    Ok(store(app)?.list_terms(&entered.project.id, &listing.request()?).await?.into())
}

/// Says what a word means.
///
/// # Errors
/// When the caller may not write there, or the word is there already.
pub async fn create_term(
    app: &App,
    caller: &Caller,
    project: &str,
    term: &str,
    definition: &str,
) -> Result<Term, Error> {
    let entered = enter(app, caller, &project_id(project)?, Role::Editor).await?;
    let name = accounts::name("term", term)?;
    let now = app.clock.now_us();
    let term = Term {
        id: TermId::parse(app.clock.new_id("trm"))?,
        project_id: entered.project.id.clone(),
        folded: name.to_lowercase(),
        term: name,
        definition: words("definition", definition, MAX_DEFINITION_CHARS)?,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let event = caller.did(app, "term.create", Some(&entered.project.id), term.id.as_str(), &json!({}))?;
    store(app)?.create_term(&term, &event).await.map_err(taken)?;
    Ok(term)
}

fn taken(error: store::StoreError) -> Error {
    match error {
        store::StoreError::Conflict { constraint: store::Constraint::Term } => {
            Error::Conflict("This word is in the glossary already. Change what it says there.".to_owned())
        }
        other => other.into(),
    }
}

async fn enter_term(app: &App, caller: &Caller, id: &str) -> Result<(Term, Entered), Error> {
    let id = TermId::parse(id).map_err(|_| Error::NotFound("term"))?;
    let found = store(app)?.find_term(&id).await?;
    let entered = enter_for("term", app, caller, &found.project_id, Role::Editor).await?;
    Ok((found, entered))
}

/// Changes a word or what it means, if it is still the one that the caller has seen.
///
/// # Errors
/// When it is not, or the caller may not write there.
pub async fn update_term(
    app: &App,
    caller: &Caller,
    id: &str,
    seen: Option<i64>,
    term: Option<&str>,
    definition: Option<&str>,
) -> Result<Term, Error> {
    unless_seen(seen, || async {
        let (old, entered) = enter_term(app, caller, id).await?;
        let name =
            term.map(|term| accounts::name("term", term)).transpose()?.unwrap_or_else(|| old.term.clone());
        let definition = definition
            .map(|text| words("definition", text, MAX_DEFINITION_CHARS))
            .transpose()?
            .unwrap_or_else(|| old.definition.clone());
        let event = caller.did(app, "term.update", Some(&entered.project.id), old.id.as_str(), &json!({}))?;
        let folded = name.to_lowercase();
        let seen = seen.unwrap_or(old.revision);
        store(app)?.update_term(&old.id, seen, (&name, &folded), &definition, &event).await.map_err(taken)
    })
    .await
}

/// Takes a word away.
///
/// # Errors
/// When there is none, or the caller may not write there.
pub async fn delete_term(app: &App, caller: &Caller, id: &str) -> Result<(), Error> {
    let (term, entered) = enter_term(app, caller, id).await?;
    let event = caller.did(app, "term.delete", Some(&entered.project.id), term.id.as_str(), &json!({}))?;
    Ok(store(app)?.delete_term(&term.id, &event).await?)
}
