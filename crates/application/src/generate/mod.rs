//! Generation of a diagram from requirement text: runs a session in this process or in another one, then stores the
//! result.

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
    metrics_table::known_or_other,
    trace::{Kind as About, Span},
};

use crate::{
    Error,
    access::Caller,
    app::App,
    check::Validator,
    session::{Author, Outcome, Settings},
};
use budget_guard::{BudgetGuard, MeteredUsage};
use endpoint::KeyOwner;
use local::Run;
use record::GenerationRecord;
use request::notify;

pub(crate) use endpoint::choose_endpoint;
pub(crate) use request::check_request;
pub use request::{Event, Generated, MAX_MESSAGE_CHARS, Request, Watcher};

/// Generates a diagram and stores it.
pub async fn generate_diagram(
    app: &App,
    caller: &Caller,
    request: Request,
    watcher: Watcher,
) -> Result<Generated, Error> {
    // Before any cost arises.
    let (message, project) = check_request(app, caller, &request).await?;
    let (endpoint, key) = choose_endpoint(app, caller, &project, &request).await?.unzip();
    let budget = BudgetGuard::new(app, caller, &project, key.unwrap_or(KeyOwner::Team));
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
    let order = remote::RemoteRequest {
        app,
        request: &request,
        settings: settings.clone(),
        message: &message,
        endpoint: endpoint.as_ref(),
        budget: &budget,
        watcher: &watcher,
    };
    let run = Run { app, endpoint: endpoint.as_ref(), budget: &budget, watcher: &watcher };
    let (mut metered, mut metered_here) = (MeteredUsage::default(), MeteredUsage::default());
    let mut span = Span::child(About::Internal, "generate");
    let generating = async {
        match remote::generate(&order, &mut metered).await {
            Some(result) => (result, false),
            None => (run.session(settings, &message, &mut metered_here).await, true),
        }
    };
    // Boxed, because the future is large.
    let (result, written_here) = span.in_scope(Box::pin(generating)).await;
    spans::set_generation(&mut span, request.kind, &result);
    let usage = metered.and(metered_here).usage;
    let duration_us = app.clock.now_us().as_micros().saturating_sub(begun.as_micros()).max(0);
    let duration = Duration::from_micros(u64::try_from(duration_us).unwrap_or(0));
    // Another process has already counted what it wrote: sums over all processes must not count it twice.
    if written_here {
        measure(request.kind, &provider, &result, metered_here.usage, duration);
    }
    notify(&watcher, Event::Status("storing"));
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
    tracing::info!(
        generation.id = %generation_id,
        llm.provider = %provider,
        kind = request.kind.row().id,
        validated = outcome.checked.validated(),
        retry_count = outcome.retry_count,
        duration_ms = duration.as_millis() as u64,
        "Generated a diagram"
    );
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
        Ok((outcome, _)) if outcome.written == Author::Fallback => "fell_back",
        Ok(_) => "succeeded",
        Err(_) => "failed",
    };
    let kind = kind.row().id;
    let provider = match provider {
        "builtin" => "builtin",
        other => known_or_other(llm::PROVIDERS.iter().map(|row| row.name), other),
    };
    metrics::counter!(
        "ba_copilot_generations_total", "kind" => kind, "provider" => provider, "outcome" => outcome
    )
    .increment(1);
    metrics::histogram!("ba_copilot_generation_seconds", "kind" => kind, "provider" => provider)
        .record(duration.as_secs_f64());
    metrics::counter!("ba_copilot_tokens_total", "provider" => provider, "direction" => "input")
        .increment(usage.input_tokens);
    metrics::counter!("ba_copilot_tokens_total", "provider" => provider, "direction" => "output")
        .increment(usage.output_tokens);
    metrics::counter!("ba_copilot_cost_micro_usd_total", "provider" => provider)
        .increment(usage.cost_micro_usd.unwrap_or(0));
}
