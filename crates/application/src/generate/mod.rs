//! Requirement text in, a validated diagram out: runs a session, in this process or in another one, then stores the result.

mod budget_guard;
mod endpoint;
mod local;
mod record;
mod remote;
mod request;
mod spans;

use std::time::Duration;

use blueprint::Kind;
use llm::Usage;
use telemetry::{
    metrics_table::closed,
    trace::{Kind as About, Span},
};

use crate::{
    Error,
    access::Caller,
    app::App,
    check::Validator,
    session::{Outcome, Settings, Written},
};
use budget_guard::{BudgetGuard, MeteredUsage};
use endpoint::KeyOwner;
use local::Run;
use record::GenerationRecord;
use request::watch;

pub(crate) use endpoint::choose_endpoint;
pub(crate) use request::check_request;
pub use request::{Event, Generated, MAX_MESSAGE_CHARS, Request, Watcher};

/// Writes a diagram and remembers it.
///
/// # Errors
/// When the input cannot be used, or the model failed and no fallback was wanted.
pub async fn generate_diagram(
    app: &App,
    caller: &Caller,
    request: Request,
    watcher: Watcher,
) -> Result<Generated, Error> {
    // Before anything is paid for.
    let (message, project) = check_request(app, caller, &request).await?;
    let (endpoint, key) = choose_endpoint(app, caller, &project, &request).await?.unzip();
    let budget = BudgetGuard::of(app, caller, &project, key.unwrap_or(KeyOwner::Team));
    let (provider, model) = match &endpoint {
        Some(endpoint) => (endpoint.provider.name().to_owned(), endpoint.model.clone()),
        None => ("builtin".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    };
    let begun = app.clock.now_us();
    let settings = Settings {
        kind: request.kind,
        ask_model: endpoint.is_some(),
        max_retries: app.config.model.max_retries,
        fallback: request.fallback,
    };
    let order = remote::Order {
        app,
        request: &request,
        settings: settings.clone(),
        message: &message,
        endpoint: endpoint.as_ref(),
        budget: &budget,
        watcher: &watcher,
    };
    let run = Run { app, endpoint: endpoint.as_ref(), budget: &budget, watcher: &watcher };
    let (mut took, mut took_here) = (MeteredUsage::default(), MeteredUsage::default());
    let mut told = Span::part(About::Inside, "generate");
    let generating = async {
        match remote::generate(&order, &mut took).await {
            Some(result) => (result, false),
            None => (run.session(settings, &message, &mut took_here).await, true),
        }
    };
    // On the heap: the sessions and all they ask are a large thing to hold within whatever asks for one.
    let (result, written_here) = told.around(Box::pin(generating)).await;
    spans::set_generation(&mut told, request.kind, &result);
    let usage = took.and(took_here).usage;
    let duration_us = app.clock.now_us().as_micros().saturating_sub(begun.as_micros()).max(0);
    let duration = Duration::from_micros(u64::try_from(duration_us).unwrap_or(0));
    // What another process wrote, that one has counted: who adds them up counts no diagram and no token twice.
    if written_here {
        measure(request.kind, &provider, &result, took_here.usage, duration);
    }
    watch(&watcher, Event::Status("storing"));
    let record = GenerationRecord {
        app,
        caller,
        request: &request,
        project,
        provider: &provider,
        model: &model,
        usage,
        duration_us,
        begun,
    };
    let (generation_id, diagram_id) = record.store(&message, result.as_ref()).await?;
    let (outcome, validator) = result?;
    tracing::info!(generation.id = %generation_id, llm.provider = %provider, kind = request.kind.row().id, validated = outcome.checked.validated(), retry_count = outcome.retry_count, duration_ms = duration.as_millis() as u64, "Generated a diagram");
    Ok(Generated {
        generation_id,
        diagram_id,
        kind: request.kind,
        outcome,
        validator,
        provider,
        model,
        usage,
        duration,
    })
}

fn measure(
    kind: Kind,
    provider: &str,
    result: &Result<(Outcome, Validator), Error>,
    usage: Usage,
    duration: Duration,
) {
    let outcome = match result {
        Ok((outcome, _)) if outcome.written == Written::Fallback => "fell_back",
        Ok(_) => "succeeded",
        Err(_) => "failed",
    };
    let kind = kind.row().id;
    let provider = match provider {
        "builtin" => "builtin",
        other => closed(llm::PROVIDERS.iter().map(|row| row.name), other),
    };
    metrics::counter!("ba_copilot_generations_total", "kind" => kind, "provider" => provider, "outcome" => outcome).increment(1);
    metrics::histogram!("ba_copilot_generation_seconds", "kind" => kind, "provider" => provider)
        .record(duration.as_secs_f64());
    metrics::counter!("ba_copilot_tokens_total", "provider" => provider, "direction" => "input")
        .increment(usage.input_tokens);
    metrics::counter!("ba_copilot_tokens_total", "provider" => provider, "direction" => "output")
        .increment(usage.output_tokens);
    metrics::counter!("ba_copilot_cost_micro_usd_total", "provider" => provider)
        .increment(usage.cost_micro_usd.unwrap_or(0));
}
