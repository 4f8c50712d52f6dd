//! Diagrams: what stays the same while versions come and go. Never holds the picture itself: a version does.

use crate::pool::on_pool;
use crate::{DiagramId, Page, PageRequest, ProjectId, Store, StoreError, TimeUs};

/// A diagram.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
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
    #[sqlx(try_from = "i64")]
    pub head_version: u32,
}

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
}

/// The columns of [`Diagram`]; a macro, because statements are put together at compile time.
macro_rules! diagram_columns {
    () => {
        "id, project_id, kind, title, created_at, updated_at, head_version"
    };
}

pub(crate) const INSERT_DIAGRAM: &str = concat!(
    "insert into diagrams (",
    diagram_columns!(),
    ") values ($1, $2, $3, $4, $5, $5, 1) returning ",
    diagram_columns!()
);

/// Takes the next version number. The row stays locked until the transaction ends, so two writers cannot take the
/// same number.
pub(crate) const ADVANCE_DIAGRAM: &str = concat!(
    "update diagrams set head_version = head_version + 1, updated_at = $2 where id = $1 returning ",
    diagram_columns!()
);

pub(crate) const FIND_DIAGRAM: &str = concat!("select ", diagram_columns!(), " from diagrams where id = $1");

impl Store {
    /// One diagram.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn find_diagram(&self, id: &DiagramId) -> Result<Diagram, StoreError> {
        on_pool!(&self.pool, db => sqlx::query_as(FIND_DIAGRAM).bind(id).fetch_optional(db).await)?
            .ok_or(StoreError::NotFound { what: "diagram" })
    }

    /// The diagrams of a project, last made first. Ordered by when they were made and not by when they changed,
    /// because a change while somebody turns pages must not hide a diagram. An unknown project has none.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn list_diagrams(
        &self,
        project: &ProjectId,
        page: &PageRequest,
    ) -> Result<Page<Diagram>, StoreError> {
        let (at, id) = page.before();
        let rows: Vec<Diagram> = on_pool!(&self.pool, db => {
            sqlx::query_as(concat!(
                "select ", diagram_columns!(), " from diagrams ",
                "where project_id = $1 and (created_at, id) < ($2, $3) ",
                "order by created_at desc, id desc limit $4"
            ))
            .bind(project).bind(at).bind(id).bind(page.rows_to_fetch())
            .fetch_all(db).await
        })?;
        Ok(page.page(rows, |it| (it.created_at.as_micros(), it.id.as_str())))
    }
}
