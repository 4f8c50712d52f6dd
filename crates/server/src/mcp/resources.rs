//! Resources for agents: the rules, the kinds of diagrams with their syntax, stored diagrams, and the picture viewer.

use rmcp::model::{MetaObject, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use super::context::CallContext;
use application::{Error, app::App, diagrams, reference_docs};

/// The viewer that MCP hosts show beside a result.
pub(super) const APP_URI: &str = "ui://ba-copilot/diagram";
pub(super) const APP_MIME_TYPE: &str = "text/html;profile=mcp-app";

#[cfg(feature = "mermaid")]
const APP: Option<&str> =
    Some(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/dist/mcp-app.html")));
#[cfg(not(feature = "mermaid"))]
const APP: Option<&str> = None;

const MARKDOWN: &str = "text/markdown";
const RULES: &str = "ba-copilot://rules";
const KINDS: &str = "ba-copilot://kinds";
const DIAGRAMS: &str = "ba-copilot://diagrams";

/// All resources with a fixed URI, and the recent diagrams.
pub(super) async fn list(context: &CallContext) -> Result<Vec<Resource>, Error> {
    let row = |uri: &str, name: &str, title: &str, description: &str| {
        Resource::new(uri, name).with_title(title).with_description(description).with_mime_type(MARKDOWN)
    };
    let mut all = vec![
        row(RULES, "rules", "Rules", "Every code of a finding, with one line about each"),
        row(KINDS, "kinds", "Kinds of diagrams", "Every kind that can be checked, repaired and drawn"),
    ];
    if APP.is_some() {
        all.push(
            Resource::new(APP_URI, "diagram")
                .with_title("Diagram viewer")
                .with_description("Shows the picture of a diagram with its findings")
                .with_mime_type(APP_MIME_TYPE),
        );
    }
    for diagram in diagrams::list_recent(&context.app, &context.caller).await? {
        let uri = format!("{DIAGRAMS}/{}", diagram.id);
        let about = format!(
            "A stored {} diagram, version {}, with its requirements and trace",
            diagram.kind, diagram.head_version
        );
        all.push(
            Resource::new(uri, diagram.id.to_string())
                .with_title(diagram.title)
                .with_description(about)
                .with_mime_type("application/json"),
        );
    }
    Ok(all)
}

pub(super) fn templates(app: &App) -> Vec<ResourceTemplate> {
    let row = |uri: String, name: &str, title: &str, mime_type: &str| {
        ResourceTemplate::new(uri, name).with_title(title).with_mime_type(mime_type)
    };
    let mut all = vec![
        row(format!("{RULES}/{{code}}"), "rule", "The meaning of a finding and its repair", MARKDOWN),
        row(format!("{KINDS}/{{kind}}"), "kind", "Syntax card of a kind of diagram", MARKDOWN),
    ];
    if app.store.is_some() {
        all.push(row(
            format!("{DIAGRAMS}/{{id}}"),
            "stored_diagram",
            "A stored diagram with its requirements and trace",
            "application/json",
        ));
    }
    all
}

/// The known values of a template parameter, for completion.
pub(super) fn choices(template: &str) -> Vec<&'static str> {
    match template.strip_suffix('}').and_then(|template| template.rsplit_once("/{")) {
        Some((RULES, _)) => reference_docs::codes(),
        Some((KINDS, _)) => reference_docs::kind_names(),
        _ => Vec::new(),
    }
}

pub(super) async fn read(context: &CallContext, uri: &str) -> Result<ReadResourceResult, Error> {
    let markdown = |text: String| ResourceContents::text(text, uri).with_mime_type(MARKDOWN);
    let missing = Error::NotFound("resource");
    let content = match uri.rsplit_once('/') {
        _ if uri == RULES => markdown(reference_docs::rule_index()),
        _ if uri == KINDS => markdown(reference_docs::kind_index()),
        _ if uri == APP_URI => {
            let page = APP.ok_or(missing)?;
            // The viewer fetches nothing, so that nothing is allowed.
            let meta =
                json!({"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": true}});
            let meta = meta.as_object().cloned().unwrap_or_default();
            ResourceContents::text(page, uri).with_mime_type(APP_MIME_TYPE).with_meta(MetaObject(meta))
        }
        Some((RULES, code)) => markdown(reference_docs::explain(code).ok_or(missing)?.page()),
        Some((KINDS, kind)) => markdown(reference_docs::syntax_card(kind).ok_or(missing)?),
        Some((DIAGRAMS, id)) => {
            let stored = diagrams::find(&context.app, &context.caller, id).await?;
            ResourceContents::text(stored.to_string(), uri).with_mime_type("application/json")
        }
        _ => return Err(missing),
    };
    Ok(ReadResourceResult::new(vec![content]))
}
