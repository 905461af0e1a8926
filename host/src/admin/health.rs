//! `/healthz` (alive), `/readyz` (can promise durability, or why not), `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::Parts;

pub(super) async fn alive() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

pub(super) async fn ready(State(parts): State<Parts>) -> Response {
    match (parts.not_ready)() {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reason": reason })))
                .into_response()
        }
    }
}

pub(super) async fn metrics(State(parts): State<Parts>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], parts.metrics.render()).into_response()
}
