//! Databases of a PostgreSQL server: a temporary one to restore a backup into, and replacing another one by it. Does
//! not read their contents. SQLite uses files instead.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::pool::Pool;
use crate::postgres::{connect, options};
use crate::{Store, StoreError};

/// Prefix of temporary databases; the second of their creation follows.
const PREFIX: &str = "ba_copilot_scratch_";
/// PostgreSQL's limit on names, in bytes.
const MAX_NAME: usize = 63;

/// An empty database on the server of a URL, with the same encoding and collation.
pub struct TempDatabase {
    beside: PgConnectOptions,
    name: String,
}

impl TempDatabase {
    /// Creates one on the server of `url`. Deletes those older than a day, which killed programs left behind.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the user may not create databases.
    pub async fn create(url: &str, now_s: i64, unique: &str) -> Result<TempDatabase, StoreError> {
        let beside = Self::named(url, "")?.beside;
        let mut admin = connect(&beside).await?;
        let left: Vec<String> =
            sqlx::query_scalar("select datname::text from pg_database where starts_with(datname::text, $1)")
                .bind(PREFIX)
                .fetch_all(&mut admin)
                .await?;
        for name in left {
            let made =
                name.trim_start_matches(PREFIX).split('_').next().and_then(|it| it.parse::<i64>().ok());
            if made.is_some_and(|made| made < now_s - 86_400) {
                // Owned by another user, or in use: left alone.
                let drop = format!("drop database if exists {}", quoted(&name));
                let _ = sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await;
            }
        }
        let name = format!("{PREFIX}{now_s}_{unique}");
        let like = like_this_one(&mut admin).await?;
        let create = format!("create database {} template template0 {like}", quoted(&name));
        sqlx::query(AssertSqlSafe(create)).execute(&mut admin).await.map_err(|error| match &error {
            sqlx::Error::Database(it) if it.code().as_deref() == Some("42501") => StoreError::misconfigured(
                "The PostgreSQL user may not create databases, and backups are tried in one of their own; let an \
                 administrator say `alter role … createdb`.",
            ),
            _ => error.into(),
        })?;
        admin.close().await?;
        Ok(TempDatabase { beside, name })
    }

    /// An existing one, to be dropped.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] if the URL cannot be parsed.
    pub fn named(url: &str, name: &str) -> Result<TempDatabase, StoreError> {
        Ok(TempDatabase { beside: options(url)?, name: name.to_owned() })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops it and its connections.
    pub async fn drop(self) -> Result<(), StoreError> {
        let mut admin = connect(&self.beside).await?;
        let drop = format!("drop database if exists {} with (force)", quoted(&self.name));
        sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await?;
        admin.close().await?;
        Ok(())
    }

    /// Renames the database of the URL to the returned name, which ends with `suffix`, and this one to its name; both
    /// or neither.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if either has connections, [`StoreError::Misconfigured`] if the user does not own
    /// the database.
    pub async fn replace_original(self, suffix: &str) -> Result<String, StoreError> {
        let place = self.beside.get_database().unwrap_or(self.beside.get_username()).to_owned();
        let mut base = place.clone();
        while base.len() + suffix.len() > MAX_NAME {
            base.pop();
        }
        let kept = format!("{base}{suffix}");
        // This connection must not be to either database.
        let mut admin = connect(&self.beside.clone().database("postgres")).await?;
        let mut tx = admin.begin().await?;
        for (from, to) in [(&place, &kept), (&self.name, &place)] {
            let rename = format!("alter database {} rename to {}", quoted(from), quoted(to));
            sqlx::query(AssertSqlSafe(rename)).execute(&mut *tx).await.map_err(|error| match &error {
                sqlx::Error::Database(it) if it.code().as_deref() == Some("42501") => StoreError::misconfigured(
                    "The PostgreSQL user does not own the database, so it cannot be replaced; let an administrator say \
                     `alter database … owner to …`.",
                ),
                sqlx::Error::Database(it) if it.code().as_deref() == Some("55006") => {
                    StoreError::unavailable("the database to be replaced has other connections")
                }
                _ => error.into(),
            })?;
        }
        tx.commit().await?;
        admin.close().await?;
        Ok(kept)
    }
}

/// Options that give a new database the same encoding and collation.
async fn like_this_one(db: &mut PgConnection) -> Result<String, StoreError> {
    // The columns differ between versions of the server, so the row is read as JSON.
    let row: (String, String, Option<String>, String, String) = sqlx::query_as(
        "select pg_encoding_to_char(d.encoding)::text, coalesce(j.it ->> 'datlocprovider', 'c'), \
         coalesce(j.it ->> 'datlocale', j.it ->> 'daticulocale'), d.datcollate::text, d.datctype::text \
         from pg_database d, lateral (select to_jsonb(d) as it) j where d.datname = current_database()",
    )
    .fetch_one(&mut *db)
    .await?;
    let (encoding, provider, locale, collate, ctype) = row;
    let mut like = format!(
        "encoding {} lc_collate {} lc_ctype {}",
        literal(&encoding),
        literal(&collate),
        literal(&ctype)
    );
    if let ("i", Some(locale)) = (provider.as_str(), locale) {
        like.push_str(&format!(" locale_provider icu icu_locale {}", literal(&locale)));
    }
    Ok(like)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Store {
    /// The major version of the server, such as 15; none on SQLite.
    pub async fn server_major(&self) -> Result<Option<u32>, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(None) };
        let number: String = sqlx::query_scalar("show server_version_num").fetch_one(pool).await?;
        Ok(number.parse::<u32>().ok().map(|number| number / 10_000))
    }

    /// True if the database has no table of any program.
    pub async fn has_no_tables(&self) -> Result<bool, StoreError> {
        let question = match &self.pool {
            Pool::Sqlite { .. } => "select count(*) from sqlite_schema",
            Pool::Postgres(_) => {
                "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                 where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
            }
        };
        let count: i64 =
            crate::pool::on_pool!(&self.pool, db => sqlx::query_scalar(question).fetch_one(db).await?);
        Ok(count == 0)
    }

    /// The number of other connections to this database; 0 on SQLite, where it is unknown. This store must hold at
    /// most one connection.
    pub async fn count_other_clients(&self) -> Result<i64, StoreError> {
        let Pool::Postgres(pool) = &self.pool else { return Ok(0) };
        let others = "select count(*) from pg_stat_activity where datname = current_database() \
            and backend_type = 'client backend' and pid <> pg_backend_pid()";
        Ok(sqlx::query_scalar(others).fetch_one(pool).await?)
    }
}
