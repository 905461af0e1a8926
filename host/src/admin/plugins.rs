//! `GET /api/v1/plugins`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Parts;

pub(super) async fn list(State(parts): State<Parts>) -> Response {
    Json(json!({ "items": (parts.plugins)(), "next": null })).into_response()
}
