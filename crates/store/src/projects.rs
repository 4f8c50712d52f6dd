//! Projects: what diagrams belong to. Never decides who may enter one.

use crate::audit::keep_audit;
use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::{NewAuditEvent, Page, PageRequest, ProjectId, Role, Store, StoreError, TimeUs, UserId};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: TimeUs,
    /// Up by one with each change of the project itself.
    pub revision: i64,
    /// Since when it is put away: nothing in it changes any more.
    pub archived_at: Option<TimeUs>,
}

row!(Project { id, name, created_at, revision, archived_at });

/// A project in the list of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyProject {
    /// The project.
    pub project: Project,
    /// What they are in it.
    pub role: Role,
}

row!(MyProject { project in row, role as String });

macro_rules! project_columns {
    () => {
        "id, name, created_at, revision, archived_at"
    };
}

/// Leaves an existing project as it is.
pub(crate) const ENSURE_PROJECT: &str =
    "insert into projects (id, name, created_at) values ($1, $2, $3) on conflict (id) do nothing";

impl Store {
    /// Makes a project unless one of this id exists, and returns what is stored then: an existing project keeps its
    /// name and its moment.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the name cannot be kept.
    pub async fn ensure_project(
        &self,
        id: &ProjectId,
        name: &str,
        at: TimeUs,
    ) -> Result<Project, StoreError> {
        check_text("project name", name)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(ENSURE_PROJECT).bind(id).bind(name).bind(at).execute(&mut *tx).await?;
        });
        self.find_project(id).await
    }

    /// Makes a project; its first owner, if there are people.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on `project id`.
    pub async fn create_project(
        &self,
        id: &ProjectId,
        name: &str,
        owner: Option<&UserId>,
        audit: &NewAuditEvent,
    ) -> Result<Project, StoreError> {
        check_text("project name", name)?;
        Ok(in_transaction!(&self.pool, tx => {
            let made: Project = sqlx::query_as(concat!(
                "insert into projects (id, name, created_at, updated_at) values ($1, $2, $3, $3) returning ",
                project_columns!()
            ))
            .bind(id).bind(name).bind(audit.at)
            .fetch_one(&mut *tx).await?;
            if let Some(owner) = owner {
                sqlx::query("insert into memberships (project_id, user_id, role, created_at) values ($1, $2, $3, $4)")
                    .bind(id).bind(owner).bind(Role::Owner.as_str()).bind(audit.at)
                    .execute(&mut *tx).await?;
            }
            keep_audit!(tx, audit);
            made
        }))
    }

    /// One project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_project(&self, id: &ProjectId) -> Result<Project, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", project_columns!(), " from projects where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "project" })
    }

    /// The project that somebody owns longest, which is where things go that they put nowhere.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if they own none.
    pub async fn find_own_project(&self, user: &UserId) -> Result<Project, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select p.id, p.name, p.created_at, p.revision, p.archived_at \
                 from memberships m join projects p on p.id = m.project_id \
                 where m.user_id = $1 and m.role = 'owner' and p.archived_at is null \
                 order by m.created_at, p.id limit 1",
            )
            .bind(user).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "project" })
    }

    /// All projects, last made first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_projects(&self, page: &PageRequest) -> Result<Page<Project>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Project> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", project_columns!(), " from projects where (created_at, id) < ($1, $2) ",
                "order by created_at desc, id desc limit $3"
            ))
            .bind(at).bind(id).bind(page.rows_to_fetch()).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }

    /// The projects that somebody may enter, last made first.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_projects_of(
        &self,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<MyProject>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<MyProject> = on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select p.id, p.name, p.created_at, p.revision, p.archived_at, m.role \
                 from memberships m join projects p on p.id = m.project_id \
                 where m.user_id = $4 and (p.created_at, p.id) < ($1, $2) \
                 order by p.created_at desc, p.id desc limit $3",
            )
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(user).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.project.created_at.as_micros(), it.project.id.as_str())))
    }

    /// Changes a project whose revision is still the one that the caller has seen.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if it is not.
    pub async fn update_project(
        &self,
        id: &ProjectId,
        seen: i64,
        name: &str,
        archived_at: Option<TimeUs>,
        audit: &NewAuditEvent,
    ) -> Result<Project, StoreError> {
        check_text("project name", name)?;
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Project> = sqlx::query_as(concat!(
                "update projects set name = $3, archived_at = $4, updated_at = $5, revision = revision + 1 ",
                "where id = $1 and revision = $2 returning ",
                project_columns!()
            ))
            .bind(id).bind(seen).bind(name).bind(archived_at).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: "project" })?;
            keep_audit!(tx, audit);
            changed
        }))
    }
}
