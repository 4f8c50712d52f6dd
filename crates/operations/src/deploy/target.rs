//! Starts and stops the version of a slot, on each kind of target.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    command,
    compose::{Compose, Project},
    error::StepError,
    processes,
    release::Release,
    slot::Slot,
    systemd,
};
use config::{Config, DeployTarget, Environment, S3_SCHEME};

/// The margin over the time that a version allows itself to stop.
const STOP_MARGIN_S: u64 = 15;

pub(super) struct Target {
    kind: DeployTarget,
    folder: PathBuf,
    /// The user that runs the program, if it is not the user of this process.
    user: Option<String>,
    private_addresses: [String; 2],
    /// Where backups are stored, as an operator finds them.
    backups: String,
    compose: Compose,
    stop_timeout: Duration,
}

/// Where the deployed program writes backups.
pub(super) struct BackupPlace {
    /// As the program sees it.
    pub(super) inside: String,
    /// As an operator finds it.
    pub(super) outside: String,
}

impl Target {
    pub(super) fn from_config(config: &Config, environment: &Environment, source: &Path) -> Self {
        let deploy = &config.deploy;
        let image = environment.pairs().find(|(name, _)| *name == "POSTGRES_IMAGE");
        let dir = config.backup_dir();
        let bucket = dir.to_str().filter(|dir| dir.starts_with(S3_SCHEME)).map(str::to_owned);
        let is_default = config.backup.dir.as_os_str().is_empty() && deploy.target == DeployTarget::Compose;
        let folder = match is_default || bucket.is_some() {
            // The data folder is a volume of the containers, which is hard to find on the host.
            true => deploy.dir.join("backups"),
            false => dir,
        };
        let outside = bucket.clone().unwrap_or_else(|| folder.display().to_string());
        let inside = match (bucket, deploy.target) {
            (None, DeployTarget::Compose) => "/backups".to_owned(),
            _ => outside.clone(),
        };
        let is_systemd = deploy.target == DeployTarget::Systemd;
        let stop_s = config.server.drain_s + config.server.shutdown_s + STOP_MARGIN_S;
        Target {
            kind: deploy.target,
            folder: deploy.dir.clone(),
            user: Some(deploy.user.clone()).filter(|user| is_systemd && !user.is_empty()),
            private_addresses: [deploy.blue.clone(), deploy.green.clone()],
            backups: outside,
            compose: Compose::new(
                source.join(&deploy.compose_dir),
                folder,
                inside,
                image.map(|(_, image)| image.to_owned()),
            ),
            stop_timeout: Duration::from_secs(stop_s),
        }
    }

    /// Checks that slots can be started here, and describes the target.
    pub(super) async fn inspect(&self) -> Result<String, StepError> {
        match self.kind {
            DeployTarget::Processes => Ok("processes of this machine".to_owned()),
            DeployTarget::Systemd => systemd::inspect().await,
            DeployTarget::Compose => self.compose.inspect().await,
        }
    }

    fn slot_folder(&self, slot: Slot) -> PathBuf {
        self.folder.join("slots").join(slot.name())
    }

    /// The file that puts the process of a slot on standby.
    fn standby_marker(&self, slot: Slot) -> PathBuf {
        match self.kind {
            // In a folder of its own, which is mounted into the containers.
            DeployTarget::Compose => self.slot_folder(slot).join("state/standby"),
            _ => self.slot_folder(slot).join("standby"),
        }
    }

    fn private_address(&self, slot: Slot) -> &str {
        let [blue, green] = &self.private_addresses;
        if slot == Slot::Blue { blue } else { green }
    }

    fn project(&self, slot: Slot) -> Project<'_> {
        Project { name: slot.name(), folder: self.slot_folder(slot), address: self.private_address(slot) }
    }

    /// The Compose project for commands that belong to no slot. It listens nowhere.
    fn tools(&self) -> Project<'_> {
        Project { name: "tools", folder: self.folder.join("slots/tools"), address: "127.0.0.1:0" }
    }

    /// Builds what the target needs beside the program, such as images.
    pub(super) async fn build(&self, release: &Release) -> Result<(), StepError> {
        match self.kind {
            DeployTarget::Compose => self.compose.build(release).await,
            DeployTarget::Systemd | DeployTarget::Processes => Ok(()),
        }
    }

    pub(super) fn backups(&self) -> BackupPlace {
        BackupPlace { inside: self.compose.backups_inside().to_owned(), outside: self.backups.clone() }
    }

    /// The address at which a slot answers, also on standby.
    pub(super) fn address(&self, slot: Slot) -> String {
        format!("http://{}", self.private_address(slot))
    }

    /// The variables that a release is started with in a slot: those of the operator, and those of the slot.
    fn variables(&self, release: &Release, slot: Slot, environment: &Environment) -> Vec<(String, String)> {
        let of_slot = [
            ("BA_COPILOT_RELEASE", release.name.clone()),
            ("BA_COPILOT__SERVER__PRIVATE_LISTEN", self.private_address(slot).to_owned()),
            ("BA_COPILOT__SERVER__HAND_OVER_DIR", self.socket_folder().display().to_string()),
            ("BA_COPILOT__SERVER__STANDBY_MARKER", self.standby_marker(slot).display().to_string()),
        ];
        let of_operator = environment.pairs().filter(|(name, _)| of_slot.iter().all(|(own, _)| own != name));
        let of_operator = of_operator.map(|(name, value)| (name.to_owned(), value.to_owned()));
        of_operator.chain(of_slot.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect()
    }

    /// The folder in which processes of the slots pass on the listening socket.
    fn socket_folder(&self) -> PathBuf {
        match self.kind {
            // The unit creates it for its user (`RuntimeDirectory`).
            DeployTarget::Systemd => PathBuf::from("/run/ba-copilot"),
            DeployTarget::Processes | DeployTarget::Compose => self.folder.join("hand-over"),
        }
    }

    /// A command of a release, with the settings that it is to serve with.
    pub(super) async fn command(
        &self,
        release: &Release,
        arguments: &[&str],
        environment: &Environment,
        on_terminal: bool,
    ) -> Result<Command, StepError> {
        if self.kind == DeployTarget::Compose {
            let tools = self.tools();
            self.compose.prepare(&tools, environment, None).await?;
            return Ok(self.compose.tool(&tools, &release.name, arguments, on_terminal).await);
        }
        let mut command = match &self.user {
            None => command::new(&release.program, arguments, &self.folder),
            Some(user) => {
                let program = release.program.display().to_string();
                let words: Vec<&str> =
                    ["-u", user, "--", &program].into_iter().chain(arguments.iter().copied()).collect();
                command::new(Path::new("runuser"), &words, &self.folder)
            }
        };
        command.env_clear().envs(environment.pairs());
        Ok(command)
    }

    /// Runs a command of a release to its successful end and returns its standard output.
    pub(super) async fn run(
        &self,
        release: &Release,
        arguments: &[&str],
        environment: &Environment,
    ) -> Result<String, StepError> {
        command::run(self.command(release, arguments, environment, false).await?).await
    }

    /// Starts a release in a slot, on standby.
    pub(super) async fn start(
        &self,
        release: &Release,
        slot: Slot,
        environment: &Environment,
    ) -> Result<(), StepError> {
        let folder = self.slot_folder(slot);
        let variables = self.variables(release, slot, environment);
        match self.kind {
            DeployTarget::Compose => {
                self.compose.prepare(&self.project(slot), environment, Some(&release.name)).await?;
            }
            _ => fs::create_dir_all(&folder).map_err(|error| StepError::file(&folder, error))?,
        }
        self.set_standby(slot, true)?;
        match self.kind {
            DeployTarget::Processes => processes::start(release, &self.folder, &folder, &variables),
            DeployTarget::Systemd => systemd::start(release, slot, &folder, &variables).await,
            DeployTarget::Compose => self.compose.start(&self.project(slot), &release.name).await,
        }
    }

    pub(super) fn set_standby(&self, slot: Slot, standby: bool) -> Result<(), StepError> {
        let file = self.standby_marker(slot);
        let done = match standby {
            true => fs::write(&file, ""),
            false => fs::remove_file(&file).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        done.map_err(|error| StepError::file(&file, error))
    }

    pub(super) async fn is_running(&self, slot: Slot) -> bool {
        match self.kind {
            DeployTarget::Processes => processes::is_running(&self.slot_folder(slot)),
            DeployTarget::Systemd => systemd::is_running(slot).await,
            DeployTarget::Compose => self.compose.is_running(&self.project(slot)).await,
        }
    }

    /// Stops a slot after it has finished its requests; whether it had to be killed.
    pub(super) async fn stop(&self, slot: Slot) -> Result<bool, StepError> {
        match self.kind {
            DeployTarget::Processes => processes::stop(&self.slot_folder(slot), self.stop_timeout).await,
            DeployTarget::Systemd => systemd::stop(slot).await,
            DeployTarget::Compose => {
                self.compose.stop(&self.project(slot), self.stop_timeout).await.map(|()| false)
            }
        }
    }

    /// Makes the machine start this slot at boot, and not the other one.
    pub(super) async fn enable_at_boot(&self, slot: Slot) -> Result<(), StepError> {
        match self.kind {
            DeployTarget::Systemd => systemd::enable_at_boot(slot).await,
            DeployTarget::Processes | DeployTarget::Compose => Ok(()),
        }
    }

    pub(super) async fn recent_logs(&self, slot: Slot) -> String {
        match self.kind {
            DeployTarget::Processes => processes::recent_logs(&self.slot_folder(slot)),
            DeployTarget::Systemd => systemd::recent_logs(slot).await,
            DeployTarget::Compose => self.compose.recent_logs(&self.project(slot)).await,
        }
    }
}
