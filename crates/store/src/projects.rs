//! Projects: what diagrams belong to. Never decides who may enter one.

use crate::generations::check_text;
use crate::pool::{in_transaction, on_pool};
use crate::{ProjectId, Store, StoreError, TimeUs};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: TimeUs,
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

    /// One project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_project(&self, id: &ProjectId) -> Result<Project, StoreError> {
        on_pool!(&self.pool, db => {
            sqlx::query_as("select id, name, created_at from projects where id = $1").bind(id).fetch_optional(db).await
        })?
        .ok_or(StoreError::NotFound { what: "project" })
    }
}
