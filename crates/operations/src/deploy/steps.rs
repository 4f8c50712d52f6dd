//! The steps before a version is started: check the target, test, build, back up, migrate.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{command, context::Context, error::StepError, release::Release};

/// Where a build puts the program, in the folder of the sources.
const BUILT: &str = "target/dist/ba-copilot";

/// A release that is ready to be started, with the data backed up and migrated; none for a dry run.
pub(super) async fn prepare(context: &mut Context<'_>) -> Result<Option<Release>, StepError> {
    inspect(context).await?;
    let source = context.plan.source.clone();
    test(context, &source).await?;
    build(context, &source).await?;
    if context.plan.dry_run {
        for (title, would) in [
            ("Store the release", "copies the program to the folder of releases"),
            ("Check the configuration", "runs `config check` and `doctor` of the new version"),
            ("Back up", "runs `backup create --verify`"),
            ("Migrate", "runs `migrate`"),
            ("Start", "starts the new version in the free slot, on standby"),
            ("Verify", "runs the checks of `verify` against it"),
            ("Switch", "sends traffic to it, and puts the old version on standby"),
            ("Watch", "watches it serve, and goes back if it does not serve well"),
            ("Stop the old version", "stops the old version when it has finished its requests"),
        ] {
            context.skip(title, format!("a dry run; it {would}"));
        }
        return Ok(None);
    }
    let release = store(context, &source).await?;
    check(context, &release).await?;
    back_up(context, &release).await?;
    migrate(context, &release).await?;
    Ok(Some(release))
}

/// The version that served before, if it can serve again; none for a dry run.
pub(super) async fn find_previous(context: &mut Context<'_>) -> Result<Option<Release>, StepError> {
    inspect(context).await?;
    let release = context
        .step("Find the previous version", async |context| {
            let name = context.state.previous.clone().ok_or(StepError::NoPreviousRelease)?;
            let release = context.releases.find(&name);
            let release = release.ok_or_else(|| StepError::ReleaseDeleted(name.clone()))?;
            Ok((release, name))
        })
        .await?;
    context
        .step("Check the schema", async |context| {
            let checked = context.target.run(&release, &["migrate", "--dry-run"], context.environment).await;
            checked.map_err(|cause| StepError::SchemaTooNew { cause: Box::new(cause) })?;
            Ok(((), "supported by that version".to_owned()))
        })
        .await?;
    if context.plan.dry_run {
        let would =
            "a dry run; it starts that version beside the serving one, verifies it and switches to it";
        context.skip("Start", would);
        return Ok(None);
    }
    Ok(Some(release))
}

async fn inspect(context: &mut Context<'_>) -> Result<(), StepError> {
    context
        .step("Inspect the target", async |context| {
            let settings = &context.plan.settings;
            let metadata = fs::metadata(settings).map_err(|error| StepError::file(settings, error))?;
            if metadata.permissions().mode() & 0o077 != 0 {
                return Err(StepError::SettingsReadable(settings.clone()));
            }
            let target = context.target.inspect().await?;
            let serving = match &context.state.active {
                Some(active) if context.target.is_running(active.slot).await => {
                    format!("{} serves in slot {}", active.release, active.slot)
                }
                Some(active) => {
                    format!("{} should serve in slot {}, and is not running", active.release, active.slot)
                }
                None => "nothing has been deployed here yet".to_owned(),
            };
            Ok(((), format!("{target}; {serving}")))
        })
        .await
}

async fn test(context: &mut Context<'_>, source: &Path) -> Result<(), StepError> {
    let skip = context.plan.skip_tests.then_some("--skip-tests");
    run_in_sources(context, source, "Test", skip, "test").await
}

async fn build(context: &mut Context<'_>, source: &Path) -> Result<(), StepError> {
    let skip = context.plan.skip_build.then_some("--skip-build");
    run_in_sources(context, source, "Build", skip, "dist").await
}

/// Runs a command of the sources, unless there is a reason to skip it.
async fn run_in_sources(
    context: &mut Context<'_>,
    source: &Path,
    title: &'static str,
    skip: Option<&str>,
    command: &str,
) -> Result<(), StepError> {
    let would = format!("a dry run; it runs `cargo xtask {command}`");
    let reason = match context.plan {
        plan if plan.program.is_some() => Some("a program was given"),
        plan if plan.dry_run => skip.or(Some(&would)),
        _ => skip,
    };
    if let Some(reason) = reason {
        context.skip(title, reason);
        return Ok(());
    }
    context
        .step(title, async |_| {
            command::run(command::new(Path::new("cargo"), &["xtask", command], source)).await?;
            Ok(((), format!("`cargo xtask {command}` succeeded")))
        })
        .await
}

async fn store(context: &mut Context<'_>, source: &Path) -> Result<Release, StepError> {
    let program = context.plan.program.clone().unwrap_or_else(|| source.join(BUILT));
    context
        .step("Store the release", async |context| {
            let answer = command::run(command::new(&program, &["--version"], Path::new("/"))).await?;
            let version = answer.trim().strip_prefix("ba-copilot ").filter(|version| {
                let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
                !version.is_empty() && version.bytes().all(fits)
            });
            let version = version.ok_or_else(|| StepError::WrongProgram {
                program: program.clone(),
                answer: answer.trim().to_owned(),
            })?;
            let release = context.releases.store(&program, version);
            let release = release.map_err(|error| StepError::file(&program, error))?;
            context.target.build(&release).await?;
            let name = release.name.clone();
            Ok((release, name))
        })
        .await
}

async fn check(context: &mut Context<'_>, release: &Release) -> Result<(), StepError> {
    context
        .step("Check the configuration", async |context| {
            context.target.run(release, &["config", "check"], context.environment).await?;
            let report = context.target.run(release, &["doctor", "--quiet"], context.environment).await?;
            for warning in report.lines().filter(|line| line.starts_with("warning")) {
                context.note(warning.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            let counts = report.lines().find(|line| line.contains(" problem")).unwrap_or_default();
            Ok(((), counts.to_owned()))
        })
        .await
}

async fn back_up(context: &mut Context<'_>, release: &Release) -> Result<(), StepError> {
    const TITLE: &str = "Back up";
    // The serving version knows the current schema; the new one may not support it before the migration.
    let active = context.state.active.as_ref().and_then(|active| context.releases.find(&active.release));
    if active.is_none() && is_database_new(context, release).await? {
        context.skip(TITLE, "there is no data yet");
        return Ok(());
    }
    let maker = active.unwrap_or_else(|| release.clone());
    let place = context.target.backups();
    context
        .step(TITLE, async |context| {
            let arguments = ["backup", "create", "--to", &place.inside, "--verify"];
            let output = context.target.run(&maker, &arguments, context.environment).await?;
            let name = output.lines().next().unwrap_or_default().trim_start_matches(&place.inside);
            Ok(((), format!("{}{name}, verified by a test restore", place.outside)))
        })
        .await
}

async fn is_database_new(context: &mut Context<'_>, release: &Release) -> Result<bool, StepError> {
    let arguments = ["migrate", "--dry-run"];
    let command = context.target.command(release, &arguments, context.environment, false).await?;
    // The very first migration has not been applied.
    Ok(command::output(command).await?.stdout.contains("would apply 0001_"))
}

async fn migrate(context: &mut Context<'_>, release: &Release) -> Result<(), StepError> {
    context
        .step("Migrate", async |context| {
            let output = context.target.run(release, &["migrate"], context.environment).await?;
            Ok(((), output.trim().replace('\n', ", ")))
        })
        .await
}
