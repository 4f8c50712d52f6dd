//! Diagrams: title, kind, folder and revision. The content is in versions.

use sqlx::AssertSqlSafe;

use crate::audit::record_audit;
use crate::folders::check_folder;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::words::index_words;
use crate::{
    DiagramId, Field, FolderId, NewAuditEvent, Page, PageRequest, ProjectId, Resource, Store, StoreError,
    TimeUs, UserId,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagram {
    pub id: DiagramId,
    pub project_id: ProjectId,
    /// For example `class` or `sequence`.
    pub kind: String,
    pub title: String,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
    /// The number of the newest version, from 1.
    pub head_version: u32,
    /// Incremented by each change of the diagram and by each version.
    pub revision: i64,
    pub archived_at: Option<TimeUs>,
    pub folder_id: Option<FolderId>,
}

row!(Diagram, diagram_columns {
    id, project_id, kind, title, created_at, updated_at, head_version as i64, revision, archived_at,
    folder_id,
});

/// A diagram to create with its first version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDiagram {
    pub id: DiagramId,
    /// Must exist.
    pub project_id: ProjectId,
    pub kind: String,
    pub title: String,
    /// Must be a folder of the project.
    pub folder_id: Option<FolderId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiagramFilter {
    pub kind: Option<String>,
    pub folder: Option<InFolder>,
    /// Only archived diagrams, instead of only active ones.
    pub archived: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InFolder {
    /// Directly in this folder, not in a subfolder.
    This(FolderId),
    NoFolder,
}

impl DiagramFilter {
    /// SQL conditions. The kind is bound at `$4` and the folder at `$5`, filtered by or not.
    ///
    /// A condition is present or absent, and never `$4 is null or kind = $4`: SQLite chooses an index before it knows
    /// the bound values, and so may PostgreSQL.
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

    pub(crate) fn folder_id(&self) -> Option<&FolderId> {
        match &self.folder {
            Some(InFolder::This(id)) => Some(id),
            Some(InFolder::NoFolder) | None => None,
        }
    }
}

pub(crate) const INSERT_DIAGRAM: &str = concat!(
    "insert into diagrams (id, project_id, kind, title, created_at, updated_at, head_version, folder_id) ",
    "values ($1, $2, $3, $4, $5, $5, 1, $6) returning ",
    diagram_columns!()
);

/// Inserts a new diagram in the transaction `$tx`.
macro_rules! insert_diagram {
    ($tx:ident, $new:expr, $at:expr) => {{
        let new: &$crate::NewDiagram = $new;
        let made: $crate::Diagram = sqlx::query_as($crate::diagrams::INSERT_DIAGRAM)
            .bind(&new.id)
            .bind(&new.project_id)
            .bind(&new.kind)
            .bind(&new.title)
            .bind($at)
            .bind(&new.folder_id)
            .fetch_one(&mut *$tx)
            .await
            .map_err($crate::error::or_missing($crate::Resource::Project))?;
        made
    }};
}

pub(crate) use insert_diagram;

pub(crate) const DIAGRAM_COLUMNS: &str = diagram_columns!();

/// Takes the next version number. The row stays locked until the transaction ends, so two writers cannot take the
/// same number.
pub(crate) const ADVANCE_DIAGRAM: &str = concat!(
    "update diagrams set head_version = head_version + 1, revision = revision + 1, updated_at = $2 ",
    "where id = $1 returning ",
    diagram_columns!()
);

/// The same with an expected revision.
pub(crate) const ADVANCE_DIAGRAM_SEEN: &str = concat!(
    "update diagrams set head_version = head_version + 1, revision = revision + 1, updated_at = $2 ",
    "where id = $1 and revision = $3 returning ",
    diagram_columns!()
);

pub(crate) const FIND_DIAGRAM: &str = concat!("select ", diagram_columns!(), " from diagrams where id = $1");

/// A batch of diagrams after an id.
pub(crate) const SOME_DIAGRAMS: &str =
    concat!("select ", diagram_columns!(), " from diagrams where id > $1 order by id limit 500");

impl Store {
    pub async fn find_diagram(&self, id: &DiagramId) -> Result<Diagram, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_DIAGRAM).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: Resource::Diagram })
    }

    /// The diagrams of a project that match `filter`, newest first. Ordered by creation and not by change, so that a
    /// change between two pages hides no diagram. Empty for an unknown project.
    pub async fn list_diagrams(
        &self,
        project: &ProjectId,
        filter: &DiagramFilter,
        page: &PageRequest,
    ) -> Result<Page<Diagram>, StoreError> {
        let (at, id) = page.before();
        // Diagrams in a folder are found by the index on folders. A generic plan may prefer to read through the
        // project, so its indexes are not offered, except for archived diagrams, which are the smaller part.
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

    /// The diagrams of every project of a user (of every project if `None`), newest first.
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
                    "where archived_at is null and (created_at, id) < ($1, $2) ",
                    "order by created_at desc, id desc limit $3"
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

    /// Updates a diagram.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if its revision is not `seen`, [`StoreError::NotFound`] if its project has no such
    /// folder.
    pub async fn update_diagram(
        &self,
        old: &Diagram,
        seen: i64,
        title: &str,
        archived_at: Option<TimeUs>,
        folder: Option<&FolderId>,
        audit: &NewAuditEvent,
    ) -> Result<Diagram, StoreError> {
        check_text(Field::Title, title)?;
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
            let changed = changed.ok_or(StoreError::Stale { what: Resource::Diagram })?;
            index_words!(tx, &changed);
            record_audit!(tx, audit);
            changed
        }))
    }
}
