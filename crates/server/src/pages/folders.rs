//! Folders on the page of a project: the path, the contents, and the forms that change them.

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

/// The fields of the folder forms.
pub(super) struct FolderForm<'a> {
    pub(super) action: &'a str,
    /// Id of the open folder; empty at the top level.
    pub(super) here: &'a str,
    pub(super) name: &'a str,
    /// Id of the destination; empty for the top level.
    pub(super) folder: &'a str,
    /// Id and revision of a diagram, separated by a space.
    pub(super) diagram: &'a str,
    pub(super) revision: Option<i64>,
}

/// The confirmations of [`carry_out`].
pub(super) const DONE: [(&str, &str); 4] = [
    ("folder-made", "The folder is created."),
    ("folder-renamed", "The folder is renamed."),
    ("folder-deleted", "The folder is deleted."),
    ("diagram-moved", "The diagram is moved."),
];

/// The page of a folder, or of the project at the top level.
pub(super) fn address(project: &str, folder: Option<&str>) -> String {
    match folder.filter(|folder| !folder.is_empty()) {
        Some(folder) => format!("/projects/{project}?folder={}", encoded(folder)),
        None => format!("/projects/{project}"),
    }
}

/// Carries out a folder form: the key of the confirmation and the folder to show next, or none for another form.
pub(super) async fn carry_out(
    app: &App,
    caller: &Caller,
    project: &str,
    form: &FolderForm<'_>,
) -> Result<Option<(&'static str, String)>, Error> {
    let inside = Some(form.here).filter(|here| !here.is_empty());
    Ok(Some(match form.action {
        "make-folder" => {
            folders::create_folder(app, caller, project, form.name, inside).await?;
            ("folder-made", form.here.to_owned())
        }
        "rename-folder" => {
            let changes = FolderChanges { name: Some(form.name.to_owned()), parent_id: None };
            folders::update_folder(app, caller, form.here, form.revision, &changes).await?;
            ("folder-renamed", form.here.to_owned())
        }
        "delete-folder" => {
            let folder = folders::find_folder(app, caller, form.here).await?;
            folders::delete_folder(app, caller, form.here).await?;
            ("folder-deleted", folder.parent_id.map(|id| id.to_string()).unwrap_or_default())
        }
        "move-diagram" => {
            let unread = || Error::invalid("diagram", "The form could not be read. Open the page again.");
            let (diagram, revision) = form.diagram.split_once(' ').ok_or_else(unread)?;
            let seen = revision.parse().map_err(|_| unread())?;
            let to = Some(form.folder.to_owned()).filter(|folder| !folder.is_empty());
            let changes = DiagramChanges { folder_id: Some(to), ..DiagramChanges::default() };
            diagrams::update_diagram(app, caller, diagram, Some(seen), &changes).await?;
            ("diagram-moved", form.here.to_owned())
        }
        _ => return Ok(None),
    }))
}

/// The folders of a project, and the open one.
pub(super) struct FolderTree {
    project: String,
    all: Vec<Folder>,
    open: Option<Folder>,
}

impl FolderTree {
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
        Ok(FolderTree { project: project.to_owned(), all, open })
    }

    fn open_id(&self) -> &str {
        self.open.as_ref().map_or("", |folder| folder.id.as_str())
    }

    /// The filter for diagrams of the open folder.
    pub(super) fn filter(&self) -> DiagramQuery {
        let here = self.open.as_ref().map_or("none", |folder| folder.id.as_str());
        DiagramQuery { folder: Some(here.to_owned()), ..DiagramQuery::default() }
    }

    /// A folder and its parents, the outermost first.
    fn path<'a>(&'a self, folder: &'a Folder) -> Vec<&'a Folder> {
        let mut path = vec![folder];
        // Bounded by the number of folders.
        for _ in 0..self.all.len() {
            let Some(parent) = path.last().and_then(|last| last.parent_id.as_ref()) else { break };
            let Some(found) = self.all.iter().find(|it| it.id == *parent) else { break };
            path.push(found);
        }
        path.reverse();
        path
    }

    fn path_text(&self, folder: &Folder) -> String {
        self.path(folder).iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" / ")
    }

    /// The path and the folders in the open folder.
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

    /// The forms of editors: change the open folder, create one in it, move diagrams.
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
                    (form("make-folder", "Create", html! {
                        input name="name" type="text" aria-label="Name of the new folder"
                            placeholder="New folder" maxlength="100" required;
                    }))
                }
                @if let Some(open) = &self.open {
                    p {
                        (form("rename-folder", "Rename", html! {
                            input type="hidden" name="revision" value=(open.revision);
                            input name="name" type="text" aria-label="Name of this folder"
                                value=(open.name) maxlength="100" required;
                        }))
                        (form("delete-folder", "Delete this folder", html! {}))
                    }
                }
                @if !self.all.is_empty() && !diagrams.is_empty() {
                    p {
                        (form("move-diagram", "Move", html! {
                            select name="diagram" aria-label="Diagram to move" {
                                @for diagram in diagrams {
                                    option value={ (diagram.id) " " (diagram.revision) } { (diagram.title) }
                                }
                            }
                            select name="folder" aria-label="Folder to move it to" {
                                option value="" { "In no folder" }
                                @for folder in &self.all {
                                    option value=(folder.id) selected[self.open.as_ref() == Some(folder)] {
                                        (self.path_text(folder))
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
