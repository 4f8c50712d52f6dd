//! What happens around every request: its id, its log line and its counters, the body of its errors, its host.

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

use crate::{
    Shared,
    http::{connections::BodyWatch, error::Pending, guarded_body::GuardedBody},
};
use application::remote::generator::VIA_PSEUDONYM;
use telemetry::{
    metrics_table::{METHODS, OTHER},
    trace::{Kind, Span, TraceContext},
};

/// The id of one request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// What machines ask to see how a process is.
fn is_probe(path: &str) -> bool {
    matches!(path, "/health" | "/livez" | "/readyz" | "/startupz" | "/metrics")
}

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
    // The route, not the address: addresses may hold what must not be logged, and there are endlessly many.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let started = Instant::now();
    // Monitors ask every few seconds; nobody wants to read of that.
    let probe = is_probe(&route);
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let parent = parent.and_then(TraceContext::parse);
    let mut told = match probe {
        true => Span::unrecorded(parent),
        false => Span::with_parent(Kind::Server, parent, || match route.as_str() {
            "none" => "HTTP".to_owned(),
            route => format!("{} {route}", conventional(method)),
        }),
    };
    let trace = told.context().map(|trace| trace.trace_id()).unwrap_or_default();
    if let Some(place) = told.context() {
        // For work that goes on in a task of its own.
        request.extensions_mut().insert(place);
    }
    let span = tracing::info_span!("request", request.id = %id, trace.id = %trace, http.method = %method, http.route = %route);
    let answering = next.run(request);
    let mut response = match probe {
        true => answering.instrument(span.clone()).await,
        false => told.in_scope(answering).instrument(span.clone()).await,
    };
    let took = started.elapsed();
    let status = response.status().as_u16();
    metrics::counter!("ba_copilot_http_requests_total", "route" => route.clone(), "method" => method, "status" => status.to_string()).increment(1);
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
    if told.is_recording() {
        told.set_attribute("http.request.method", conventional(method));
        told.set_attribute("http.response.status_code", i64::from(status));
        told.set_attribute("request.id", id);
        if route != "none" {
            told.set_attribute("http.route", route);
        }
        if status >= 500 {
            told.set_error(i64::from(status));
        }
        response = response.map(|body| Body::new(GuardedBody::new(body, told)));
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // What is no page has no need of scripts, styles or frames, whatever a browser takes it for.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Ends a connection with its next answer when another process is to have the caller: closed while nothing is under way on it, it
/// would be closed under the hands of whoever sends the next request at that moment.
pub async fn send_elsewhere(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if shared.leaving.is_cancelled() || shared.standby.is_on() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The method from a closed list: callers may write anything there, at any length, and each text would be a series of metrics of its own.
fn known(method: &Method) -> &'static str {
    METHODS.iter().find(|known| **known == method.as_str()).copied().unwrap_or(OTHER)
}

/// What the conventions for spans call the method.
fn conventional(known: &'static str) -> &'static str {
    if known == OTHER { "_OTHER" } else { known }
}

/// Refuses what another process passes on to this one while this one passes it on too: that may be a circle, and pays for each round.
pub async fn refuse_circles(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let passed_on = request
        .headers()
        .get_all(header::VIA)
        .iter()
        .filter_map(|via| via.to_str().ok())
        .any(|via| via.split([',', ' ']).any(|name| name == VIA_PSEUDONYM));
    if passed_on && shared.app.generator.is_some() {
        let why = "The process that sent this has AI_SERVICE_URL name this one, and this one has others generate too. Name a process of the role ai there.";
        return Pending::new(StatusCode::LOOP_DETECTED, "circle", why).into_response();
    }
    next.run(request).await
}

/// Answers a request whose body did not come in time, whatever its handler made of the part that came.
pub async fn answer_slow_bodies(request: Request, next: Next) -> Response {
    let watch = request.extensions().get::<BodyWatch>().cloned().unwrap_or_default();
    let response = next.run(request).await;
    if !watch.timed_out() || response.status().is_success() {
        return response;
    }
    let why = "The body of the request did not come in time. Send it without pauses, or send less at a time.";
    let mut response = Pending::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", why).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Writes the request id into problems.
pub async fn problem_bodies(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or(RequestId(String::new()));
    let response = next.run(request).await;
    match response.extensions().get::<Pending>() {
        Some(pending) => {
            let mut answer = pending.answer(&id);
            // What else was said with it, such as how long to wait.
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

/// Refuses requests for a host that is not ours: a page elsewhere could otherwise reach a server on loopback through a
/// name that it controls.
pub async fn check_host(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    let allowed = &shared.app.config.server.allowed_hosts;
    let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]" | "");
    // A server for others asks for a token, which no page in a browser has, and is known by names that only its
    // network knows, unless someone lists them. Those are the names that people type in: other processes, proxies and
    // whoever watches go on asking by the network's.
    let by_machines = !shared.role.has_database() || is_probe(request.uri().path());
    let for_others =
        (allowed.is_empty() || by_machines) && !shared.app.config.listen(shared.role).ip().is_loopback();
    if loopback
        || for_others
        || allowed
            .split(',')
            .map(str::trim)
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name) && !allowed.is_empty())
    {
        return next.run(request).await;
    }
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or(RequestId(String::new()));
    Pending::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", "This server does not answer for that host name. Add it to the setting server.allowed_hosts (ALLOWED_HOSTS).").answer(&id).into_response()
}
