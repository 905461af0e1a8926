//! What a verb works with inside a transaction of the writer, and what of it lives in
//! memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection};

use super::counters::{Change, Counters};
use super::gates::Window;
use super::leases::Leases;
use crate::model::Millis;
use crate::store::{RunLease, StoreError};

/// Names a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RunKey {
    pub(super) seq: i64,
    pub(super) route: Arc<str>,
    pub(super) generation: u32,
}

/// What the writer remembers beside the tables. It follows the transaction: undone
/// with it, kept with it.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) runs: Leases<RunKey>,
    /// By delivery number.
    pub(super) deliveries: Leases<i64>,
    /// Not yet committed.
    pub(super) changes: Vec<Change>,
    /// What gates have passed, and the writer is still to look at.
    pub(super) windows: Vec<Window>,
}

/// A point of a transaction that a ledger can return to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    runs: usize,
    deliveries: usize,
    changes: usize,
    windows: usize,
}

impl Ledger {
    pub(super) fn new(first_token: u64, windows: Vec<Window>) -> Self {
        let (runs, deliveries) = (Leases::new(first_token), Leases::new(first_token));
        Self { runs, deliveries, changes: Vec::new(), windows }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            runs: self.runs.mark(),
            deliveries: self.deliveries.mark(),
            changes: self.changes.len(),
            windows: self.windows.len(),
        }
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        self.runs.undo_to(mark.runs);
        self.deliveries.undo_to(mark.deliveries);
        self.changes.truncate(mark.changes);
        self.windows.truncate(mark.windows);
    }

    /// The run that this lease holds, if it is still the caller's.
    pub(super) fn holds_run(&self, lease: &RunLease) -> bool {
        self.runs.key(lease.lease).is_some_and(|key| {
            key.seq == lease.seq && *key.route == *lease.route && key.generation == lease.generation
        })
    }
}

/// An open transaction of the writer.
pub(super) struct Tx<'a> {
    conn: &'a Connection,
    /// What is committed.
    counters: &'a Mutex<Counters>,
    pub(super) ledger: &'a mut Ledger,
    /// The wall clock when the batch began: due times and expiries are compared with it.
    pub(super) now: Millis,
    /// The monotonic clock then: leases are.
    pub(super) monotonic: Duration,
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        counters: &'a Mutex<Counters>,
        ledger: &'a mut Ledger,
        now: Millis,
        monotonic: Duration,
    ) -> Self {
        Self { conn, counters, ledger, now, monotonic }
    }

    /// The statement, prepared once for the life of the store. It borrows the
    /// connection, not the transaction, so that the ledger can be used beside it.
    pub(super) fn sql(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        Ok(self.conn.prepare_cached(sql)?)
    }

    /// For what reads alike inside and outside of a transaction.
    pub(super) fn conn(&self) -> &'a Connection {
        self.conn
    }

    /// The number that the last insert gave.
    pub(super) fn last_number(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    /// Counts once the transaction is committed.
    pub(super) fn count(&mut self, change: Change) {
        self.ledger.changes.push(change);
    }

    /// Whether `max` deliveries or more are pending at the destination, those of this
    /// transaction counted.
    pub(super) fn is_full(&self, destination: &str, max: u64) -> bool {
        let committed = self.counters.lock().unwrap_or_else(PoisonError::into_inner).pending(destination);
        let changes = &self.ledger.changes;
        // No more can have come than there are changes: far from full, none is looked at.
        if committed.saturating_add(changes.len().try_into().unwrap_or(u64::MAX)) < max {
            return false;
        }
        let by = changes.iter().map(|change| match change {
            Change::Deliveries(name, by) if name == destination => *by,
            _ => 0,
        });
        committed.saturating_add_signed(by.sum()) >= max
    }

    pub(super) fn lease_run(&mut self, key: RunKey, lease: Duration) -> u64 {
        self.ledger.runs.grant(key, self.monotonic, lease)
    }

    pub(super) fn lease_delivery(&mut self, number: i64, lease: Duration) -> u64 {
        self.ledger.deliveries.grant(number, self.monotonic, lease)
    }
}
