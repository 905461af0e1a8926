//! Where an event stands, read from its runs and deliveries without what is large.

use rusqlite::Connection;

use super::codes::{to_delivery_state, to_run_state};
use crate::model::{DeliveryState, EventState, Millis, RunState};
use crate::store::StoreError;
use crate::store::shown::derive_state;

/// What an event's runs and deliveries say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Of all generations.
    pub(super) runs: Vec<RunState>,
    pub(super) deliveries: Vec<Standee>,
    /// The last end of any of them.
    pub(super) ended_at: Option<Millis>,
}

/// A delivery of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standee {
    pub(super) number: i64,
    pub(super) state: DeliveryState,
}

impl Standing {
    /// The event's status.
    pub(super) fn state(&self) -> EventState {
        derive_state(self.runs.iter().copied(), self.deliveries.iter().map(|delivery| delivery.state))
    }
}

/// Where the event of that number stands.
pub(super) fn of(conn: &Connection, seq: i64) -> Result<Standing, StoreError> {
    let mut standing = Standing::default();
    let mut ends: Option<i64> = None;
    let mut processed = false;
    let mut select =
        conn.prepare_cached("SELECT state, ended_at, first_delivery IS NOT NULL FROM runs WHERE event = ?1")?;
    let mut rows = select.query([seq])?;
    while let Some(row) = rows.next()? {
        let (state, _held) = to_run_state(row.get(0)?)?;
        standing.runs.push(state);
        ends = ends.max(row.get(1)?);
        processed |= row.get::<_, bool>(2)?;
    }
    if processed {
        // As an event's deliveries are shown: by the ranges that its runs keep.
        let mut select = conn.prepare_cached(
            "SELECT d.n, d.state, d.ended_at FROM runs r \
             CROSS JOIN deliveries d ON d.n BETWEEN r.first_delivery AND r.last_delivery \
             AND d.event = r.event AND d.route = r.route AND d.generation = r.generation \
             WHERE r.event = ?1",
        )?;
        let mut rows = select.query([seq])?;
        while let Some(row) = rows.next()? {
            let state = to_delivery_state(row.get(1)?)?;
            standing.deliveries.push(Standee { number: row.get(0)?, state });
            ends = ends.max(row.get(2)?);
        }
    }
    standing.ended_at = ends.map(Millis);
    Ok(standing)
}
