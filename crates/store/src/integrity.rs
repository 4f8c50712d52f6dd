//! Integrity checks beyond the constraints of the tables. Read-only.
//!
//! A copied file may be intact for SQLite and hold half a transaction, so a restored backup is checked for what the
//! program relies on.

use crate::pool::{Pool, on_pool};
use crate::{Store, StoreError};

/// A failed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrityFault {
    /// A few words, for example `diagrams whose versions are not all there`.
    pub what: &'static str,
    pub count: i64,
}

/// Each check: what is wrong, and a query that counts it.
const INVARIANTS: [(&str, &str); 8] = [
    (
        "diagrams whose versions are not all there",
        "select count(*) from diagrams d where d.head_version <> \
         (select count(*) from diagram_versions v where v.diagram_id = d.id) or d.head_version <> \
         (select max(v.number) from diagram_versions v where v.diagram_id = d.id)",
    ),
    (
        "requirements whose versions are not all there",
        "select count(*) from requirements r where r.head_version <> \
         (select count(*) from requirement_versions v where v.requirement_id = r.id) or r.head_version <> \
         (select max(v.number) from requirement_versions v where v.requirement_id = r.id)",
    ),
    (
        "generations without the version that they made",
        "select count(*) from generations g where g.diagram_id is not null and g.status <> 'failed' \
         and not exists (select 1 from diagram_versions v where v.generation_id = g.id)",
    ),
    (
        "approvals of versions that are not there",
        "select count(*) from approvals a where not exists \
         (select 1 from diagram_versions v where v.diagram_id = a.diagram_id and v.number = a.version)",
    ),
    (
        "lines of baselines about versions that are not there",
        "select count(*) from baseline_items i where \
         (i.what = 'diagram' and not exists (select 1 from diagram_versions v \
             where v.diagram_id = i.subject_id and v.number = i.version)) or \
         (i.what = 'requirement' and not exists (select 1 from requirement_versions v \
             where v.requirement_id = i.subject_id and v.number = i.version))",
    ),
    (
        "trace links to versions that are not there",
        "select count(*) from trace_links l where not exists (select 1 from diagram_versions v \
             where v.diagram_id = l.diagram_id and v.number = l.diagram_version) \
         or not exists (select 1 from requirement_versions v \
             where v.requirement_id = l.requirement_id and v.number = l.requirement_version)",
    ),
    (
        "projects that have members and no owner",
        "select count(*) from (select project_id from memberships group by project_id \
         having sum(case when role = 'owner' then 1 else 0 end) = 0) orphaned",
    ),
    (
        "diagrams in folders of another project",
        "select count(*) from diagrams d join folders f on f.id = d.folder_id where f.project_id <> d.project_id",
    ),
];

/// Triggers that make versions and the audit log immutable.
const GUARDS: [&str; 5] = [
    "approvals_never_change",
    "audit_events_never_change",
    "baseline_items_never_change",
    "diagram_versions_never_change",
    "requirement_versions_never_change",
];

impl Store {
    /// All failed checks. Reads every row, and needs this program's schema.
    pub async fn find_integrity_faults(&self) -> Result<Vec<IntegrityFault>, StoreError> {
        let mut faults = Vec::new();
        let mut add = |what, count| {
            if count > 0 {
                faults.push(IntegrityFault { what, count });
            }
        };
        let guards: Vec<String> = match &self.pool {
            Pool::Sqlite { readers, .. } => {
                let said: Vec<String> =
                    sqlx::query_scalar("select integrity_check from pragma_integrity_check")
                        .fetch_all(readers)
                        .await?;
                let damage = said.iter().filter(|said| *said != "ok").count();
                add("damaged places in the file", i64::try_from(damage).unwrap_or(i64::MAX));
                let dangling = "select count(*) from pragma_foreign_key_check";
                add("rows that refer to nothing", sqlx::query_scalar(dangling).fetch_one(readers).await?);
                sqlx::query_scalar("select name from sqlite_schema where type = 'trigger'")
                    .fetch_all(readers)
                    .await?
            }
            // PostgreSQL checks foreign keys when a restore creates them, after the rows.
            Pool::Postgres(pool) => {
                let unchecked = "select count(*) from pg_constraint where not convalidated";
                add(
                    "rules that the server did not check",
                    sqlx::query_scalar(unchecked).fetch_one(pool).await?,
                );
                let unusable = "select count(*) from pg_index where not indisvalid";
                add("indexes that cannot be used", sqlx::query_scalar(unusable).fetch_one(pool).await?);
                let enabled =
                    "select tgname::text from pg_trigger where not tgisinternal and tgenabled <> 'D'";
                sqlx::query_scalar(enabled).fetch_all(pool).await?
            }
        };
        let missing = GUARDS.iter().filter(|guard| !guards.iter().any(|there| there == **guard)).count();
        add("guards of what must never change that are missing", i64::try_from(missing).unwrap_or(i64::MAX));
        for (what, question) in INVARIANTS {
            let count: i64 = on_pool!(&self.pool, db => sqlx::query_scalar(question).fetch_one(db).await?);
            add(what, count);
        }
        Ok(faults)
    }
}
