//! `doctor`: THE table of what is looked at on the machine, in the configuration and in what they lead to.
//!
//! Each check says what it saw and, where that is not good, what to do. It changes nothing by itself; what is safe to mend is
//! offered as a [`Fix`]. No answer holds a secret, an address of a person, or contents.

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

use std::{pin::Pin, sync::Arc, time::Duration};

pub use context::{Bench, problems_of_parts};
pub use report::{Fix, Line, Outcome, Report, Status};

/// One thing that is looked at.
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// What should be.
    pub title: &'static str,
    run: fn(Arc<Bench>) -> Looking,
}

/// A check that is under way.
type Looking = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

macro_rules! checks {
    ($($id:literal, $title:literal, $run:path;)*) => {
        &[$(Check { id: $id, title: $title, run: |bench| Box::pin(async move { $run(&bench).await }) }),*]
    };
}

/// Every check, in the order in which the answers are told.
pub const CHECKS: &[Check] = checks! {
    "configuration", "The settings can be used", configuration::settings;
    "secret-files", "Files with secrets are for their owner alone", configuration::secret_files;
    "temp-folder", "Temporary files can be written", machine::temp_folder;
    "open-files", "Enough files and connections may be open", machine::open_files;
    "clock", "The clock is right", machine::clock;
    "data-folder", "The data folder is there", data::folder;
    "data-writable", "The data folder can be written", data::writable;
    "data-rights", "The data folder is for its owner alone", data::rights;
    "data-disk", "The data folder is on a local disk", data::disk;
    "disk-space", "There is room", data::space;
    "database-files", "The database file is for its owner alone", data::database_files;
    "journal-mode", "SQLite keeps a write-ahead log", data::journal_mode;
    "database", "The database can be opened", database::opens;
    "schema", "The tables are those of this program", database::schema;
    "integrity", "The database file is not damaged", database::integrity;
    "foreign-keys", "No row points to what is not there", database::foreign_keys;
    "postgres-version", "PostgreSQL is new enough", postgres::version;
    "postgres-encoding", "PostgreSQL keeps every character", postgres::encoding;
    "postgres-clock", "PostgreSQL's clock agrees with ours", postgres::clock;
    "postgres-connections", "PostgreSQL has connections left", postgres::connections;
    "postgres-rights", "PostgreSQL lets us work", postgres::rights;
    "secret-key", "SECRET_KEY is hard to guess", encryption::secret_key;
    "secret-key-file", "secret.key is whole, and for its owner alone", encryption::secret_key_file;
    "sealed", "Everything sealed can be opened", encryption::opens;
    "accounts", "Strangers are kept out", network::accounts;
    "public-url", "People reach it under a safe address", network::public_url;
    "proxies", "Proxies are counted", network::proxies;
    "port", "The address to listen on is free or ours", network::port;
    "engine", "Mermaid's parser gives verdicts", dependencies::engine;
    "redis", "Redis answers", dependencies::redis;
    "ai-service", "The AI service answers", dependencies::ai_service;
    "mcp-server", "The MCP server answers", dependencies::mcp_server;
    "mail", "Messages reach people", dependencies::mail;
    "sign-in-provider", "The sign-in provider answers", dependencies::sign_in_provider;
    "model", "The model can be reached", dependencies::model;
    "traces", "The collector of traces takes connections", dependencies::traces;
    "error-reports", "Sentry takes connections", dependencies::error_reports;
    "breached-passwords", "The list of breached passwords can be searched", dependencies::breached_passwords;
    "jobs", "Jobs are worked on", background_jobs::jobs;
    "webhooks", "Webhooks are told", background_jobs::webhooks;
    "backup", "There is a fresh backup that was tried", background_jobs::backup;
};

/// A check that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(15);
/// Reading a large database takes its time.
const LONGEST_READ: Duration = Duration::from_secs(120);

/// Runs every check, those that wait beside each other. A check that breaks is a problem of its own.
pub async fn examine(bench: Bench) -> Report {
    let bench = Arc::new(bench);
    let running: Vec<_> =
        CHECKS.iter().map(|check| (check, tokio::spawn(run(check, Arc::clone(&bench))))).collect();
    let mut lines = Vec::with_capacity(CHECKS.len());
    for (check, running) in running {
        let (outcome, took) = running.await.unwrap_or_else(|_| {
            let cure = "This is a fault of the program; report it with the name of the check.";
            (Outcome::problem("the check itself broke", cure), Duration::ZERO)
        });
        lines.push(Line::new(check, outcome, took));
    }
    bench.close().await;
    Report::new(lines)
}

async fn run(check: &Check, bench: Arc<Bench>) -> (Outcome, Duration) {
    let begun = std::time::Instant::now();
    let longest = if ["integrity", "foreign-keys"].contains(&check.id) { LONGEST_READ } else { LONGEST };
    let outcome = tokio::time::timeout(longest, (check.run)(bench)).await.unwrap_or_else(|_| {
        Outcome::warning(
            format!("no answer within {} s", longest.as_secs()),
            "See what keeps it: a slow disk, a name that is not resolved, or a server that hangs.",
        )
    });
    (outcome, begun.elapsed())
}
