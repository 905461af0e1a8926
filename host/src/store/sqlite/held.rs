//! Held runs: what holds them, and how they become due again.

use rusqlite::{Connection, OptionalExtension, params};

use super::counters::Change;
use super::encoding::to_i64;
use super::tx::Tx;
use crate::store::{Holder, Resumed, StoreError};

/// The next of the pairs by which held runs are ordered.
const NEXT: &str = "SELECT route, held_by FROM runs INDEXED BY runs_held \
     WHERE state = 4 AND (route, held_by) > (?1, ?2) ORDER BY route, held_by LIMIT 1";

/// Everything that holds a run, one step of the index each: however many runs they hold.
pub(super) fn holders(conn: &Connection) -> Result<Vec<Holder>, StoreError> {
    let mut select = conn.prepare_cached(NEXT)?;
    let mut found = Vec::new();
    let mut last = (String::new(), String::new());
    while let Some(next) =
        select.query_row(params![last.0, last.1], |row| Ok((row.get(0)?, row.get(1)?))).optional()?
    {
        last = next;
        let (route, plugin): &(String, String) = &last;
        let plugin = (!plugin.is_empty()).then(|| plugin.clone());
        found.push(Holder { route: route.clone(), plugin });
    }
    Ok(found)
}

pub(super) fn resume(
    tx: &mut Tx<'_>,
    holder: &Holder,
    after: i64,
    limit: usize,
) -> Result<Resumed, StoreError> {
    let (route, plugin) = (&holder.route, holder.plugin.as_deref().unwrap_or_default());
    let last: Option<i64> = tx
        .sql(
            "SELECT max(event) FROM (SELECT event FROM runs INDEXED BY runs_held \
             WHERE state = 4 AND route = ?1 AND held_by = ?2 AND event > ?3 ORDER BY event LIMIT ?4)",
        )?
        .query_row(params![route, plugin, after, to_i64(limit)], |row| row.get(0))?;
    let Some(last) = last else { return Ok(Resumed { count: 0, last: after }) };
    let count = tx
        .sql(
            "UPDATE runs INDEXED BY runs_held SET state = 0, due = ?1, held_by = '' \
             WHERE state = 4 AND route = ?2 AND held_by = ?3 AND event > ?4 AND event <= ?5",
        )?
        .execute(params![tx.now.0, route, plugin, after, last])?;
    tx.count(Change::Held(-to_i64(count)));
    Ok(Resumed { count, last })
}
