//! Layers around every request: request id, trace, log line and counters, bodies of problems, host name.

use std::time::Instant;

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    access::Access, base_path::BasePath, connections::BodyWatch, error::ProblemResponse,
    guarded_body::GuardedBody, host::Host, request_id::RequestId,
};
use crate::state::AppState;
use application::remote::generator::VIA_PSEUDONYM;
use config::comma_separated;
use telemetry::{
    metrics_table::{METHODS, OTHER},
    trace::{Kind, Span, TraceContext},
};

const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

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
    // nginx would otherwise hold events back until its buffer is full.
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    {
        headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    }
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
    let base = BasePath::of_request(&request);
    let response = next.run(request).await;
    match response.extensions().get::<ProblemResponse>() {
        Some(problem) => {
            let mut answer = problem.with_body(&id, base.as_str());
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

/// The host names under which the server may be asked.
#[derive(Clone)]
pub struct AllowedHosts {
    any: bool,
    listed: bool,
    hosts: Vec<Host>,
    on_loopback: bool,
    has_database: bool,
}

impl AllowedHosts {
    pub fn new(state: &AppState) -> Self {
        let config = &state.app.config;
        let listed: Vec<&str> = comma_separated(&config.server.allowed_hosts).collect();
        let public = config.public_host();
        AllowedHosts {
            any: listed.contains(&"*"),
            listed: !listed.is_empty(),
            hosts: listed.into_iter().chain(public.as_deref()).map(Host::parse).collect(),
            on_loopback: config.listen(state.role).ip().is_loopback(),
            has_database: state.role.has_database(),
        }
    }

    fn allow(&self, host: &str, access: Access) -> bool {
        // A server that listens on a network asks for a token, which a page in a browser does not have, and is reached
        // under names that only the network knows unless they are listed. The list holds the names that people type;
        // other processes, proxies and monitors continue to use the names of the network.
        let by_machines = !self.has_database || access == Access::Probe;
        let for_others = (!self.listed || by_machines) && !self.on_loopback;
        let host = Host::parse(host);
        self.any || for_others || host.is_loopback() || self.hosts.contains(&host)
    }
}

/// Refuses requests for another host name: through a name that it controls, a page of another site could otherwise
/// reach a server on loopback (DNS rebinding).
pub async fn check_host(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if host.is_empty() || hosts.allow(host, Access::of_request(&request)) {
        return next.run(request).await;
    }
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let why = "This server does not accept requests for this host name. Add it to the setting server.allowed_hosts \
        (ALLOWED_HOSTS), or set server.public_url (PUBLIC_URL) to the address that people open.";
    ProblemResponse::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", why)
        .with_body(&id, BasePath::of_request(&request).as_str())
}
