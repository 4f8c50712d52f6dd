//! `serve`: the pages and the API, until SIGTERM or Ctrl-C.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::time::Instant;

use super::{
    Failure, Ran, Verdict, block_on,
    lifecycle::{Ending, Manners, Signals},
    listen::{Gate, bind, listen},
};
use application::{
    accounts::users, app::App, clock::Clock, event_stream, health::Probes, jobs, standby::Standby,
};
use config::{Config, Role};
use operations::backup;
use server::{AppState, Limiter, http::connections, router};
use telemetry::{self, error_reports::ErrorReports, process_limits};

/// How long the last spans and errors may take on their way, once all requests are answered.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long work that goes on after responses may take, once all requests are answered.
const AFTER_RESPONSES: Duration = Duration::from_secs(10);
/// The part of the time to end that is left for ending itself.
const LEAVING: Duration = Duration::from_millis(200);

/// Flags of `serve`.
#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Arguments {
    /// What this process does: all (the default); web, pages for people; api, the API for programs and the work that goes on after the
    /// answer; ai, which generates and checks; mcp, which checks for agents and other processes. The last two keep nothing.
    #[arg(long, value_parser = ["all", "web", "api", "ai", "mcp"])]
    role: Option<String>,
    /// Where to listen, for example 127.0.0.1:8000; port 0 takes a free one. If nothing is said, the roles web and mcp listen on port
    /// 3000 and the role api on port 8001 of 127.0.0.1.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Folder for everything that is kept.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn run(
    arguments: Arguments,
    mut config: Config,
    manners: Manners,
    reports: Option<ErrorReports>,
) -> Ran {
    if let Some(listen) = arguments.listen {
        config.server.listen = listen.to_string();
    }
    if let Some(data) = arguments.data {
        config.data.dir = data;
    }
    let role = arguments.role.as_deref().and_then(Role::parse).unwrap_or_default();
    let address = config.listen(role);
    block_on(serve(config, role, address, manners, reports))?
}

/// Beyond this machine, nobody may call without saying who they are.
async fn may_be_reached(role: Role, listen: SocketAddr, app: &App) -> Result<(), Failure> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    match role {
        Role::Mcp if !app.config.mcp.tokens().is_empty() => Ok(()),
        Role::Mcp => Err(Failure::Other(format!(
            "{listen} can be reached by others, so callers need a token. Set MCP_TOKEN here and in the processes that call it, or listen on 127.0.0.1."
        ))),
        Role::All | Role::Web | Role::Api if users::is_set_up(app).await? => Ok(()),
        Role::All | Role::Web | Role::Api => Err(Failure::Other(format!(
            "{listen} can be reached by others, and there are no accounts yet, so anyone could use it. Make the first one with `ba-copilot user add EMAIL`, or make a link for it with `ba-copilot user setup-link`; or listen on 127.0.0.1."
        ))),
        Role::Ai if !app.config.ai.tokens().is_empty() => Ok(()),
        Role::Ai => Err(Failure::Other(format!(
            "{listen} can be reached by others, and the role ai knows no accounts, so callers need a token. Set AI_SERVICE_TOKEN here and in the processes that call it, or listen on 127.0.0.1."
        ))),
    }
}

async fn serve(
    config: Config,
    role: Role,
    address: SocketAddr,
    manners: Manners,
    reports: Option<ErrorReports>,
) -> Ran {
    process_limits::raise_open_files();
    let metrics = telemetry::install_metrics();
    let traces = telemetry::install_traces(&config).map_err(Failure::Other)?;
    let signals =
        Signals::catch().map_err(|error| Failure::Other(format!("Signals cannot be caught: {error}.")))?;
    let app = App::stateless(config, Clock::system())?;
    let app = if role.keeps() { app.with_store().await? } else { app.generating_itself() };
    may_be_reached(role, address, &app).await?;
    let config = app.config.clone();
    let time_to_end = Duration::from_secs(config.server.shutdown_s);
    let ending = Ending::default();
    let Ending { leaving, draining } = ending.clone();
    let ending_since = tokio::spawn({
        let draining = draining.clone();
        async move {
            draining.cancelled().await;
            Instant::now()
        }
    });
    let standby = Standby::while_there(config.server.standby_marker.clone());
    let (listener, offered) = listen(address, &config.server.hand_over_dir, draining.clone()).await?;
    let private = match config.private_listen() {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let address = listener.local_addr().map_err(|error| Failure::Other(error.to_string()))?;
    app.warm_up();
    if let Some(memory) = &app.shared_memory {
        // Without it the server starts all the same; the log and /health say why.
        let _ = memory.connect().await;
    }
    let (store, cpu) = (app.store.clone(), app.cpu.clone());
    let after_response = app.after_response.clone();
    let mut background = vec![tokio::spawn(event_stream::follow(app.clone(), draining.clone()))];
    if role.works() {
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
            tracing::info!(server.private_address = %address, "Answering http://{address} in any state");
        }
        let gate = Gate::new(listener, Standby::default());
        tokio::spawn(connections::serve(gate, routes.clone(), limits, draining.clone()))
    });
    // With a socket of its own it must answer those who ask how it is; with a shared one, others let people in.
    let waits = if offered.is_some() { standby } else { Standby::default() };
    let server = connections::serve(Gate::new(listener, waits), routes, limits, draining.clone());
    manners.manager.ready(address);
    let manners = tokio::spawn(async move {
        tokio::join!(
            manners.manager.keep_alive(Default::default()),
            manners.heed(signals, ending, &config.server)
        )
    });
    server.await;
    drop(offered);
    if let Some(private) = private
        && let Err(error) = private.await
    {
        tracing::error!("Work in the background ended early: {error}");
    }
    // What is under way ends or is put back before the database is closed.
    let unfinished = after_response.drain(AFTER_RESPONSES.min(time_to_end)).await;
    if unfinished > 0 {
        tracing::warn!(
            "Ending: {unfinished} pieces of work after responses, such as messages, were not finished in time"
        );
    }
    for task in background {
        if let Err(error) = task.await {
            tracing::error!("Work in the background ended early: {error}");
        }
    }
    // Whatever still takes a processor has no caller any more.
    cpu.close();
    if let Some(store) = store {
        store.close().await;
    }
    let spent = match draining.is_cancelled() {
        true => ending_since.await.map(|since| since.elapsed()).unwrap_or_default(),
        false => Duration::ZERO,
    };
    let left = time_to_end.saturating_sub(spent + LEAVING);
    telemetry::end(traces, reports, left.min(LAST_WORDS)).await;
    manners.abort();
    tracing::info!("Ended; all requests were answered");
    Ok(Verdict::Clean)
}
