//! `accept`: events, their runs and the keys that make later requests repeats.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::params;

use super::counters::Change;
use super::encoding::{head, to_i64};
use super::tx::{RunKey, Tx};
use crate::model::{Event, EventId, Run};
use crate::store::{Accepted, DedupeKey, NewEvent, StoreError};

/// A [`NewEvent`] whose event the runs can share.
pub(super) struct Incoming {
    event: Arc<Event>,
    routes: Vec<String>,
    dedupe: Option<DedupeKey>,
}

impl From<NewEvent> for Incoming {
    fn from(new: NewEvent) -> Self {
        Self { event: Arc::new(new.event), routes: new.routes, dedupe: new.dedupe }
    }
}

pub(super) fn accept(
    tx: &mut Tx<'_>,
    events: &[Incoming],
    lease: Option<Duration>,
) -> Result<Vec<Accepted>, StoreError> {
    events.iter().map(|new| accept_one(tx, new, lease)).collect()
}

fn accept_one(tx: &mut Tx<'_>, new: &Incoming, lease: Option<Duration>) -> Result<Accepted, StoreError> {
    if let Some(key) = &new.dedupe
        && let Some(first) = claim_key(tx, &new.event, key)?
    {
        count_repeat(tx, &first)?;
        return Ok(Accepted::Duplicate(first));
    }
    let seq = insert_event(tx, &new.event)?;
    let mut runs = Vec::new();
    let mut insert =
        tx.sql("INSERT INTO runs (event, route, generation, state, due) VALUES (?1, ?2, 0, 0, ?3)")?;
    for route in &new.routes {
        insert.execute(params![seq, route, tx.now.0])?;
        if let Some(lease) = lease {
            let key = RunKey { seq, route: route.as_str().into(), generation: 0 };
            let lease = tx.lease_run(key, lease);
            let event = Arc::clone(&new.event);
            runs.push(Run { seq, route: route.clone(), generation: 0, attempts: 0, event, lease });
        }
    }
    tx.count(Change::Accepted(1));
    tx.count(Change::Runs(to_i64(new.routes.len())));
    Ok(Accepted::New(runs))
}

fn insert_event(tx: &Tx<'_>, event: &Event) -> Result<i64, StoreError> {
    tx.sql("INSERT INTO events (id, source, type, received_at, head, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            event.id.as_str(),
            event.source,
            event.event_type,
            event.received_at.0,
            head(event)?,
            &event.body[..],
        ])?;
    Ok(tx.last_number())
}

/// Makes the key this event's, unless it is another's inside its window: then that
/// event's id. One seek on the way that nearly every event takes.
fn claim_key(tx: &Tx<'_>, event: &Event, dedupe: &DedupeKey) -> Result<Option<EventId>, StoreError> {
    let claimed = tx
        .sql(
            "INSERT INTO dedupe (source, key, event, expires) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (source, key) DO UPDATE SET event = excluded.event, expires = excluded.expires \
             WHERE expires <= ?5",
        )?
        .execute(params![
            event.source,
            dedupe.key,
            event.id.as_str(),
            tx.now.after(dedupe.window).0,
            tx.now.0
        ])?;
    if claimed > 0 {
        return Ok(None);
    }
    let first: String = tx
        .sql("SELECT event FROM dedupe WHERE source = ?1 AND key = ?2")?
        .query_row(params![event.source, dedupe.key], |row| row.get(0))?;
    Ok(Some(EventId::from_text(first)))
}

/// Counts the repeat and makes what failed of its event due again: its runs, and its
/// dead deliveries with a new schedule. The event may be gone by now: its key lives
/// longer.
fn count_repeat(tx: &mut Tx<'_>, first: &EventId) -> Result<(), StoreError> {
    tx.sql("UPDATE events SET repeats = repeats + 1 WHERE id = ?1")?.execute([first.as_str()])?;
    let again = tx
        .sql(
            "UPDATE runs SET state = 0, due = ?2, attempts = 0 \
             WHERE event = (SELECT seq FROM events WHERE id = ?1) AND state = 3",
        )?
        .execute(params![first.as_str(), tx.now.0])?;
    tx.count(Change::Runs(to_i64(again)));
    revive_dead(tx, first)
}

/// Found as an event's deliveries are shown: by the ranges of numbers that its runs
/// keep. The attempts stay, and the next ones are numbered from 1 like any schedule's.
fn revive_dead(tx: &mut Tx<'_>, event: &EventId) -> Result<(), StoreError> {
    let mut update = tx.sql(
        "UPDATE deliveries SET state = 0, due = ?2, attempts = 0 WHERE n IN \
         (SELECT d.n FROM events e CROSS JOIN runs r ON r.event = e.seq \
          CROSS JOIN deliveries d ON d.n BETWEEN r.first_delivery AND r.last_delivery \
          AND d.event = r.event AND d.route = r.route AND d.generation = r.generation \
          WHERE e.id = ?1 AND d.state = 2) \
         RETURNING destination",
    )?;
    let mut revived = update.query(params![event.as_str(), tx.now.0])?;
    while let Some(row) = revived.next()? {
        tx.count(Change::Deliveries(row.get(0)?, 1));
    }
    Ok(())
}
