//! Diagrams: what stays the same while versions come and go. Never holds the picture itself: a version does.

use sqlx::AssertSqlSafe;

use crate::audit::keep_audit;
use crate::folders::check_folder;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::search::keep_words;
use crate::{
    DiagramId, FolderId, NewAuditEvent, Page, PageRequest, ProjectId, Store, StoreError, TimeUs, UserId,
};

/// A diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagram {
    /// Its id.
    pub id: DiagramId,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// The word for its kind, such as `class` or `sequence`.
    pub kind: String,
    /// What people call it.
    pub title: String,
    /// When its first version was written.
    pub created_at: TimeUs,
    /// When its newest version was written.
    pub updated_at: TimeUs,
    /// Number of its newest version, from 1.
    pub head_version: u32,
    /// Up by one with each change of the diagram itself, and with each version.
    pub revision: i64,
    /// Since when it is put away.
    pub archived_at: Option<TimeUs>,
    /// In which folder it lies, if in one.
    pub folder_id: Option<FolderId>,
}

row!(Diagram { id, project_id, kind, title, created_at, updated_at, head_version as i64, revision, archived_at, folder_id });

/// A diagram that begins with the version it is handed over with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDiagram {
    /// Its id.
    pub id: DiagramId,
    /// Where it belongs; must exist.
    pub project_id: ProjectId,
    /// The word for its kind.
    pub kind: String,
    /// What people will call it.
    pub title: String,
    /// In which folder of the project it lies, if in one.
    pub folder_id: Option<FolderId>,
}

/// Which diagrams are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiagramFilter {
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those that lie there.
    pub folder: Option<InFolder>,
    /// Those that are put away, instead of those that are in use.
    pub archived: bool,
}

/// Where a diagram lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InFolder {
    /// In this folder itself, not in those within it.
    This(FolderId),
    /// In none.
    NoFolder,
}

impl DiagramFilter {
    /// The conditions in SQL. The kind is bound at `$4` and the folder at `$5`, whether or not they are asked for.
    ///
    /// A condition is either there or not, and never `$4 is null or kind = $4`: SQLite chooses an index before it knows
    /// what is bound, and PostgreSQL may as well.
    pub(crate) fn conditions(&self) -> String {
        let kind = if self.kind.is_some() { "and kind = $4" } else { "and $4 is null" };
        let folder = match &self.folder {
            Some(InFolder::This(_)) => "and folder_id = $5",
            Some(InFolder::NoFolder) => "and folder_id is null and $5 is null",
            None => "and $5 is null",
        };
        let archived = if self.archived { "and archived_at is not null" } else { "and archived_at is null" };
        format!("{kind} {folder} {archived}")
    }

    /// What is bound at `$5`.
    pub(crate) fn folder_id(&self) -> Option<&FolderId> {
        match &self.folder {
            Some(InFolder::This(id)) => Some(id),
            Some(InFolder::NoFolder) | None => None,
        }
    }
}

/// The columns of [`Diagram`]; a macro, because statements are put together at compile time.
macro_rules! diagram_columns {
    () => {
        "id, project_id, kind, title, created_at, updated_at, head_version, revision, archived_at, folder_id"
    };
}

pub(crate) use diagram_columns;

pub(crate) const INSERT_DIAGRAM: &str = concat!(
    "insert into diagrams (id, project_id, kind, title, created_at, updated_at, head_version, folder_id) ",
    "values ($1, $2, $3, $4, $5, $5, 1, $6) returning ",
    diagram_columns!()
);

/// Takes the next version number. The row stays locked until the transaction ends, so two writers cannot take the
/// same number.
pub(crate) const ADVANCE_DIAGRAM: &str = concat!(
    "update diagrams set head_version = head_version + 1, revision = revision + 1, updated_at = $2 ",
    "where id = $1 returning ",
    diagram_columns!()
);

/// The same, if the revision is still the one that the caller has seen.
pub(crate) const ADVANCE_DIAGRAM_SEEN: &str = concat!(
    "update diagrams set head_version = head_version + 1, revision = revision + 1, updated_at = $2 ",
    "where id = $1 and revision = $3 returning ",
    diagram_columns!()
);

pub(crate) const FIND_DIAGRAM: &str = concat!("select ", diagram_columns!(), " from diagrams where id = $1");

/// Some diagrams after an id.
pub(crate) const SOME_DIAGRAMS: &str =
    concat!("select ", diagram_columns!(), " from diagrams where id > $1 order by id limit 500");

impl Store {
    /// One diagram.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_diagram(&self, id: &DiagramId) -> Result<Diagram, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_DIAGRAM).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: "diagram" })
    }

    /// The diagrams of a project that `filter` lets through, last made first. Ordered by when they were made and not by when they changed,
    /// because a change while somebody turns pages must not hide a diagram. An unknown project has none.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_diagrams(
        &self,
        project: &ProjectId,
        filter: &DiagramFilter,
        page: &PageRequest,
    ) -> Result<Page<Diagram>, StoreError> {
        let (at, id) = page.before();
        // What lies in a folder is found by the folder. A plan that is made for folders of any size may rather read through
        // the project, so the indexes by project are not offered, but where what is put away is the smaller part.
        let by_folder = matches!(filter.folder, Some(InFolder::This(_)));
        let of_project = match by_folder && (filter.kind.is_some() || !filter.archived) {
            true => "project_id || '' = $1",
            false => "project_id = $1",
        };
        let statement = format!(
            concat!(
                "select ",
                diagram_columns!(),
                " from diagrams where {} {} and (created_at, id) < ($2, $3) ",
                "order by created_at desc, id desc limit $6"
            ),
            of_project,
            filter.conditions()
        );
        let rows: Vec<Diagram> = on_pool!(&self.pool, db => {
            sqlx::query_as(AssertSqlSafe(statement))
                .bind(project).bind(at).bind(id).bind(filter.kind.as_deref()).bind(filter.folder_id())
                .bind(page.rows_to_fetch())
                .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// The diagrams of every project that somebody may enter (of every project, if nobody is named), last made first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_diagrams_of(
        &self,
        user: Option<&UserId>,
        page: &PageRequest,
    ) -> Result<Page<Diagram>, StoreError> {
        let (at, id) = page.before();
        let limit = page.rows_to_fetch();
        let rows: Vec<Diagram> = on_pool!(&self.pool, db => match user {
            None => {
                sqlx::query_as(concat!(
                    "select ", diagram_columns!(), " from diagrams ",
                    "where archived_at is null and (created_at, id) < ($1, $2) order by created_at desc, id desc limit $3"
                ))
                .bind(at).bind(id).bind(limit).fetch_all(db).await
            }
            Some(user) => {
                sqlx::query_as(concat!(
                    "select ", diagram_columns!(), " from diagrams ",
                    "where project_id in (select project_id from memberships where user_id = $4) ",
                    "and archived_at is null and (created_at, id) < ($1, $2) order by created_at desc, id desc limit $3"
                ))
                .bind(at).bind(id).bind(limit).bind(user).fetch_all(db).await
            }
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Changes a diagram whose revision is still the one that the caller has seen.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not, [`StoreError::NotFound`] if its project has no such folder.
    pub async fn update_diagram(
        &self,
        old: &Diagram,
        seen: i64,
        title: &str,
        archived_at: Option<TimeUs>,
        folder: Option<&FolderId>,
        audit: &NewAuditEvent,
    ) -> Result<Diagram, StoreError> {
        check_text("title", title)?;
        Ok(in_transaction!(&self.pool, tx => {
            if let Some(folder) = folder {
                check_folder!(tx, &old.project_id, folder);
            }
            let changed: Option<Diagram> = sqlx::query_as(concat!(
                "update diagrams set title = $3, archived_at = $4, updated_at = $5, folder_id = $6, ",
                "revision = revision + 1 where id = $1 and revision = $2 returning ",
                diagram_columns!()
            ))
            .bind(&old.id).bind(seen).bind(title).bind(archived_at).bind(audit.at).bind(folder)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: "diagram" })?;
            keep_words!(tx, &changed);
            keep_audit!(tx, audit);
            changed
        }))
    }
}
