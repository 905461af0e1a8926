//! Deliveries: created, claimed, and moved on by their attempts.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::codes::{attempt_error, decision, delivery_state, to_delivery_state};
use super::counters::Change;
use super::encoding::{headers, message, message_head, to_i64};
use super::runs::shared_event;
use super::tx::Tx;
use crate::model::{
    Attempt, Decision, Delivery, DeliveryId, DeliveryState, DeliveryTransition, Millis, Outcome,
};
use crate::store::{AttemptRecord, Claimed, NewDelivery, Recorded, RunLease, StoreError, Want};

/// A pending delivery that is due now, and its number; nothing when the id is there
/// already.
pub(super) fn insert(tx: &mut Tx<'_>, run: &RunLease, new: &NewDelivery) -> Result<Option<i64>, StoreError> {
    let inserted = tx
        .sql(
            "INSERT INTO deliveries \
             (id, event, route, destination, generation, state, due, created_at, message, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            new.id.as_str(),
            run.seq,
            run.route,
            new.destination,
            run.generation,
            tx.now.0,
            message_head(&new.message)?,
            new.message.body.as_deref(),
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    tx.count(Change::Deliveries(new.destination.clone(), 1));
    Ok(Some(tx.last_number()))
}

pub(super) fn claim(
    tx: &mut Tx<'_>,
    wants: &[Want],
    lease: Duration,
) -> Result<Claimed<Delivery>, StoreError> {
    let mut events = HashMap::new();
    let mut items = Vec::new();
    let mut next_due: Option<Millis> = None;
    for want in wants {
        let (numbers, next) = due(tx, want)?;
        for number in numbers {
            items.push(load(tx, number, lease, &mut events)?);
        }
        next_due = next_due.into_iter().chain(next).min();
    }
    Ok(Claimed { items, next_due })
}

/// Walks the index of what is due past what is leased; the numbers to claim and when
/// the next one is due.
fn due(tx: &Tx<'_>, want: &Want) -> Result<(Vec<i64>, Option<Millis>), StoreError> {
    let mut numbers = Vec::new();
    let mut select = tx.sql(
        "SELECT due, n FROM deliveries INDEXED BY deliveries_due \
         WHERE state = 0 AND destination = ?1 ORDER BY due",
    )?;
    let mut rows = select.query([&want.destination])?;
    while let Some(row) = rows.next()? {
        let at = Millis(row.get(0)?);
        let number = row.get(1)?;
        if tx.ledger.deliveries.blocks(&number, tx.monotonic) {
            continue;
        }
        if numbers.len() == want.limit || at > tx.now {
            return Ok((numbers, Some(at)));
        }
        numbers.push(number);
    }
    Ok((numbers, None))
}

fn load(
    tx: &mut Tx<'_>,
    number: i64,
    lease: Duration,
    events: &mut HashMap<i64, std::sync::Arc<crate::model::Event>>,
) -> Result<Delivery, StoreError> {
    let mut select = tx.sql(
        "SELECT id, event, route, destination, generation, attempts, message, body FROM deliveries WHERE n = ?1",
    )?;
    let mut rows = select.query([number])?;
    let row = rows.next()?.ok_or_else(|| StoreError::Other(format!("delivery {number} is missing")))?;
    Ok(Delivery {
        id: DeliveryId::from_text(row.get::<_, String>(0)?),
        event: shared_event(tx, row.get(1)?, events)?,
        route: row.get(2)?,
        destination: row.get(3)?,
        generation: row.get(4)?,
        message: message(row, 6)?,
        attempts: row.get(5)?,
        lease: tx.lease_delivery(number, lease),
    })
}

pub(super) fn record(tx: &mut Tx<'_>, attempts: &[AttemptRecord]) -> Result<Vec<Recorded>, StoreError> {
    attempts.iter().map(|record| record_one(tx, record)).collect()
}

fn record_one(tx: &mut Tx<'_>, record: &AttemptRecord) -> Result<Recorded, StoreError> {
    let Some(&number) = tx.ledger.deliveries.key(record.lease) else { return Ok(Recorded::Stale) };
    let found = tx
        .sql("SELECT id, state, attempts, destination FROM deliveries WHERE n = ?1")?
        .query_row([number], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?))
        })
        .optional()?;
    if found.as_ref().is_some_and(|(id, ..)| id != record.delivery.as_str()) {
        // Another's lease, which stays theirs.
        return Ok(Recorded::Stale);
    }
    tx.ledger.deliveries.end(record.lease);
    let Some((_, state, ended, destination)) = found else { return Ok(Recorded::Stale) };
    let transition = DeliveryTransition::Attempted(record.attempt.decision);
    let Some(next) = to_delivery_state(state)?.apply(transition) else { return Ok(Recorded::Stale) };
    insert_attempt(tx, number, &record.attempt)?;
    let due = match record.attempt.decision {
        Decision::Retry(due) => Some(due.0),
        Decision::Delivered | Decision::Dead => None,
    };
    tx.sql("UPDATE deliveries SET state = ?2, attempts = ?3, due = ?4, reason = ?5 WHERE n = ?1")?
        .execute(params![number, delivery_state(next), ended + 1, due, record.attempt.reason])?;
    if next != DeliveryState::Pending {
        tx.count(Change::Deliveries(destination, -1));
    }
    Ok(Recorded::Done)
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
