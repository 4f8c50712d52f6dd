//! The public interface of the store, on SQLite always and on PostgreSQL when a server is configured.
//!
//! PostgreSQL: set `BA_COPILOT_TEST_POSTGRES_URL` to a server on which the user may create databases. Each test creates
//! a database there and drops it.

// `cfg(test)` is always true here; it is explicit so that lints that ignore tests ignore these modules, too.
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod diagnosis;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod encryption;
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
mod pooler;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod story;
#[cfg(test)]
mod transfer;
