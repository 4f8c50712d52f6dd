//! A PostgreSQL server for one test.

pub(crate) use test_support::postgres::{Postgres, as_user, programs, run, unprivileged};
