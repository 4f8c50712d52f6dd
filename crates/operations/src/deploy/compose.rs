//! Slots as two projects of Docker Compose (`ops/compose/compose.app.yaml`) beside the one that stays: the proxy in front of both asks
//! each whether it is ready, and sends people to the one that is.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{
    Came, Release,
    fleet::{cannot, write_secret},
    process,
};
use application::private_files;
use config::{Environment, SplitSecrets};

/// Who the program is in its container.
const USER: u32 = 65532;
/// What `compose.yaml` makes, and both slots are on.
const NETWORK: &str = "ba-copilot-inside";
/// Where the program finds its secrets.
const SECRETS: &str = "/run/secrets";
/// What it is not told: in a container other programs lie elsewhere, and these passwords are for what stays beside it.
const NOT_TOLD: [&str; 5] = ["PATH", "HOME", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD"];
/// What is kept besides the database.
const VOLUME: &str = "ba-copilot-data";

/// What Compose is told about everything that is not in its files.
pub(super) struct Compose {
    /// The folder of the files.
    pub(super) files: PathBuf,
    /// The folder for backups, on this machine.
    pub(super) backups: PathBuf,
    /// Where the program sends them, as it sees that place.
    pub(super) sent_to: String,
    /// The image whose tools make backups, if it is another one than that of the Dockerfile.
    pub(super) postgres_image: Option<String>,
    /// Whether Compose is a plugin of `docker`, once that was looked at.
    pub(super) plugin: OnceCell<bool>,
}

/// One slot, or the place for commands.
pub(super) struct Project<'a> {
    pub(super) name: &'a str,
    pub(super) folder: PathBuf,
    /// Where it answers on this machine.
    pub(super) address: &'a str,
}

impl Project<'_> {
    /// What the program is told in it.
    fn settings(&self) -> PathBuf {
        self.folder.join("env")
    }
}

fn docker(arguments: &[&str]) -> Command {
    process::command(Path::new("docker"), arguments, Path::new("/"))
}

/// The image of a release.
fn image(release: &str) -> String {
    // What may stand in the name of a release and not in that of an image.
    format!("ba-copilot:{}", release.replace('+', "_"))
}

fn make_folder(folder: &Path, mode: u32) -> Came<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.map_err(|error| cannot(folder, &error))
}

/// Keeps these secrets in a folder, a file each for the program alone, and no others.
fn keep_secrets(folder: &Path, secrets: &[(String, String)]) -> Came<()> {
    make_folder(folder, 0o700)?;
    chown(folder, Some(USER), Some(USER)).map_err(|error| cannot(folder, &error))?;
    for (name, value) in secrets {
        // A command that runs meanwhile finds the old one or the new one.
        let (draft, file) = (folder.join(format!(".{name}.new")), folder.join(name));
        write_secret(&draft, value)?;
        chown(&draft, Some(USER), Some(USER))
            .and_then(|()| fs::rename(&draft, &file))
            .map_err(|error| cannot(&file, &error))?;
    }
    let there = fs::read_dir(folder).map_err(|error| cannot(folder, &error))?;
    for file in there.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        // Drafts are those of whoever works here now.
        if !name.starts_with('.') && secrets.iter().all(|(known, _)| *known != name) {
            fs::remove_file(file.path()).map_err(|error| cannot(&file.path(), &error))?;
        }
    }
    Ok(())
}

impl Compose {
    /// `docker compose`, or `docker-compose` where that is not there.
    async fn command(&self, project: &Project<'_>, release: &str, arguments: &[&str]) -> Command {
        let name = format!("ba-copilot-{}", project.name);
        let file = self.files.join("compose.app.yaml").display().to_string();
        let common = ["-p", name.as_str(), "-f", &file];
        let look = || async { process::run(docker(&["compose", "version"])).await.is_ok() };
        let plugin = *self.plugin.get_or_init(look).await;
        let mut command = match plugin {
            true => docker(&[&["compose"], common.as_slice(), arguments].concat()),
            false => {
                let words = [common.as_slice(), arguments].concat();
                process::command(Path::new("docker-compose"), &words, Path::new("/"))
            }
        };
        command
            .env("SLOT", project.name)
            .env("SLOT_DIR", &project.folder)
            .env("BACKUP_DIR", &self.backups)
            .env("BACKUP_TO", &self.sent_to)
            .env("BA_COPILOT_IMAGE", image(release))
            .env("PRIVATE_ADDRESS", project.address);
        command
    }

    /// Whether the engine runs, and what stays beside the slots.
    pub(super) async fn look(&self) -> Came<String> {
        let version = process::run(docker(&["version", "--format", "{{.Server.Version}}"])).await?;
        process::run(docker(&["network", "inspect", NETWORK])).await.map_err(|_| {
            format!("The network {NETWORK} is not there: what stays beside the slots was not started. Run `docker compose -p ba-copilot --env-file .env.production -f ops/compose/compose.yaml -f ops/compose/compose.prod.yaml up -d`.")
        })?;
        Ok(format!("containers of Docker {}", version.trim()))
    }

    /// Makes the images of a release: the program alone, and the one with PostgreSQL's tools beside it.
    pub(super) async fn build(&self, release: &Release) -> Came<()> {
        let folder = release.program.parent().unwrap_or(Path::new("/")).to_owned();
        let file = self.files.join("../container/Dockerfile").display().to_string();
        let (tag, context) = (image(&release.name), folder.display().to_string());
        let label = format!("org.opencontainers.image.version={}", release.name);
        for (tag, more) in [(tag.clone(), &[][..]), (format!("{tag}-tools"), &["--target", "tools"][..])] {
            let arguments =
                ["build", "--quiet", "-f", &file, "--build-arg", "FROM=built", "--label", &label, "-t", &tag];
            let mut command = docker(&[&arguments, more, &[context.as_str()]].concat());
            if let Some(postgres) = &self.postgres_image {
                command.arg("--build-arg").arg(format!("POSTGRES={postgres}"));
            }
            command.env("DOCKER_BUILDKIT", "1");
            process::run(command).await?;
        }
        Ok(())
    }

    /// The place of a project is there, and what the program is to be told in it: in variables, and in a file for each secret, so that
    /// whoever looks at a container sees none.
    pub(super) async fn prepare(
        &self,
        project: &Project<'_>,
        environment: &Environment,
        release: Option<&str>,
    ) -> Came<()> {
        // The program is another user in there, and has to see whether it is to stand by.
        let state = project.folder.join("state");
        make_folder(&state, 0o755)?;
        private_files::create_folder(&self.backups)
            .and_then(|()| chown(&self.backups, Some(USER), Some(USER)))
            .map_err(|error| cannot(&self.backups, &error))?;
        let SplitSecrets { plain, secret } =
            environment.split_secrets().map_err(|error| error.to_string())?;
        let secrets = project.folder.join("secrets");
        keep_secrets(&secrets, &secret)?;
        let told = plain.into_iter().filter(|(name, _)| !NOT_TOLD.contains(&name.as_str()));
        let released = release.map(|release| ("BA_COPILOT_RELEASE".to_owned(), release.to_owned()));
        let named = secret.iter().map(|(name, _)| (format!("{name}_FILE"), format!("{SECRETS}/{name}")));
        let mut text = String::new();
        for (name, value) in told.chain(released).chain(named) {
            if value.contains(['\'', '\n']) {
                return Err(format!(
                    "The value of {name} has an apostrophe or a line break, which files for Compose cannot hold. Put it into a file, and name that in {name}_FILE."
                ));
            }
            text.push_str(&format!("{name}='{value}'\n"));
        }
        write_secret(&project.settings(), &text)?;
        process::run(docker(&["volume", "create", VOLUME])).await.map(|_| ())
    }

    pub(super) async fn start(&self, project: &Project<'_>, release: &str) -> Came<()> {
        process::run(self.command(project, release, &["up", "-d", "--no-build"]).await).await.map(|_| ())
    }

    /// A command of the program, with everything that it has when it serves.
    pub(super) async fn tool(
        &self,
        project: &Project<'_>,
        release: &str,
        arguments: &[&str],
        on_terminal: bool,
    ) -> Command {
        let run: &[&str] = if on_terminal { &["run", "--rm"] } else { &["run", "--rm", "-T"] };
        let words = [run, &["--no-deps", "tools"], arguments].concat();
        self.command(project, release, &words).await
    }

    pub(super) async fn is_running(&self, project: &Project<'_>) -> bool {
        let filter = format!("label=com.docker.compose.project=ba-copilot-{}", project.name);
        let arguments = ["ps", "--all", "--filter", &filter, "--format", "{{.State}}"];
        // One that is started again and again does not run.
        let all_run = |said: String| !said.trim().is_empty() && said.lines().all(|state| state == "running");
        process::run(docker(&arguments)).await.is_ok_and(all_run)
    }

    pub(super) async fn stop(&self, project: &Project<'_>, time: Duration) -> Came<()> {
        // Compose does not go on without the settings; where there are none, nothing was ever started.
        if !project.settings().exists() {
            return Ok(());
        }
        let seconds = time.as_secs().to_string();
        process::run(self.command(project, "none", &["stop", "-t", &seconds]).await).await?;
        process::run(self.command(project, "none", &["down"]).await).await.map(|_| ())
    }

    pub(super) async fn last_words(&self, project: &Project<'_>) -> String {
        process::run(self.command(project, "none", &["logs", "--no-color", "--tail", "6"]).await)
            .await
            .unwrap_or_default()
    }
}
