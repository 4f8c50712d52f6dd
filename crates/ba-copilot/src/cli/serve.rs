//! `serve`: runs the server until SIGTERM or SIGINT.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::time::Instant;

use super::{
    CommandResult, Failure, Verdict, block_on,
    lifecycle::{Lifecycle, Shutdown, Signals},
    listen::{Gate, bind, listen},
};
use application::{
    accounts::users, app::App, clock::Clock, event_stream, health::Probes, jobs, standby::Standby,
};
use config::{Config, Role};
use operations::backup;
use server::{AppState, Limiter, http::connections, router};
use telemetry::{error_reports::ErrorReports, process_limits};

/// Maximum time to export the last spans and error reports after all requests.
const TELEMETRY_FLUSH: Duration = Duration::from_secs(2);
/// Maximum time for tasks that continue after responses.
const AFTER_RESPONSES: Duration = Duration::from_secs(10);
/// The part of the shutdown timeout that is reserved for the exit itself.
const EXIT_RESERVE: Duration = Duration::from_millis(200);

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Arguments {
    /// Role of this process: all; web (pages); api (API for programs, and background jobs); ai (generation and checks
    /// for other processes); mcp (checks for agents and other processes). ai and mcp have no database [default: all].
    #[arg(long, value_parser = ["all", "web", "api", "ai", "mcp"])]
    role: Option<String>,
    /// Address and port to listen on; port 0 selects a free port. On any address other than 127.0.0.1 callers must
    /// authenticate [default: 127.0.0.1:8000; port 3000 for the roles web and mcp, port 8001 for the role api].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Data folder; overrides the setting data.dir [default: ./data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn run(
    arguments: Arguments,
    mut config: Config,
    lifecycle: Lifecycle,
    reports: Option<ErrorReports>,
) -> CommandResult {
    if let Some(listen) = arguments.listen {
        config.server.listen = listen.to_string();
    }
    if let Some(data) = arguments.data {
        config.data.dir = data;
    }
    let role = arguments.role.as_deref().and_then(Role::parse).unwrap_or_default();
    let address = config.listen(role);
    block_on(serve(config, role, address, lifecycle, reports))?
}

/// Refuses to listen on other addresses than loopback while callers could not be authenticated.
async fn require_authentication(role: Role, listen: SocketAddr, app: &App) -> Result<(), Failure> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    match role {
        Role::Mcp if !app.config.mcp.tokens().is_empty() => Ok(()),
        Role::Mcp => Err(Failure::Other(format!(
            "{listen} is reachable from other machines, so the role mcp requires a token. Set MCP_TOKEN here \
             and in the processes that call it, or listen on 127.0.0.1."
        ))),
        Role::All | Role::Web | Role::Api if users::is_set_up(app).await? => Ok(()),
        Role::All | Role::Web | Role::Api => Err(Failure::Other(format!(
            "{listen} is reachable from other machines, and there are no accounts yet, so anyone could use \
             the server. Create the first account with `ba-copilot user add EMAIL`, or a link for it with \
             `ba-copilot user setup-link`; or listen on 127.0.0.1."
        ))),
        Role::Ai if !app.config.ai.tokens().is_empty() => Ok(()),
        Role::Ai => Err(Failure::Other(format!(
            "{listen} is reachable from other machines, so the role ai requires a token. Set \
             AI_SERVICE_TOKEN here and in the processes that call it, or listen on 127.0.0.1."
        ))),
    }
}

async fn serve(
    config: Config,
    role: Role,
    address: SocketAddr,
    lifecycle: Lifecycle,
    reports: Option<ErrorReports>,
) -> CommandResult {
    process_limits::raise_open_files();
    let metrics = telemetry::install_metrics();
    let traces = telemetry::install_traces(&config).map_err(Failure::Other)?;
    let signals = Signals::install()
        .map_err(|error| Failure::Other(format!("Cannot install signal handlers: {error}.")))?;
    let app = App::stateless(config, Clock::system())?;
    let app = if role.has_database() { app.with_store().await? } else { app.without_remote_generator() };
    require_authentication(role, address, &app).await?;
    let config = app.config.clone();
    let shutdown_timeout = Duration::from_secs(config.server.shutdown_s);
    let shutdown = Shutdown::default();
    let Shutdown { leaving, draining } = shutdown.clone();
    let draining_since = tokio::spawn({
        let draining = draining.clone();
        async move {
            draining.cancelled().await;
            Instant::now()
        }
    });
    let standby = Standby::while_exists(config.server.standby_marker.clone());
    let (listener, offered) = listen(address, &config.server.hand_over_dir, draining.clone()).await?;
    let private = match config.private_listen() {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let address = listener.local_addr().map_err(|error| Failure::Other(error.to_string()))?;
    app.warm_up();
    if let Some(memory) = &app.shared_memory {
        // The server starts without Redis too; the log and /health show the error.
        let _ = memory.connect().await;
    }
    let (store, cpu) = (app.store.clone(), app.cpu.clone());
    let after_response = app.after_response.clone();
    let mut background = vec![tokio::spawn(event_stream::follow(app.clone(), draining.clone()))];
    if role.runs_jobs() {
        background.push(tokio::spawn(jobs::worker::run(app.clone(), standby.clone(), leaving.clone())));
        background.push(tokio::spawn(backup::schedule::run(app.clone(), standby.clone(), draining.clone())));
    }
    let limiter = Limiter::new(&app);
    let probes = Probes::default();
    let shared = AppState {
        app,
        role,
        probes,
        metrics,
        limiter,
        standby: standby.clone(),
        leaving,
        draining: draining.clone(),
    };
    tracing::info!(server.address = %address, version = env!("CARGO_PKG_VERSION"), "Serving http://{address}");
    let routes = router(shared);
    let limits = connections::ConnectionLimits::from_config(&config);
    let private = private.map(|listener| {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(server.private_address = %address, "Serving http://{address} also in standby");
        }
        let gate = Gate::new(listener, Standby::default());
        tokio::spawn(connections::serve(gate, routes.clone(), limits, draining.clone()))
    });
    // A socket of its own must answer health checks in standby; on a shared socket other processes accept
    // connections.
    let waits = if offered.is_some() { standby } else { Standby::default() };
    let server = connections::serve(Gate::new(listener, waits), routes, limits, draining.clone());
    lifecycle.manager.ready(address);
    let signal_task = tokio::spawn(async move {
        tokio::join!(
            lifecycle.manager.keep_alive(Default::default()),
            lifecycle.handle_signals(signals, shutdown, &config.server)
        )
    });
    server.await;
    drop(offered);
    if let Some(private) = private
        && let Err(error) = private.await
    {
        tracing::error!("A background task ended early: {error}");
    }
    // Tasks complete and jobs return to the queue before the database is closed.
    let unfinished = after_response.drain(AFTER_RESPONSES.min(shutdown_timeout)).await;
    if unfinished > 0 {
        tracing::warn!(
            "Shutting down: {unfinished} tasks after responses, such as e-mails, were not completed in time"
        );
    }
    for task in background {
        if let Err(error) = task.await {
            tracing::error!("A background task ended early: {error}");
        }
    }
    // Running checks have no caller any more.
    cpu.close();
    if let Some(store) = store {
        store.close().await;
    }
    let spent = match draining.is_cancelled() {
        true => draining_since.await.map(|since| since.elapsed()).unwrap_or_default(),
        false => Duration::ZERO,
    };
    let left = shutdown_timeout.saturating_sub(spent + EXIT_RESERVE);
    telemetry::shutdown(traces, reports, left.min(TELEMETRY_FLUSH)).await;
    signal_task.abort();
    tracing::info!("Stopped; all requests were answered");
    Ok(Verdict::Clean)
}
