//! The PostgreSQL server.

use store::{Backend, PostgresFacts};

use super::{Bench, Outcome};

/// The oldest that the tests run on.
const OLDEST: i64 = 150_000;
/// What one process holds at most, and as much again for the one that replaces it.
const ROOM: i64 = 16;
/// Clocks differ by so much, in seconds, without harm.
const TOLERATED_S: i64 = 5;

fn facts(bench: &Bench) -> Result<&PostgresFacts, Outcome> {
    let (_, store) = bench.opened()?;
    if store.backend() == Backend::Sqlite {
        return Err(Outcome::skipped("SQLite keeps the data"));
    }
    match &bench.postgres {
        Some(Ok(facts)) => Ok(facts),
        Some(Err(error)) => Err(Outcome::warning(
            format!("the server did not say: {error}"),
            "Let the user of DATABASE_URL read the system catalogues, as is usual.",
        )),
        None => Err(Outcome::skipped("the server was not asked")),
    }
}

fn judge(bench: &Bench, judge: impl Fn(&PostgresFacts) -> Outcome) -> Outcome {
    facts(bench).map_or_else(|outcome| outcome, judge)
}

pub(super) async fn version(bench: &Bench) -> Outcome {
    judge(bench, |facts| judge_version(facts.version))
}

fn judge_version(version: i64) -> Outcome {
    let told = format!("PostgreSQL {}.{}", version / 10_000, version % 10_000);
    match version {
        OLDEST.. => Outcome::ok(told),
        _ => Outcome::problem(told, "Upgrade the server to PostgreSQL 15 or newer."),
    }
}

pub(super) async fn encoding(bench: &Bench) -> Outcome {
    judge(bench, |facts| match facts.encoding.as_str() {
        "UTF8" => Outcome::ok("UTF8"),
        other => Outcome::problem(
            format!("the database is written in {other}, which has not every character"),
            "Make a new database (`createdb --encoding UTF8 --template template0`) and move everything there with pg_dump and pg_restore.",
        ),
    })
}

pub(super) async fn clock(bench: &Bench) -> Outcome {
    judge(bench, |facts| {
        let apart_s = (facts.now.as_micros() - bench.clock.now_us().as_micros()) / 1_000_000;
        match apart_s.abs() {
            0..=TOLERATED_S => Outcome::ok("the clocks agree"),
            _ => Outcome::problem(
                format!(
                    "the clock of the server is {} s {}",
                    apart_s.abs(),
                    if apart_s > 0 { "ahead" } else { "behind" }
                ),
                "Keep both clocks right with NTP, for example systemd-timesyncd or chrony.",
            ),
        }
    })
}

pub(super) async fn connections(bench: &Bench) -> Outcome {
    judge(bench, |facts| {
        let free = facts.max_connections - facts.connections;
        let saw = format!("{} of {} connections are taken", facts.connections, facts.max_connections);
        match free {
            ROOM.. => Outcome::ok(saw),
            _ => Outcome::warning(
                saw,
                "Each process holds up to 8. Raise max_connections in postgresql.conf, or end what holds the others.",
            ),
        }
    })
}

pub(super) async fn rights(bench: &Bench) -> Outcome {
    judge(bench, |facts| {
        if facts.read_only {
            return Outcome::problem(
                "the server takes no writes: it is a standby, or set so",
                "Name the primary in DATABASE_URL, or set default_transaction_read_only = off.",
            );
        }
        if facts.tables_out_of_reach > 0 {
            return Outcome::problem(
                format!("{} tables may not be both read and written", facts.tables_out_of_reach),
                "Connect as the user who owns the tables, or GRANT SELECT, INSERT, UPDATE, DELETE on them to this one.",
            );
        }
        match facts.may_create {
            true => Outcome::ok("tables may be made, read and written"),
            false => Outcome::problem(
                "no tables may be made, so that no upgrade can be applied",
                "GRANT USAGE, CREATE ON SCHEMA public to the user of DATABASE_URL, or make it the owner of the database.",
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_a_problem() {
        for (version, expected) in [(140_020, "Problem"), (150_000, "Ok"), (170_004, "Ok")] {
            assert!(
                format!("{:?}", judge_version(version)).contains(&format!("status: {expected}")),
                "{version}"
            );
        }
    }
}
