//! Filters of lists: validation of query parameters. An unknown value is an error, not ignored. Authorization is
//! elsewhere.

use store::{
    AuditFilter, CommentFilter, DiagramFilter, FolderId, InFolder, LinkFilter, ProjectId, RequirementFilter,
    StoreError, UserId,
};

use super::{Error, TimeUs, access::store};
use crate::{app::App, clock};

const MAX_CHARS: usize = 200;
/// Kind of a diagram that the checker does not recognize.
const UNKNOWN_KIND: &str = "unknown";

#[derive(Debug, Clone, Default)]
pub struct DiagramQuery {
    pub kind: Option<String>,
    /// The id of a folder, or `none`.
    pub folder: Option<String>,
    /// `true` or `false` (default).
    pub archived: Option<String>,
}

impl DiagramQuery {
    pub(super) async fn read(&self, app: &App, project: &ProjectId) -> Result<DiagramFilter, Error> {
        let known = |kind: &str| kind == UNKNOWN_KIND || super::reference_docs::kind_names().contains(&kind);
        if self.kind.as_deref().is_some_and(|kind| !known(kind)) {
            return Err(Error::invalid("kind", "There is no such diagram kind. Use a kind such as `class`."));
        }
        let folder = match self.folder.as_deref() {
            None => None,
            Some("none") => Some(InFolder::NoFolder),
            Some(id) => Some(InFolder::This(parse_folder(app, project, id).await?)),
        };
        let archived = parse_bool("archived", self.archived.as_deref())?.unwrap_or(false);
        Ok(DiagramFilter { kind: self.kind.clone(), folder, archived })
    }
}

/// A folder of the project. Does not disclose whether a folder of another project exists.
async fn parse_folder(app: &App, project: &ProjectId, id: &str) -> Result<FolderId, Error> {
    let missing = || {
        Error::invalid(
            "folder",
            "The project has no such folder. Use the id of one of its folders, or `none`.",
        )
    };
    let id = FolderId::parse(id).map_err(|_| missing())?;
    match store(app)?.find_folder(&id).await {
        Ok(folder) if folder.project_id == *project => Ok(id),
        Ok(_) | Err(StoreError::NotFound { .. }) => Err(missing()),
        Err(other) => Err(other.into()),
    }
}

#[derive(Debug, Clone, Default)]
pub struct RequirementQuery {
    /// Words or prefixes of words in the text.
    pub q: Option<String>,
    /// `true` or `false` (default).
    pub archived: Option<String>,
}

impl RequirementQuery {
    pub(super) fn read(&self) -> Result<RequirementFilter, Error> {
        let archived = parse_bool("archived", self.archived.as_deref())?.unwrap_or(false);
        Ok(RequirementFilter { archived, words: parse_text("q", self.q.as_deref())? })
    }
}

#[derive(Debug, Clone, Default)]
pub struct CommentQuery {
    /// `true` or `false`; both by default.
    pub resolved: Option<String>,
    pub element: Option<String>,
}

impl CommentQuery {
    pub(super) fn read(&self) -> Result<CommentFilter, Error> {
        let resolved = parse_bool("resolved", self.resolved.as_deref())?;
        Ok(CommentFilter { resolved, element: parse_text("element", self.element.as_deref())? })
    }
}

#[derive(Debug, Clone, Default)]
pub struct TraceLinkQuery {
    /// `true` or `false`; both by default.
    pub suspect: Option<String>,
    pub element: Option<String>,
}

impl TraceLinkQuery {
    pub(super) fn read(&self) -> Result<LinkFilter, Error> {
        let suspect = parse_bool("suspect", self.suspect.as_deref())?;
        Ok(LinkFilter { suspect, element: parse_text("element", self.element.as_deref())? })
    }
}

#[derive(Debug, Clone, Default)]
pub struct AuditEventQuery {
    /// An action, or a prefix such as `diagram.`.
    pub action: Option<String>,
    /// Id of the author.
    pub user: Option<String>,
    /// RFC 3339, inclusive.
    pub from: Option<String>,
    /// RFC 3339, exclusive.
    pub to: Option<String>,
}

impl AuditEventQuery {
    pub(super) fn read(&self) -> Result<AuditFilter, Error> {
        let action = parse_text("action", self.action.as_deref())?;
        let fits = |action: &String| {
            action.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.')
        };
        if action.as_ref().is_some_and(|action| !fits(action)) {
            return Err(Error::invalid(
                "action",
                "The action is invalid. Use an action such as `diagram.create`, or a prefix such as `diagram.`.",
            ));
        }
        let user = self.user.as_deref().map(UserId::parse).transpose();
        let user = user.map_err(|_| {
            Error::invalid("user", "This is not a user id. Use an id that starts with `usr_`.")
        })?;
        let (from, to) =
            (parse_timestamp("from", self.from.as_deref())?, parse_timestamp("to", self.to.as_deref())?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Error::invalid("to", "`to` is before `from`. Use a later time for `to`."));
        }
        Ok(AuditFilter { action, user, from, to })
    }
}

fn parse_bool(path: &str, word: Option<&str>) -> Result<Option<bool>, Error> {
    match word {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Error::invalid(path, format!("`{path}` must be `true` or `false`."))),
    }
}

/// A search text; `None` if it is blank.
fn parse_text(path: &str, text: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_CHARS || text.contains('\0') {
        return Err(Error::invalid(path, format!("`{path}` must have at most {MAX_CHARS} characters.")));
    }
    Ok(Some(text.to_owned()))
}

fn parse_timestamp(path: &str, text: Option<&str>) -> Result<Option<TimeUs>, Error> {
    let Some(text) = text else { return Ok(None) };
    // A plus in a query string is decoded as a space.
    let read = clock::parse_rfc3339(text).or_else(|| clock::parse_rfc3339(&text.replace(' ', "+")));
    read.map(Some).ok_or_else(|| {
        Error::invalid(path, format!("`{path}` must be a time such as `2026-01-31T08:00:00Z` (RFC 3339)."))
    })
}
