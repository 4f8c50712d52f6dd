//! Facts about a database for `doctor`. Read-only; returns no contents.

use crate::pool::{Pool, on_pool};
use crate::{Store, StoreError, TimeUs};

/// Upper bound of reported lines of damage.
const MOST_DAMAGE: usize = 5;

/// Facts about a PostgreSQL server and the rights of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresFacts {
    /// For example 150004 for 15.4.
    pub version: i64,
    /// The encoding, for example `UTF8`.
    pub encoding: String,
    pub now: TimeUs,
    /// Connections available to users who are not superusers.
    pub max_connections: i64,
    /// Open connections, this one included.
    pub connections: i64,
    /// Read-only: a standby, or configured so.
    pub read_only: bool,
    /// This user may create tables in its schema.
    pub may_create: bool,
    /// Tables that this user may not both read and write.
    pub tables_out_of_reach: i64,
}

/// Background work, and how much of it is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWork {
    /// Unfinished jobs.
    pub jobs: i64,
    /// Jobs waiting since before the given time.
    pub late_jobs: i64,
    /// Jobs whose worker is lost and that no worker took up since the given time.
    pub abandoned_jobs: i64,
    pub webhooks: i64,
    /// Disabled webhooks.
    pub disabled_webhooks: i64,
    /// Webhooks without a successful delivery since the given time, although one was tried.
    pub failing_webhooks: i64,
}

impl Store {
    /// Damage of a SQLite file, in SQLite's own words, which name tables and pages. Empty for PostgreSQL. Reads the
    /// whole file.
    pub async fn find_damage(&self) -> Result<Vec<String>, StoreError> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return Ok(Vec::new()) };
        let mut found: Vec<String> = sqlx::query_scalar("pragma quick_check(5)").fetch_all(readers).await?;
        found.retain(|line| line != "ok");
        found.truncate(MOST_DAMAGE);
        Ok(found)
    }

    /// Tables with dangling foreign keys, and the number of such rows. Empty for PostgreSQL, which enforces them;
    /// another program may have changed a SQLite file without them.
    pub async fn find_dangling_rows(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return Ok(Vec::new()) };
        Ok(sqlx::query_as(
            "select \"table\", count(*) from pragma_foreign_key_check group by \"table\" order by \"table\"",
        )
        .fetch_all(readers)
        .await?)
    }

    /// `None` for SQLite.
    pub async fn find_postgres_facts(&self) -> Result<Option<PostgresFacts>, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(None) };
        let (
            version,
            encoding,
            now,
            max_connections,
            connections,
            read_only,
            may_create,
            tables_out_of_reach,
        ) = sqlx::query_as(
            "select current_setting('server_version_num')::bigint, \
                     pg_encoding_to_char(encoding)::text, \
                     (extract(epoch from clock_timestamp()) * 1000000)::bigint, \
                     current_setting('max_connections')::bigint \
                         - current_setting('superuser_reserved_connections')::bigint, \
                     (select coalesce(sum(numbackends), 0)::bigint from pg_stat_database), \
                     pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean, \
                     coalesce(has_schema_privilege(current_schema(), 'create'), false), \
                     (select count(*) from pg_class \
                      where relkind in ('r', 'p') and relnamespace = to_regnamespace(current_schema()::text) \
                      and not (has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert') \
                          and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))) \
                 from pg_database where datname = current_database()",
        )
        .fetch_one(pool)
        .await?;
        Ok(Some(PostgresFacts {
            version,
            encoding,
            now: TimeUs::from_micros(now),
            max_connections,
            connections,
            read_only,
            may_create,
            tables_out_of_reach,
        }))
    }

    /// Tells this database from others, also on other servers; none on SQLite.
    pub async fn find_database_identity(&self) -> Result<Option<String>, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(None) };
        let identity = "select pg_postmaster_start_time()::text || ' ' || oid::text \
                        from pg_database where datname = current_database()";
        Ok(Some(sqlx::query_scalar(identity).fetch_one(pool).await?))
    }

    /// Time of the newest audit event, by the clock of its writer.
    pub async fn find_newest_change(&self) -> Result<Option<TimeUs>, StoreError> {
        let newest: Option<i64> = on_pool!(&self.pool, db => {
            sqlx::query_scalar("select max(at) from audit_events").fetch_one(db).await
        })?;
        Ok(newest.map(TimeUs::from_micros))
    }

    /// Open work, and what is stuck since `since`.
    pub async fn find_open_work(&self, since: TimeUs) -> Result<OpenWork, StoreError> {
        let (jobs, late_jobs, abandoned_jobs) = on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select count(*), count(case when status = 'waiting' and run_at < $1 then 1 end), \
                     count(case when status = 'running' and run_at < $1 then 1 end) \
                 from jobs where status in ('waiting', 'running')",
            )
            .bind(since).fetch_one(db).await
        })?;
        let (webhooks, disabled_webhooks, failing_webhooks) = on_pool!(&self.pool, db => {
            sqlx::query_as(
                "select count(*), count(case when disabled_at is not null then 1 end), \
                     count(case when disabled_at is null \
                         and exists (select 1 from webhook_deliveries failed where failed.webhook_id = webhooks.id \
                             and failed.created_at >= $1 and failed.problem is not null) \
                         and not exists (select 1 from webhook_deliveries told where told.webhook_id = webhooks.id \
                             and told.created_at >= $1 and told.problem is null) then 1 end) \
                 from webhooks",
            )
            .bind(since).fetch_one(db).await
        })?;
        Ok(OpenWork { jobs, late_jobs, abandoned_jobs, webhooks, disabled_webhooks, failing_webhooks })
    }
}
