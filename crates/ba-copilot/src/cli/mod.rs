//! The command-line door: THE command table.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 clean, 1 findings, 2 could not run.

mod backup;
mod check;
mod compare;
mod config;
mod db;
mod deploy;
mod doctor;
mod draft;
mod explain;
mod files;
mod healthcheck;
mod kinds;
mod lifecycle;
mod listen;
mod mcp;
mod migrate;
mod monitor;
mod render;
mod repair;
mod secrets;
mod serve;
mod token;
mod user;
mod verify;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};

use crate::service_manager::ServiceManager;
pub use ::config::{Config, ConfigError, Environment};
use application::{app::App, clock::Clock};
use telemetry::{self, error_reports::ErrorReports};

/// Turns requirement text into validated diagrams.
///
/// Without a command it serves http://127.0.0.1:8000 with everything in one process.
#[derive(Debug, Parser)]
#[command(name = "ba-copilot", version, max_term_width = 100)]
pub struct Cli {
    /// A TOML file with settings; docs/config.md lists them all.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say less: no log lines below errors.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(flatten)]
    serve: serve::Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the pages and the API.
    Serve(serve::Arguments),
    /// Draw a diagram from requirement text.
    Draft(draft::Arguments),
    /// Check Mermaid diagrams in files, folders or standard input.
    Check(check::Arguments),
    /// Repair a Mermaid diagram without a model.
    Repair(repair::Arguments),
    /// Draw the picture of a Mermaid diagram.
    Render(render::Arguments),
    /// Say what changed between two diagrams, by element.
    Compare(compare::Arguments),
    /// Explain a finding, for example `explain FLOW003`.
    Explain(explain::Arguments),
    /// List the kinds of diagrams.
    Kinds(kinds::Arguments),
    /// Bring the tables of the database up to this program; `serve` does so by itself.
    Migrate(migrate::Arguments),
    /// Move everything from one database into another.
    Db(db::Arguments),
    /// Make, list, try and restore backups.
    Backup(backup::Arguments),
    /// Add, list and change the people of this server.
    User(user::Arguments),
    /// Make, list and end tokens for programs.
    Token(token::Arguments),
    /// Make secrets, and seal what is kept with new ones.
    Secrets(secrets::Arguments),
    /// Check the settings, or show each with its value and who set it.
    Config(config::Arguments),
    /// Look at the machine, the settings and what they lead to, and say what to do.
    Doctor(doctor::Arguments),
    /// Bring a new version into service beside the old one, or go back to the one before.
    Deploy(deploy::Arguments),
    /// Serve an agent over MCP on standard input and output.
    Mcp,
    /// See whether a running server does all that it should: the suite to run after a deployment.
    Verify(verify::Arguments),
    /// Watch running servers: health, load, errors, memory.
    Monitor(monitor::Arguments),
    /// Ask the server on this machine whether it works; for containers.
    Healthcheck(healthcheck::Arguments),
}

/// Why a command could not run.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Service(#[from] application::Error),
    #[error(transparent)]
    Backup(#[from] operations::backup::Error),
    #[error("{0}")]
    Other(String),
}

impl Failure {
    fn file(path: &str, error: &std::io::Error) -> Self {
        Failure::Other(format!("{path} cannot be used: {error}. Check the name and the rights."))
    }
}

/// What a command came to.
type Ran = Result<Verdict, Failure>;

/// What a command that ran has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing to complain about.
    Clean,
    /// There are findings.
    Findings,
}

impl Verdict {
    fn of(clean: bool) -> Self {
        if clean { Verdict::Clean } else { Verdict::Findings }
    }
}

/// Runs the command line.
pub fn run(cli: Cli, environment: Environment) -> ExitCode {
    match dispatch(cli, environment) {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Findings) => ExitCode::from(1),
        Err(failure) => {
            say(&format!("ba-copilot: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// Whether `.env` of the current folder counts: for commands that a person types to run a server. Commands that are given texts do not read
/// it, because agents and editors start them in folders that somebody else filled: it could send texts, keys and files away.
fn reads_dotenv(command: Option<&Command>) -> bool {
    match command {
        None
        | Some(
            Command::Serve(_)
            | Command::Migrate(_)
            | Command::Db(_)
            | Command::Backup(_)
            | Command::User(_)
            | Command::Token(_)
            | Command::Secrets(_)
            | Command::Config(_)
            | Command::Doctor(_)
            | Command::Verify(_)
            | Command::Healthcheck(_),
        ) => true,
        Some(
            Command::Draft(_)
            | Command::Check(_)
            | Command::Repair(_)
            | Command::Render(_)
            | Command::Compare(_)
            | Command::Explain(_)
            | Command::Kinds(_)
            | Command::Mcp
            // Its settings are those of the file that it deploys with.
            | Command::Deploy(_)
            // It has no settings.
            | Command::Monitor(_),
        ) => false,
    }
}

/// The variables of the process, and those of `.env` in this folder, if there is one that counts.
fn with_dotenv(environment: Environment, folder: Option<&Path>) -> Environment {
    match folder {
        Some(folder) => environment.with_dotenv(folder),
        None => environment,
    }
}

fn dispatch(cli: Cli, environment: Environment) -> Ran {
    let serves = matches!(cli.command, None | Some(Command::Serve(_)));
    let folder = reads_dotenv(cli.command.as_ref()).then(std::env::current_dir).transpose();
    let folder = folder.map_err(|error| Failure::file(".", &error))?;
    let environment = &with_dotenv(environment, folder.as_deref());
    let notice = environment.notice();
    if let Some(notice) = notice.as_ref().filter(|_| !serves && !cli.quiet) {
        say(&format!("{notice}."));
    }
    // These look at a configuration that may not be usable, and install no log.
    match &cli.command {
        Some(Command::Config(arguments)) => {
            return config::run(arguments, cli.config.as_deref(), environment);
        }
        Some(Command::Doctor(arguments)) => {
            return doctor::run(arguments, cli.config.as_deref(), environment, cli.quiet);
        }
        Some(Command::Deploy(arguments)) => return deploy::run(arguments, cli.config.as_deref()),
        _ => {}
    }
    let mut config = Config::load(cli.config.as_deref(), environment)?;
    config.file.clone_from(&cli.config);
    if cli.quiet {
        config.log.level = "error".to_owned();
    } else if !serves {
        config.log.level = "warn".to_owned();
    }
    // Whoever types a command sees what fails.
    let reports = if serves { ErrorReports::of(&config).map_err(Failure::Other)? } else { None };
    telemetry::install_log(&config.log, environment.no_color(), reports.clone());
    if let Some(notice) = notice.filter(|_| serves) {
        tracing::info!("{notice}");
    }
    let unused = cli.command.is_some() && cli.serve != serve::Arguments::default();
    if unused {
        return Err(Failure::Other(
            "--role, --listen and --data belong to `serve`: write them behind it.".to_owned(),
        ));
    }
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(arguments) => {
            let (file, quiet) = (cli.config, cli.quiet);
            let read_log = Box::new(move || {
                let environment = with_dotenv(Environment::of_process(), folder.as_deref());
                let mut log = Config::load(file.as_deref(), &environment)?.log;
                if quiet {
                    log.level = "error".to_owned();
                }
                Ok(log)
            });
            let manager = ServiceManager::from_environment(environment);
            telemetry::log_panics();
            serve::run(arguments, config, lifecycle::Manners { read_log, manager }, reports)
        }
        Command::Draft(arguments) => draft::run(arguments, &app(config)?),
        Command::Check(arguments) => check::run(arguments, &app(config)?),
        Command::Repair(arguments) => repair::run(arguments, &app(config)?),
        Command::Render(arguments) => render::run(arguments, &app(config)?),
        Command::Compare(arguments) => compare::run(&arguments, &app(config)?),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Kinds(arguments) => kinds::run(&arguments),
        Command::Migrate(arguments) => migrate::run(arguments, config),
        Command::Db(arguments) => db::run(arguments, config),
        Command::Backup(arguments) => backup::run(arguments, config),
        Command::User(arguments) => user::run(arguments, config),
        Command::Token(arguments) => token::run(arguments, config),
        Command::Secrets(arguments) => secrets::run(arguments, config),
        // They were run before the configuration was loaded.
        Command::Config(_) | Command::Doctor(_) | Command::Deploy(_) => Ok(Verdict::Clean),
        Command::Mcp => mcp::run(app(config)?),
        Command::Verify(arguments) => verify::run(arguments, &config),
        Command::Monitor(arguments) => monitor::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments, &config),
    }
}

fn app(config: Config) -> Result<App, Failure> {
    Ok(App::stateless(config, Clock::system())?)
}

/// What is kept in a folder.
fn with_data(mut config: Config, data: Option<PathBuf>) -> Config {
    if let Some(data) = data {
        config.data.dir = data;
    }
    config
}

/// A product with everything that is kept, for a command that only reads: it creates no database and changes no table.
async fn open_to_read(config: Config, data: Option<PathBuf>) -> Result<App, Failure> {
    Ok(app(with_data(config, data))?.with_store_to_read().await?)
}

/// A product with everything that is kept.
async fn open(config: Config, data: Option<PathBuf>) -> Result<App, Failure> {
    Ok(app(with_data(config, data))?.with_store().await?)
}

/// A runtime for the commands that wait.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("The runtime could not be started: {error}.")))?;
    let done = runtime.block_on(work);
    // Work on a thread that does not notice that it was cancelled must not keep the process alive.
    runtime.shutdown_timeout(LAST_THREADS);
    Ok(done)
}

/// How long work on other threads may take to notice that the program ends.
const LAST_THREADS: Duration = Duration::from_millis(500);

/// Writes a result. A reader that has gone away (`| head`) ends the program quietly.
fn print(text: &str) {
    use std::io::Write as _;
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a remark for people.
#[expect(clippy::print_stderr, reason = "the one place that speaks to people on a terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
