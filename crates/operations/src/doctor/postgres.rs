//! The PostgreSQL server.

use secrecy::ExposeSecret;
use store::{Backend, ConnectOptions, PostgresFacts, Store, StoreError};

use super::context::{CONNECT_TIMEOUT, CheckContext};
use crate::diagnostics::{CheckResult, Outcome};

/// The oldest version that the tests cover.
const MIN_VERSION: i64 = 150_000;
/// The pools of two processes: the serving one, and the one that replaces it.
const MIN_FREE_CONNECTIONS: i64 = 16;
/// A difference between clocks that does no harm.
const TOLERATED_S: i64 = 5;

/// Judges the facts that the server reported about itself.
fn judge(context: &CheckContext, judge: impl Fn(&PostgresFacts) -> Outcome) -> CheckResult {
    let (_, store) = context.opened()?;
    if store.backend() == Backend::Sqlite {
        return Ok(Outcome::skipped("SQLite stores the data"));
    }
    Ok(match &context.postgres {
        Some(Ok(facts)) => judge(facts),
        Some(Err(error)) => Outcome::warning(
            format!("the system catalogues cannot be read: {error}"),
            "Let the user of DATABASE_URL read the system catalogues, which is the default.",
        ),
        None => Outcome::skipped("the server was not queried"),
    })
}

pub(super) async fn version(context: &CheckContext) -> CheckResult {
    judge(context, |facts| judge_version(facts.version))
}

fn judge_version(version: i64) -> Outcome {
    let version_name = format!("PostgreSQL {}.{}", version / 10_000, version % 10_000);
    match version {
        MIN_VERSION.. => Outcome::ok(version_name),
        _ => Outcome::failed(version_name, "Upgrade the server to PostgreSQL 15 or newer."),
    }
}

pub(super) async fn encoding(context: &CheckContext) -> CheckResult {
    judge(context, |facts| match facts.encoding.as_str() {
        "UTF8" => Outcome::ok("UTF8"),
        other => Outcome::failed(
            format!("the encoding is {other}, which cannot store every character"),
            "Create a new database (`createdb --encoding UTF8 --template template0`) and copy the data with pg_dump \
             and pg_restore.",
        ),
    })
}

pub(super) async fn clock(context: &CheckContext) -> CheckResult {
    judge(context, |facts| {
        let apart_s = (facts.now.as_micros() - context.clock.now_us().as_micros()) / 1_000_000;
        match apart_s.abs() {
            0..=TOLERATED_S => Outcome::ok("the clocks agree"),
            _ => Outcome::failed(
                format!(
                    "the clock of the server is {} s {}",
                    apart_s.abs(),
                    if apart_s > 0 { "ahead" } else { "behind" }
                ),
                "Synchronize both clocks with NTP, for example systemd-timesyncd or chrony.",
            ),
        }
    })
}

pub(super) async fn connections(context: &CheckContext) -> CheckResult {
    judge(context, |facts| {
        let free = facts.max_connections - facts.connections;
        let found = format!("{} of {} connections are in use", facts.connections, facts.max_connections);
        match free {
            MIN_FREE_CONNECTIONS.. => Outcome::ok(found),
            _ => Outcome::warning(
                found,
                "Each process uses up to 8. Raise max_connections in postgresql.conf, or close other connections.",
            ),
        }
    })
}

pub(super) async fn pooler(context: &CheckContext) -> CheckResult {
    let (app, store) = context.opened()?;
    if store.backend() == Backend::Sqlite {
        return Ok(Outcome::skipped("SQLite stores the data"));
    }
    let direct = app.config.data.direct_url.expose_secret();
    Ok(match (store.is_pooled(), direct) {
        (false, "") => Outcome::ok("a direct connection, or a pooler in session mode"),
        (true, "") => Outcome::warning(
            "a pooler in transaction mode, and DATABASE_DIRECT_URL is not set",
            "Set DATABASE_DIRECT_URL to the address of the server itself. Without it, changes of other processes are \
             noticed after a second, and backups fail.",
        ),
        (is_pooled, direct) => match is_direct(store, direct).await {
            Ok(None) if is_pooled => Outcome::ok("a pooler in transaction mode, and a direct connection"),
            Ok(None) => Outcome::ok("direct connections"),
            Ok(Some(found)) => Outcome::failed(
                found,
                "Set DATABASE_DIRECT_URL to the same database, at the address of the server itself.",
            ),
            Err(error) => Outcome::failed(
                format!("DATABASE_DIRECT_URL cannot be used: {error}"),
                "Correct it, or allow connections from this machine to the server itself.",
            ),
        },
    })
}

/// What is wrong with the direct connection.
async fn is_direct(store: &Store, url: &str) -> Result<Option<&'static str>, StoreError> {
    let options = ConnectOptions {
        max_connections: 1,
        acquire_timeout: CONNECT_TIMEOUT,
        read_only: true,
        ..ConnectOptions::default()
    };
    let direct = Store::connect(url, &options).await?;
    let compared = async {
        Ok::<_, StoreError>((store.find_database_identity().await?, direct.find_database_identity().await?))
    }
    .await;
    direct.close().await;
    let (one, other) = compared?;
    Ok(match () {
        () if direct.is_pooled() => {
            Some("DATABASE_DIRECT_URL leads through a pooler in transaction mode, too")
        }
        () if one != other => Some("DATABASE_DIRECT_URL names another database than DATABASE_URL"),
        () => None,
    })
}

pub(super) async fn rights(context: &CheckContext) -> CheckResult {
    judge(context, |facts| {
        if facts.read_only {
            return Outcome::failed(
                "the server is read-only: it is a standby, or configured so",
                "Set DATABASE_URL to the primary, or set default_transaction_read_only = off.",
            );
        }
        if facts.tables_out_of_reach > 0 {
            return Outcome::failed(
                format!("{} tables cannot be read and written", facts.tables_out_of_reach),
                "Connect as the owner of the tables, or GRANT SELECT, INSERT, UPDATE, DELETE on them to this user.",
            );
        }
        match facts.may_create {
            true => Outcome::ok("tables can be created, read and written"),
            false => Outcome::failed(
                "tables cannot be created, so migrations fail",
                "GRANT USAGE, CREATE ON SCHEMA public to the user of DATABASE_URL, or make that user the owner of the \
                 database.",
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::Status;

    #[test]
    fn unsupported_server_version_fails() {
        for (version, expected) in [(140_020, Status::Failed), (150_000, Status::Ok), (170_004, Status::Ok)] {
            assert_eq!(judge_version(version).status(), expected, "{version}");
        }
    }
}
