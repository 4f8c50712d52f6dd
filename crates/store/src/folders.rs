//! Folders of a project: a tree of bounded depth that holds diagrams.
//!
//! Every move locks the project first, so that concurrent moves are serialized and cannot create a cycle.

use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    Field, FolderContents, FolderId, NewAuditEvent, Page, PageRequest, ProjectId, Resource, Store,
    StoreError, TimeUs,
};

/// Maximum depth of the tree, the outermost folder counted.
pub const MAX_FOLDER_DEPTH: i64 = 8;
/// Maximum number of folders of a project.
pub const MAX_FOLDERS: i64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub id: FolderId,
    pub project_id: ProjectId,
    /// `None` for an outermost folder.
    pub parent_id: Option<FolderId>,
    pub name: String,
    /// The lower-case name, unique among siblings.
    pub folded: String,
    /// Incremented by each change.
    pub revision: i64,
    pub created_at: TimeUs,
    pub updated_at: TimeUs,
}

row!(Folder, folder_columns { id, project_id, parent_id, name, folded, revision, created_at, updated_at });

const FIND_FOLDER: &str = concat!("select ", folder_columns!(), " from folders where id = $1");

/// The number of ancestors of `$1`, itself included, and whether `$2` is one of them. The bound also ends a cycle
/// that was created by hand.
const OUTWARDS: &str = "with recursive up (id, parent_id, depth) as (\
     select id, parent_id, cast(1 as bigint) from folders where id = $1 \
     union all \
     select f.id, f.parent_id, up.depth + 1 from folders f join up on f.id = up.parent_id where up.depth < 64) \
     select max(depth), count(case when id = $2 then 1 end) from up";

/// The height of the tree below `$1`, itself included.
const INWARDS: &str = "with recursive down (id, depth) as (\
     select id, cast(1 as bigint) from folders where id = $1 \
     union all \
     select f.id, down.depth + 1 from folders f join down on f.parent_id = down.id where down.depth < 64) \
     select max(depth) from down";

/// Locks a project in the transaction `$tx`: no other move in it until the end.
macro_rules! lock_project {
    ($tx:ident, $project:expr) => {{
        let locked = sqlx::query("update projects set updated_at = updated_at where id = $1")
            .bind($project)
            .execute(&mut *$tx)
            .await?;
        if locked.rows_affected() == 0 {
            return Err($crate::StoreError::NotFound { what: $crate::Resource::Project });
        }
    }};
}

/// Checks in the transaction `$tx` that a folder is one of the project, and locks the project.
macro_rules! check_folder {
    ($tx:ident, $project:expr, $folder:expr) => {{
        $crate::folders::lock_project!($tx, $project);
        let there: Option<i64> =
            sqlx::query_scalar("select cast(1 as bigint) from folders where id = $1 and project_id = $2")
                .bind($folder)
                .bind($project)
                .fetch_optional(&mut *$tx)
                .await?;
        if there.is_none() {
            return Err($crate::StoreError::NotFound { what: $crate::Resource::Folder });
        }
    }};
}

pub(crate) use {check_folder, lock_project};

/// Checks that `$parent` is a folder of the project, not below `$moved`, and deep enough for a tree of `$height`.
macro_rules! check_parent {
    ($tx:ident, $project:expr, $parent:expr, $moved:expr, $height:expr) => {{
        check_folder!($tx, $project, $parent);
        let (depth, met): (Option<i64>, i64) =
            sqlx::query_as(OUTWARDS).bind($parent).bind($moved).fetch_one(&mut *$tx).await?;
        if met > 0 {
            return Err(StoreError::FolderCycle);
        }
        if depth.unwrap_or(0) + $height > MAX_FOLDER_DEPTH {
            return Err(StoreError::FolderTooDeep { most: MAX_FOLDER_DEPTH });
        }
    }};
}

impl Store {
    /// Creates a folder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project or parent; [`StoreError::Conflict`] if a sibling has the
    /// name; [`StoreError::Full`], [`StoreError::FolderTooDeep`].
    pub async fn create_folder(&self, folder: &Folder, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text(Field::FolderName, &folder.name)?;
        in_transaction!(&self.pool, tx => {
            lock_project!(tx, &folder.project_id);
            let count: i64 = sqlx::query_scalar("select count(*) from folders where project_id = $1")
                .bind(&folder.project_id).fetch_one(&mut *tx).await?;
            if count >= MAX_FOLDERS {
                return Err(StoreError::Full { what: Resource::Folder, most: MAX_FOLDERS });
            }
            if let Some(parent) = &folder.parent_id {
                check_parent!(tx, &folder.project_id, parent, &folder.id, 1);
            }
            sqlx::query(concat!(
                "insert into folders (", folder_columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ))
            .bind(&folder.id).bind(&folder.project_id).bind(&folder.parent_id).bind(&folder.name).bind(&folder.folded)
            .bind(folder.revision).bind(folder.created_at).bind(folder.updated_at)
            .execute(&mut *tx).await?;
            record_audit!(tx, audit);
        });
        Ok(())
    }

    pub async fn find_folder(&self, id: &FolderId) -> Result<Folder, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_FOLDER).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: Resource::Folder })
    }

    /// The folders of a project at every depth, newest first.
    pub async fn list_folders(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Folder>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Folder> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", folder_columns!(), " from folders where project_id = $4 and (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(project).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// Renames or moves a folder.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if its revision is not `seen`; [`StoreError::NotFound`] if there is no such parent;
    /// [`StoreError::Conflict`] if a sibling has the name; [`StoreError::FolderCycle`],
    /// [`StoreError::FolderTooDeep`].
    pub async fn update_folder(
        &self,
        old: &Folder,
        seen: i64,
        (name, folded): (&str, &str),
        parent: Option<&FolderId>,
        audit: &NewAuditEvent,
    ) -> Result<Folder, StoreError> {
        check_text(Field::FolderName, name)?;
        Ok(in_transaction!(&self.pool, tx => {
            lock_project!(tx, &old.project_id);
            if let Some(parent) = parent {
                let height: Option<i64> = sqlx::query_scalar(INWARDS).bind(&old.id).fetch_one(&mut *tx).await?;
                check_parent!(tx, &old.project_id, parent, &old.id, height.unwrap_or(1));
            }
            let changed: Option<Folder> = sqlx::query_as(concat!(
                "update folders set name = $3, folded = $4, parent_id = $5, revision = revision + 1, updated_at = $6 ",
                "where id = $1 and revision = $2 returning ", folder_columns!()
            ))
            .bind(&old.id).bind(seen).bind(name).bind(folded).bind(parent).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: Resource::Folder })?;
            record_audit!(tx, audit);
            changed
        }))
    }

    /// Deletes an empty folder.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`], [`StoreError::NotFound`].
    pub async fn delete_folder(&self, folder: &Folder, audit: &NewAuditEvent) -> Result<(), StoreError> {
        in_transaction!(&self.pool, tx => {
            lock_project!(tx, &folder.project_id);
            let inside: FolderContents = sqlx::query_as(
                "select (select count(*) from folders where parent_id = $1) as folders, \
                 (select count(*) from diagrams where folder_id = $1) as diagrams, \
                 (select count(*) from diagrams where folder_id = $1 and archived_at is not null) as archived",
            )
            .bind(&folder.id).fetch_one(&mut *tx).await?;
            if inside.folders + inside.diagrams > 0 {
                return Err(StoreError::NotEmpty(inside));
            }
            let gone = sqlx::query("delete from folders where id = $1").bind(&folder.id).execute(&mut *tx).await?;
            if gone.rows_affected() == 0 {
                return Err(StoreError::NotFound { what: Resource::Folder });
            }
            record_audit!(tx, audit);
        });
        Ok(())
    }
}
