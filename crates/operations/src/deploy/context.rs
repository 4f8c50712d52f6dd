//! What the steps of a deployment share: the plan, the settings, the target, and how progress is reported.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{error::StepError, release::Releases, slot::Slot, state::State, target::Target};
use application::clock::Clock;
use config::{Config, Environment};

/// What to deploy, and how carefully.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The env file with the settings.
    pub settings: PathBuf,
    /// The folder of the sources, which are tested and built.
    pub source: PathBuf,
    /// Deploy this program instead of building one.
    pub program: Option<PathBuf>,
    pub skip_tests: bool,
    /// Deploy the last build.
    pub skip_build: bool,
    pub action: Action,
    /// Report what would be done, and change nothing.
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Action {
    #[default]
    Deploy,
    Rollback,
    /// Stop the serving version, for example to restore a backup.
    Stop,
    /// Start the stopped version again.
    Start,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    StepStarted(&'static str),
    StepFinished { found: String, elapsed: Duration },
    StepSkipped { title: &'static str, reason: String },
    Note(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// The version that serves now.
    pub release: String,
    pub slot: Slot,
    /// The version to roll back to.
    pub previous: Option<String>,
}

pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan,
    pub(super) config: &'a Config,
    pub(super) environment: &'a Environment,
    pub(super) clock: &'a Clock,
    pub(super) target: Target,
    pub(super) releases: Releases,
    pub(super) state: State,
    pub(super) report: &'a mut (dyn FnMut(Progress) + Send),
    /// The title of the current step.
    pub(super) current_step: &'static str,
    /// The slot to stop again if a later step fails.
    pub(super) started: Option<Slot>,
}

impl Context<'_> {
    /// Runs a step and reports its progress.
    pub(super) async fn step<T>(
        &mut self,
        title: &'static str,
        work: impl AsyncFnOnce(&mut Self) -> Result<(T, String), StepError>,
    ) -> Result<T, StepError> {
        self.current_step = title;
        (self.report)(Progress::StepStarted(title));
        let started = Instant::now();
        let (outcome, found) = work(self).await?;
        (self.report)(Progress::StepFinished { found, elapsed: started.elapsed() });
        Ok(outcome)
    }

    pub(super) fn skip(&mut self, title: &'static str, reason: impl Into<String>) {
        (self.report)(Progress::StepSkipped { title, reason: reason.into() });
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        (self.report)(Progress::Note(text.into()));
    }

    pub(super) fn folder(&self) -> &Path {
        &self.config.deploy.dir
    }
}
