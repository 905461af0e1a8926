//! `GET /api/v1/deliveries` and `GET /api/v1/deliveries/{id}`.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Parts;
use super::problem::Problem;
use super::question::{self, DeliveryWords};
use crate::model::{Attempt, Decision, DeliveryId, Outcome, format_rfc3339};
use crate::store::DeliveryRecord;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    destination: Option<String>,
    status: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(parts): State<Parts>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let ListQuery { destination, status, since, until, cursor, limit } = question::query(query)?;
    let filter = DeliveryWords { destination, status, since, until }.filter(parts.clock.now())?;
    let found = parts.store.deliveries(filter, question::page(cursor, limit)).await?;
    let items: Vec<_> = found.items.iter().map(summary).collect();
    Ok(Json(json!({ "items": items, "next": found.next })))
}

pub(super) async fn show(
    State(parts): State<Parts>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    // What is no text is no id either.
    let Path(id) = id.map_err(|_| Problem::NotFound("no such delivery"))?;
    let id = DeliveryId::from_text(id);
    let (record, attempts) = parts.store.delivery(&id).await?.ok_or(Problem::NotFound("no such delivery"))?;
    let mut shown = summary(&record);
    let attempts: Vec<_> = attempts.iter().map(attempt).collect();
    shown["attempts"] = json!(attempts);
    Ok(Json(shown))
}

/// A delivery without its attempts.
pub(super) fn summary(delivery: &DeliveryRecord) -> Value {
    json!({
        "id": delivery.id,
        "event": delivery.event,
        "route": delivery.route,
        "destination": delivery.destination,
        "generation": delivery.generation,
        "status": delivery.state,
        "attempt_count": delivery.attempts,
        "due": delivery.due.map(format_rfc3339),
        "created_at": format_rfc3339(delivery.created_at),
        "ended_at": delivery.ended_at.map(format_rfc3339),
        "line": delivery.line,
        "replay_of": delivery.replay_of,
        "reason": delivery.reason,
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let (status, error, detail) = match &attempt.outcome {
        Outcome::Status(status) => (Some(*status), None, None),
        Outcome::Error { kind, detail } => (None, Some(kind.as_str()), Some(detail)),
    };
    let next_due = match attempt.decision {
        Decision::Retry(due) => Some(format_rfc3339(due)),
        Decision::Delivered | Decision::Dead => None,
    };
    json!({
        "number": attempt.number,
        "started_at": format_rfc3339(attempt.started_at),
        "duration_ms": u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        "status": status,
        "error": error,
        "detail": detail,
        "address": attempt.address,
        "response_headers": attempt.response_headers,
        "response_body": String::from_utf8_lossy(&attempt.response_body),
        "decision": attempt.decision.as_str(),
        "reason": attempt.reason,
        "next_due": next_due,
    })
}
