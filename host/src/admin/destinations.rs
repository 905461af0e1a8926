//! `GET /api/v1/destinations` and `POST /api/v1/destinations/{name}/pause|resume`: how
//! each stands, also those that only old deliveries still name.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Parts;
use super::problem::Problem;
use crate::model::format_rfc3339;
use crate::store::{DestinationCommand, DestinationState};

const NOT_FOUND: Problem = Problem::NotFound("no such destination");

pub(super) async fn list(State(parts): State<Parts>) -> Result<Json<Value>, Problem> {
    let known = known(&parts).await?;
    let items: Vec<_> = known.names().map(|name| known.shown(&parts, name)).collect();
    Ok(Json(json!({ "items": items, "next": null })))
}

pub(super) async fn pause(
    state: State<Parts>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    command(state.0, name, DestinationCommand::Pause).await
}

pub(super) async fn resume(
    state: State<Parts>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    command(state.0, name, DestinationCommand::Resume).await
}

async fn command(
    parts: Parts,
    name: Result<Path<String>, PathRejection>,
    command: DestinationCommand,
) -> Result<Json<Value>, Problem> {
    let Path(name) = name.map_err(|_| NOT_FOUND)?;
    let mut known = known(&parts).await?;
    if !known.names().any(|one| one == name) {
        return Err(NOT_FOUND);
    }
    let said = parts.store.command_destination(&name, command).await?;
    (parts.ring_deliveries)();
    known.said.insert(name.clone(), said);
    Ok(Json(known.shown(&parts, &name)))
}

/// What is known of destinations, by name.
struct Known {
    /// In the order of the configuration.
    configured: Vec<(String, Value)>,
    said: BTreeMap<String, DestinationState>,
    pending: BTreeMap<String, u64>,
}

async fn known(parts: &Parts) -> Result<Known, Problem> {
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let configured = (parts.configured)().destinations;
    let said = parts.store.destinations().await?;
    let pending = parts.store.backlog().await?.deliveries;
    Ok(Known {
        configured: configured.into_iter().map(|value| (name(&value), value)).collect(),
        said: said.into_iter().map(|said| (said.name.clone(), said)).collect(),
        pending: pending.into_iter().filter(|(_, count)| *count > 0).collect(),
    })
}

impl Known {
    /// The configured ones, then those of which there is only something in the store.
    fn names(&self) -> impl Iterator<Item = &str> {
        let configured: BTreeSet<&str> = self.configured.iter().map(|(name, _)| name.as_str()).collect();
        let says_something = |said: &&DestinationState| said.paused.is_some() || said.disabled.is_some();
        let said = self.said.values().filter(says_something).map(|said| said.name.as_str());
        let others: BTreeSet<&str> = said
            .chain(self.pending.keys().map(String::as_str))
            .filter(|name| !configured.contains(name))
            .collect();
        self.configured.iter().map(|(name, _)| name.as_str()).chain(others)
    }

    fn shown(&self, parts: &Parts, name: &str) -> Value {
        let configured = self.configured.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone());
        let said = self.said.get(name);
        let is_configured = configured.is_some();
        let mut shown = configured.unwrap_or_else(|| json!({ "name": name }));
        shown["configured"] = json!(is_configured);
        shown["pending"] = json!(self.pending.get(name).copied().unwrap_or(0));
        shown["paused_at"] = json!(said.and_then(|said| said.paused).map(format_rfc3339));
        shown["disabled"] = json!(said.and_then(|said| said.disabled.as_ref()).map(|disabled| json!({
            "since": format_rfc3339(disabled.since),
            "reason": disabled.reason,
        })));
        shown["standing"] = json!((parts.standing)(name));
        shown
    }
}
