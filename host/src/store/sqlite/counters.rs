//! How much is waiting, counted along as it changes: a backlog of a million rows is
//! never counted again while the store is open.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::encoding::to_u64;
use crate::store::{Backlog, DestinationState, StoreError};

/// One change, which counts once its transaction is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// So many new events.
    Accepted(u64),
    /// So many more (or fewer) pending runs, held ones included.
    Runs(i64),
    /// So many more (or fewer) held runs.
    Held(i64),
    /// One more (1) or one less (-1) pending delivery of a destination.
    Deliveries(String, i64),
    /// So many bytes more (or fewer) of a plugin's keys and values.
    State(String, i64),
    /// This is said of a destination from now on.
    Destination(DestinationState),
}

/// The committed counts. A destination that has been seen stays, at 0.
#[derive(Debug, Default)]
pub(super) struct Counters {
    runs: u64,
    held: u64,
    deliveries: BTreeMap<String, u64>,
    /// Bytes of keys and values, by plugin.
    state: BTreeMap<String, u64>,
}

impl Counters {
    /// From the partial indexes of what is pending, and the heads of what plugins keep.
    pub(super) fn count(conn: &Connection) -> Result<Self, StoreError> {
        let one = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(to_u64);
        let due = one("SELECT count(*) FROM runs INDEXED BY runs_due WHERE state = 0")?;
        let held = one("SELECT count(*) FROM runs INDEXED BY runs_held WHERE state = 4")?;
        let deliveries = by_name(
            conn,
            "SELECT destination, count(*) FROM deliveries INDEXED BY deliveries_due WHERE state = 0 \
             GROUP BY destination",
        )?;
        let state = by_name(
            conn,
            "SELECT plugin, sum(octet_length(key) + octet_length(value)) FROM plugin_state GROUP BY plugin",
        )?;
        Ok(Self { runs: due + held, held, deliveries, state })
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            // Neither is a count of what waits.
            Change::Accepted(_) | Change::Destination(_) => {}
            Change::Runs(by) => self.runs = self.runs.saturating_add_signed(by),
            Change::Held(by) => self.held = self.held.saturating_add_signed(by),
            Change::Deliveries(destination, by) => {
                let count = self.deliveries.entry(destination).or_default();
                *count = count.saturating_add_signed(by);
            }
            Change::State(plugin, by) => {
                let bytes = self.state.entry(plugin).or_default();
                *bytes = bytes.saturating_add_signed(by);
            }
        }
    }

    /// Pending deliveries of a destination.
    pub(super) fn pending(&self, destination: &str) -> u64 {
        self.deliveries.get(destination).copied().unwrap_or(0)
    }

    /// Bytes of a plugin's keys and values.
    pub(super) fn state(&self, plugin: &str) -> u64 {
        self.state.get(plugin).copied().unwrap_or(0)
    }

    pub(super) fn backlog(&self) -> Backlog {
        let deliveries = self.deliveries.iter().map(|(name, count)| (name.clone(), *count)).collect();
        Backlog { runs: self.runs, held: self.held, deliveries }
    }
}

fn by_name(conn: &Connection, sql: &str) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut select = conn.prepare(sql)?;
    let counts = select.query_map([], |row| Ok((row.get(0)?, to_u64(row.get(1)?))))?;
    Ok(counts.collect::<Result<_, rusqlite::Error>>()?)
}
