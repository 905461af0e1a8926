//! Runs: claimed, ended with their deliveries, held and resumed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::params;

use super::codes::run_state;
use super::counters::Change;
use super::deliveries::Born;
use super::encoding::{EVENT, event};
use super::tx::{RunKey, Tx};
use super::{deliveries, gates, lines, state};
use crate::model::{Delivery, Event, Millis, Run, RunState};
use crate::store::{Claimed, Committed, Created, NewDelivery, RunEnd, RunLease, RunResult, StoreError};

/// Walks the index of what is due past what is leased: work in flight is bounded, so
/// the walk is, too.
pub(super) fn claim(
    tx: &mut Tx<'_>,
    limit: usize,
    bytes: usize,
    lease: Duration,
) -> Result<Claimed<Run>, StoreError> {
    let mut keys = Vec::new();
    let mut next_due = None;
    let mut due = tx.sql(
        "SELECT due, event, route, generation FROM runs INDEXED BY runs_due WHERE state = 0 ORDER BY due",
    )?;
    let mut rows = due.query([])?;
    while let Some(row) = rows.next()? {
        let at = Millis(row.get(0)?);
        let key =
            RunKey { seq: row.get(1)?, route: row.get_ref(2)?.as_str()?.into(), generation: row.get(3)? };
        if tx.ledger.runs.blocks(&key, tx.monotonic) {
            continue;
        }
        if keys.len() == limit || at > tx.now {
            next_due = Some(at);
            break;
        }
        keys.push((at, key));
    }
    let (mut events, mut items, mut size) = (HashMap::new(), Vec::with_capacity(keys.len()), 0);
    for (at, key) in keys {
        if size >= bytes && !items.is_empty() {
            next_due = Some(at);
            break;
        }
        let run = load(tx, key, lease, &mut events)?;
        size += run.event.size();
        items.push(run);
    }
    Ok(Claimed { items, next_due })
}

fn load(
    tx: &mut Tx<'_>,
    key: RunKey,
    lease: Duration,
    events: &mut HashMap<i64, Arc<Event>>,
) -> Result<Run, StoreError> {
    let attempts = tx
        .sql("SELECT attempts FROM runs WHERE event = ?1 AND route = ?2 AND generation = ?3")?
        .query_row(params![key.seq, key.route, key.generation], |row| row.get(0))?;
    Ok(Run {
        seq: key.seq,
        route: key.route.to_string(),
        generation: key.generation,
        attempts,
        event: shared_event(tx, key.seq, events)?,
        lease: tx.lease_run(key, lease),
    })
}

/// The event of that number; those already read in this claim are shared.
pub(super) fn shared_event(
    tx: &Tx<'_>,
    seq: i64,
    events: &mut HashMap<i64, Arc<Event>>,
) -> Result<Arc<Event>, StoreError> {
    if let Some(event) = events.get(&seq) {
        return Ok(Arc::clone(event));
    }
    let mut select = tx.sql(&format!("SELECT {EVENT} FROM events e WHERE e.seq = ?1"))?;
    let mut rows = select.query([seq])?;
    let row = rows.next()?.ok_or_else(|| StoreError::Other(format!("event {seq} is missing")))?;
    let event = Arc::new(event(row, 0)?);
    events.insert(seq, Arc::clone(&event));
    Ok(event)
}

pub(super) fn commit(
    tx: &mut Tx<'_>,
    results: &[RunResult],
    lease: Option<Duration>,
) -> Result<Vec<Committed>, StoreError> {
    results.iter().map(|result| commit_one(tx, result, lease)).collect()
}

fn commit_one(tx: &mut Tx<'_>, result: &RunResult, lease: Option<Duration>) -> Result<Committed, StoreError> {
    if !tx.ledger.holds_run(&result.run) {
        return Ok(Committed::Stale);
    }
    if matches!(result.end, RunEnd::Processed(_) | RunEnd::Dropped(_)) {
        if !state::reads_are_current(tx, &result.state)? {
            return Ok(Committed::Conflict);
        }
        state::write(tx, &result.state)?;
    }
    let mut born = Newborn::default();
    if let RunEnd::Processed(new) = &result.end {
        born = create_deliveries(tx, result, new, lease)?;
    }
    let position = end(tx, result, &born)?;
    tx.ledger.runs.end(result.run.lease);
    // Only now, because the run itself is no longer in front of them.
    born.created.claimable |= lines::promote_all(tx, &born.lines)?;
    if let Some(position) = position {
        born.created.claimable |= gates::advance(tx, &result.run.route, position)?;
    }
    Ok(Committed::Done(born.created))
}

/// What a run became.
#[derive(Default)]
struct Newborn {
    /// The first and the last number.
    range: Option<(i64, i64)>,
    created: Created,
    /// Those in which new deliveries wait: destination and key.
    lines: Vec<(String, String)>,
    /// The run's place in these lines.
    position: Option<i64>,
}

fn create_deliveries(
    tx: &mut Tx<'_>,
    result: &RunResult,
    new: &[NewDelivery],
    lease: Option<Duration>,
) -> Result<Newborn, StoreError> {
    let mut born = Newborn::default();
    if new.iter().any(|new| new.line.is_some()) {
        born.position = Some(position(tx, &result.run)?);
    }
    for new in new {
        let Some((number, kind)) = deliveries::insert(tx, &result.run, new, born.position)? else { continue };
        born.range = Some((born.range.map_or(number, |(first, _)| first), number));
        match (kind, lease) {
            (Born::Dead, _) => born.created.dead.push((new.id.clone(), new.destination.clone())),
            (Born::Waiting, _) => {
                born.lines.extend(new.line.as_ref().map(|line| (new.destination.clone(), line.key.clone())));
            }
            (Born::Due, None) => born.created.claimable = true,
            (Born::Due, Some(lease)) => {
                let lease = tx.lease_delivery(number, lease);
                born.created.leased.push(handed_over(result, new, lease));
            }
        }
    }
    Ok(born)
}

fn handed_over(result: &RunResult, new: &NewDelivery, lease: u64) -> Delivery {
    Delivery {
        id: new.id.clone(),
        event: Arc::clone(&result.event),
        route: result.run.route.clone(),
        destination: new.destination.clone(),
        generation: result.run.generation,
        replay_of: new.replay_of.clone(),
        message: new.message.clone(),
        attempts: 0,
        lease,
    }
}

/// The run's place in lines. One that was created before an order was asked for stands
/// behind all that were: they may be on their way.
fn position(tx: &Tx<'_>, run: &RunLease) -> Result<i64, StoreError> {
    let position: Option<i64> = tx
        .sql("SELECT position FROM runs WHERE event = ?1 AND route = ?2 AND generation = ?3")?
        .query_row(params![run.seq, run.route, run.generation], |row| row.get(0))?;
    position.map_or_else(|| lines::next_position(tx), Ok)
}

/// Writes where the run goes, in one statement for all ends. The position at which it
/// stood, when it is no longer to be processed.
fn end(tx: &mut Tx<'_>, result: &RunResult, born: &Newborn) -> Result<Option<i64>, StoreError> {
    let (state, held, due, reason) = match &result.end {
        RunEnd::Processed(_) => (RunState::Processed, false, None, None),
        RunEnd::Dropped(reason) => (RunState::Dropped, false, None, Some(reason)),
        RunEnd::Failed(reason) => (RunState::Failed, false, None, Some(reason)),
        RunEnd::Retry(due, reason) => (RunState::Pending, false, Some(due.0), Some(reason)),
        RunEnd::Held(reason) => (RunState::Pending, true, None, Some(reason)),
    };
    let counted = u32::from(matches!(result.end, RunEnd::Retry(..)));
    let steps = (!result.steps.is_empty()).then(|| serde_json::to_string(&result.steps)).transpose()?;
    let (first, last) = born.range.unzip();
    let ended = (state != RunState::Pending).then_some(tx.now.0);
    let mut update = tx.sql(
        "UPDATE runs SET state = ?4, due = ?5, attempts = attempts + ?6, reason = ?7, steps = ?8, \
         first_delivery = coalesce(first_delivery, ?9), last_delivery = coalesce(?10, last_delivery), \
         ended_at = ?11, position = coalesce(position, ?12), held_by = ?13 \
         WHERE event = ?1 AND route = ?2 AND generation = ?3 RETURNING position",
    )?;
    let values = params![
        result.run.seq,
        result.run.route,
        result.run.generation,
        run_state(state, held),
        due,
        counted,
        reason,
        steps,
        first,
        last,
        ended,
        born.position,
        result.held_by().unwrap_or_default(),
    ];
    let position = update.query_row(values, |row| row.get::<_, Option<i64>>(0))?;
    match (state, held) {
        (RunState::Pending, false) => {}
        (RunState::Pending, true) => tx.count(Change::Held(1)),
        _ => tx.count(Change::Runs(-1)),
    }
    Ok(position.filter(|_| ended.is_some()))
}
