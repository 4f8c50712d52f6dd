//! Extractors of the API, whose rejections are problems.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, header, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::http::error::ProblemResponse;
use application::page::Listing;

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemResponse> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Body(body)),
            Err(rejection) => Err(body_problem(&rejection)),
        }
    }
}

/// Not generic, so that it is compiled once and not for each body.
fn body_problem(rejection: &JsonRejection) -> ProblemResponse {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => ProblemResponse::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "The request body is not marked as JSON. Send it with the header `Content-Type: application/json`.",
        ),
        JsonRejection::BytesRejection(_) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            ProblemResponse::body_too_large()
        }
        JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_) => {
            // The message of serde names the field and the position, and never repeats the value of a text.
            let body = rejection.body_text();
            let why = body.split_once(": ").map_or(body.as_str(), |(_, why)| why);
            ProblemResponse::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_input",
                format!("The JSON body does not have the expected form: {why}. See /docs for its schema."),
            )
        }
        _ => ProblemResponse::new(
            rejection.status(),
            "unreadable_body",
            "The request body ended before it was complete. Send the request again.",
        ),
    }
}

/// The query parameters.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(_) => Err(ProblemResponse::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_input",
                "The query parameters cannot be read. See /docs for the parameters of this route.",
            )),
        }
    }
}

/// The revision that the caller has read, from `If-Match`; none for `*`, any revision.
#[derive(IntoParams)]
#[into_params(names("If-Match"), parameter_in = Header)]
pub struct IfMatch(
    /// The `ETag` that you have read, or `*` for any revision
    #[param(value_type = String)]
    pub Option<i64>,
);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ProblemResponse> {
        let Some(value) = parts.headers.get(header::IF_MATCH).filter(|value| !value.is_empty()) else {
            return Err(if_match_needed());
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(IfMatch(None));
        }
        let revision = text.trim_start_matches("W/").trim_matches('"').parse();
        // An ETag that this server never issued matches nothing.
        revision.map(|revision| IfMatch(Some(revision))).map_err(|_| {
            ProblemResponse::new(
                StatusCode::PRECONDITION_FAILED,
                "changed",
                "`If-Match` is not an `ETag` of this resource. Read it again, then change it.",
            )
        })
    }
}

/// The answer to a change without a precondition.
pub(super) fn if_match_needed() -> ProblemResponse {
    ProblemResponse::new(
        StatusCode::PRECONDITION_REQUIRED,
        "if_match_needed",
        "The header `If-Match` is missing. Send the `ETag` that you have read, so that you do not overwrite a newer \
         change, or `*` to change any revision.",
    )
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `next` of the previous page. Leave it out for the first page.
    #[param(pattern = "^-?[0-9]{1,18}~[!-~]{1,128}$")]
    after: Option<String>,
    /// Maximum number of entries, 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<u32>,
}

impl From<ListQuery> for Listing {
    fn from(query: ListQuery) -> Self {
        Listing { after: query.after, limit: query.limit }
    }
}

/// Distinguishes a field that is absent, which changes nothing, from `null`, which removes the value.
pub(super) fn double_option<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}
