//! `doctor`: the list of checks of a machine, its settings and the services they name.
//!
//! A check changes nothing. What can be repaired without loss is offered as a [`crate::diagnostics::Fix`]. No outcome
//! contains a secret, an address of a person, or stored contents.

mod background_jobs;
mod configuration;
mod context;
mod data;
mod database;
mod dependencies;
mod encryption;
mod machine;
mod network;
mod postgres;
mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use context::{CheckContext, problems_of_parts};
pub use report::{Report, status_name};

use crate::diagnostics::{Check, CheckReport, Outcome, checks};

/// For a check that panics; every other failure has a cure of its own.
const BUG: &str = "This is a bug: report it with the id of the check.";

/// In the order of the report.
pub const CHECKS: &[Check<Arc<CheckContext>>] = checks! {
    "configuration", "The settings can be used", BUG, configuration::settings;
    "secret-files", "Only the owner can access files with secrets", BUG, configuration::secret_files;
    "temp-folder", "The folder for temporary files is writable", BUG, machine::temp_folder;
    "open-files", "The limit of open files is high enough", BUG, machine::open_files;
    "clock", "The clock is right", BUG, machine::clock;
    "data-folder", "The data folder exists", BUG, data::folder;
    "data-writable", "The data folder is writable", BUG, data::writable;
    "data-rights", "Only the owner can access the data folder", BUG, data::rights;
    "data-disk", "The data folder is on a local disk", BUG, data::disk;
    "disk-space", "There is enough disk space", BUG, data::space;
    "database-files", "Only the owner can access the database file", BUG, data::database_files;
    "journal-mode", "SQLite uses a write-ahead log", BUG, data::journal_mode;
    "database", "The database can be opened", BUG, database::opens;
    "schema", "The schema is current", BUG, database::schema;
    "integrity", "The database file is intact", BUG, database::integrity;
    "foreign-keys", "Every foreign key has its row", BUG, database::foreign_keys;
    "postgres-version", "PostgreSQL is new enough", BUG, postgres::version;
    "postgres-encoding", "PostgreSQL stores Unicode", BUG, postgres::encoding;
    "postgres-clock", "The clock of PostgreSQL matches that of this machine", BUG, postgres::clock;
    "postgres-connections", "PostgreSQL has free connections", BUG, postgres::connections;
    "postgres-pooler", "A pooler in front of PostgreSQL is configured", BUG, postgres::pooler;
    "postgres-rights", "The PostgreSQL user has the necessary rights", BUG, postgres::rights;
    "secret-key", "SECRET_KEY is random", BUG, encryption::secret_key;
    "secret-key-file", "secret.key is valid, and only its owner can access it", BUG, encryption::secret_key_file;
    "sealed", "Every encrypted value can be decrypted", BUG, encryption::opens;
    "accounts", "Only known users have access", BUG, network::accounts;
    "public-url", "The public address uses TLS", BUG, network::public_url;
    "proxies", "The number of proxies is configured", BUG, network::proxies;
    "port", "The address to listen on is free, or this program listens there", BUG, network::port;
    "engine", "Mermaid's parser works", BUG, dependencies::engine;
    "redis", "Redis answers", BUG, dependencies::redis;
    "ai-service", "The AI service answers", BUG, dependencies::ai_service;
    "mcp-server", "The MCP server answers", BUG, dependencies::mcp_server;
    "mail", "Mail can be sent", BUG, dependencies::mail;
    "sign-in-provider", "The sign-in provider answers", BUG, dependencies::sign_in_provider;
    "provider-proxy", "The proxy for requests to models is as intended", BUG, network::provider_proxy;
    "certificates", "The certificates of trusted authorities can be read", BUG, network::certificates;
    "model", "The model can be reached", BUG, dependencies::model;
    "traces", "The trace collector accepts connections", BUG, dependencies::traces;
    "error-reports", "Sentry accepts connections", BUG, dependencies::error_reports;
    "breached-passwords", "The list of breached passwords can be searched", BUG, dependencies::breached_passwords;
    "jobs", "Jobs are processed", BUG, background_jobs::jobs;
    "webhooks", "Webhooks are delivered", BUG, background_jobs::webhooks;
    "backup", "There is a recent, verified backup", BUG, background_jobs::backup;
};

const TIMEOUT: Duration = Duration::from_secs(15);
/// For checks that read the whole database.
const FULL_READ_TIMEOUT: Duration = Duration::from_secs(120);
const FULL_READS: [&str; 2] = ["integrity", "foreign-keys"];

/// Runs all checks concurrently.
pub async fn examine(context: CheckContext) -> Report {
    let context = Arc::new(context);
    let running: Vec<_> =
        CHECKS.iter().map(|check| (check, tokio::spawn(run(check, Arc::clone(&context))))).collect();
    let mut checks = Vec::with_capacity(CHECKS.len());
    for (check, running) in running {
        checks.push(running.await.unwrap_or_else(|_| {
            check.report(Outcome::failed("the check panicked", check.cure), Duration::ZERO)
        }));
    }
    context.close().await;
    Report { checks }
}

async fn run(check: &'static Check<Arc<CheckContext>>, mut context: Arc<CheckContext>) -> CheckReport {
    let started = Instant::now();
    let timeout = if FULL_READS.contains(&check.id) { FULL_READ_TIMEOUT } else { TIMEOUT };
    tokio::time::timeout(timeout, check.run(&mut context)).await.unwrap_or_else(|_| {
        let outcome = Outcome::warning(
            format!("no result within {} s", timeout.as_secs()),
            "Look for a slow disk, a name that does not resolve, or a server that hangs.",
        );
        check.report(outcome, started.elapsed())
    })
}
