//! What a verb works with inside a transaction of the writer, and what of it lives in
//! memory.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection};

use super::counters::Change;
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
}

/// A point of a transaction that a ledger can return to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    runs: usize,
    deliveries: usize,
    changes: usize,
}

impl Ledger {
    pub(super) fn new(first_token: u64) -> Self {
        Self { runs: Leases::new(first_token), deliveries: Leases::new(first_token), changes: Vec::new() }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { runs: self.runs.mark(), deliveries: self.deliveries.mark(), changes: self.changes.len() }
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        self.runs.undo_to(mark.runs);
        self.deliveries.undo_to(mark.deliveries);
        self.changes.truncate(mark.changes);
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
    pub(super) ledger: &'a mut Ledger,
    /// The wall clock when the batch began: due times and expiries are compared with it.
    pub(super) now: Millis,
    /// The monotonic clock then: leases are.
    pub(super) monotonic: Duration,
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        ledger: &'a mut Ledger,
        now: Millis,
        monotonic: Duration,
    ) -> Self {
        Self { conn, ledger, now, monotonic }
    }

    /// The statement, prepared once for the life of the store. It borrows the
    /// connection, not the transaction, so that the ledger can be used beside it.
    pub(super) fn sql(&self, sql: &str) -> Result<CachedStatement<'a>, StoreError> {
        Ok(self.conn.prepare_cached(sql)?)
    }

    /// The number that the last insert gave.
    pub(super) fn last_number(&self) -> i64 {
        self.conn.last_insert_rowid()
    }

    /// Counts once the transaction is committed.
    pub(super) fn count(&mut self, change: Change) {
        self.ledger.changes.push(change);
    }

    pub(super) fn lease_run(&mut self, key: RunKey, lease: Duration) -> u64 {
        self.ledger.runs.grant(key, self.monotonic, lease)
    }

    pub(super) fn lease_delivery(&mut self, number: i64, lease: Duration) -> u64 {
        self.ledger.deliveries.grant(number, self.monotonic, lease)
    }
}
