//! Folders on the page of a project: where one is, what lies there, and the forms that change it.

use maud::{Markup, html};

use crate::http::identify::encoded;
use application::{
    Diagram, Error, Folder,
    access::Caller,
    app::App,
    diagrams::{self, DiagramChanges},
    folders::{self, FolderChanges},
    list_filters::DiagramQuery,
};

/// What the forms of folders send.
pub(super) struct Wish<'a> {
    pub(super) action: &'a str,
    /// The folder that is open; empty if none is.
    pub(super) here: &'a str,
    pub(super) name: &'a str,
    /// Where to; empty for no folder.
    pub(super) folder: &'a str,
    /// A diagram and its revision, with a space between.
    pub(super) diagram: &'a str,
    pub(super) seen: Option<i64>,
}

/// The words of [`super::layout::said`] for what [`carry_out`] does.
pub(super) const DONE: [(&str, &str); 4] = [
    ("folder-made", "The folder is made."),
    ("folder-renamed", "The folder has another name."),
    ("folder-deleted", "The folder is gone."),
    ("diagram-moved", "The diagram lies elsewhere now."),
];

/// Where a folder of a project is looked at; the project itself for none.
pub(super) fn address(project: &str, folder: Option<&str>) -> String {
    match folder.filter(|folder| !folder.is_empty()) {
        Some(folder) => format!("/projects/{project}?folder={}", encoded(folder)),
        None => format!("/projects/{project}"),
    }
}

/// Does what a form of a folder asks for. Says what was done and which folder to show then; none if the form is of
/// something else.
pub(super) async fn carry_out(
    app: &App,
    caller: &Caller,
    project: &str,
    wish: &Wish<'_>,
) -> Result<Option<(&'static str, String)>, Error> {
    let inside = Some(wish.here).filter(|here| !here.is_empty());
    Ok(Some(match wish.action {
        "make-folder" => {
            folders::create_folder(app, caller, project, wish.name, inside).await?;
            ("folder-made", wish.here.to_owned())
        }
        "rename-folder" => {
            let changes = FolderChanges { name: Some(wish.name.to_owned()), parent_id: None };
            folders::update_folder(app, caller, wish.here, wish.seen, &changes).await?;
            ("folder-renamed", wish.here.to_owned())
        }
        "delete-folder" => {
            let folder = folders::find_folder(app, caller, wish.here).await?;
            folders::delete_folder(app, caller, wish.here).await?;
            ("folder-deleted", folder.parent_id.map(|id| id.to_string()).unwrap_or_default())
        }
        "move-diagram" => {
            let unread = || Error::invalid("diagram", "The form could not be read. Open the page again.");
            let (diagram, revision) = wish.diagram.split_once(' ').ok_or_else(unread)?;
            let seen = revision.parse().map_err(|_| unread())?;
            let to = Some(wish.folder.to_owned()).filter(|folder| !folder.is_empty());
            let changes = DiagramChanges { folder_id: Some(to), ..DiagramChanges::default() };
            diagrams::update_diagram(app, caller, diagram, Some(seen), &changes).await?;
            ("diagram-moved", wish.here.to_owned())
        }
        _ => return Ok(None),
    }))
}

/// The folders of a project, and which of them is open.
pub(super) struct Shelf {
    project: String,
    all: Vec<Folder>,
    open: Option<Folder>,
}

impl Shelf {
    pub(super) async fn load(
        app: &App,
        caller: &Caller,
        project: &str,
        open: Option<&str>,
    ) -> Result<Self, Error> {
        let all = folders::list_all_folders(app, caller, project).await?;
        let open = match open.filter(|id| !id.is_empty()) {
            Some(id) => {
                let found = all.iter().find(|folder| folder.id.as_str() == id).cloned();
                Some(found.ok_or(Error::NotFound("folder"))?)
            }
            None => None,
        };
        Ok(Shelf { project: project.to_owned(), all, open })
    }

    fn open_id(&self) -> &str {
        self.open.as_ref().map_or("", |folder| folder.id.as_str())
    }

    /// The diagrams that lie here.
    pub(super) fn asked(&self) -> DiagramQuery {
        let here = self.open.as_ref().map_or("none", |folder| folder.id.as_str());
        DiagramQuery { folder: Some(here.to_owned()), ..DiagramQuery::default() }
    }

    /// A folder and those that it lies in, the outermost first.
    fn path<'a>(&'a self, folder: &'a Folder) -> Vec<&'a Folder> {
        let mut path = vec![folder];
        // No deeper than there are folders.
        for _ in 0..self.all.len() {
            let Some(parent) = path.last().and_then(|last| last.parent_id.as_ref()) else { break };
            let Some(found) = self.all.iter().find(|it| it.id == *parent) else { break };
            path.push(found);
        }
        path.reverse();
        path
    }

    /// Where one is, and the folders that lie there.
    pub(super) fn show(&self) -> Markup {
        let open = self.open.as_ref().map(|folder| &folder.id);
        let mut within = self.all.iter().filter(|folder| folder.parent_id.as_ref() == open).peekable();
        let link = |folder: &Folder| address(&self.project, Some(folder.id.as_str()));
        html! {
            @if let Some(open) = &self.open {
                p aria-label="Where you are" {
                    a href=(address(&self.project, None)) { "All folders" }
                    @for folder in self.path(open) {
                        " / "
                        @if folder.id == open.id { strong { (folder.name) } }
                        @else { a href=(link(folder)) { (folder.name) } }
                    }
                }
            }
            @if within.peek().is_some() {
                ul aria-label="Folders" { @for folder in within { li { a href=(link(folder)) { (folder.name) "/" } } } }
            }
        }
    }

    /// What editors change: the folder that is open, one within it, and where the diagrams of the page lie.
    pub(super) fn forms(&self, diagrams: &[Diagram]) -> Markup {
        let to = address(&self.project, None);
        let form = |action: &str, label: &str, inner: Markup| {
            html! {
                form.inline method="post" action=(to) {
                    input type="hidden" name="action" value=(action);
                    input type="hidden" name="here" value=(self.open_id());
                    (inner)
                    button."quiet" type="submit" { (label) }
                }
            }
        };
        html! {
            details {
                summary { "Folders" }
                p {
                    (form("make-folder", "Make", html! {
                        input name="name" type="text" aria-label="Name of the new folder" placeholder="New folder" maxlength="100" required;
                    }))
                }
                @if let Some(open) = &self.open {
                    p {
                        (form("rename-folder", "Rename", html! {
                            input type="hidden" name="revision" value=(open.revision);
                            input name="name" type="text" aria-label="Name of this folder" value=(open.name) maxlength="100" required;
                        }))
                        (form("delete-folder", "Delete this folder", html! {}))
                    }
                }
                @if !self.all.is_empty() && !diagrams.is_empty() {
                    p {
                        (form("move-diagram", "Move", html! {
                            select name="diagram" aria-label="Diagram to move" {
                                @for diagram in diagrams { option value={ (diagram.id) " " (diagram.revision) } { (diagram.title) } }
                            }
                            select name="folder" aria-label="Folder to move it to" {
                                option value="" { "In no folder" }
                                @for folder in &self.all {
                                    option value=(folder.id) selected[self.open.as_ref() == Some(folder)] {
                                        (self.path(folder).iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" / "))
                                    }
                                }
                            }
                        }))
                    }
                }
            }
        }
    }
}
