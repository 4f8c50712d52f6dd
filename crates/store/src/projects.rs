//! Projects. Does not decide who may access one.

use crate::audit::record_audit;
use crate::pool::{in_transaction, on_pool};
use crate::row::row;
use crate::text::check_text;
use crate::{
    Field, NewAuditEvent, Page, PageRequest, ProjectId, Resource, Role, Store, StoreError, TimeUs, UserId,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub created_at: TimeUs,
    /// Incremented by each change of the project itself.
    pub revision: i64,
    /// An archived project is read-only.
    pub archived_at: Option<TimeUs>,
}

row!(Project, project_columns { id, name, created_at, revision, archived_at });

/// A project and the user's role in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyProject {
    pub project: Project,
    pub role: Role,
}

row!(MyProject { project in row, role as String });

/// Leaves an existing project as it is.
pub(crate) const ENSURE_PROJECT: &str =
    "insert into projects (id, name, created_at) values ($1, $2, $3) on conflict (id) do nothing";

impl Store {
    /// Creates a project unless the id exists. Returns the stored project: an existing one is not changed.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the name holds U+0000.
    pub async fn ensure_project(
        &self,
        id: &ProjectId,
        name: &str,
        at: TimeUs,
    ) -> Result<Project, StoreError> {
        check_text(Field::ProjectName, name)?;
        in_transaction!(&self.pool, tx => {
            sqlx::query(ENSURE_PROJECT).bind(id).bind(name).bind(at).execute(&mut *tx).await?;
        });
        self.find_project(id).await
    }

    /// Creates a project, with its first owner if there are accounts.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id is taken.
    pub async fn create_project(
        &self,
        id: &ProjectId,
        name: &str,
        owner: Option<&UserId>,
        audit: &NewAuditEvent,
    ) -> Result<Project, StoreError> {
        check_text(Field::ProjectName, name)?;
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
            record_audit!(tx, audit);
            made
        }))
    }

    pub async fn find_project(&self, id: &ProjectId) -> Result<Project, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(concat!("select ", project_columns!(), " from projects where id = $1"))
                .bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Project })
    }

    /// The oldest project that a user owns: the default one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the user owns none.
    pub async fn find_own_project(&self, user: &UserId) -> Result<Project, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as(
                concat!(
                    "select ", project_columns!("p."), " from memberships m join projects p on p.id = m.project_id \
                     where m.user_id = $1 and m.role = 'owner' and p.archived_at is null \
                     order by m.created_at, p.id limit 1"
                ),
            )
            .bind(user).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: Resource::Project })
    }

    /// All projects, newest first.
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

    /// The projects of a user, newest first.
    pub async fn list_projects_of(
        &self,
        user: &UserId,
        page: &PageRequest,
    ) -> Result<Page<MyProject>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<MyProject> = on_pool!(&self.pool, db => {
            sqlx::query_as(
                concat!(
                    "select ", project_columns!("p."), ", m.role \
                     from memberships m join projects p on p.id = m.project_id \
                     where m.user_id = $4 and (p.created_at, p.id) < ($1, $2) \
                     order by p.created_at desc, p.id desc limit $3"
                ),
            )
            .bind(at).bind(id).bind(page.rows_to_fetch()).bind(user).fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.project.created_at.as_micros(), it.project.id.as_str())))
    }

    /// Updates a project.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if its revision is not `seen`.
    pub async fn update_project(
        &self,
        id: &ProjectId,
        seen: i64,
        name: &str,
        archived_at: Option<TimeUs>,
        audit: &NewAuditEvent,
    ) -> Result<Project, StoreError> {
        check_text(Field::ProjectName, name)?;
        Ok(in_transaction!(&self.pool, tx => {
            let changed: Option<Project> = sqlx::query_as(concat!(
                "update projects set name = $3, archived_at = $4, updated_at = $5, revision = revision + 1 ",
                "where id = $1 and revision = $2 returning ",
                project_columns!()
            ))
            .bind(id).bind(seen).bind(name).bind(archived_at).bind(audit.at)
            .fetch_optional(&mut *tx).await?;
            let changed = changed.ok_or(StoreError::Stale { what: Resource::Project })?;
            record_audit!(tx, audit);
            changed
        }))
    }
}
