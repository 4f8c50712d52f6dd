//! Diagrams that are kept.

use serde_json::{Value, json};
use store::{DiagramId, PageRequest, ProjectId};

use super::Error;
use crate::app::App;

/// How many are listed.
const LISTED: u32 = 50;

/// A line of the list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What it is of.
    pub kind: String,
    /// The beginning of its requirements.
    pub title: String,
    /// Number of its newest version.
    pub version: u32,
}

/// The diagrams made last; none where nothing is kept.
///
/// # Errors
/// When the database does not answer.
pub async fn list_recent(app: &App) -> Result<Vec<Listed>, Error> {
    let Some(store) = &app.store else { return Ok(Vec::new()) };
    let page = store.list_diagrams(&ProjectId::default_project(), &PageRequest::first(LISTED)).await?;
    let listed = page.items.into_iter().map(|diagram| Listed {
        id: diagram.id.to_string(),
        kind: diagram.kind,
        title: diagram.title,
        version: diagram.head_version,
    });
    Ok(listed.collect())
}

/// The newest version of a diagram, with its requirements and trace.
///
/// # Errors
/// When there is no such diagram.
pub async fn find(app: &App, id: &str) -> Result<Value, Error> {
    let missing = Error::NotFound("diagram");
    let Some(store) = &app.store else { return Err(missing) };
    let id = DiagramId::parse(id).map_err(|_| missing)?;
    let diagram = store.find_diagram(&id).await?;
    let version = store.find_version_number(&id, diagram.head_version).await?;
    Ok(json!({
        "id": diagram.id.to_string(),
        "kind": diagram.kind,
        "title": diagram.title,
        "version": version.number,
        "validated": version.validated,
        "mermaid": version.mermaid,
        "requirement": version.requirement,
        "blueprint": version.blueprint.as_ref().map(store::JsonText::decode::<Value>).transpose()?,
        "findings": version.findings.decode::<Value>()?,
        "trace": version.trace.decode::<Value>()?,
    }))
}
