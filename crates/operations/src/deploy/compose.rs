//! Slots as two projects of Docker Compose (`infra/compose/compose.app.yaml`). The proxy in front of both asks each of
//! them whether it is ready, and sends requests to the one that is.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{command, error::StepError, files::write_secret, release::Release};
use application::private_files;
use config::{Environment, SplitSecrets};

/// The user of the program in its container.
const USER: u32 = 65532;
/// Created by `compose.yaml`; both slots join it.
const NETWORK: &str = "ba-copilot-inside";
/// Where the program finds its secrets.
const SECRETS: &str = "/run/secrets";
/// Variables that a container does not get: paths of the host, and passwords of the other services.
const EXCLUDED: [&str; 5] = ["PATH", "HOME", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD"];
/// The volume for everything that is stored outside the database.
const VOLUME: &str = "ba-copilot-data";

pub(super) struct Compose {
    /// The folder of the Compose files.
    files: PathBuf,
    /// The folder for backups on the host.
    backups: PathBuf,
    /// Where the program writes backups, in its container.
    backups_inside: String,
    /// The image whose tools make backups, if it differs from that of the Dockerfile.
    postgres_image: Option<String>,
    /// Whether Compose is a plugin of `docker`, once known.
    is_plugin: OnceCell<bool>,
}

/// One slot, or the project for commands.
pub(super) struct Project<'a> {
    pub(super) name: &'a str,
    pub(super) folder: PathBuf,
    /// The address on the host.
    pub(super) address: &'a str,
}

impl Project<'_> {
    fn env_file(&self) -> PathBuf {
        self.folder.join("env")
    }
}

fn docker(arguments: &[&str]) -> Command {
    command::new(Path::new("docker"), arguments, Path::new("/"))
}

fn image_name(release: &str) -> String {
    // A `+` is valid in a version, and not in the tag of an image.
    format!("ba-copilot:{}", release.replace('+', "_"))
}

fn create_folder(folder: &Path, mode: u32) -> Result<(), StepError> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.map_err(|error| StepError::file(folder, error))
}

/// Writes each secret to a file that only the program can read, and removes the files of other secrets.
fn store_secrets(folder: &Path, secrets: &[(String, String)]) -> Result<(), StepError> {
    create_folder(folder, 0o700)?;
    chown(folder, Some(USER), Some(USER)).map_err(|error| StepError::file(folder, error))?;
    for (name, value) in secrets {
        // A command that runs at the same time reads the old value or the new one.
        let (draft, file) = (folder.join(format!(".{name}.new")), folder.join(name));
        write_secret(&draft, value)?;
        chown(&draft, Some(USER), Some(USER))
            .and_then(|()| fs::rename(&draft, &file))
            .map_err(|error| StepError::file(&file, error))?;
    }
    let existing = fs::read_dir(folder).map_err(|error| StepError::file(folder, error))?;
    for file in existing.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        // A name with a dot is the draft of another command.
        if !name.starts_with('.') && secrets.iter().all(|(known, _)| *known != name) {
            fs::remove_file(file.path()).map_err(|error| StepError::file(&file.path(), error))?;
        }
    }
    Ok(())
}

impl Compose {
    pub(super) fn new(
        files: PathBuf,
        backups: PathBuf,
        backups_inside: String,
        postgres_image: Option<String>,
    ) -> Self {
        Compose { files, backups, backups_inside, postgres_image, is_plugin: OnceCell::new() }
    }

    pub(super) fn backups_inside(&self) -> &str {
        &self.backups_inside
    }

    /// `docker compose`, or `docker-compose` where the plugin is not installed.
    async fn command(&self, project: &Project<'_>, release: &str, arguments: &[&str]) -> Command {
        let name = format!("ba-copilot-{}", project.name);
        let file = self.files.join("compose.app.yaml").display().to_string();
        let common = ["-p", name.as_str(), "-f", &file];
        let ask = || async { command::run(docker(&["compose", "version"])).await.is_ok() };
        let mut command = match *self.is_plugin.get_or_init(ask).await {
            true => docker(&[&["compose"], common.as_slice(), arguments].concat()),
            false => {
                let words = [common.as_slice(), arguments].concat();
                command::new(Path::new("docker-compose"), &words, Path::new("/"))
            }
        };
        command
            .env("SLOT", project.name)
            .env("SLOT_DIR", &project.folder)
            .env("BACKUP_DIR", &self.backups)
            .env("BACKUP_TO", &self.backups_inside)
            .env("BA_COPILOT_IMAGE", image_name(release))
            .env("PRIVATE_ADDRESS", project.address);
        command
    }

    /// Checks that the engine runs and that the services beside the slots were started.
    pub(super) async fn inspect(&self) -> Result<String, StepError> {
        let version = command::run(docker(&["version", "--format", "{{.Server.Version}}"])).await?;
        command::run(docker(&["network", "inspect", NETWORK]))
            .await
            .map_err(|_| StepError::NetworkMissing { network: NETWORK })?;
        Ok(format!("containers of Docker {}", version.trim()))
    }

    /// Builds the images of a release: the program alone, and the one with PostgreSQL's tools.
    pub(super) async fn build(&self, release: &Release) -> Result<(), StepError> {
        let folder = release.program.parent().unwrap_or(Path::new("/")).to_owned();
        let file = self.files.join("../container/Dockerfile").display().to_string();
        let (tag, context) = (image_name(&release.name), folder.display().to_string());
        let label = format!("org.opencontainers.image.version={}", release.name);
        for (tag, more) in [(tag.clone(), &[][..]), (format!("{tag}-tools"), &["--target", "tools"][..])] {
            let arguments =
                ["build", "--quiet", "-f", &file, "--build-arg", "FROM=built", "--label", &label, "-t", &tag];
            let mut command = docker(&[&arguments, more, &[context.as_str()]].concat());
            if let Some(postgres) = &self.postgres_image {
                command.arg("--build-arg").arg(format!("POSTGRES={postgres}"));
            }
            command.env("DOCKER_BUILDKIT", "1");
            command::run(command).await?;
        }
        Ok(())
    }

    /// Creates the folder of a project and writes its settings: variables to the env file, and each secret to a file of
    /// its own, so that `docker inspect` shows none.
    pub(super) async fn prepare(
        &self,
        project: &Project<'_>,
        environment: &Environment,
        release: Option<&str>,
    ) -> Result<(), StepError> {
        // The user of the container has to see the standby file.
        let state = project.folder.join("state");
        create_folder(&state, 0o755)?;
        private_files::create_folder(&self.backups)
            .and_then(|()| chown(&self.backups, Some(USER), Some(USER)))
            .map_err(|error| StepError::file(&self.backups, error))?;
        let SplitSecrets { plain, secret } = environment.split_secrets()?;
        let secrets = project.folder.join("secrets");
        store_secrets(&secrets, &secret)?;
        let variables = plain.into_iter().filter(|(name, _)| !EXCLUDED.contains(&name.as_str()));
        let released = release.map(|release| ("BA_COPILOT_RELEASE".to_owned(), release.to_owned()));
        let named = secret.iter().map(|(name, _)| (format!("{name}_FILE"), format!("{SECRETS}/{name}")));
        let mut text = String::new();
        for (name, value) in variables.chain(released).chain(named) {
            text.push_str(&format!("{name}={}\n", config::quoted(&value)));
        }
        write_secret(&project.env_file(), &text)?;
        command::run(docker(&["volume", "create", VOLUME])).await.map(|_| ())
    }

    pub(super) async fn start(&self, project: &Project<'_>, release: &str) -> Result<(), StepError> {
        command::run(self.command(project, release, &["up", "-d", "--no-build"]).await).await.map(|_| ())
    }

    /// A command of the program, with the settings and volumes of a slot.
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
        // A container in a restart loop does not run.
        let all_run =
            |states: String| !states.trim().is_empty() && states.lines().all(|state| state == "running");
        command::run(docker(&arguments)).await.is_ok_and(all_run)
    }

    pub(super) async fn stop(&self, project: &Project<'_>, timeout: Duration) -> Result<(), StepError> {
        // Compose fails without the env file; where there is none, nothing was started.
        if !project.env_file().exists() {
            return Ok(());
        }
        let seconds = timeout.as_secs().to_string();
        command::run(self.command(project, "none", &["stop", "-t", &seconds]).await).await?;
        command::run(self.command(project, "none", &["down"]).await).await.map(|_| ())
    }

    pub(super) async fn recent_logs(&self, project: &Project<'_>) -> String {
        let arguments = ["logs", "--no-color", "--tail", "6"];
        command::run(self.command(project, "none", &arguments).await).await.unwrap_or_default()
    }
}
