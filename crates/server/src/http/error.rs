//! Errors as `application/problem+json`: what happened, why, what to do, and the request id.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::request_id::RequestId;
use application::Error;

/// The body of every error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A page about this kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/docs#invalid_input")]
    pub kind: String,
    /// The reason phrase of the status.
    #[schema(example = "Unprocessable Entity")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What happened, why, and what to do.
    #[schema(example = "There are no requirements: `message` is empty. Paste what people said they need.")]
    pub detail: String,
    /// A stable identifier for programs.
    #[schema(example = "invalid_input")]
    pub code: String,
    /// The id of the request, also in the header `x-request-id` and in the log.
    pub request_id: String,
    /// The invalid parts of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// The errors that any operation may answer with.
#[derive(utoipa::IntoResponses)]
pub enum Problems {
    /// The caller is not authenticated
    #[response(status = 401, content_type = "application/problem+json")]
    SignIn(Problem),
    /// The caller may read the resource but not change it, the token lacks the scope, or a budget is spent and does
    /// not renew
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// The resource does not exist, or the caller may not read it
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// The request conflicts with the current state
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The request body is larger than this server accepts
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The request body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
    /// The input is invalid
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// Too many requests, or a budget is spent; retry after `Retry-After` seconds
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// The server is overloaded or shutting down. Nothing was changed; retry after `Retry-After` seconds
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}

/// The errors of an operation with a precondition.
#[derive(utoipa::IntoResponses)]
pub enum Changes {
    /// The resource has changed since the revision in `If-Match`
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(Problem),
    /// The header `If-Match` is missing
    #[response(status = 428, content_type = "application/problem+json")]
    IfMatchNeeded(Problem),
}

/// One invalid part of the input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Name of the field, query parameter or header; `requirements[3]` for an item of a list.
    #[schema(example = "message")]
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// A problem as a response without a body; `middleware::problem_bodies` writes the body, with the request id.
#[derive(Debug, Clone)]
pub struct ProblemResponse {
    status: StatusCode,
    code: String,
    detail: String,
    errors: Vec<(String, String)>,
    wait_s: Option<u64>,
}

impl ProblemResponse {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        ProblemResponse {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            wait_s: None,
        }
    }

    /// A fault of the server. The cause is in the log only.
    fn internal() -> Self {
        ProblemResponse::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The request failed because of an internal error. Try again; if the error remains, report it with the \
             request id.",
        )
    }

    pub(crate) fn body_too_large() -> Self {
        ProblemResponse::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "The request body is larger than this server reads. Send less at a time.",
        )
    }

    /// No route has this path.
    pub(crate) fn no_such_route() -> Self {
        ProblemResponse::new(
            StatusCode::NOT_FOUND,
            "no_such_route",
            "There is no resource at this address. See /docs for the routes of the API.",
        )
    }

    /// Sets `Retry-After`.
    pub fn after(mut self, wait_s: u64) -> Self {
        self.wait_s = Some(wait_s);
        self
    }

    /// Replaces the detail if the problem is that the request is too large.
    pub fn if_too_large(mut self, detail: &str) -> Self {
        if self.status == StatusCode::PAYLOAD_TOO_LARGE {
            self.detail = detail.to_owned();
        }
        self
    }

    /// The complete response.
    pub(super) fn with_body(&self, request_id: &RequestId, base_path: &str) -> Response {
        let problem = Problem {
            kind: format!("{base_path}/docs#{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.clone(),
            request_id: request_id.0.clone(),
            errors: self
                .errors
                .iter()
                .map(|(path, message)| FieldProblem { path: path.clone(), message: message.clone() })
                .collect(),
        };
        let mut response = (self.status, Json(problem)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait_s) = self.wait_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        }
        response
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The HTTP status of an error.
pub(crate) fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) | Error::InProgress { .. } => StatusCode::CONFLICT,
        Error::RevisionMismatch(_) => StatusCode::PRECONDITION_FAILED,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::ModelFailed { code: "llm_timed_out", .. } => StatusCode::GATEWAY_TIMEOUT,
        Error::BudgetExceeded { wait_s: Some(_), .. } => StatusCode::TOO_MANY_REQUESTS,
        // A retry cannot succeed before the budget is raised.
        Error::BudgetExceeded { wait_s: None, .. } => StatusCode::FORBIDDEN,
        Error::ModelFailed { code: "llm_misconfigured" | "price_unknown", .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Error::ModelFailed { .. } => StatusCode::BAD_GATEWAY,
        Error::Busy { .. } | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for ProblemResponse {
    fn from(error: Error) -> Self {
        let status = status_of(&error);
        let code = error.code();
        // The one place where failures of requests are logged: faults of the server as errors, faults of callers
        // not at all.
        if let Error::Internal(why) = &error {
            tracing::error!(error.code = code, "A request failed with an internal error: {why}");
            return ProblemResponse::internal();
        }
        let mut problem = ProblemResponse::new(status, code, error.to_string());
        problem.wait_s = error.wait_s();
        if let Error::Invalid { path, message } = error {
            problem.errors.push((path, message));
        }
        problem
    }
}

pub async fn no_such_route() -> ProblemResponse {
    ProblemResponse::no_such_route()
}

pub async fn no_such_method() -> ProblemResponse {
    ProblemResponse::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        "This route does not accept this HTTP method. See /docs for its methods.",
    )
}

/// A panic fails its own request only.
pub fn answer_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    // The payload may quote input, so it is not logged here; the panic hook has logged where it happened.
    ProblemResponse::internal().into_response()
}
