//! The page of a diagram.

use axum::{http::StatusCode, response::Response};
use maud::{Markup, PreEscaped, html};

use super::{DiagramForm, Refused, conflict::Conflict};
use crate::pages::{
    layout::{Page, done_text, field, when},
    trace::{coverage_text, marked},
};
use application::{
    Error, GenerationStatus, VersionSummary,
    access::Caller,
    app::App,
    open_diagram::OpenDiagram,
    page::Page as ListPage,
    picture::{self, Form as PictureForm},
};

const DONE: [(&str, &str); 6] = [
    ("saved", "Saved as a new version."),
    ("saved_broken", "Saved as a new version, although Mermaid does not accept it."),
    ("restored_version", "The older version is the newest one again."),
    ("renamed", "The title is changed."),
    ("archived", "The diagram is archived."),
    ("restored", "The diagram is in use again."),
];

/// The most findings that are listed.
const MAX_FINDINGS: usize = 20;

/// The picture for light and for dark pages, or why there is none.
pub(super) struct Pictures(Result<Vec<(&'static str, String)>, Error>);

impl Pictures {
    pub(super) async fn draw(app: &App, open: &OpenDiagram) -> Self {
        let mut drawn = Vec::new();
        for theme in ["light", "dark"] {
            let request = picture::Request {
                code: open.version.mermaid.clone(),
                theme: theme.to_owned(),
                elements: open.elements.clone(),
            };
            match picture::draw_one(app, request, PictureForm::SvgForPage).await {
                Ok(picture) => drawn.push((theme, String::from_utf8_lossy(&picture.bytes).into_owned())),
                Err(error) => return Pictures(Err(error)),
            }
        }
        Pictures(Ok(drawn))
    }
}

/// What the page is made from.
pub(super) struct View<'a> {
    pub(super) open: &'a OpenDiagram,
    pub(super) versions: &'a ListPage<VersionSummary>,
    pub(super) pictures: &'a Pictures,
    /// What was done before this page.
    pub(super) done: Option<&'a str>,
    pub(super) refused: Option<&'a (&'a DiagramForm, Refused)>,
}

impl View<'_> {
    pub(super) fn page(&self, caller: &Caller, problem: Option<&(StatusCode, String)>) -> Response {
        let open = self.open;
        let body = html! {
            main.with-result {
                div.stack {
                    @if let Some(text) = done_text(self.done, &DONE) { p."note"."good" role="status" { (text) } }
                    (self.refusal())
                    @if !self.is_newest() { (self.older_version()) }
                    @else if self.may_write() { (self.editor()) }
                    @if !open.version.requirement.is_empty() { (self.requirement()) }
                    (self.history())
                    @if open.may_edit { (self.settings()) }
                }
                div.stack { (self.picture()) (self.source()) }
            }
        };
        Page::new(Some(caller), &open.diagram.title, body).with_error(problem).show()
    }

    fn here(&self) -> String {
        format!("/diagrams/{}", self.open.diagram.id)
    }

    fn file(&self, extension: &str) -> String {
        format!("{}/versions/{}.{extension}", self.here(), self.open.version.number)
    }

    fn is_newest(&self) -> bool {
        self.open.version.number == self.open.diagram.head_version
    }

    fn may_write(&self) -> bool {
        self.open.may_edit && self.open.diagram.archived_at.is_none()
    }

    fn conflict(&self) -> Option<&Conflict> {
        match self.refused {
            Some((_, Refused::Conflict(conflict))) => Some(conflict),
            _ => None,
        }
    }

    /// What is to be known beside the message that the form was not carried out.
    fn refusal(&self) -> Markup {
        html! {
            @match self.refused {
                Some((_, Refused::Broken(findings))) => {
                    section.card aria-label="Findings" {
                        h2 { "Findings" }
                        ul.findings {
                            @for finding in findings.iter().take(MAX_FINDINGS) {
                                li {
                                    b { "Line " (finding.span.line) ": " } (finding.message)
                                    @if let Some(hint) = &finding.hint { " " (hint) }
                                    " " span.soft { (finding.code) }
                                }
                            }
                            @if findings.len() > MAX_FINDINGS {
                                li { (findings.len() - MAX_FINDINGS) " more findings" }
                            }
                        }
                    }
                }
                Some((_, Refused::Conflict(conflict))) => {
                    section.card aria-label="Changes of others" { (conflict.changes()) }
                }
                _ => {}
            }
        }
    }

    fn editor(&self) -> Markup {
        let open = self.open;
        let form = self.refused.map(|(form, _)| *form);
        let merged = self.conflict().and_then(Conflict::merged);
        let code = merged.or(form.map(|form| form.code.as_str())).unwrap_or(&open.version.mermaid);
        let note = form.map_or("", |form| form.note.as_str());
        // A text in conflict keeps the revision that it was made from, so that saving it again overwrites nothing.
        let unmerged = form.filter(|_| self.conflict().is_some() && merged.is_none());
        let revision = unmerged.map_or(open.diagram.revision.to_string(), |form| form.revision.clone());
        let version = unmerged.map_or(open.version.number.to_string(), |form| form.version.clone());
        html! {
            section.card {
                p.soft { a href={ "/projects/" (open.diagram.project_id) } { "To the project" } }
                h2 { "Next version" }
                form method="post" action=(self.here()) {
                    input type="hidden" name="revision" value=(revision);
                    input type="hidden" name="version" value=(version);
                    input type="hidden" name="newest" value=(open.version.number);
                    label for="code" { "Mermaid source" }
                    textarea.code #code name="code" required spellcheck="false" { (code) }
                    label for="note" { "What is new" }
                    input #note name="note" type="text" maxlength="2000" value=(note);
                    div.bar {
                        button type="submit" name="action" value="save" { "Save" }
                        @if matches!(self.refused, Some((_, Refused::Broken(_)))) {
                            button."quiet" type="submit" name="action" value="save_broken" { "Save as it is" }
                        }
                        @if unmerged.is_some() {
                            button."quiet" type="submit" name="action" value="save_mine" {
                                "Save mine as the newest; version " (open.version.number) " stays in the history"
                            }
                        }
                    }
                }
            }
        }
    }

    fn older_version(&self) -> Markup {
        let (diagram, version) = (&self.open.diagram, &self.open.version);
        html! {
            section.card {
                p.soft { a href={ "/projects/" (diagram.project_id) } { "To the project" } }
                h2 { "Version " (version.number) " of " (diagram.head_version) }
                p { "This is an older version. " a href=(self.here()) { "Open the newest one" } }
                @if self.may_write() {
                    form method="post" action=(self.here()) {
                        input type="hidden" name="action" value="restore_version";
                        input type="hidden" name="revision" value=(diagram.revision);
                        input type="hidden" name="version" value=(version.number);
                        button type="submit" { "Make it the newest again" }
                    }
                }
            }
        }
    }

    fn requirement(&self) -> Markup {
        let open = self.open;
        html! {
            section.card aria-label="Requirements" {
                h2 { "Requirements" }
                p.soft {
                    "Marked words became elements of the diagram: point at one to see which. Sentences with a bar "
                    "became none."
                }
                div.requirements { (marked(&open.version.requirement, &open.trace, &open.coverage)) }
                @if open.may_edit {
                    p { a href={ "/?from=" (open.diagram.id) } { "Draw another diagram from this text" } }
                }
            }
        }
    }

    fn history(&self) -> Markup {
        let here = self.here();
        html! {
            section.card {
                h2 { "Versions" }
                table {
                    thead { tr { th { "No." } th { "Created" } th { "What is new" } th { "Mermaid" } } }
                    tbody {
                        @for version in &self.versions.items {
                            tr aria-current=[(version.number == self.open.version.number).then_some("true")] {
                                td { a href={ (here) "?version=" (version.number) } { (version.number) } }
                                td { (when(version.created_at)) }
                                td { (version.note.as_deref().unwrap_or_default()) }
                                td { @if version.validated { "valid" } @else { "not valid" } }
                            }
                        }
                    }
                }
                @if let Some(next) = &self.versions.next { p { a href={ (here) "?after=" (next) } { "More" } } }
            }
        }
    }

    fn settings(&self) -> Markup {
        let diagram = &self.open.diagram;
        html! {
            section.card {
                h2 { "The diagram itself" }
                form method="post" action=(self.here()) {
                    input type="hidden" name="action" value="rename";
                    input type="hidden" name="revision" value=(diagram.revision);
                    (field("title", "Title", "text", &diagram.title, "off"))
                    button."quiet" type="submit" { "Change" }
                }
                form method="post" action=(self.here()) {
                    input type="hidden" name="revision" value=(diagram.revision);
                    @let (action, label) =
                        if diagram.archived_at.is_some() { ("restore", "Restore") } else { ("archive", "Archive") };
                    input type="hidden" name="action" value=(action);
                    button."quiet" type="submit" { (label) }
                }
            }
        }
    }

    fn picture(&self) -> Markup {
        let diagram = &self.open.diagram;
        html! {
            section.card aria-label="Diagram" {
                div.bar {
                    h2 { (diagram.title) }
                    @if self.pictures.0.is_ok() {
                        a."button"."quiet" download href=(self.file("svg")) { "Download SVG" }
                        a."button"."quiet" download href=(self.file("png")) { "Download PNG" }
                    }
                }
                (self.verdict())
                (self.author())
                @match &self.pictures.0 {
                    // Cleaned by mermend: no script, no event attribute, no outside reference.
                    Ok(drawn) => {
                        @for (theme, svg) in drawn {
                            div.picture.(theme) role="img" aria-label={ (diagram.title) ": the diagram" } {
                                (PreEscaped(svg))
                            }
                        }
                    }
                    Err(error) => { p."note"."warning" { (error.to_string()) } }
                }
            }
        }
    }

    /// One line on what the version is worth: never a success where nothing is drawn.
    fn verdict(&self) -> Markup {
        let open = self.open;
        let coverage = coverage_text(&open.coverage).map(|text| format!(" · {text}")).unwrap_or_default();
        let (class, words) = match (open.version.validated, open.version.blueprint.is_some()) {
            (false, _) => ("warning", "Mermaid does not accept it".to_owned()),
            (true, true) if open.elements.is_empty() => ("warning", format!("Nothing is drawn{coverage}")),
            (true, _) => ("good", format!("Valid Mermaid{coverage}")),
        };
        html! { p.note.(class) { "Version " (open.version.number) " · " (words) } }
    }

    fn author(&self) -> Markup {
        html! {
            @if let Some(generation) = &self.open.generation {
                @if let Some(warning) = &generation.warning { p."note"."warning" { (warning) } }
                p.soft {
                    @if generation.status == GenerationStatus::Succeeded && generation.provider != "builtin" {
                        "Written by " (generation.provider) ", " (generation.model) "."
                    } @else { "Drafted by the built-in drafter, without a model." }
                }
            }
        }
    }

    fn source(&self) -> Markup {
        html! {
            section.card {
                div.bar {
                    h2 { "Mermaid source" }
                    button."quiet" type="button" data-copy="source" hidden { "Copy" }
                    a."button"."quiet" download href=(self.file("mmd")) { "Download" }
                }
                pre tabindex="0" { code #source { (self.open.version.mermaid.trim_end()) } }
            }
        }
    }
}
