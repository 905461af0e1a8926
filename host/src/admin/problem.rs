//! Errors of the admin side, and the answers that they become.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::model::DeliveryState;
use crate::store::StoreError;

/// Why a request of the admin API has no answer.
#[derive(Debug)]
pub(super) enum Problem {
    BadRequest(String),
    Unauthorized(&'static str),
    Forbidden(&'static str),
    NotFound(&'static str),
    /// It is there, and as it stands this cannot be done.
    Conflict(String),
    /// The same of a delivery in that state.
    InState(String, DeliveryState),
    Store(StoreError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut state = None;
        let (status, text) = match self {
            Self::BadRequest(text) => (StatusCode::BAD_REQUEST, text),
            Self::Unauthorized(text) => (StatusCode::UNAUTHORIZED, text.to_owned()),
            Self::Forbidden(text) => (StatusCode::FORBIDDEN, text.to_owned()),
            Self::NotFound(text) => (StatusCode::NOT_FOUND, text.to_owned()),
            Self::Conflict(text) => (StatusCode::CONFLICT, text),
            Self::InState(text, in_state) => {
                state = Some(in_state);
                (StatusCode::CONFLICT, text)
            }
            Self::Store(StoreError::BadCursor) => {
                (StatusCode::BAD_REQUEST, StoreError::BadCursor.to_string())
            }
            Self::Store(StoreError::Full) => (StatusCode::SERVICE_UNAVAILABLE, StoreError::Full.to_string()),
            Self::Store(error) => {
                tracing::error!(%error, "the admin API could not use the store");
                (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be used".to_owned())
            }
        };
        let mut body = json!({ "error": text });
        if let Some(state) = state {
            body["status"] = json!(state);
        }
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1 wants a 401 to say how to do better.
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) async fn not_found() -> Response {
    Problem::NotFound("no such page").into_response()
}

pub(super) async fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "error": "method not allowed" }))).into_response()
}
