//! What runs the version of a slot: one shape for all targets.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{
    Came, Release, Slot,
    compose::{Compose, Project},
    process, processes, systemd,
};
use application::private_files;
use config::{Config, DeployTarget, Environment, S3_SCHEME};

/// How slots are started and ended here.
pub(super) struct Fleet {
    target: DeployTarget,
    folder: PathBuf,
    /// Who runs the program, if somebody else than this process is to.
    user: Option<String>,
    private: [String; 2],
    /// Where backups go, as people find them.
    backups: String,
    compose: Compose,
    /// How long the old version may take to answer what it has begun.
    time_to_end: Duration,
}

impl Fleet {
    pub(super) fn of(config: &Config, environment: &Environment, source: &Path) -> Self {
        let deploy = &config.deploy;
        let image = environment.pairs().find(|(name, _)| *name == "POSTGRES_IMAGE");
        let dir = config.backup_dir();
        let far = dir.to_str().filter(|dir| dir.starts_with(S3_SCHEME)).map(str::to_owned);
        let unnamed = config.backup.dir.as_os_str().is_empty() && deploy.target == DeployTarget::Compose;
        let backups = match unnamed || far.is_some() {
            // The data folder is one of the containers, which nobody finds on this machine.
            true => deploy.dir.join("backups"),
            false => dir,
        };
        let found = far.clone().unwrap_or_else(|| backups.display().to_string());
        let sent_to = match (far, deploy.target) {
            (None, DeployTarget::Compose) => "/backups".to_owned(),
            _ => found.clone(),
        };
        let is_systemd = deploy.target == DeployTarget::Systemd;
        Fleet {
            target: deploy.target,
            folder: deploy.dir.clone(),
            user: Some(deploy.user.clone()).filter(|user| is_systemd && !user.is_empty()),
            private: [deploy.blue.clone(), deploy.green.clone()],
            compose: Compose {
                files: source.join(&deploy.compose_dir),
                backups,
                sent_to,
                postgres_image: image.map(|(_, image)| image.to_owned()),
                plugin: OnceCell::new(),
            },
            backups: found,
            // A little more than it gives itself.
            time_to_end: Duration::from_secs(config.server.drain_s + config.server.shutdown_s + 15),
        }
    }

    /// Whether slots can be started here; what this target is.
    pub(super) async fn look(&self) -> Came<String> {
        match self.target {
            DeployTarget::Processes => Ok("processes of this machine".to_owned()),
            DeployTarget::Systemd => systemd::look().await,
            DeployTarget::Compose => self.compose.look().await,
        }
    }

    /// The folder of a slot.
    fn slot_folder(&self, slot: Slot) -> PathBuf {
        self.folder.join("slots").join(slot.word())
    }

    /// The file that makes the process of a slot stand by.
    fn standby_marker(&self, slot: Slot) -> PathBuf {
        match self.target {
            // A folder of its own, which its containers see.
            DeployTarget::Compose => self.slot_folder(slot).join("state/standby"),
            _ => self.slot_folder(slot).join("standby"),
        }
    }

    fn project(&self, slot: Slot) -> Project<'_> {
        let [blue, green] = &self.private;
        let address = if slot == Slot::Blue { blue } else { green };
        Project { name: slot.word(), folder: self.slot_folder(slot), address }
    }

    /// Where commands run that belong to no slot.
    fn tools(&self) -> Project<'_> {
        // Nothing in it answers anybody.
        Project { name: "tools", folder: self.folder.join("slots/tools"), address: "127.0.0.1:0" }
    }

    /// Makes of a program what can be started.
    pub(super) async fn build(&self, release: &Release) -> Came<()> {
        match self.target {
            DeployTarget::Compose => self.compose.build(release).await,
            DeployTarget::Systemd | DeployTarget::Processes => Ok(()),
        }
    }

    /// Where a backup goes, in the words of whoever makes it, and as people find it.
    pub(super) fn backups(&self) -> (String, String) {
        (self.compose.sent_to.clone(), self.backups.clone())
    }

    /// Where a slot answers in any state.
    pub(super) fn address(&self, slot: Slot) -> String {
        format!("http://{}", self.project(slot).address)
    }

    /// What the program of a release is started with, in a slot: what it is told by the operator, and where its place is.
    fn variables(&self, release: &Release, slot: Slot, environment: &Environment) -> Vec<(String, String)> {
        let own = [
            ("BA_COPILOT_RELEASE", release.name.clone()),
            ("BA_COPILOT__SERVER__PRIVATE_LISTEN", self.project(slot).address.to_owned()),
            ("BA_COPILOT__SERVER__HAND_OVER_DIR", self.hand_over().display().to_string()),
            ("BA_COPILOT__SERVER__STANDBY_MARKER", self.standby_marker(slot).display().to_string()),
        ];
        let told = environment.pairs().filter(|(name, _)| own.iter().all(|(ours, _)| ours != name));
        let told = told.map(|(name, value)| (name.to_owned(), value.to_owned()));
        told.chain(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect()
    }

    /// Where processes of the slots hand each other the socket: a folder of theirs alone.
    fn hand_over(&self) -> PathBuf {
        match self.target {
            // The unit makes it, for the user of the unit (`RuntimeDirectory`).
            DeployTarget::Systemd => PathBuf::from("/run/ba-copilot"),
            DeployTarget::Processes | DeployTarget::Compose => self.folder.join("hand-over"),
        }
    }

    /// A command of a release, with the settings that it is to serve with; `on_terminal` if somebody types into it.
    pub(super) async fn command(
        &self,
        release: &Release,
        arguments: &[&str],
        environment: &Environment,
        on_terminal: bool,
    ) -> Came<Command> {
        if self.target == DeployTarget::Compose {
            let tools = self.tools();
            self.compose.prepare(&tools, environment, None).await?;
            return Ok(self.compose.tool(&tools, &release.name, arguments, on_terminal).await);
        }
        let mut command = match &self.user {
            None => process::command(&release.program, arguments, &self.folder),
            Some(user) => {
                let program = release.program.display().to_string();
                let words: Vec<&str> =
                    ["-u", user, "--", &program].into_iter().chain(arguments.iter().copied()).collect();
                process::command(Path::new("runuser"), &words, &self.folder)
            }
        };
        command.env_clear().envs(environment.pairs());
        Ok(command)
    }

    /// Starts a release in a slot, where it stands by.
    pub(super) async fn start(&self, release: &Release, slot: Slot, environment: &Environment) -> Came<()> {
        let folder = self.slot_folder(slot);
        let variables = self.variables(release, slot, environment);
        match self.target {
            DeployTarget::Compose => {
                self.compose.prepare(&self.project(slot), environment, Some(&release.name)).await?;
            }
            _ => fs::create_dir_all(&folder).map_err(|error| cannot(&folder, &error))?,
        }
        self.stand_by(slot, true)?;
        match self.target {
            DeployTarget::Processes => processes::start(release, &self.folder, &folder, &variables),
            DeployTarget::Systemd => systemd::start(release, slot, &folder, &variables).await,
            DeployTarget::Compose => self.compose.start(&self.project(slot), &release.name).await,
        }
    }

    /// Lets a slot stand by, or serve.
    pub(super) fn stand_by(&self, slot: Slot, on: bool) -> Came<()> {
        let file = self.standby_marker(slot);
        let done = match on {
            true => fs::write(&file, ""),
            false => fs::remove_file(&file).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        done.map_err(|error| cannot(&file, &error))
    }

    /// Whether anything runs in a slot.
    pub(super) async fn is_running(&self, slot: Slot) -> bool {
        match self.target {
            DeployTarget::Processes => processes::is_running(&self.slot_folder(slot)),
            DeployTarget::Systemd => systemd::is_running(slot).await,
            DeployTarget::Compose => self.compose.is_running(&self.project(slot)).await,
        }
    }

    /// Ends what runs in a slot, after what it has begun; says whether it had to be cut off.
    pub(super) async fn stop(&self, slot: Slot) -> Came<bool> {
        match self.target {
            DeployTarget::Processes => processes::stop(&self.slot_folder(slot), self.time_to_end).await,
            DeployTarget::Systemd => systemd::stop(slot).await,
            DeployTarget::Compose => {
                self.compose.stop(&self.project(slot), self.time_to_end).await.map(|()| false)
            }
        }
    }

    /// From now on the machine starts this slot when it starts, and not the other one.
    pub(super) async fn settle(&self, slot: Slot) -> Came<()> {
        match self.target {
            DeployTarget::Systemd => systemd::settle(slot).await,
            DeployTarget::Processes | DeployTarget::Compose => Ok(()),
        }
    }

    /// The last lines that the program of a slot has told.
    pub(super) async fn last_words(&self, slot: Slot) -> String {
        match self.target {
            DeployTarget::Processes => processes::last_words(&self.slot_folder(slot)),
            DeployTarget::Systemd => systemd::last_words(slot).await,
            DeployTarget::Compose => self.compose.last_words(&self.project(slot)).await,
        }
    }
}

/// Writes a file that may hold secrets, for nobody else to read.
pub(super) fn write_secret(path: &Path, text: &str) -> Came<()> {
    let file = private_files::replace_file(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| cannot(path, &error))
}

pub(super) fn cannot(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be used: {error}.", path.display())
}
