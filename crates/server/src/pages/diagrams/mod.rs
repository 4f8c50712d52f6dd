//! `/diagrams/{diagram}`: a diagram with the words that it comes from, its versions, and the form of the next version.

mod conflict;
pub mod files;
mod view;

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use serde::Deserialize;

use super::layout::{Form, error_page, explain, redirect_done};
use crate::state::AppState;
use application::{
    Error,
    access::Caller,
    check,
    diagrams::{self, DiagramChanges, DiagramInput},
    open_diagram::open_diagram,
    page::Listing,
};
use conflict::Conflict;
use mermend::{Engine, Finding};

#[derive(Default, Deserialize)]
pub struct DiagramQuery {
    version: Option<u32>,
    done: Option<String>,
    after: Option<String>,
}

/// The fields of all forms of the page. Fields that a form does not have are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct DiagramForm {
    action: String,
    code: String,
    note: String,
    title: String,
    /// Revision of the diagram that the form was made from.
    revision: String,
    /// Number of the version that the form was made from.
    version: String,
    /// Number of the newest version that was shown beside a text in conflict with it.
    newest: String,
}

impl DiagramForm {
    /// The text; browsers send CRLF.
    fn code(&self) -> String {
        self.code.replace("\r\n", "\n")
    }

    fn number<T: std::str::FromStr>(&self, path: &str, text: &str) -> Result<T, Error> {
        text.parse().map_err(|_| Error::invalid(path, "The form could not be read. Open the page again."))
    }
}

/// Why a form was not carried out, and what the page then shows beside the text, which stays in the form.
enum Refused {
    Failed(Error),
    /// Mermaid does not accept the text.
    Broken(Vec<Finding>),
    /// Somebody else changed the diagram.
    Conflict(Conflict),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Failed(error)
    }
}

/// `GET /diagrams/{diagram}`
pub async fn show_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Query(query): Query<DiagramQuery>,
) -> Response {
    page(&state, &caller, &diagram, &query, None).await
}

/// `POST /diagrams/{diagram}`
pub async fn submit_diagram(
    State(state): State<AppState>,
    caller: Caller,
    Path(diagram): Path<String>,
    Form(form): Form<DiagramForm>,
) -> Response {
    match carry_out(&state, &caller, &diagram, &form).await {
        Ok(what) => redirect_done(&format!("/diagrams/{diagram}"), what),
        // The text is shown again, so that it is not lost.
        Err(refused) => {
            page(&state, &caller, &diagram, &DiagramQuery::default(), Some((&form, refused))).await
        }
    }
}

async fn carry_out(
    state: &AppState,
    caller: &Caller,
    id: &str,
    form: &DiagramForm,
) -> Result<&'static str, Refused> {
    let app = &state.app;
    let seen = Some(form.number("revision", &form.revision)?);
    let change = async |changes: DiagramChanges, done| {
        diagrams::update_diagram(app, caller, id, seen, &changes).await?;
        Ok::<_, Refused>(done)
    };
    match form.action.as_str() {
        "save" => save(state, caller, id, form, seen, Broken::Refuse).await,
        "save_broken" => save(state, caller, id, form, seen, Broken::Keep).await,
        // The newest version was shown beside the text; it stays in the history.
        "save_mine" => {
            let newest: u32 = form.number("newest", &form.newest)?;
            let open = open_diagram(app, caller, id, None).await?;
            match open.version.number == newest {
                true => save(state, caller, id, form, Some(open.diagram.revision), Broken::Keep).await,
                false => Err(conflict_with(state, caller, id, form).await?),
            }
        }
        "restore_version" => {
            let number = form.number("version", &form.version)?;
            diagrams::restore_version(app, caller, id, number, seen).await?;
            Ok("restored_version")
        }
        "rename" => {
            let title = Some(form.title.clone());
            change(DiagramChanges { title, ..DiagramChanges::default() }, "renamed").await
        }
        "archive" => {
            change(DiagramChanges { archived: Some(true), ..DiagramChanges::default() }, "archived").await
        }
        "restore" => {
            change(DiagramChanges { archived: Some(false), ..DiagramChanges::default() }, "restored").await
        }
        _ => Err(Error::invalid("action", "This page has no such button. Open it again.").into()),
    }
}

/// What to do with a text that Mermaid does not accept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Refuse,
    Keep,
}

async fn save(
    state: &AppState,
    caller: &Caller,
    id: &str,
    form: &DiagramForm,
    seen: Option<i64>,
    broken: Broken,
) -> Result<&'static str, Refused> {
    let app = &state.app;
    let code = form.code();
    if broken == Broken::Refuse && !code.trim().is_empty() {
        // Only who may read the diagram learns anything; what the text is worth is no secret.
        open_diagram(app, caller, id, None).await?;
        let checked = check::check_code(app, code.clone(), Engine::Mermaid).await?.checked;
        if !checked.valid {
            return Err(Refused::Broken(checked.findings));
        }
    }
    let written = DiagramInput { code, requirement: None, note: Some(form.note.clone()) };
    match diagrams::create_version(app, caller, id, seen, written).await {
        Ok((_, version)) if version.validated => Ok("saved"),
        Ok(_) => Ok("saved_broken"),
        Err(Error::RevisionMismatch(_)) => Err(conflict_with(state, caller, id, form).await?),
        Err(error) => Err(error.into()),
    }
}

async fn conflict_with(
    state: &AppState,
    caller: &Caller,
    id: &str,
    form: &DiagramForm,
) -> Result<Refused, Error> {
    let seen = form.number("version", &form.version)?;
    Conflict::find(&state.app, caller, id, seen, &form.code()).await.map(Refused::Conflict)
}

async fn page(
    state: &AppState,
    caller: &Caller,
    id: &str,
    query: &DiagramQuery,
    refused: Option<(&DiagramForm, Refused)>,
) -> Response {
    let app = &state.app;
    let listing = Listing { after: query.after.clone(), limit: None };
    let loaded = async {
        let open = open_diagram(app, caller, id, query.version).await?;
        let versions = diagrams::list_versions(app, caller, id, &listing).await?;
        Ok::<_, Error>((open, versions))
    };
    let (open, versions) = match loaded.await {
        Ok(loaded) => loaded,
        Err(error) => return error_page(Some(caller), &error),
    };
    let problem = refused.as_ref().map(|(_, refused)| match refused {
        Refused::Failed(error) => explain(error),
        Refused::Broken(_) => explain(&Error::invalid(
            "code",
            "Mermaid does not accept this text, so it was not saved. Correct it, or save it as it is.",
        )),
        Refused::Conflict(conflict) => explain(&Error::Conflict(conflict.summary())),
    });
    let pictures = view::Pictures::draw(app, &open).await;
    let done = query.done.as_deref();
    let view =
        view::View { open: &open, versions: &versions, pictures: &pictures, done, refused: refused.as_ref() };
    view.page(caller, problem.as_ref())
}
