//! The store as its callers see it, on SQLite always and on PostgreSQL when a server is given.
//!
//! PostgreSQL: set `BA_COPILOT_TEST_POSTGRES_URL` to a server on which the user may create databases. Each test makes
//! a database of its own there and drops it.

// `cfg(test)` is always true here; it is written out so that the lints that spare tests spare these modules too.
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod files;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod story;
#[cfg(test)]
mod transfer;
