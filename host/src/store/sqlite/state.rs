//! Plugin state: versions compared, values written, values read.
//!
//! Versions come from one counter that never goes back, so that a key that was deleted
//! and written again never shows a version that somebody has seen before.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

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
pub(super) fn write(tx: &Tx<'_>, writes: &[StateWrite]) -> Result<(), StoreError> {
    if writes.is_empty() {
        return Ok(());
    }
    let count = to_i64(writes.len());
    let last: i64 = tx
        .sql("UPDATE counters SET value = value + ?1 WHERE name = 'plugin_state_version' RETURNING value")?
        .query_row([count], |row| row.get(0))?;
    for (write, version) in writes.iter().zip(last - count + 1..) {
        match &write.value {
            None => {
                tx.sql("DELETE FROM plugin_state WHERE plugin = ?1 AND key = ?2")?
                    .execute(params![write.plugin, write.key])?;
            }
            Some(value) => {
                let expires = write.ttl.map(|ttl| tx.now.after(ttl).0);
                tx.sql(
                    "INSERT OR REPLACE INTO plugin_state (plugin, key, version, expires, value) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![write.plugin, write.key, version, expires, &value[..]])?;
            }
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
