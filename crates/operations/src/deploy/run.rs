//! One deployment, from the lock to the result.

use std::path::Path;

use super::{
    command,
    context::{Action, Context, Deployed, Plan, Progress},
    error::{Error, StepError},
    release::Releases,
    slot::Slot,
    state::{Lock, State},
    steps, switchover,
    target::Target,
};
use application::clock::Clock;
use config::{Config, Environment};

/// Carries out a plan. `environment` is what the program is started with, and `config` the settings read from it.
///
/// # Errors
/// When nothing was changed, or when the previous state was restored: [`Error::StepFailed`] says which version serves.
pub async fn deploy(
    plan: &Plan,
    environment: &Environment,
    config: &Config,
    clock: &Clock,
    report: &mut (dyn FnMut(Progress) + Send),
) -> Result<Deployed, Error> {
    let folder = &config.deploy.dir;
    let _lock = match plan.dry_run {
        true => None,
        false => Some(Lock::acquire(folder).map_err(Error::NotStarted)?),
    };
    let state = State::read(folder).map_err(Error::NotStarted)?;
    let mut context = Context {
        plan,
        config,
        environment,
        clock,
        target: Target::from_config(config, environment, &plan.source),
        releases: Releases::in_folder(folder),
        state,
        report,
        current_step: "",
        started: None,
    };
    let interrupted = command::interrupted();
    tokio::pin!(interrupted);
    let before = context.state.clone();
    // Until the switch is complete, an interruption is a failure like any other.
    let outcome = tokio::select! {
        outcome = carry_out(&mut context) => outcome,
        () = &mut interrupted => Err(StepError::Interrupted),
    };
    match outcome {
        Ok(deployed) => Ok(deployed),
        Err(cause) => {
            let step = context.current_step;
            let serving = match plan.dry_run {
                true => "Nothing was changed.".to_owned(),
                false => switchover::revert(&mut context, before).await,
            };
            Err(Error::StepFailed { step, cause, serving })
        }
    }
}

async fn carry_out(context: &mut Context<'_>) -> Result<Deployed, StepError> {
    let release = match context.plan.action {
        Action::Rollback => steps::find_previous(context).await?,
        Action::Stop => return switchover::stop(context).await,
        Action::Start => return switchover::start_again(context).await,
        Action::Deploy => steps::prepare(context).await?,
    };
    let Some(release) = release else {
        // A dry run ends before the new version would be started.
        let release = context.state.active.as_ref().map(|active| active.release.clone()).unwrap_or_default();
        let slot = context.state.active.as_ref().map_or(Slot::Blue, |active| active.slot);
        return Ok(Deployed { release, slot, previous: None });
    };
    switchover::bring_into_service(context, release).await
}

/// Runs a command of the serving version, or of the newest one, with its settings; whether it succeeded.
///
/// # Errors
/// When there is no version, or it cannot be run.
pub async fn run_command(
    arguments: &[&str],
    source: &Path,
    environment: &Environment,
    config: &Config,
    on_terminal: bool,
) -> Result<bool, Error> {
    let run = async {
        let folder = &config.deploy.dir;
        let state = State::read(folder)?;
        let releases = Releases::in_folder(folder);
        let active = state.active.and_then(|active| releases.find(&active.release));
        let release =
            active.or_else(|| releases.newest()).ok_or_else(|| StepError::NoRelease(folder.clone()))?;
        let target = Target::from_config(config, environment, source);
        let mut command = target.command(&release, arguments, environment, on_terminal).await?;
        let name = command::display_name(&command);
        let status = tokio::task::spawn_blocking(move || command.status()).await;
        let status = status.unwrap_or_else(|error| Err(error.into()));
        status.map_err(|source| StepError::CommandNotRun { command: name, source })
    };
    run.await.map(|status| status.success()).map_err(Error::NotStarted)
}
