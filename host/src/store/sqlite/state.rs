//! Plugin state: versions compared, values written, values read, and what they take.
//!
//! The counter `plugin_state_version` gave versions before writers did; it stays for the
//! release that still asks it.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::counters::Change;
use super::encoding::{to_i64, to_u64};
use super::tx::Tx;
use crate::model::Millis;
use crate::store::{StateChanges, StateValue, StateWrite, StoreError};

/// Whether everything that was read still has the version that was seen.
pub(super) fn reads_are_current(tx: &Tx<'_>, changes: &StateChanges) -> Result<bool, StoreError> {
    for (plugin, key, seen) in &changes.reads {
        let version: Option<i64> = tx
            .sql(
                "SELECT version FROM plugin_state \
                 WHERE plugin = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
            )?
            .query_row(params![plugin, key, tx.now.0], |row| row.get(0))
            .optional()?;
        if to_u64(version.unwrap_or(0)) != *seen {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes and deletes, in order.
pub(super) fn write(tx: &mut Tx<'_>, changes: &StateChanges) -> Result<(), StoreError> {
    let version = to_i64(changes.version);
    for StateWrite { plugin, key, value, ttl } in &changes.writes {
        let before = tx
            .sql(
                "DELETE FROM plugin_state WHERE plugin = ?1 AND key = ?2 \
                 RETURNING octet_length(key) + octet_length(value)",
            )?
            .query_row(params![plugin, key], |row| row.get(0))
            .optional()?
            .unwrap_or(0_i64);
        let mut after = 0;
        if let Some(value) = value {
            after = to_i64(key.len() + value.len());
            let expires = ttl.map(|ttl| tx.now.after(ttl).0);
            tx.sql(
                "INSERT INTO plugin_state (plugin, key, version, expires, value) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![plugin, key, version, expires, &value[..]])?;
        }
        if after != before {
            tx.count(Change::State(plugin.clone(), after - before));
        }
    }
    Ok(())
}

/// The value as it is at `now`.
pub(super) fn read(
    conn: &Connection,
    plugin: &str,
    key: &str,
    now: Millis,
) -> Result<Option<StateValue>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT version, value FROM plugin_state \
         WHERE plugin = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
    )?;
    let mut rows = select.query(params![plugin, key, now.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let value = Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?);
    Ok(Some(StateValue { version: to_u64(row.get(0)?), value }))
}
