//! `accept`: events, their runs and the keys that make later requests repeats.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::codes::run_state;
use super::counters::Change;
use super::encoding::{head, to_i64};
use super::tx::{RunKey, Tx};
use super::{commands, lines};
use crate::model::{Event, EventId, Run, RunState};
use crate::store::{Accepted, DedupeKey, NewEvent, NewRun, StoreError};

/// A [`NewEvent`] whose event the runs can share.
pub(super) struct Incoming {
    event: Arc<Event>,
    routes: Vec<NewRun>,
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
    let unfit = new.routes.iter().any(|run| run.dead.is_some());
    if let Some(key) = &new.dedupe
        && let Some(first) = claim_key(tx, &new.event, key, unfit)?
    {
        // What would be dead as well gives what failed no other chance.
        count_repeat(tx, &first, !unfit)?;
        return Ok(Accepted::Duplicate(first));
    }
    let seq = insert_event(tx, &new.event)?;
    let mut runs = Vec::new();
    let position = lines::position_of_new(tx, &new.routes)?;
    let mut insert = tx.sql(
        "INSERT INTO runs (event, route, generation, state, due, position, ended_at, reason) \
         VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (now, mut pending) = (tx.now.0, 0);
    for NewRun { route, ordered, dead } in &new.routes {
        let state = if dead.is_some() { RunState::Failed } else { RunState::Pending };
        let (due, ended) = if dead.is_some() { (None, Some(now)) } else { (Some(now), None) };
        let position = position.filter(|_| *ordered);
        insert.execute(params![seq, route, run_state(state, false), due, position, ended, dead])?;
        if dead.is_some() {
            continue;
        }
        pending += 1;
        if let Some(lease) = lease {
            let key = RunKey { seq, route: route.as_str().into(), generation: 0 };
            let lease = tx.lease_run(key, lease);
            let event = Arc::clone(&new.event);
            runs.push(Run { seq, route: route.clone(), generation: 0, attempts: 0, event, lease });
        }
    }
    tx.count(Change::Accepted(1));
    tx.count(Change::Runs(pending));
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
/// event's id. One seek on the way that nearly every event takes. A sound event takes the
/// key of an unfit one: what that one holds is not what the sender means now.
fn claim_key(
    tx: &Tx<'_>,
    event: &Event,
    dedupe: &DedupeKey,
    unfit: bool,
) -> Result<Option<EventId>, StoreError> {
    let claimed = tx
        .sql(
            "INSERT INTO dedupe (source, key, event, expires, unfit) VALUES (?1, ?2, ?3, ?4, ?6) \
             ON CONFLICT (source, key) DO UPDATE \
             SET event = excluded.event, expires = excluded.expires, unfit = excluded.unfit \
             WHERE expires <= ?5 OR (unfit AND NOT excluded.unfit)",
        )?
        .execute(params![
            event.source,
            dedupe.key,
            event.id.as_str(),
            tx.now.after(dedupe.window).0,
            tx.now.0,
            unfit,
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
fn count_repeat(tx: &mut Tx<'_>, first: &EventId, revives: bool) -> Result<(), StoreError> {
    let seq: Option<i64> = tx
        .sql("UPDATE events SET repeats = repeats + 1 WHERE id = ?1 RETURNING seq")?
        .query_row([first.as_str()], |row| row.get(0))
        .optional()?;
    let Some(seq) = seq.filter(|_| revives) else { return Ok(()) };
    revive_failed(tx, seq)?;
    revive_dead(tx, seq)
}

/// A replay took the place of what was there before it: a repeat sends nothing of that.
const NEWEST: &str = "runs.generation = (SELECT max(newer.generation) FROM runs newer \
                      WHERE newer.event = runs.event AND newer.route = runs.route)";

/// What stood behind a failed run in line did not wait for it: now it stands behind all.
fn revive_failed(tx: &mut Tx<'_>, seq: i64) -> Result<(), StoreError> {
    let ordered: Option<bool> = tx
        .sql(&format!(
            "SELECT max(position IS NOT NULL) FROM runs WHERE event = ?1 AND state = 3 AND {NEWEST}"
        ))?
        .query_row([seq], |row| row.get(0))?;
    let Some(ordered) = ordered else { return Ok(()) };
    let position = ordered.then(|| lines::next_position(tx)).transpose()?;
    let again = tx
        .sql(&format!(
            "UPDATE runs SET state = 0, due = ?2, attempts = 0, ended_at = NULL, \
             position = CASE WHEN position IS NOT NULL THEN ?3 END \
             WHERE event = ?1 AND state = 3 AND {NEWEST}"
        ))?
        .execute(params![seq, tx.now.0, position])?;
    tx.count(Change::Runs(to_i64(again)));
    Ok(())
}

/// Found as an event's deliveries are shown: by the ranges of numbers that its runs
/// keep.
fn revive_dead(tx: &mut Tx<'_>, seq: i64) -> Result<(), StoreError> {
    let dead: Vec<(i64, String, Option<String>)> = tx
        .sql(&format!(
            "SELECT d.n, d.destination, d.line FROM runs \
             CROSS JOIN deliveries d ON d.n BETWEEN runs.first_delivery AND runs.last_delivery \
             AND d.event = runs.event AND d.route = runs.route AND d.generation = runs.generation \
             WHERE runs.event = ?1 AND d.state = 2 AND {NEWEST} ORDER BY d.n"
        ))?
        .query_map([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (number, destination, line) in dead {
        commands::revive(tx, number, &destination, line.as_deref())?;
    }
    Ok(())
}
