//! Brings a new version into service beside the old one, and the old one back when anything is wrong.
//!
//! There are two *slots*, blue and green, of which one serves. The new version is started in the other one, where it *stands by*: it
//! runs, and nobody is sent to it. There it is tried. Then the places are changed, by a file in the folder of each slot
//! (`standby.rs` of this crate): the new one serves, the old one stands by and answers what it has begun. Only when the new one has
//! served well for a while does the old one end. Up to then, going back is removing one file and writing another.
//!
//! What is where: `fleet.rs` is how processes of a slot are started and ended, on each target; `releases.rs` the versions that are
//! kept; `state.rs` what was done; `steps.rs` the steps before the switch; `switch.rs` the switch and the way back. Never touches the
//! database itself: the new version's own commands do.

mod compose;
mod fleet;
mod process;
mod processes;
mod releases;
mod state;
mod steps;
mod switch;
mod systemd;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use application::clock::Clock;
use config::{Config, Environment};
use fleet::Fleet;
use releases::Releases;
use state::{Lock, State};

pub use releases::Release;

/// A place for one running version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// One of them.
    Blue,
    /// The other one.
    Green,
}

impl Slot {
    /// Both.
    pub const ALL: [Slot; 2] = [Slot::Blue, Slot::Green];

    /// The other one.
    pub fn other(self) -> Slot {
        match self {
            Slot::Blue => Slot::Green,
            Slot::Green => Slot::Blue,
        }
    }

    /// Its name in folders and units.
    pub fn word(self) -> &'static str {
        match self {
            Slot::Blue => "blue",
            Slot::Green => "green",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is to be deployed, and how carefully.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The file of settings.
    pub settings: PathBuf,
    /// Where the sources are: what is tested and built there.
    pub source: PathBuf,
    /// Deploy this program instead of building one.
    pub program: Option<PathBuf>,
    /// Do not run the tests.
    pub skip_tests: bool,
    /// Build nothing: what was built last is deployed.
    pub skip_build: bool,
    /// What to do, if it is not to bring a new version in.
    pub instead: Option<Instead>,
    /// Say what would be done, look at what can be looked at, and do nothing.
    pub dry_run: bool,
}

/// What can be done with what was deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Go back to the version that served before.
    Rollback,
    /// End what serves, for work that needs it: to restore a backup.
    Stop,
    /// Start it again.
    Start,
}

/// What is told while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A step has begun.
    Begun(&'static str),
    /// It is done; what was seen.
    Done(String, Duration),
    /// It is left out; why.
    Left(&'static str, String),
    /// Something to know meanwhile.
    Note(String),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// What serves now.
    pub release: String,
    /// Where.
    pub slot: Slot,
    /// What served before.
    pub previous: Option<String>,
}

/// Why there is no new version in service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not begin.
    #[error("{0}")]
    NotBegun(String),
    /// A step failed, and everything is as it was before.
    #[error("{step}: {why}\n{serving}")]
    Stopped {
        /// Which one.
        step: &'static str,
        /// What was seen, and what to do.
        why: String,
        /// Who serves now.
        serving: String,
    },
}

/// Why a step failed: what was seen, and what to do.
type Came<T> = Result<T, String>;

/// Everything that steps need.
struct Site<'a> {
    order: &'a Order,
    config: &'a Config,
    environment: &'a Environment,
    clock: &'a Clock,
    fleet: Fleet,
    releases: Releases,
    state: State,
    tell: &'a mut (dyn FnMut(Told) + Send),
    /// The step that is under way.
    step: &'static str,
    /// The slot in which something was started that is not to stay if anything fails.
    started: Option<Slot>,
}

impl Site<'_> {
    /// Carries a step out, and tells of it.
    async fn step<T>(
        &mut self,
        title: &'static str,
        work: impl AsyncFnOnce(&mut Self) -> Came<(T, String)>,
    ) -> Came<T> {
        self.step = title;
        (self.tell)(Told::Begun(title));
        let begun = Instant::now();
        let (outcome, seen) = work(self).await?;
        (self.tell)(Told::Done(seen, begun.elapsed()));
        Ok(outcome)
    }

    fn leave(&mut self, title: &'static str, why: impl Into<String>) {
        (self.tell)(Told::Left(title, why.into()));
    }

    fn note(&mut self, text: impl Into<String>) {
        (self.tell)(Told::Note(text.into()));
    }

    fn folder(&self) -> &Path {
        &self.config.deploy.dir
    }
}

/// Deploys, or goes back. `environment` is what the program is to be started with, and `config` what it makes of that.
///
/// # Errors
/// When nothing was changed, or when everything is again as it was before: [`Error::Stopped`] says who serves.
pub async fn deploy(
    order: &Order,
    environment: &Environment,
    config: &Config,
    clock: &Clock,
    tell: &mut (dyn FnMut(Told) + Send),
) -> Result<Deployed, Error> {
    let folder = &config.deploy.dir;
    let _lock = match order.dry_run {
        true => None,
        false => Some(Lock::take(folder).map_err(Error::NotBegun)?),
    };
    let state = State::read(folder).map_err(Error::NotBegun)?;
    let mut site = Site {
        order,
        config,
        environment,
        clock,
        fleet: Fleet::of(config, environment, &order.source),
        releases: Releases::of(folder),
        state,
        tell,
        step: "",
        started: None,
    };
    let interrupted = process::interrupted();
    tokio::pin!(interrupted);
    let before = site.state.clone();
    // Until the switch is over an interruption is a failure like any other.
    let outcome = tokio::select! {
        outcome = go(&mut site) => outcome,
        () = &mut interrupted => Err("it was interrupted".to_owned()),
    };
    match outcome {
        Ok(deployed) => Ok(deployed),
        Err(why) => {
            let step = site.step;
            let serving = match order.dry_run {
                true => "Nothing was changed.".to_owned(),
                false => switch::go_back(&mut site, before).await,
            };
            Err(Error::Stopped { step, why, serving })
        }
    }
}

/// Runs a command of the version that serves, or of the one that was taken last, with the settings that it serves with, on this
/// terminal; whether it ended well.
///
/// # Errors
/// When there is no version, or it cannot be run.
pub async fn run_command(
    words: &[&str],
    source: &Path,
    environment: &Environment,
    config: &Config,
    on_terminal: bool,
) -> Result<bool, Error> {
    let folder = &config.deploy.dir;
    let state = State::read(folder).map_err(Error::NotBegun)?;
    let releases = Releases::of(folder);
    let active = state.active.and_then(|active| releases.find(&active.release));
    let release = active.or_else(|| releases.newest()).ok_or_else(|| {
        Error::NotBegun(format!("No version is in {}: deploy one first.", folder.display()))
    })?;
    let fleet = Fleet::of(config, environment, source);
    let command = fleet.command(&release, words, environment, on_terminal).await;
    let mut command = command.map_err(Error::NotBegun)?;
    let status = tokio::task::spawn_blocking(move || command.status()).await;
    match status {
        Ok(Ok(status)) => Ok(status.success()),
        Ok(Err(error)) => Err(Error::NotBegun(format!("The command cannot be run: {error}."))),
        Err(error) => Err(Error::NotBegun(error.to_string())),
    }
}

async fn go(site: &mut Site<'_>) -> Came<Deployed> {
    let release = match site.order.instead {
        Some(Instead::Rollback) => steps::find_previous(site).await?,
        Some(Instead::Stop) => return switch::stop(site).await,
        Some(Instead::Start) => return switch::start_again(site).await,
        None => steps::prepare(site).await?,
    };
    let Some(release) = release else {
        // A dry run ends where the new version would be started.
        let release = site.state.active.as_ref().map(|active| active.release.clone()).unwrap_or_default();
        let slot = site.state.active.as_ref().map_or(Slot::Blue, |active| active.slot);
        return Ok(Deployed { release, slot, previous: None });
    };
    switch::bring_in(site, release).await
}
