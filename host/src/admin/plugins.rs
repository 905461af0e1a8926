//! `GET /api/v1/plugins` and `POST /api/v1/plugins/reload`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Parts;

pub(super) async fn list(State(parts): State<Parts>) -> Json<Value> {
    Json(json!({ "items": (parts.plugins)(), "next": null }))
}

/// Looks at the plugins folder now, and answers with what came of it.
pub(super) async fn reload(State(parts): State<Parts>) -> Json<Value> {
    (parts.reload_plugins)().await;
    list(State(parts)).await
}
