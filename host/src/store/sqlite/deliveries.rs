//! Deliveries: created and claimed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::params;

use super::codes::delivery_state;
use super::counters::Change;
use super::encoding::{message, message_head};
use super::runs::shared_event;
use super::tx::Tx;
use crate::model::{Delivery, DeliveryId, DeliveryState, Event, Line, Millis, OnDead};
use crate::store::{Claimed, NewDelivery, RunLease, StoreError, Want};

/// How a delivery is born.
pub(super) enum Born {
    /// Pending and due.
    Due,
    /// Pending, in line.
    Waiting,
    /// Its destination has `max_pending`.
    Dead,
}

/// Creates a delivery; its number, or nothing when the id is there already. `position` is
/// its run's, where it stands in line.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    run: &RunLease,
    new: &NewDelivery,
    position: Option<i64>,
) -> Result<Option<(i64, Born)>, StoreError> {
    let full = new.max_pending.filter(|max| tx.is_full(&new.destination, *max));
    let reason = full.map(|max| {
        format!("{} had max_pending = {max} deliveries pending when this one was created", new.destination)
    });
    let line = match &new.line {
        Some(Line { on_dead: OnDead::Skip, .. }) if full.is_some() => None,
        line => line.as_ref(),
    };
    let (born, state, due, ended) = match (full, line) {
        (Some(_), _) => (Born::Dead, DeliveryState::Dead, None, Some(tx.now.0)),
        (None, Some(_)) => (Born::Waiting, DeliveryState::Pending, None, None),
        (None, None) => (Born::Due, DeliveryState::Pending, Some(tx.now.0), None),
    };
    let inserted = tx
        .sql(
            "INSERT INTO deliveries (id, event, route, destination, generation, state, due, created_at, \
             ended_at, line, position, replay_of, reason, message, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            new.id.as_str(),
            run.seq,
            run.route,
            new.destination,
            run.generation,
            delivery_state(state),
            due,
            tx.now.0,
            ended,
            line.map(|line| &line.key),
            line.and(position),
            new.replay_of.as_ref().map(DeliveryId::as_str),
            reason,
            message_head(&new.message)?,
            new.message.body.as_deref(),
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    if state == DeliveryState::Pending {
        tx.count(Change::Deliveries(new.destination.clone(), 1));
    }
    Ok(Some((tx.last_number(), born)))
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

/// What of a destination has a due time, earliest first. What waits in line has none and
/// is in front of it in the index; a lower bound passes over it in one step.
pub(super) const DUE: &str = "SELECT due, n FROM deliveries INDEXED BY deliveries_due \
     WHERE state = 0 AND destination = ?1 AND due >= ?2 ORDER BY due";

/// Walks the index of what is due past what is leased; the numbers to claim and when
/// the next one is due.
fn due(tx: &Tx<'_>, want: &Want) -> Result<(Vec<i64>, Option<Millis>), StoreError> {
    let mut numbers = Vec::new();
    let mut select = tx.sql(DUE)?;
    let mut rows = select.query(params![want.destination, i64::MIN])?;
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
    events: &mut HashMap<i64, Arc<Event>>,
) -> Result<Delivery, StoreError> {
    let mut select = tx.sql(
        "SELECT id, event, route, destination, generation, attempts, replay_of, message, body \
         FROM deliveries WHERE n = ?1",
    )?;
    let mut rows = select.query([number])?;
    let row = rows.next()?.ok_or_else(|| StoreError::Other(format!("delivery {number} is missing")))?;
    Ok(Delivery {
        id: DeliveryId::from_text(row.get::<_, String>(0)?),
        event: shared_event(tx, row.get(1)?, events)?,
        route: row.get(2)?,
        destination: row.get(3)?,
        generation: row.get(4)?,
        replay_of: row.get::<_, Option<String>>(6)?.map(DeliveryId::from_text),
        message: message(row, 7)?,
        attempts: row.get(5)?,
        lease: tx.lease_delivery(number, lease),
    })
}
