//! Why a deployment failed. The words are written here.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use super::slot::Slot;
use crate::{prometheus::ParseError, server_client::ClientError};

/// Why no new version is in service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was changed.
    #[error("{0}")]
    NotStarted(StepError),
    /// A step failed, and the previous state was restored.
    #[error("{step}: {cause}\n{serving}")]
    StepFailed {
        step: &'static str,
        cause: StepError,
        /// Which version serves now.
        serving: String,
    },
}

/// Why a step failed, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error("The deployment was interrupted.")]
    Interrupted,
    #[error("{} cannot be used: {source}.", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("The folder {} cannot be used: {source}. Create it, or set deploy.dir to another one.", .folder.display())]
    DeployFolder { folder: PathBuf, source: io::Error },
    #[error("Another deployment is running here. Wait until it has finished.")]
    Locked,
    #[error(
        "{} cannot be read ({source}). It records which slot serves; restore it from a copy, or write it again.",
        .path.display()
    )]
    State { path: PathBuf, source: serde_json::Error },
    #[error("{path} contains secrets, and other users can read it. Run `chmod 600 {path}`.", path = .0.display())]
    SettingsReadable(PathBuf),
    #[error(transparent)]
    Settings(#[from] config::ConfigError),
    #[error("`{command}` cannot be run: {source}. Check that it is installed and that this user may run it.")]
    CommandNotRun { command: String, source: io::Error },
    #[error("`{command}` failed ({status}):\n  {output}")]
    CommandFailed { command: String, status: ExitStatus, output: String },
    #[error(
        "The unit ba-copilot@.service is not installed. Copy it from infra/systemd to /etc/systemd/system and run \
         `systemctl daemon-reload`. {0}"
    )]
    UnitMissing(Box<StepError>),
    #[error(
        "The network {network} does not exist: the services beside the slots were not started. Run `docker compose -p \
         ba-copilot --env-file .env.production -f infra/compose/compose.yaml -f infra/compose/compose.prod.yaml up -d`."
    )]
    NetworkMissing { network: &'static str },
    #[error("Process {0} does not end.")]
    ProcessStuck(i32),
    #[error("No version is in {}: deploy one first.", .0.display())]
    NoRelease(PathBuf),
    #[error("Nothing has been deployed here yet.")]
    NothingDeployed,
    #[error("There is no earlier version to roll back to.")]
    NoPreviousRelease,
    #[error(
        "The release {0} is no longer stored. Deploy it from its sources: `git checkout`, then `ba-copilot deploy`."
    )]
    ReleaseDeleted(String),
    #[error(
        "{cause}\nThe schema was changed in a way that this version does not support. Restore a backup from before the \
         upgrade: `ba-copilot backup list`."
    )]
    SchemaTooNew { cause: Box<StepError> },
    #[error("{} is not this program: its answer to --version is `{answer}`.", .program.display())]
    WrongProgram { program: PathBuf, answer: String },
    #[error("The address of the server cannot be used: {0}.")]
    Address(ClientError),
    #[error("The new version {0}.")]
    Client(#[from] ClientError),
    #[error("The metrics of the new version cannot be read: {0}.")]
    Metrics(#[from] ParseError),
    #[error("The new version exited. Recent log:\n  {log}")]
    Exited { log: String },
    #[error("The new version was not ready after {after_s} s: {found}. Recent log:\n  {log}")]
    NotReady { after_s: u64, found: String, log: String },
    #[error("The new version failed verification:{}", .0.concat())]
    VerificationFailed(Vec<String>),
    #[error("The new version does not answer at the public address {address}: it {found}.")]
    NotPublic { address: String, found: String },
    #[error("At the public address {address}, the server {found}.")]
    Unhealthy { address: String, found: String },
    #[error("{failures} of {requests} requests failed in the new version.")]
    TooManyFailures { failures: f64, requests: f64 },
    #[error(
        "The version in slot {slot} {}, {after_s} s after its standby file changed.",
        if *.ready { "is not ready" } else { "still serves" }
    )]
    StandbyIgnored { slot: Slot, ready: bool, after_s: u64 },
}

impl StepError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        StepError::File { path: path.to_owned(), source }
    }
}
