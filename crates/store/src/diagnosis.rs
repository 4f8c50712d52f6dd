//! What an operator wants to know of a database before it hurts. Changes nothing, and tells no contents.

use crate::pool::{Pool, on_pool};
use crate::{Store, StoreError, TimeUs};

/// How many lines of damage are told.
const MOST_DAMAGE: usize = 5;

/// What a PostgreSQL server is, and what it lets this user do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresFacts {
    /// For example 150004 for 15.4.
    pub version: i64,
    /// How the database writes text, for example `UTF8`.
    pub encoding: String,
    /// Its clock.
    pub now: TimeUs,
    /// How many connections it has for users who are no superusers.
    pub max_connections: i64,
    /// How many connections there are, this one among them.
    pub connections: i64,
    /// It takes no writes: a standby, or set so.
    pub read_only: bool,
    /// This user may create tables where it creates them.
    pub may_create: bool,
    /// How many tables there are that this user may not both read and write.
    pub tables_out_of_reach: i64,
}

/// Work that goes on after the answer, and what stands still of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWork {
    /// Jobs that are to be done.
    pub jobs: i64,
    /// Jobs that wait since before the time that was given.
    pub late_jobs: i64,
    /// Jobs whose worker has gone, and that nobody took up since the time that was given.
    pub abandoned_jobs: i64,
    /// Webhooks.
    pub webhooks: i64,
    /// Webhooks that are told of nothing any more.
    pub disabled_webhooks: i64,
    /// Webhooks that were told of nothing since the time that was given, though it was tried.
    pub failing_webhooks: i64,
}

impl Store {
    /// What of the file is damaged, in SQLite's own words, which name tables and pages; empty if nothing is, and for
    /// PostgreSQL, which looks after its pages itself. Reads the whole file.
    ///
    /// # Errors
    /// Only those of the database, also when it is too damaged to be looked at.
    pub async fn find_damage(&self) -> Result<Vec<String>, StoreError> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return Ok(Vec::new()) };
        let mut found: Vec<String> = sqlx::query_scalar("pragma quick_check(5)").fetch_all(readers).await?;
        found.retain(|line| line != "ok");
        found.truncate(MOST_DAMAGE);
        Ok(found)
    }

    /// Tables with rows that point to what is not there, and how many such rows. Empty for PostgreSQL, which never lets it
    /// come to that; SQLite does where somebody changes the file with another program.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn find_dangling_rows(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let Pool::Sqlite { readers, .. } = &self.pool else { return Ok(Vec::new()) };
        Ok(sqlx::query_as(
            "select \"table\", count(*) from pragma_foreign_key_check group by \"table\" order by \"table\"",
        )
        .fetch_all(readers)
        .await?)
    }

    /// What the server is; none for SQLite.
    ///
    /// # Errors
    /// Only those of the database.
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

    /// When the newest change was made, as whoever made it saw the time; none if there was none.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn find_newest_change(&self) -> Result<Option<TimeUs>, StoreError> {
        let newest: Option<i64> = on_pool!(&self.pool, db => {
            sqlx::query_scalar("select max(at) from audit_events").fetch_one(db).await
        })?;
        Ok(newest.map(TimeUs::from_micros))
    }

    /// What is open, and what stands still since `since`.
    ///
    /// # Errors
    /// Only those of the database.
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
