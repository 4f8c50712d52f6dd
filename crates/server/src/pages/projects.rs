//! `/projects` and `/projects/{project}`: projects, their diagrams, folders, members and invitations.

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    budgets,
    folders::{self, FolderForm, FolderTree},
    layout::{Form, Page, done_text, error_page, explain, field, redirect, redirect_done, when},
};
use crate::state::AppState;
use application::{
    Error, Role,
    access::Caller,
    budgets::Owner,
    diagrams,
    list_filters::DiagramQuery,
    members,
    page::Listing,
    projects::{self, ProjectChanges, ProjectWithRole},
};

#[derive(Default, Deserialize)]
pub struct ProjectQuery {
    done: Option<String>,
    after: Option<String>,
    q: Option<String>,
    folder: Option<String>,
}

/// The fields of all forms of the pages. Fields that a form does not have are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ProjectForm {
    action: String,
    name: String,
    email: String,
    role: String,
    id: String,
    revision: String,
    here: String,
    folder: String,
    diagram: String,
}

impl ProjectForm {
    fn revision(&self) -> Result<Option<i64>, Error> {
        let wrong = |_| Error::invalid("revision", "The form could not be read. Open the page again.");
        if self.revision.is_empty() { Ok(None) } else { self.revision.parse().map(Some).map_err(wrong) }
    }
}

/// `GET /projects`
pub async fn show_projects(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<ProjectQuery>,
) -> Response {
    list_page(&state, &caller, query.after, None).await
}

/// `POST /projects`
pub async fn submit_projects(
    State(state): State<AppState>,
    caller: Caller,
    Form(form): Form<ProjectForm>,
) -> Response {
    match projects::create_project(&state.app, &caller, &form.name).await {
        Ok(mine) => redirect(&format!("/projects/{}", mine.project.id)),
        Err(error) => list_page(&state, &caller, None, Some(&error)).await,
    }
}

async fn list_page(
    state: &AppState,
    caller: &Caller,
    after: Option<String>,
    error: Option<&Error>,
) -> Response {
    let page = match projects::list_projects(&state.app, caller, &Listing { after, limit: None }).await {
        Ok(page) => page,
        Err(error) => return error_page(Some(caller), &error),
    };
    let body = html! {
        main {
            section.card {
                h2 { "Projects" }
                table {
                    thead { tr { th { "Name" } th { "Your role" } th { "Created" } } }
                    tbody {
                        @for mine in &page.items {
                            tr {
                                td {
                                    a href={ "/projects/" (mine.project.id) } { (mine.project.name) }
                                    @if mine.project.archived_at.is_some() { " (archived)" }
                                }
                                td { (mine.role.as_str()) }
                                td { (when(mine.project.created_at)) }
                            }
                        }
                    }
                }
                @if let Some(next) = &page.next { p { a href={ "/projects?after=" (next) } { "More" } } }
            }
            section.card {
                h2 { "New project" }
                form method="post" action="/projects" {
                    (field("name", "Name", "text", "", "off"))
                    button type="submit" { "Create" }
                }
            }
        }
    };
    let explained = error.map(explain);
    Page::new(Some(caller), "Projects", body).with_error(explained.as_ref()).show()
}

const DONE: [(&str, &str); 6] = [
    ("renamed", "The name is changed."),
    ("archived", "The project is archived: nothing in it changes any more."),
    ("restored", "The project is in use again."),
    ("role", "The role is changed."),
    ("removed", "They are no member any more."),
    ("taken-back", "The invitation is not good any more."),
];

/// `GET /projects/{project}`
pub async fn show_project(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Query(query): Query<ProjectQuery>,
) -> Response {
    project_page(&state, &caller, &project, &query, None, None).await
}

/// `POST /projects/{project}`
pub async fn submit_project(
    State(state): State<AppState>,
    caller: Caller,
    Path(project): Path<String>,
    Form(form): Form<ProjectForm>,
) -> Response {
    let query = ProjectQuery { folder: Some(form.here.clone()), ..ProjectQuery::default() };
    match carry_out(&state, &caller, &project, &form).await {
        Ok(Carried::Done(what)) => redirect_done(&format!("/projects/{project}"), what),
        Ok(Carried::Filed(what, folder)) => {
            let to = folders::address(&project, Some(&folder));
            redirect(&format!("{to}{}done={what}", if to.contains('?') { "&" } else { "?" }))
        }
        Ok(Carried::Left) => redirect("/projects"),
        Ok(Carried::Invited(link)) => project_page(&state, &caller, &project, &query, Some(link), None).await,
        Err(error) => project_page(&state, &caller, &project, &query, None, Some(&error)).await,
    }
}

enum Carried {
    Done(&'static str),
    /// A change of folders, with the page to show next.
    Filed(&'static str, String),
    Left,
    Invited(String),
}

async fn carry_out(
    state: &AppState,
    caller: &Caller,
    project: &str,
    form: &ProjectForm,
) -> Result<Carried, Error> {
    let app = &state.app;
    let change = |changes: ProjectChanges| async move {
        projects::update_project(app, caller, project, form.revision()?, &changes).await
    };
    let folder_form = FolderForm {
        action: &form.action,
        here: &form.here,
        name: &form.name,
        folder: &form.folder,
        diagram: &form.diagram,
        revision: form.revision()?,
    };
    if let Some((what, folder)) = folders::carry_out(app, caller, project, &folder_form).await? {
        return Ok(Carried::Filed(what, folder));
    }
    match form.action.as_str() {
        "rename" => {
            change(ProjectChanges { name: Some(form.name.clone()), archived: None }).await?;
            Ok(Carried::Done("renamed"))
        }
        "archive" => {
            change(ProjectChanges { name: None, archived: Some(true) }).await?;
            Ok(Carried::Done("archived"))
        }
        "restore" => {
            change(ProjectChanges { name: None, archived: Some(false) }).await?;
            Ok(Carried::Done("restored"))
        }
        "invite" => {
            let invited = members::create_invitation(app, caller, project, &form.email, &form.role).await?;
            Ok(Carried::Invited(invited.link))
        }
        "take-back" => {
            members::delete_invitation(app, caller, project, &form.id).await?;
            Ok(Carried::Done("taken-back"))
        }
        "role" => {
            members::update_member(app, caller, project, &form.id, &form.role).await?;
            Ok(Carried::Done("role"))
        }
        "remove" => {
            members::delete_member(app, caller, project, &form.id).await?;
            let left = caller.user_id().is_some_and(|me| me.as_str() == form.id);
            Ok(if left { Carried::Left } else { Carried::Done("removed") })
        }
        _ => Err(Error::invalid("action", "This page has no such button. Open it again.")),
    }
}

fn roles(chosen: Role) -> Markup {
    html! {
        select name="role" aria-label="Role" {
            @for role in Role::ALL { option value=(role.as_str()) selected[role == chosen] { (role.as_str()) } }
        }
    }
}

async fn project_page(
    state: &AppState,
    caller: &Caller,
    id: &str,
    query: &ProjectQuery,
    link: Option<String>,
    error: Option<&Error>,
) -> Response {
    let app = &state.app;
    let all = Listing { after: None, limit: Some(200) };
    let listing = Listing { after: query.after.clone(), limit: None };
    let loaded = async {
        let mine = projects::find_project(app, caller, id).await?;
        let tree = FolderTree::load(app, caller, id, query.folder.as_deref()).await?;
        let diagrams = match query.q.as_deref().filter(|query| !query.trim().is_empty()) {
            Some(query) => {
                diagrams::search_diagrams(app, caller, id, query, &DiagramQuery::default(), &listing).await?
            }
            None => diagrams::list_diagrams(app, caller, id, &tree.filter(), &listing).await?,
        };
        let people = members::list_members(app, caller, id, &all).await?;
        let invitations = match mine.role {
            Role::Owner if mine.project.archived_at.is_none() => {
                members::list_invitations(app, caller, id, &all).await?.items
            }
            _ => Vec::new(),
        };
        Ok::<_, Error>((mine, tree, diagrams, people.items, invitations))
    };
    let (mine, tree, diagrams, people, invitations) = match loaded.await {
        Ok(loaded) => loaded,
        Err(error) => return error_page(Some(caller), &error),
    };
    let ProjectWithRole { project, role } = mine;
    let here = format!("/projects/{}", project.id);
    let owner = role == Role::Owner;
    let budget = budgets::line(state, caller, &Owner::Project(project.id.to_string())).await;
    let edits = role >= Role::Editor && project.archived_at.is_none();
    let folder = query.folder.as_deref().filter(|folder| !folder.is_empty());
    let button = |action: &str, label: &str, inner: Markup| {
        html! {
            form.inline method="post" action=(here) {
                input type="hidden" name="action" value=(action);
                input type="hidden" name="revision" value=(project.revision);
                (inner)
                button."quiet" type="submit" { (label) }
            }
        }
    };
    let body = html! {
        main {
            @let done = query.done.as_deref();
            @if let Some(text) = done_text(done, &DONE).or_else(|| done_text(done, &folders::DONE)) {
                p."note"."good" { (text) }
            }
            @if project.archived_at.is_some() {
                p."note"."warning" { "This project is archived and cannot be changed." }
            }
            section.card {
                h2 { "Diagrams" }
                form.inline method="get" action=(here) role="search" {
                    input type="search" name="q" aria-label="Words of the title" placeholder="Words of the title"
                        value=(query.q.as_deref().unwrap_or_default());
                    button."quiet" type="submit" { "Search" }
                }
                @if query.q.is_none() { (tree.show()) }
                @if diagrams.items.is_empty() && query.q.is_some() {
                    p.soft { "No title has these words. " a href=(here) { "All diagrams" } }
                }
                @else if diagrams.items.is_empty() && folder.is_some() { p.soft { "No diagram lies here." } }
                @else if diagrams.items.is_empty() {
                    p.soft { "None yet. " a href={ "/?project=" (project.id) } { "Draw the first one." } }
                }
                @else {
                    table {
                        thead { tr { th { "Title" } th { "Kind" } th { "Version" } th { "Changed" } } }
                        tbody {
                            @for diagram in &diagrams.items {
                                tr {
                                    td { a href={ "/diagrams/" (diagram.id) } { (diagram.title) } }
                                    td { (diagram.kind) }
                                    td { (diagram.head_version) }
                                    td { (when(diagram.updated_at)) }
                                }
                            }
                        }
                    }
                    @if let Some(next) = &diagrams.next {
                        @let to = folders::address(project.id.as_str(), folder);
                        p { a href={ (to) (if folder.is_some() { "&" } else { "?" }) "after=" (next) } { "More" } }
                    }
                    p { a href={ "/?project=" (project.id) } { "Draw another one" } }
                }
                (budget)
                @if edits { (tree.forms(&diagrams.items)) }
            }
            @if !people.is_empty() {
                section.card {
                    h2 { "Members" }
                    table {
                        thead { tr { th { "Name" } th { "E-mail address" } th { "Role" } th {} } }
                        tbody {
                            @for person in &people {
                                @let me = caller.user_id() == Some(&person.user_id);
                                @let who = html! { input type="hidden" name="id" value=(person.user_id); };
                                tr {
                                    td { (person.name) @if me { " (you)" } }
                                    td { (person.email) }
                                    td {
                                        @if owner { (button("role", "Change", html! { (who) (roles(person.role)) })) }
                                        @else { (person.role.as_str()) }
                                    }
                                    td {
                                        @if owner || me {
                                            (button("remove", if me { "Leave" } else { "Remove" }, who))
                                        }
                                    }
                                }
                            }
                        }
                    }
                    @if let Some(link) = &link {
                        p."note"."good" { "Asked. This link is shown this once, to hand over another way:" }
                        pre { code #link { (link) } }
                    }
                    @for invitation in &invitations {
                        p {
                            (invitation.email) " is invited as " (invitation.role.as_str()) ", until "
                            (when(invitation.expires_at)) " "
                            (button("take-back", "Revoke", html! {
                                input type="hidden" name="id" value=(invitation.id);
                            }))
                        }
                    }
                    @if owner && project.archived_at.is_none() {
                        form method="post" action=(here) {
                            input type="hidden" name="action" value="invite";
                            (field("email", "Ask somebody to come", "email", "", "off"))
                            (roles(Role::Editor)) " "
                            button type="submit" { "Ask" }
                        }
                    }
                }
            }
            @if owner {
                section.card {
                    h2 { "The project itself" }
                    (button("rename", "Change", field("name", "Name", "text", &project.name, "off")))
                    @if project.archived_at.is_some() { (button("restore", "Restore", html! {})) }
                    @else { (button("archive", "Archive", html! {})) }
                }
            }
        }
    };
    let explained = error.map(explain);
    Page::new(Some(caller), &project.name, body).with_error(explained.as_ref()).show()
}
