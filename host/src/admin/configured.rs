//! `GET /api/v1/routes`: what is in force.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Parts;

pub(super) async fn routes(State(parts): State<Parts>) -> Json<Value> {
    Json(json!({ "items": (parts.configured)().routes, "next": null }))
}
