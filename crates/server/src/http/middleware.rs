//! Layers around every request: request id, trace, log line and counters, bodies of problems, host name.

use std::time::Instant;

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    access::Access, connections::BodyWatch, error::ProblemResponse, guarded_body::GuardedBody,
    request_id::RequestId,
};
use crate::state::AppState;
use application::remote::generator::VIA_PSEUDONYM;
use telemetry::{
    metrics_table::{METHODS, OTHER},
    trace::{Kind, Span, TraceContext},
};

/// Gives the request an id, a trace, a span and counters.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let id = given.filter(fits).map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = known(request.method());
    // The route and not the path: paths may hold what must not be logged, and their number has no bound.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let probe = Access::of_request(&request) == Access::Probe;
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let parent = parent.and_then(TraceContext::parse);
    let mut server_span = match probe {
        true => Span::unrecorded(parent),
        false => Span::with_parent(Kind::Server, parent, || match route.as_str() {
            "none" => "HTTP".to_owned(),
            route => format!("{} {route}", conventional(method)),
        }),
    };
    let trace = server_span.context().map(|trace| trace.trace_id()).unwrap_or_default();
    if let Some(context) = server_span.context() {
        // For work that continues in a task of its own.
        request.extensions_mut().insert(context);
    }
    let span = tracing::info_span!(
        "request", request.id = %id, trace.id = %trace, http.method = %method, http.route = %route
    );
    let answering = next.run(request);
    let mut response = match probe {
        true => answering.instrument(span.clone()).await,
        false => server_span.in_scope(answering).instrument(span.clone()).await,
    };
    let took = started.elapsed();
    let status = response.status().as_u16();
    metrics::counter!(
        "ba_copilot_http_requests_total",
        "route" => route.clone(), "method" => method, "status" => status.to_string()
    )
    .increment(1);
    metrics::histogram!("ba_copilot_http_request_seconds", "route" => route.clone())
        .record(took.as_secs_f64());
    let _entered = span.enter();
    let duration_ms = took.as_secs_f64() * 1000.0;
    match probe {
        true => tracing::debug!(http.status = status, duration_ms, "Answered {method} {route} with {status}"),
        false => tracing::info!(http.status = status, duration_ms, "Answered {method} {route} with {status}"),
    }
    for (name, value) in [("x-request-id", &id), ("x-trace-id", &trace)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    if server_span.is_recording() {
        server_span.set_attribute("http.request.method", conventional(method));
        server_span.set_attribute("http.response.status_code", i64::from(status));
        server_span.set_attribute("request.id", id);
        if route != "none" {
            server_span.set_attribute("http.route", route);
        }
        if status >= 500 {
            server_span.set_error(i64::from(status));
        }
        response = response.map(|body| Body::new(GuardedBody::new(body, server_span)));
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // A response that is not a page needs no scripts, styles or frames, whatever a browser makes of it.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Closes the connection with its next response when another process takes over. Closing an idle connection instead
/// would race with the next request on it.
pub async fn close_when_leaving(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if state.leaving.is_cancelled() || state.standby.is_on() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The method from a closed list. Callers may send any text, and each would be a metric series of its own.
fn known(method: &Method) -> &'static str {
    METHODS.iter().find(|known| **known == method.as_str()).copied().unwrap_or(OTHER)
}

/// The method as OpenTelemetry's semantic conventions name it.
fn conventional(known: &'static str) -> &'static str {
    if known == OTHER { "_OTHER" } else { known }
}

/// Refuses a request that another process forwarded if this process forwards requests too: that may be a loop, and
/// each round costs money.
pub async fn refuse_loops(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let forwarded = request
        .headers()
        .get_all(header::VIA)
        .iter()
        .filter_map(|via| via.to_str().ok())
        .any(|via| via.split([',', ' ']).any(|name| name == VIA_PSEUDONYM));
    if forwarded && state.app.generator.is_some() {
        let why = "The request was forwarded in a loop: AI_SERVICE_URL of the process that sent it names this \
            process, which has AI_SERVICE_URL set too. Name a process with the role ai there.";
        return ProblemResponse::new(StatusCode::LOOP_DETECTED, "circle", why).into_response();
    }
    next.run(request).await
}

/// Answers a request whose body did not arrive in time, whatever its handler did with the part that arrived.
pub async fn answer_slow_bodies(request: Request, next: Next) -> Response {
    let watch = request.extensions().get::<BodyWatch>().cloned().unwrap_or_default();
    let response = next.run(request).await;
    if !watch.timed_out() || response.status().is_success() {
        return response;
    }
    let why = "The request body did not arrive in time. Send it without pauses, or send less at a time.";
    let mut response = ProblemResponse::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", why).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Writes the request id into problems.
pub async fn problem_bodies(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let response = next.run(request).await;
    match response.extensions().get::<ProblemResponse>() {
        Some(problem) => {
            let mut answer = problem.with_body(&id);
            // Headers that were set beside the problem.
            for (name, value) in response.headers() {
                if name != header::CONTENT_LENGTH {
                    answer.headers_mut().entry(name).or_insert_with(|| value.clone());
                }
            }
            answer
        }
        None => response,
    }
}

/// Refuses requests for another host name: through a name that it controls, a page of another site could otherwise
/// reach a server on loopback (DNS rebinding).
pub async fn check_host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    let allowed = &state.app.config.server.allowed_hosts;
    let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]" | "");
    // A server that listens on a network asks for a token, which a page in a browser does not have, and is reached
    // under names that only the network knows unless they are listed. The list holds the names that people type;
    // other processes, proxies and monitors continue to use the names of the network.
    let by_machines = !state.role.has_database() || Access::of_request(&request) == Access::Probe;
    let for_others =
        (allowed.is_empty() || by_machines) && !state.app.config.listen(state.role).ip().is_loopback();
    if loopback
        || for_others
        || allowed
            .split(',')
            .map(str::trim)
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name) && !allowed.is_empty())
    {
        return next.run(request).await;
    }
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let why = "This server does not accept requests for this host name. Add it to the setting server.allowed_hosts \
        (ALLOWED_HOSTS).";
    ProblemResponse::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", why).with_body(&id)
}
