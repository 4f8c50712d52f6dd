//! Errors as `application/problem+json`: what happened, what to do, and the id to ask about.

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::http::middleware::RequestId;
use application::Error;

/// The body of every error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A page about this kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/docs#invalid_input")]
    pub kind: String,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What happened and what to do.
    #[schema(example = "There are no requirements: `message` is empty. Paste what people said they need.")]
    pub detail: String,
    /// A stable name for programs.
    #[schema(example = "invalid_input")]
    pub code: String,
    /// The id of the request, also in the header `x-request-id` and in the log.
    pub request_id: String,
    /// Which parts of the input are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

impl Problem {
    /// The answer for an address that leads nowhere.
    pub fn no_such_route() -> Response {
        Pending::new(
            StatusCode::NOT_FOUND,
            "no_such_route",
            "There is nothing at this address. See /docs for what there is.",
        )
        .into_response()
    }
}

/// What a call may answer instead of what it promises.
#[derive(utoipa::IntoResponses)]
pub enum Problems {
    /// Nobody knows who is calling
    #[response(status = 401, content_type = "application/problem+json")]
    SignIn(Problem),
    /// The caller may see it and not change it, the token has not the scope, or a budget has no room and will not have any
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is no such thing, or the caller may not see it
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// Something stands in the way
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The request is larger than this server reads
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
    /// The input cannot be used
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// Too many requests, or a budget is spent, until the time in `Retry-After`
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Problem),
    /// The server has more work than it can do in time, or is shutting down; nothing was changed, try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}

/// What a call that changes something may answer besides.
#[derive(utoipa::IntoResponses)]
pub enum Changes {
    /// It is not the one that the caller has seen any more
    #[response(status = 412, content_type = "application/problem+json")]
    Changed(Problem),
    /// Say which one you have seen
    #[response(status = 428, content_type = "application/problem+json")]
    IfMatchNeeded(Problem),
}

/// One wrong part of the input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Name of the field, query parameter or header; `requirements[3]` for an item of a list.
    #[schema(example = "message")]
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// A problem on its way out; `middleware::problem_bodies` writes the request id into it.
#[derive(Debug, Clone)]
pub struct Pending {
    status: StatusCode,
    code: String,
    detail: String,
    errors: Vec<(String, String)>,
    wait_s: Option<u64>,
}

impl Pending {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Pending { status, code: code.to_owned(), detail: detail.into(), errors: Vec::new(), wait_s: None }
    }

    /// A fault of ours, of which the caller hears only how to ask about it.
    fn internal() -> Self {
        Pending::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here. Try again; if it stays so, report it with the request id.",
        )
    }

    /// Says in how many seconds to try again.
    pub fn after(mut self, wait_s: u64) -> Self {
        self.wait_s = Some(wait_s);
        self
    }

    /// Says it in other words, if it is that the request is too large.
    pub fn if_too_large(mut self, detail: &str) -> Self {
        if self.status == StatusCode::PAYLOAD_TOO_LARGE {
            self.detail = detail.to_owned();
        }
        self
    }

    /// The finished answer.
    pub(super) fn answer(&self, request_id: &RequestId) -> Response {
        let problem = Problem {
            kind: format!("/docs#{}", self.code),
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

impl IntoResponse for Pending {
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
        // Waiting would not help: somebody has to allow more.
        Error::BudgetExceeded { wait_s: None, .. } => StatusCode::FORBIDDEN,
        Error::ModelFailed { code: "llm_misconfigured" | "price_unknown", .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Error::ModelFailed { .. } => StatusCode::BAD_GATEWAY,
        Error::Busy { .. } | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Pending {
    fn from(error: Error) -> Self {
        let status = status_of(&error);
        let code = error.code();
        // Logged once, here; what is ours to mend is an error, what is the caller's is not.
        if let Error::Internal(why) = &error {
            tracing::error!(error.code = code, "A request failed inside: {why}");
            return Pending::internal();
        }
        let mut pending = Pending::new(status, code, error.to_string());
        match error {
            Error::Invalid { path, message } => pending.errors.push((path, message)),
            Error::RateLimited { wait_s, .. }
            | Error::InProgress { wait_s, .. }
            | Error::Busy { wait_s, .. } => {
                pending.wait_s = Some(wait_s);
            }
            Error::BudgetExceeded { wait_s, .. } => pending.wait_s = wait_s,
            _ => (),
        }
        pending
    }
}

/// A JSON body, with errors that people can use.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Pending;

    async fn from_request(request: Request, state: &S) -> Result<Self, Pending> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Body(body)),
            Err(rejection) => Err(match &rejection {
                JsonRejection::MissingJsonContentType(_) => Pending::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "not_json",
                    "Send JSON with the header `Content-Type: application/json`.",
                ),
                JsonRejection::BytesRejection(_) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                    Pending::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "too_large",
                        "The request body is larger than this server reads. Send less at a time.",
                    )
                }
                JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_) => {
                    // serde's own words name the field and the place, and never repeat the value of a text.
                    let body = rejection.body_text();
                    let why = body.split_once(": ").map_or(body.as_str(), |(_, why)| why);
                    Pending::new(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        "invalid_input",
                        format!(
                            "The JSON body is not what is expected here: {why}. See /docs for its shape."
                        ),
                    )
                }
                _ => Pending::new(
                    rejection.status(),
                    "unreadable_body",
                    "The request body could not be read to its end. Send it again.",
                ),
            }),
        }
    }
}

pub async fn no_such_route() -> Response {
    Problem::no_such_route()
}

pub async fn no_such_method() -> Pending {
    Pending::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        "This address does not take this HTTP method. See /docs.",
    )
}

/// A panic of one request is that request's failure only.
pub fn answer_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    // The payload may quote input, so it is not logged; the panic hook has told where it was, and once is enough.
    Pending::internal().into_response()
}
