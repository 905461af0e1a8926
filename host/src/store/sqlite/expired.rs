//! Rows that name the moment from which they mean nothing: dedupe keys, and what plugins
//! remember for a while.

use rusqlite::{Connection, OptionalExtension, params};

use super::counters::Change;
use super::encoding::to_i64;
use super::tx::Tx;
use crate::model::Millis;
use crate::store::StoreError;

/// Rows that one look goes through at most.
const LOOK_AT: usize = 1_000;

/// A table of such rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Dedupe,
    PluginState,
}

/// The two parts of a row's primary key.
pub(super) type Key = (String, String);

/// What a look found.
#[derive(Debug)]
pub(super) struct Expired {
    pub(super) keys: Vec<Key>,
    /// As many as were asked for: there may be more.
    pub(super) full: bool,
    /// Where the walk goes on.
    pub(super) go_on: Key,
}

impl Table {
    /// `?1` and `?2` are the key to begin behind, `?3` the limit.
    pub(super) const fn walk(self) -> &'static str {
        match self {
            Self::Dedupe => {
                "SELECT source, key, expires FROM dedupe WHERE (source, key) > (?1, ?2) \
                 ORDER BY source, key LIMIT ?3"
            }
            Self::PluginState => {
                "SELECT plugin, key, expires FROM plugin_state WHERE (plugin, key) > (?1, ?2) \
                 ORDER BY plugin, key LIMIT ?3"
            }
        }
    }

    /// Returns what the row took of what is counted, in bytes.
    const fn delete(self) -> &'static str {
        match self {
            Self::Dedupe => "DELETE FROM dedupe WHERE source = ?1 AND key = ?2 AND expires <= ?3 RETURNING 0",
            Self::PluginState => {
                "DELETE FROM plugin_state WHERE plugin = ?1 AND key = ?2 AND expires <= ?3 \
                 RETURNING octet_length(key) + octet_length(value)"
            }
        }
    }
}

/// Up to `most` expired keys, from behind `after`.
pub(super) fn find(
    conn: &Connection,
    table: Table,
    after: &Key,
    most: usize,
    now: Millis,
) -> Result<Expired, StoreError> {
    let mut found = Expired { keys: Vec::new(), full: false, go_on: Key::default() };
    let mut looked_at = 0;
    let mut select = conn.prepare_cached(table.walk())?;
    let mut rows = select.query(params![after.0, after.1, to_i64(LOOK_AT)])?;
    while let Some(row) = rows.next()? {
        looked_at += 1;
        let key: Key = (row.get(0)?, row.get(1)?);
        let expires: Option<i64> = row.get(2)?;
        if expires.is_some_and(|expires| expires <= now.0) {
            found.keys.push(key.clone());
        }
        let full = found.keys.len() == most;
        if full || looked_at == LOOK_AT {
            return Ok(Expired { full, go_on: key, ..found });
        }
    }
    Ok(found)
}

/// Deletes those that are still expired; how many.
pub(super) fn delete(tx: &mut Tx<'_>, table: Table, keys: &[Key]) -> Result<usize, StoreError> {
    let mut delete = tx.sql(table.delete())?;
    let mut rows = 0;
    for (owner, key) in keys {
        let gone = delete.query_row(params![owner, key, tx.now.0], |row| row.get::<_, i64>(0)).optional()?;
        rows += usize::from(gone.is_some());
        if let Some(bytes) = gone.filter(|bytes| *bytes > 0) {
            tx.count(Change::State(owner.clone(), -bytes));
        }
    }
    Ok(rows)
}
