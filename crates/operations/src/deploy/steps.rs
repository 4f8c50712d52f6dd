//! The steps before a version is started: is everything there, is it good, is what is kept safe.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{Came, Release, Site, fleet::cannot, process};

/// Where the program is after it was built, in the folder of the sources.
const BUILT: &str = "target/dist/ba-copilot";

/// A release that is ready to be started, with everything that is kept backed up and migrated; none for a dry run.
pub(super) async fn prepare(site: &mut Site<'_>) -> Came<Option<Release>> {
    look(site).await?;
    let source = site.order.source.clone();
    test(site, &source).await?;
    build(site, &source).await?;
    if site.order.dry_run {
        for (title, would) in [
            ("Take the release", "copies the program into the folder of releases"),
            ("Check its settings", "runs its `config check` and `doctor`"),
            ("Back up", "runs `backup create --verify`"),
            ("Migrate", "runs `migrate`"),
            ("Start", "starts it in the free slot, where it stands by"),
            ("Verify", "runs the suite of `verify` against it"),
            ("Switch", "sends people to it, and lets the old one stand by"),
            ("Watch", "watches it serve, and goes back if it does not serve well"),
            ("End the old one", "ends the old one when it has answered what it has begun"),
        ] {
            site.leave(title, format!("a dry run; it {would}"));
        }
        return Ok(None);
    }
    let release = take(site, &source).await?;
    check(site, &release).await?;
    back_up(site, &release).await?;
    migrate(site, &release).await?;
    Ok(Some(release))
}

/// The version that served before, if it can serve again.
pub(super) async fn find_previous(site: &mut Site<'_>) -> Came<Option<Release>> {
    look(site).await?;
    let release = site
        .step("Find the version before", async |site| {
            let name = site.state.previous.clone();
            let name = name.ok_or("Nothing was deployed here before the version that serves.")?;
            let release = site.releases.find(&name).ok_or_else(|| {
                format!("The release {name} is not kept any more. Deploy it from its sources: `git checkout`, then `ba-copilot deploy`.")
            })?;
            Ok((release, name))
        })
        .await?;
    site.step("See whether it knows the tables", async |site| {
        let command = site.fleet.command(&release, &["migrate", "--dry-run"], site.environment, false).await?;
        process::run(command).await.map_err(|why| {
            format!("{why}\nThe database was changed in a way that this version does not know. Restore a backup that was made before that: `ba-copilot backup list`.")
        })?;
        Ok(((), "it does".to_owned()))
    })
    .await?;
    if site.order.dry_run {
        site.leave(
            "Start",
            "a dry run; it would be started beside the version that serves, tried, and switched to",
        );
        return Ok(None);
    }
    Ok(Some(release))
}

async fn look(site: &mut Site<'_>) -> Came<()> {
    site.step("Look at the place", async |site| {
        let settings = &site.order.settings;
        let mode = fs::metadata(settings).map_err(|error| cannot(settings, &error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!(
                "{} holds secrets, and others may read it. Run `chmod 600 {0}`.",
                settings.display()
            ));
        }
        let target = site.fleet.look().await?;
        let serves = match &site.state.active {
            Some(active) if site.fleet.is_running(active.slot).await => {
                format!("{} serves in the slot {}", active.release, active.slot)
            }
            Some(active) => {
                format!("{} should serve in the slot {}, and does not run", active.release, active.slot)
            }
            None => "nothing was deployed here yet".to_owned(),
        };
        Ok(((), format!("{target}; {serves}")))
    })
    .await
}

async fn test(site: &mut Site<'_>, source: &Path) -> Came<()> {
    let skip = site.order.skip_tests.then_some("--skip-tests");
    in_the_sources(site, source, "Test", skip, "test").await
}

async fn build(site: &mut Site<'_>, source: &Path) -> Came<()> {
    let skip = site.order.skip_build.then_some("--skip-build");
    in_the_sources(site, source, "Build", skip, "dist").await
}

/// Runs a command of the sources, unless there is a reason not to.
async fn in_the_sources(
    site: &mut Site<'_>,
    source: &Path,
    title: &'static str,
    skip: Option<&str>,
    command: &str,
) -> Came<()> {
    let would = format!("a dry run; it runs `cargo xtask {command}`");
    let why_not = match site.order {
        order if order.program.is_some() => Some("a program was given"),
        order if order.dry_run => skip.or(Some(&would)),
        _ => skip,
    };
    if let Some(why_not) = why_not {
        site.leave(title, why_not);
        return Ok(());
    }
    site.step(title, async |_| {
        process::run(process::command(Path::new("cargo"), &["xtask", command], source)).await?;
        Ok(((), format!("`cargo xtask {command}` ended well")))
    })
    .await
}

async fn take(site: &mut Site<'_>, source: &Path) -> Came<Release> {
    let program = site.order.program.clone().unwrap_or_else(|| source.join(BUILT));
    site.step("Take the release", async |site| {
        let said = process::run(process::command(&program, &["--version"], Path::new("/"))).await?;
        let version = said.trim().strip_prefix("ba-copilot ").filter(|version| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
            !version.is_empty() && version.bytes().all(fits)
        });
        let version = version.ok_or_else(|| {
            format!(
                "{} is not this program: asked for its version, it said `{}`.",
                program.display(),
                said.trim()
            )
        })?;
        let release = site.releases.take(&program, version).map_err(|error| cannot(&program, &error))?;
        site.fleet.build(&release).await?;
        let name = release.name.clone();
        Ok((release, name))
    })
    .await
}

async fn check(site: &mut Site<'_>, release: &Release) -> Came<()> {
    site.step("Check its settings", async |site| {
        process::run(site.fleet.command(release, &["config", "check"], site.environment, false).await?)
            .await?;
        let command = site.fleet.command(release, &["doctor", "--quiet"], site.environment, false).await?;
        let said = process::run(command).await?;
        for warning in said.lines().filter(|line| line.starts_with("warning")) {
            site.note(warning.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        Ok(((), said.lines().find(|line| line.contains(" problem")).unwrap_or_default().to_owned()))
    })
    .await
}

async fn back_up(site: &mut Site<'_>, release: &Release) -> Came<()> {
    const TITLE: &str = "Back up";
    // The version that serves knows the tables as they are.
    let active = site.state.active.as_ref().and_then(|active| site.releases.find(&active.release));
    if active.is_none() && keeps_nothing_yet(site, release).await? {
        site.leave(TITLE, "nothing is kept yet");
        return Ok(());
    }
    let maker = active.unwrap_or_else(|| release.clone());
    let (to, here) = site.fleet.backups();
    site.step(TITLE, async |site| {
        let arguments = ["backup", "create", "--to", &to, "--verify"];
        let command = site.fleet.command(&maker, &arguments, site.environment, false).await?;
        let said = process::run(command).await?;
        let name = said.lines().next().unwrap_or_default().trim_start_matches(&to);
        Ok(((), format!("{here}{name}, and everything in it came back")))
    })
    .await
}

async fn keeps_nothing_yet(site: &mut Site<'_>, release: &Release) -> Came<bool> {
    let command = site.fleet.command(release, &["migrate", "--dry-run"], site.environment, false).await?;
    // The first step there ever was is still to be made.
    Ok(process::hear(command).await?.output.contains("would apply 0001_"))
}

async fn migrate(site: &mut Site<'_>, release: &Release) -> Came<()> {
    site.step("Migrate", async |site| {
        let command = site.fleet.command(release, &["migrate"], site.environment, false).await?;
        let said = process::run(command).await?;
        Ok(((), said.trim().replace('\n', ", ")))
    })
    .await
}
