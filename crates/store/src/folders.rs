//! Folders: drawers of a project, in one another, in which diagrams lie. Never in a circle, and never deep.
//!
//! Whoever changes where something lies locks the project first, so that two people who move at once take turns: each
//! sees what the other has done, and what was looked at stays so until the end of the transaction.

use crate::audit::keep_audit;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{FolderId, NewAuditEvent, Page, PageRequest, ProjectId, Store, StoreError, TimeUs};

/// So many folders lie in one another at most, the outermost counted.
pub const MAX_FOLDER_DEPTH: i64 = 8;
/// So many folders a project has at most.
pub const MAX_FOLDERS: i64 = 1_000;

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its id.
    pub id: FolderId,
    /// Where it belongs.
    pub project_id: ProjectId,
    /// In which folder it lies; in none if it is an outermost one.
    pub parent_id: Option<FolderId>,
    /// What people call it.
    pub name: String,
    /// The name in small letters, by which it is there once beside its neighbours.
    pub folded: String,
    /// Up by one with each change.
    pub revision: i64,
    /// When it was made.
    pub created_at: TimeUs,
    /// When it last changed.
    pub updated_at: TimeUs,
}

row!(Folder { id, project_id, parent_id, name, folded, revision, created_at, updated_at });

/// What still lies in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderContents {
    /// Folders.
    pub folders: i64,
    /// Diagrams, also those that are put away.
    pub diagrams: i64,
    /// Those of the diagrams that are put away.
    pub archived: i64,
}

row!(FolderContents { folders, diagrams, archived });

macro_rules! folder_columns {
    () => {
        "id, project_id, parent_id, name, folded, revision, created_at, updated_at"
    };
}

const FIND_FOLDER: &str = concat!("select ", folder_columns!(), " from folders where id = $1");

/// How many folders there are from `$1` outwards, and whether `$2` is one of them. The bound ends it also if somebody
/// has made a circle by hand.
const OUTWARDS: &str = "with recursive up (id, parent_id, depth) as (\
     select id, parent_id, cast(1 as bigint) from folders where id = $1 \
     union all \
     select f.id, f.parent_id, up.depth + 1 from folders f join up on f.id = up.parent_id where up.depth < 64) \
     select max(depth), count(case when id = $2 then 1 end) from up";

/// How many folders lie in one another from `$1` inwards.
const INWARDS: &str = "with recursive down (id, depth) as (\
     select id, cast(1 as bigint) from folders where id = $1 \
     union all \
     select f.id, down.depth + 1 from folders f join down on f.parent_id = down.id where down.depth < 64) \
     select max(depth) from down";

/// Locks a project in the transaction `$tx`: nothing in it is moved until the end by anybody else.
macro_rules! lock_project {
    ($tx:ident, $project:expr) => {{
        let locked = sqlx::query("update projects set updated_at = updated_at where id = $1")
            .bind($project)
            .execute(&mut *$tx)
            .await?;
        if locked.rows_affected() == 0 {
            return Err($crate::StoreError::NotFound { what: "project" });
        }
    }};
}

/// Sees to it, in the transaction `$tx`, that a folder is one of the project and stays so until the end.
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
            return Err($crate::StoreError::NotFound { what: "folder" });
        }
    }};
}

pub(crate) use {check_folder, lock_project};

/// Sees to it that `$parent` is a folder of the project in which `$height` folders that lie in one another have room, the
/// outermost of which is `$moved`, if it is there already.
macro_rules! check_parent {
    ($tx:ident, $project:expr, $parent:expr, $moved:expr, $height:expr) => {{
        check_folder!($tx, $project, $parent);
        let (depth, met): (Option<i64>, i64) =
            sqlx::query_as(OUTWARDS).bind($parent).bind($moved).fetch_one(&mut *$tx).await?;
        if met > 0 {
            return Err(StoreError::Invalid { what: "folder, which would lie in itself," });
        }
        if depth.unwrap_or(0) + $height > MAX_FOLDER_DEPTH {
            return Err(StoreError::Invalid { what: "folder, which would lie too deep," });
        }
    }};
}

impl Store {
    /// Makes a folder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such project, or no such folder in it to lie in; [`StoreError::Conflict`]
    /// on `folder name` or, if the project is full, on `last place for a folder`; [`StoreError::Invalid`] if it would lie
    /// too deep.
    pub async fn create_folder(&self, folder: &Folder, audit: &NewAuditEvent) -> Result<(), StoreError> {
        check_text("folder name", &folder.name)?;
        in_transaction!(&self.pool, tx => {
            lock_project!(tx, &folder.project_id);
            let count: i64 = sqlx::query_scalar("select count(*) from folders where project_id = $1")
                .bind(&folder.project_id).fetch_one(&mut *tx).await?;
            if count >= MAX_FOLDERS {
                return Err(StoreError::Conflict { constraint: "last place for a folder" });
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
            keep_audit!(tx, audit);
        });
        Ok(())
    }

    /// One folder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_folder(&self, id: &FolderId) -> Result<Folder, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_FOLDER).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: "folder" })
    }

    /// The folders of a project, last made first, whatever they lie in.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// Changes the name of a folder and where it lies, if its revision is still `seen`.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not; [`StoreError::NotFound`] if there is no such folder to lie in;
    /// [`StoreError::Conflict`] on `folder name`; [`StoreError::Invalid`] if it would lie in itself or too deep.
    pub async fn update_folder(
        &self,
        old: &Folder,
        seen: i64,
        (name, folded): (&str, &str),
        parent: Option<&FolderId>,
        audit: &NewAuditEvent,
    ) -> Result<Folder, StoreError> {
        check_text("folder name", name)?;
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
            let changed = changed.ok_or(StoreError::Stale { what: "folder" })?;
            keep_audit!(tx, audit);
            changed
        }))
    }

    /// Takes a folder away in which nothing lies.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`] if something does, [`StoreError::NotFound`].
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
                return Err(StoreError::NotFound { what: "folder" });
            }
            keep_audit!(tx, audit);
        });
        Ok(())
    }
}
