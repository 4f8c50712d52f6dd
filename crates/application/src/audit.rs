//! Export of audit events, page by page: at most one page is in memory. Listing is in `projects.rs`.

use serde_json::json;
use store::{AuditEvent, AuditFilter, AuditOf, Cursor, PageRequest, ProjectId, Role};

use super::{
    Error,
    access::{Caller, authorize_project_any_state, project_id, store},
    list_filters::AuditEventQuery,
};
use crate::app::App;

/// Subject of the audit event for an export of the whole server.
const SERVER: &str = "server";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    Jsonl,
    Csv,
}

impl ExportForm {
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "jsonl" => Ok(ExportForm::Jsonl),
            "csv" => Ok(ExportForm::Csv),
            _ => Err(Error::invalid("format", "The format is unknown. Use `jsonl` or `csv`.")),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            ExportForm::Jsonl => "jsonl",
            ExportForm::Csv => "csv",
        }
    }
}

/// An export in progress.
pub struct Export {
    app: App,
    project: Option<ProjectId>,
    filter: AuditFilter,
    /// Next page; `None` at the end.
    next: Option<PageRequest>,
}

impl Export {
    /// The next events, newest first; `None` at the end. A page may be empty although more follow.
    pub async fn next_events(&mut self) -> Result<Option<Vec<AuditEvent>>, Error> {
        let Some(request) = self.next.take() else { return Ok(None) };
        let of = self.project.as_ref().map_or(AuditOf::Everyone, AuditOf::Project);
        let page = store(&self.app)?.list_audit_events(of, &self.filter, &request).await?;
        self.next = page.next.map(|cursor: Cursor| PageRequest::after(cursor, store::MAX_PAGE_LIMIT));
        Ok(Some(page.items))
    }

    /// Exported project; `None` for the whole server.
    pub fn project(&self) -> Option<&str> {
        self.project.as_ref().map(ProjectId::as_str)
    }
}

/// Starts an export of the filtered events of a project. The export itself is an audit event, the first one exported.
pub async fn export_project_events(
    app: &App,
    caller: &Caller,
    id: &str,
    asked: &AuditEventQuery,
    form: ExportForm,
) -> Result<Export, Error> {
    let access = authorize_project_any_state(app, caller, &project_id(id)?, Role::Owner).await?;
    begin(app, caller, Some(access.project.id), asked, form).await
}

/// Starts an export of the filtered events of the whole server.
pub async fn export_events(
    app: &App,
    caller: &Caller,
    asked: &AuditEventQuery,
    form: ExportForm,
) -> Result<Export, Error> {
    caller.require_admin()?;
    begin(app, caller, None, asked, form).await
}

async fn begin(
    app: &App,
    caller: &Caller,
    project: Option<ProjectId>,
    asked: &AuditEventQuery,
    form: ExportForm,
) -> Result<Export, Error> {
    let filter = asked.read()?;
    let subject = project.as_ref().map_or(SERVER, ProjectId::as_str);
    let details = json!({"format": form.word()});
    let event = caller.audit_event(app, "audit.export", project.as_ref(), subject, &details)?;
    // Recorded before the first page is sent, so that no export goes unrecorded.
    store(app)?.record_audit_event(&event).await?;
    let next = Some(PageRequest::first(store::MAX_PAGE_LIMIT));
    Ok(Export { app: app.clone(), project, filter, next })
}
