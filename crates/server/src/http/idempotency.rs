//! `Idempotency-Key`: a POST that is carried out once, even if it is sent again.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    http::{error::ProblemResponse, identify::MaybeCaller},
    state::AppState,
};
use application::cpu_pool;
use application::{
    Error,
    idempotency::{self, Answer, Claim, HEARTBEAT, IdempotentRequest},
};

const KEY: &str = "idempotency-key";
/// Marks a stored response.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The headers that are stored with a response.
const KEPT: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::ETAG, header::LOCATION, HeaderName::from_static("preference-applied")];

/// Carries out a POST with a key once, for authenticated callers.
pub async fn carry_out_once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let key = request.headers().get(KEY).cloned();
    let caller = request.extensions().get::<MaybeCaller>().and_then(|visitor| visitor.0.clone());
    let of_api = request.uri().path().starts_with("/api/v1/");
    let (Some(key), Some(caller), true) = (key, caller, of_api && request.method() == Method::POST) else {
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, state.app.config.server.max_body_bytes).await else {
        return ProblemResponse::body_too_large().into_response();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let key = key.to_str().unwrap_or_default();
    let begun = idempotency::begin(&state.app, &caller, key, &[path.as_bytes(), &body]).await;
    let (caller, attempt) = match begun {
        Ok(Claim::First(caller, attempt)) => (*caller, attempt),
        Ok(Claim::Replay(answer)) => return replay(answer),
        Err(error) => return ProblemResponse::from(error).into_response(),
    };
    parts.extensions.insert(MaybeCaller(Some(caller)));
    let request = Request::from_parts(parts, Body::from(body));
    // A task of its own: it continues when the caller disconnects, so that a retry finds the result.
    let carried_out =
        tokio::spawn(cpu_pool::on_same_behalf(carry_out(state, next.run(request), attempt))).await;
    carried_out.unwrap_or_else(|_| {
        ProblemResponse::from(Error::Internal("a request ended early".to_owned())).into_response()
    })
}

async fn carry_out(
    state: AppState,
    run: impl Future<Output = Response>,
    attempt: IdempotentRequest,
) -> Response {
    let app = &state.app;
    let beat = async {
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        loop {
            beat.tick().await;
            // A short failure of the database does not release the key; the transaction of the change checks it.
            if let Err(error) = attempt.send_heartbeat(app).await {
                tracing::debug!("The idempotency key could not be renewed: {error}");
            }
        }
    };
    let response = tokio::select! {
        response = run => response,
        () = beat => {
            let error = Error::Internal("a request was not carried out".to_owned());
            return ProblemResponse::from(error).into_response();
        }
    };
    let (response, answer) = read(response).await;
    if let Err(error) = attempt.end(app, answer.as_ref()).await {
        // The change is committed; a retry with the key is answered as already done.
        tracing::warn!("The response to a request with an idempotency key could not be stored: {error}");
    }
    response
}

/// The response to store. None for streams, and for problems, which may be temporary.
async fn read(response: Response) -> (Response, Option<Answer>) {
    let streams = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/event-stream"));
    if streams || !response.status().is_success() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let bytes: Bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(_) => {
            let broken =
                ProblemResponse::from(Error::Internal("an answer broke off".to_owned())).into_response();
            return (broken, None);
        }
    };
    let answer = std::str::from_utf8(&bytes).ok().map(|body| Answer {
        status: parts.status.as_u16(),
        headers: KEPT
            .iter()
            .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
            .collect(),
        body: body.to_owned(),
    });
    (Response::from_parts(parts, Body::from(bytes)), answer)
}

fn replay(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
