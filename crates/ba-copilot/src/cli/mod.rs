//! The command line: the table of commands.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 success, 1 findings, 2 the command
//! failed.

mod backup;
mod check;
mod check_output;
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
mod report_paths;
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
use telemetry::error_reports::ErrorReports;

/// Generates validated Mermaid diagrams from requirements.
///
/// Without a command, starts the server with all roles in one process on http://127.0.0.1:8000, like `serve`.
///
/// Exit codes: 0 success, 1 findings or an unhealthy server, 2 the command failed or a verdict is unknown.
#[derive(Debug, Parser)]
#[command(name = "ba-copilot", version, max_term_width = 100)]
pub struct Cli {
    /// Read settings from a TOML file. docs/config.md lists all settings.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log errors only.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(flatten)]
    serve: serve::Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server: web pages, HTTP API and background jobs.
    Serve(serve::Arguments),
    /// Generate a diagram from requirements.
    Draft(draft::Arguments),
    /// Check Mermaid diagrams in files, folders or standard input.
    Check(check::Arguments),
    /// Repair a Mermaid diagram without a model.
    Repair(repair::Arguments),
    /// Render a Mermaid diagram as SVG or PNG.
    Render(render::Arguments),
    /// Compare two diagrams by element.
    Compare(compare::Arguments),
    /// Explain a rule, for example `explain FLOW003`.
    Explain(explain::Arguments),
    /// List diagram kinds, or print a sample of one.
    Kinds(kinds::Arguments),
    /// Apply database migrations; `serve` applies them when it starts.
    Migrate(migrate::Arguments),
    /// Copy all data to another database.
    Db(db::Arguments),
    /// Create, list, verify and restore backups.
    Backup(backup::Arguments),
    /// Manage user accounts.
    User(user::Arguments),
    /// Manage API tokens.
    Token(token::Arguments),
    /// Generate secrets, and rotate the encryption key.
    Secrets(secrets::Arguments),
    /// Check the settings, or show them with their values and sources.
    Config(config::Arguments),
    /// Diagnose the machine, the settings and the dependencies, with a fix for each problem.
    Doctor(doctor::Arguments),
    /// Deploy a new version without downtime, or roll back.
    Deploy(deploy::Arguments),
    /// Run an MCP server on standard input and output.
    Mcp,
    /// Test the functions of a running server, for example after a deployment.
    Verify(verify::Arguments),
    /// Monitor running servers: health, load, errors, memory.
    Monitor(monitor::Arguments),
    /// Check the health of the server on this machine, for example in a container.
    Healthcheck(healthcheck::Arguments),
}

/// Why a command failed.
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
        Failure::Other(format!("{path} cannot be used: {error}. Check the path and its permissions."))
    }
}

type CommandResult = Result<Verdict, Failure>;

/// The result of a command that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Clean,
    Findings,
    /// For an input there is no verdict: it could not be read, a limit was reached, or the engine did not run.
    Unknown,
}

impl Verdict {
    fn from_clean(clean: bool) -> Self {
        if clean { Verdict::Clean } else { Verdict::Findings }
    }

    /// The worst of several verdicts on diagrams (`valid`, `invalid`, `unknown`).
    fn worst<'a>(mut verdicts: impl Iterator<Item = &'a str> + Clone) -> Self {
        match verdicts.clone().any(|verdict| verdict == "unknown") {
            true => Verdict::Unknown,
            false => Verdict::from_clean(verdicts.all(|verdict| verdict == "valid")),
        }
    }
}

pub fn run(cli: Cli, environment: Environment) -> ExitCode {
    match dispatch(cli, environment) {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Findings) => ExitCode::from(1),
        Ok(Verdict::Unknown) => ExitCode::from(2),
        Err(failure) => {
            say(&format!("ba-copilot: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// Whether the command reads `.env` in the current folder. Only commands for operators do. Commands that process
/// texts are started by agents and editors in untrusted folders, where `.env` could send texts, keys and files to
/// another server.
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
            // Reads the settings of the deployment.
            | Command::Deploy(_)
            // Has no settings.
            | Command::Monitor(_),
        ) => false,
    }
}

fn with_dotenv(environment: Environment, folder: Option<&Path>) -> Environment {
    match folder {
        Some(folder) => environment.with_dotenv(folder),
        None => environment,
    }
}

fn dispatch(cli: Cli, environment: Environment) -> CommandResult {
    let serves = matches!(cli.command, None | Some(Command::Serve(_)));
    let folder = reads_dotenv(cli.command.as_ref()).then(std::env::current_dir).transpose();
    let folder = folder.map_err(|error| Failure::file(".", &error))?;
    let environment = &with_dotenv(environment, folder.as_deref());
    let notice = environment.notice();
    if let Some(notice) = notice.as_ref().filter(|_| !serves && !cli.quiet) {
        say(&format!("{notice}."));
    }
    // These accept an invalid configuration and install no log.
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
    // Commands print their errors; only the server reports them.
    let reports = if serves { ErrorReports::from_config(&config).map_err(Failure::Other)? } else { None };
    telemetry::install_log(&config.log, environment.no_color(), reports.clone());
    if let Some(notice) = notice.filter(|_| serves) {
        tracing::info!("{notice}");
    }
    let unused = cli.command.is_some() && cli.serve != serve::Arguments::default();
    if unused {
        return Err(Failure::Other(
            "--role, --listen and --data belong to `serve`: put them after `serve`, or after another command \
             that has them.".to_owned(),
        ));
    }
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(arguments) => {
            let (file, quiet) = (cli.config, cli.quiet);
            let read_log = Box::new(move || {
                let environment = with_dotenv(Environment::from_process(), folder.as_deref());
                let mut log = Config::load(file.as_deref(), &environment)?.log;
                if quiet {
                    log.level = "error".to_owned();
                }
                Ok(log)
            });
            let manager = ServiceManager::from_environment(environment);
            telemetry::log_panics();
            serve::run(arguments, config, lifecycle::Lifecycle { read_log, manager }, reports)
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
        // Handled above.
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

fn with_data(mut config: Config, data: Option<PathBuf>) -> Config {
    if let Some(data) = data {
        config.data.dir = data;
    }
    config
}

/// Opens the database for a command that only reads: creates and migrates nothing.
async fn open_read_only(config: Config, data: Option<PathBuf>) -> Result<App, Failure> {
    Ok(app(with_data(config, data))?.with_store_read_only().await?)
}

/// Opens the database; creates and migrates it if necessary.
async fn open(config: Config, data: Option<PathBuf>) -> Result<App, Failure> {
    Ok(app(with_data(config, data))?.with_store().await?)
}

/// Runs a future on a new runtime.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("The async runtime could not be started: {error}.")))?;
    let output = runtime.block_on(work);
    // A blocking task that ignores its cancellation must not keep the process alive.
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
    Ok(output)
}

/// How long to wait for blocking tasks at exit.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(500);

/// Writes a result to standard output. Exits silently if the reader has closed the pipe (`| head`).
fn print(text: &str) {
    use std::io::Write as _;
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Writes a message to standard error.
#[expect(clippy::print_stderr, reason = "the only place that writes messages to the terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
