//! `POST /api/v1/deliveries/{id}/retry|cancel`, and both for all that pass a filter.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Parts;
use super::problem::Problem;
use super::question::{self, DeliveryWords, MAX_PAGE};
use crate::model::{DeliveryId, DeliveryState};
use crate::store::{Commanded, DeliveryCommand, DeliveryFilter};

/// Deliveries in one transaction of the store.
const AT_ONCE: usize = 100;

const NOT_FOUND: Problem = Problem::NotFound("no such delivery");

type OneAnswer = Result<Json<Value>, Problem>;

pub(super) async fn retry(state: State<Parts>, id: Result<Path<String>, PathRejection>) -> OneAnswer {
    one(state.0, id, DeliveryCommand::Retry).await
}

pub(super) async fn cancel(state: State<Parts>, id: Result<Path<String>, PathRejection>) -> OneAnswer {
    one(state.0, id, DeliveryCommand::Cancel).await
}

pub(super) async fn retry_many(state: State<Parts>, body: Result<Bytes, BytesRejection>) -> OneAnswer {
    many(state.0, body, DeliveryCommand::Retry).await
}

pub(super) async fn cancel_many(state: State<Parts>, body: Result<Bytes, BytesRejection>) -> OneAnswer {
    many(state.0, body, DeliveryCommand::Cancel).await
}

const fn done(command: DeliveryCommand) -> &'static str {
    match command {
        DeliveryCommand::Retry => "retried",
        DeliveryCommand::Cancel => "cancelled",
    }
}

fn tell(parts: &Parts, command: DeliveryCommand) {
    match command {
        DeliveryCommand::Retry => (parts.ring_deliveries)(),
        DeliveryCommand::Cancel => (parts.recall)(),
    }
}

async fn one(parts: Parts, id: Result<Path<String>, PathRejection>, command: DeliveryCommand) -> OneAnswer {
    let Path(id) = id.map_err(|_| NOT_FOUND)?;
    let id = DeliveryId::from_text(id);
    match parts.store.command_deliveries(vec![id.clone()], command).await?.first() {
        Some(Commanded::Done(state)) => {
            tell(&parts, command);
            Ok(Json(json!({ "id": id, "status": state })))
        }
        Some(Commanded::Refused(state)) => {
            let why = format!("it is {} and cannot be {}", state.as_str(), done(command));
            Err(Problem::InState(why, *state))
        }
        Some(Commanded::NotFound) | None => Err(NOT_FOUND),
    }
}

/// Which deliveries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    destination: Option<String>,
    status: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
}

async fn many(parts: Parts, body: Result<Bytes, BytesRejection>, command: DeliveryCommand) -> OneAnswer {
    let Many { destination, status, since, until, cursor, limit, dry_run } = question::body(body)?;
    let filter = DeliveryWords { destination, status, since, until }.filter(parts.clock.now())?;
    if filter == DeliveryFilter::default() {
        let why = "say which deliveries: at least one of `destination`, `status`, `since`, `until`";
        return Err(Problem::BadRequest(why.into()));
    }
    let found = parts.store.deliveries(filter, question::page(cursor, limit.or(Some(MAX_PAGE)))).await?;
    let can = |state: DeliveryState| state.apply(command.transition()).is_some();
    let (ids, refused): (Vec<_>, Vec<_>) = found.items.iter().partition(|delivery| can(delivery.state));
    let ids: Vec<_> = ids.into_iter().map(|delivery| delivery.id.clone()).collect();
    let (found_now, mut changed, mut refused) = (ids.len(), 0, refused.len());
    for part in ids.chunks(AT_ONCE).take_while(|_| !dry_run) {
        for commanded in parts.store.command_deliveries(part.to_vec(), command).await? {
            match commanded {
                Commanded::Done(_) => changed += 1,
                // What has happened since the look.
                Commanded::Refused(_) | Commanded::NotFound => refused += 1,
            }
        }
        tell(&parts, command);
    }
    let mut answer = json!({ "found": found_now, "refused": refused, "next": found.next });
    answer[done(command)] = json!(changed);
    Ok(Json(answer))
}
