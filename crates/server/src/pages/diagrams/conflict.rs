//! What the page says when somebody else changed the diagram while a text was written.

use application::{
    Error,
    access::Caller,
    app::App,
    open_diagram::{Merge, merge_version},
};
use maud::{Markup, html};
use mermend::Merged;

/// The most changes that are listed.
const MOST: usize = 20;

/// The changes of others, and the text with both.
pub(super) struct Conflict(Merge);

impl Conflict {
    /// `seen` is the version that the text was made from.
    pub(super) async fn find(
        app: &App,
        caller: &Caller,
        id: &str,
        seen: u32,
        mine: &str,
    ) -> Result<Self, Error> {
        merge_version(app, caller, id, seen, mine).await.map(Conflict)
    }

    /// The text with both changes; `None` if both changed the same.
    pub(super) fn merged(&self) -> Option<&str> {
        match &self.0.merged {
            Merged::Text(text) => Some(text),
            Merged::Conflict(_) => None,
        }
    }

    pub(super) fn summary(&self) -> String {
        let next = match &self.0.merged {
            Merged::Text(_) => {
                "Your changes and theirs are together in the text below: look at it, then save it.".to_owned()
            }
            Merged::Conflict(elements) if elements.is_empty() => {
                "Both of you changed the same lines. Your text is below, and the newest version beside it: take over \
                 what you want to keep of it, then choose."
                    .to_owned()
            }
            Merged::Conflict(elements) => format!(
                "Both of you changed {}. Your text is below, and the newest version beside it: take over what you \
                 want to keep of it, then choose.",
                elements.join(", ")
            ),
        };
        format!("Somebody else saved a version while you were writing, so yours was not saved. {next}")
    }

    /// What the others changed.
    pub(super) fn changes(&self) -> Markup {
        let changes = &self.0.their_changes;
        html! {
            @if !changes.is_empty() {
                p { "What changed in the newest version:" }
                ul {
                    @for change in changes.iter().take(MOST) { li { (change) } }
                    @if changes.len() > MOST { li { (changes.len() - MOST) " more changes" } }
                }
            }
        }
    }
}
