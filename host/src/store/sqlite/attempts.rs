//! Attempts: recorded with what follows from them.

use rusqlite::{OptionalExtension, params};

use super::codes::{attempt_error, decision, delivery_state, to_delivery_state};
use super::counters::Change;
use super::encoding::{headers, to_i64};
use super::tx::Tx;
use super::{destinations, lines};
use crate::model::{Attempt, Decision, DeliveryState, DeliveryTransition, OnDead, Outcome};
use crate::store::{AttemptRecord, Recorded, StoreError};

pub(super) fn record(tx: &mut Tx<'_>, attempts: &[AttemptRecord]) -> Result<Vec<Recorded>, StoreError> {
    attempts.iter().map(|record| record_one(tx, record)).collect()
}

/// What is attempted.
struct Attempted {
    id: String,
    state: i64,
    destination: String,
    line: Option<String>,
}

fn record_one(tx: &mut Tx<'_>, record: &AttemptRecord) -> Result<Recorded, StoreError> {
    let Some(&number) = tx.ledger.deliveries.key(record.lease) else { return Ok(Recorded::Stale) };
    let found = tx
        .sql("SELECT id, state, destination, line FROM deliveries WHERE n = ?1")?
        .query_row([number], |row| {
            Ok(Attempted { id: row.get(0)?, state: row.get(1)?, destination: row.get(2)?, line: row.get(3)? })
        })
        .optional()?;
    if found.as_ref().is_some_and(|found| found.id != record.delivery.as_str()) {
        // Another's lease, which stays theirs.
        return Ok(Recorded::Stale);
    }
    tx.ledger.deliveries.end(record.lease);
    let Some(found) = found else { return Ok(Recorded::Stale) };
    let before = to_delivery_state(found.state)?;
    let transition = DeliveryTransition::Attempted(record.attempt.decision);
    let Some(next) = before.apply(transition) else { return Ok(Recorded::Stale) };
    insert_attempt(tx, number, &record.attempt)?;
    if let Some(disables) = &record.disables {
        destinations::disable(tx, &found.destination, disables)?;
    }
    let due = match (next, record.attempt.decision) {
        (DeliveryState::Pending, Decision::Retry(due)) => Some(due.0),
        _ => None,
    };
    let holds = next == DeliveryState::Dead && record.on_dead == OnDead::Hold;
    let line = found.line.as_ref().filter(|_| next == DeliveryState::Pending || holds);
    // What the destination said of all deliveries costs none of them a part of its schedule.
    let counts = record.attempt.outcome != Outcome::Status(410);
    tx.sql(
        "UPDATE deliveries SET state = ?2, attempts = attempts + ?7, due = ?3, reason = ?4, line = ?5, \
         ended_at = CASE WHEN ?2 = 0 THEN NULL WHEN ?2 = state THEN ended_at ELSE ?6 END WHERE n = ?1",
    )?
    .execute(params![
        number,
        delivery_state(next),
        due,
        record.attempt.reason,
        line,
        tx.now.0,
        counts
    ])?;
    if next == DeliveryState::Pending {
        return Ok(Recorded::Done { next_in_line: false });
    }
    if before == DeliveryState::Pending {
        tx.count(Change::Deliveries(found.destination.clone(), -1));
    }
    let next_in_line = match &found.line {
        Some(line) => lines::promote(tx, &found.destination, line)?,
        None => false,
    };
    Ok(Recorded::Done { next_in_line })
}

/// Behind all attempts of the delivery, also those of an earlier schedule.
fn insert_attempt(tx: &Tx<'_>, number: i64, attempt: &Attempt) -> Result<(), StoreError> {
    let (status, error, detail) = match &attempt.outcome {
        Outcome::Status(status) => (Some(*status), None, None),
        Outcome::Error { kind, detail } => (None, Some(attempt_error(*kind)), Some(detail)),
    };
    let (decision, due) = decision(attempt.decision);
    let body = (!attempt.response_body.is_empty()).then_some(&attempt.response_body[..]);
    tx.sql(
        "INSERT INTO attempts (delivery, ordinal, number, started_at, duration, status, error, detail, address, \
         decision, due, reason, response_headers, response_body) \
         VALUES (?1, (SELECT coalesce(max(ordinal), 0) + 1 FROM attempts WHERE delivery = ?1), \
         ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute(params![
        number,
        attempt.number,
        attempt.started_at.0,
        to_i64(attempt.duration.as_micros()),
        status,
        error,
        detail,
        attempt.address.map(|address| address.to_string()),
        decision,
        due,
        attempt.reason,
        headers(&attempt.response_headers)?,
        body,
    ])?;
    Ok(())
}
