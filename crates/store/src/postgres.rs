//! Connections to PostgreSQL, directly or through a pooler.
//!
//! A pooler in transaction mode (PgBouncer and most managed ones) gives each transaction another connection of the
//! server. A named statement may then be missing there, or be that of another client. So behind such a pooler every
//! statement runs in a transaction, unnamed: the driver prepares and executes in two steps, between which a pooler may
//! change the connection. That costs two more round trips for a read, so it is done only there.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{
    PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgSslMode, PgStatement, PgTypeInfo,
};
use sqlx::{Connection, Either, Execute, Executor, PgConnection, PgPool, Postgres, Row, SqlStr, Transaction};
use url::Url;

use crate::StoreError;
use crate::tls;

/// What is between this program and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// Found out when the database is opened.
    #[default]
    Auto,
    /// Nothing, or a pooler that keeps one connection of the server for each client.
    None,
    /// A pooler that assigns a connection of the server for each transaction.
    Transaction,
}

/// How long to wait for the second connection that shows whether there is a pooler.
const DETECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the first connection is asked; a pooler that hands out its connections in turn shows at the second time.
const DETECTION_ROUNDS: usize = 4;

/// The options of a URL.
///
/// # Errors
/// [`StoreError::Misconfigured`] if the URL or a file that it names cannot be used. It never repeats the URL.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    // The parsers' errors quote parts of the URL, so they are dropped.
    let unreadable = || {
        StoreError::misconfigured(
            "The PostgreSQL URL cannot be read; write postgres://user:password@host:5432/database, with special \
             characters in the password percent-encoded.",
        )
    };
    let parsed = Url::parse(url).map_err(|_| unreadable())?;
    let mut server = PgConnectOptions::from_str(url).map_err(|_| unreadable())?;
    if server.get_application_name().is_none() {
        server = server.application_name("ba-copilot");
    }
    let mut has_root = false;
    for (name, path) in parsed.query_pairs() {
        has_root |= name == "sslrootcert";
        tls::check_file(&name, &path).map_err(StoreError::misconfigured)?;
    }
    // As libpq does: whoever names an authority wants it to be checked.
    if has_root && matches!(server.get_ssl_mode(), PgSslMode::Require) {
        server = server.ssl_mode(PgSslMode::VerifyCa);
    }
    // Poolers refuse start parameters that they do not know; no column is a floating-point number.
    Ok(server.extra_float_digits(None))
}

/// Where the server is, for messages.
fn address(server: &PgConnectOptions) -> String {
    match server.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", server.get_host(), server.get_port()),
    }
}

/// Opens one connection.
///
/// # Errors
/// As for a statement; a failure of TLS says what to change.
pub(crate) async fn connect(server: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    PgConnection::connect_with(server).await.map_err(|error| match tls::explain(&error) {
        Some(explained) => StoreError::misconfigured(format!(
            "The encrypted connection to PostgreSQL at {} failed: {explained}",
            address(server)
        )),
        None => error.into(),
    })
}

/// The connections of a store.
#[derive(Clone)]
pub(crate) struct PgDatabase {
    pool: PgPool,
    /// A pooler in transaction mode is between this program and the server.
    is_pooled: bool,
}

impl fmt::Debug for PgDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgreSQL")
    }
}

impl PgDatabase {
    pub(crate) async fn open(
        url: &str,
        pooling: Pooling,
        max_connections: u32,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let server = options(url)?;
        // One connection outside the pool first: the pool would try again until its time is up and then say only that
        // it timed out, whereas this one says at once what is wrong.
        let mut first = tokio::time::timeout(timeout, connect(&server)).await.map_err(|_| {
            StoreError::unavailable("the server did not answer the first connection in time")
        })??;
        let is_pooled = match pooling {
            Pooling::None => false,
            Pooling::Transaction => true,
            Pooling::Auto => shares_connections(&mut first, &server).await?,
        };
        first.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections.max(1))
            .acquire_timeout(timeout)
            .connect_lazy_with(server);
        Ok(Self { pool, is_pooled })
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn begin(&self) -> Result<PgTransaction, sqlx::Error> {
        self.begin_with("begin").await
    }

    pub(crate) async fn begin_with(&self, statement: &'static str) -> Result<PgTransaction, sqlx::Error> {
        let transaction = self.pool.begin_with(statement).await?;
        Ok(PgTransaction(Session { transaction, is_pooled: self.is_pooled }))
    }
}

/// Whether two connections of this program can be the same connection of the server, which shows by its process id.
async fn shares_connections(first: &mut PgConnection, server: &PgConnectOptions) -> Result<bool, StoreError> {
    async fn process(db: &mut PgConnection) -> Result<i32, sqlx::Error> {
        // Without parameters no statement is prepared.
        sqlx::raw_sql("select pg_backend_pid()").fetch_one(db).await?.try_get(0)
    }
    let own = process(first).await?;
    for _ in 1..DETECTION_ROUNDS {
        if process(first).await? != own {
            return Ok(true);
        }
    }
    let second = tokio::time::timeout(DETECTION_TIMEOUT, PgConnection::connect_with(server)).await;
    // A server without a free connection, or a pooler in session mode without one.
    let Ok(Ok(mut second)) = second else { return Ok(false) };
    let compared = async {
        sqlx::raw_sql("begin").execute(&mut second).await.map_err(|error| match error {
            sqlx::Error::Database(_) => StoreError::misconfigured(
                "PostgreSQL is behind a pooler that allows no transactions (statement mode); set its pool_mode to \
                 transaction or session, or set DATABASE_URL to the server itself.",
            ),
            other => other.into(),
        })?;
        let other = process(&mut second).await?;
        // While the second connection holds its own one, the first one may get another.
        let shared = other == own || process(first).await? != own;
        sqlx::raw_sql("rollback").execute(&mut second).await?;
        second.close().await?;
        Ok(shared)
    };
    tokio::time::timeout(DETECTION_TIMEOUT, compared).await.unwrap_or(Ok(false))
}

/// A transaction, which is rolled back unless it is committed.
#[derive(Debug)]
pub(crate) struct PgTransaction(Session);

impl PgTransaction {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.transaction.commit().await
    }
}

impl Deref for PgTransaction {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl DerefMut for PgTransaction {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.0
    }
}

/// Where the statements of a transaction run.
#[derive(Debug)]
pub(crate) struct Session {
    transaction: Transaction<'static, Postgres>,
    is_pooled: bool,
}

/// A statement that is named only where names are safe.
struct Guarded<E> {
    statement: E,
    is_pooled: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Guarded<E> {
    fn sql(self) -> SqlStr {
        self.statement.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<sqlx::postgres::PgArguments>, sqlx::error::BoxDynError> {
        self.statement.take_arguments()
    }

    fn persistent(&self) -> bool {
        !self.is_pooled && self.statement.persistent()
    }
}

/// What a statement returns: counts and rows.
type Step = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for &'c mut Session {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let guarded = Guarded { statement: query, is_pooled: self.is_pooled };
        (&mut *self.transaction).fetch_many(guarded)
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let guarded = Guarded { statement: query, is_pooled: self.is_pooled };
        (&mut *self.transaction).fetch_optional(guarded)
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        (&mut *self.transaction).prepare_with(sql, parameters)
    }
}

impl<'c> Executor<'c> for &'c PgDatabase {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if !self.is_pooled {
            return (&self.pool).fetch_many(query);
        }
        let steps = async move {
            let mut tx = self.begin().await?;
            let steps: Vec<Step> = (&mut *tx).fetch_many(query).try_collect().await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(stream::iter(steps.into_iter().map(Ok)))
        };
        stream::once(steps).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if !self.is_pooled {
            return (&self.pool).fetch_optional(query);
        }
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let row = (&mut *tx).fetch_optional(query).await?;
            tx.commit().await?;
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        (&self.pool).prepare_with(sql, parameters)
    }
}
