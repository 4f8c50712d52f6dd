//! Audit events carried away, page by page: there is no bound on how many there are, and no more than one page of them in
//! memory. Looking at them is in `projects.rs`.

use serde_json::json;
use store::{AuditEvent, AuditFilter, AuditOf, Cursor, PageRequest, ProjectId, Role};

use super::{
    Error,
    access::{Caller, authorize_project_any_state, project_id, store},
    list_filters::EventsAsked,
};
use crate::app::App;

/// What an export of the whole server is written down under.
const SERVER: &str = "server";

/// In what form events are carried away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// A line of JSON for each.
    Jsonl,
    /// A table for spreadsheets.
    Csv,
}

impl ExportForm {
    /// The form of a word.
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "jsonl" => Ok(ExportForm::Jsonl),
            "csv" => Ok(ExportForm::Csv),
            _ => Err(Error::invalid("format", "Events are exported as `jsonl` or `csv`.")),
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            ExportForm::Jsonl => "jsonl",
            ExportForm::Csv => "csv",
        }
    }
}

/// Events on their way out.
pub struct Export {
    app: App,
    project: Option<ProjectId>,
    filter: AuditFilter,
    /// Where to go on; none at the end.
    next: Option<PageRequest>,
}

impl Export {
    /// The next events, newest first; none at the end. There may be no event among them although more follow.
    pub async fn next_events(&mut self) -> Result<Option<Vec<AuditEvent>>, Error> {
        let Some(request) = self.next.take() else { return Ok(None) };
        let of = self.project.as_ref().map_or(AuditOf::Everyone, AuditOf::Project);
        let page = store(&self.app)?.list_audit_events(of, &self.filter, &request).await?;
        self.next = page.next.map(|cursor: Cursor| PageRequest::after(cursor, store::MAX_PAGE_LIMIT));
        Ok(Some(page.items))
    }

    /// Of which project; of the whole server if of none.
    pub fn project(&self) -> Option<&str> {
        self.project.as_ref().map(ProjectId::as_str)
    }
}

/// Carries away what happened in a project, of what is asked for. That somebody does is an event itself, and the first
/// that goes out.
pub async fn export_project_events(
    app: &App,
    caller: &Caller,
    id: &str,
    asked: &EventsAsked,
    form: ExportForm,
) -> Result<Export, Error> {
    let access = authorize_project_any_state(app, caller, &project_id(id)?, Role::Owner).await?;
    begin(app, caller, Some(access.project.id), asked, form).await
}

/// Carries away what happened on the server, of what is asked for.
pub async fn export_events(
    app: &App,
    caller: &Caller,
    asked: &EventsAsked,
    form: ExportForm,
) -> Result<Export, Error> {
    caller.admin()?;
    begin(app, caller, None, asked, form).await
}

async fn begin(
    app: &App,
    caller: &Caller,
    project: Option<ProjectId>,
    asked: &EventsAsked,
    form: ExportForm,
) -> Result<Export, Error> {
    let filter = asked.read()?;
    let subject = project.as_ref().map_or(SERVER, ProjectId::as_str);
    let details = json!({"format": form.word()});
    let event = caller.audit_event(app, "audit.export", project.as_ref(), subject, &details)?;
    // Before the first of them goes out: nobody carries anything away unseen.
    store(app)?.record_audit_event(&event).await?;
    let next = Some(PageRequest::first(store::MAX_PAGE_LIMIT));
    Ok(Export { app: app.clone(), project, filter, next })
}
