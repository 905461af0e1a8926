//! Lines: deliveries of a destination with the same key follow each other, one at a
//! time, in the order of their positions.
//!
//! What stands in line is born without a due time and gets one when it may go: it is the
//! first of its line, none of the line is on its way, and the gate of its route has passed
//! it ([`gates`]), which means that no earlier run of the route is still to be processed. So nothing
//! that is yet to come can belong in front of it. It leaves the line when it is delivered
//! or cancelled, or dead where the dead do not hold others.
//!
//! A run keeps the position that it was given when it was created or became due again;
//! those positions only grow, so a gate never moves back. (Routes have a gate each: what
//! two routes send into one line goes one at a time, but where one route is behind with
//! its runs, only those of each route keep their order.)

use rusqlite::{OptionalExtension, params};

use super::encoding::to_i64;
use super::gates;
use super::tx::Tx;
use crate::model::OnDead;
use crate::store::{NewRun, StoreError};

/// The first of a line.
pub(super) const HEAD: &str = "SELECT n, state, due IS NOT NULL, route, position \
     FROM deliveries INDEXED BY deliveries_line \
     WHERE destination = ?1 AND line = ?2 AND line IS NOT NULL ORDER BY position, n LIMIT 1";
/// Whether one of the line is on its way.
pub(super) const GOING: &str = "SELECT n FROM deliveries INDEXED BY deliveries_going \
     WHERE destination = ?1 AND line = ?2 AND line IS NOT NULL AND due IS NOT NULL AND state = 0";
/// Dead ones that hold those behind.
pub(super) const HOLDING: &str = "SELECT n, line FROM deliveries INDEXED BY deliveries_holding \
     WHERE destination = ?1 AND line IS NOT NULL AND state = 2 LIMIT ?2";

/// A position behind all that were given before.
pub(super) fn next_position(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let mut update =
        tx.sql("UPDATE counters SET value = value + 1 WHERE name = 'position' RETURNING value")?;
    Ok(update.query_row([], |row| row.get(0))?)
}

/// The position that new runs of one event share, if one of them is ordered.
pub(super) fn position_of_new(tx: &Tx<'_>, runs: &[NewRun]) -> Result<Option<i64>, StoreError> {
    runs.iter().any(|run| run.ordered).then(|| next_position(tx)).transpose()
}

/// Lets the first of a line go if it may. To be called when one leaves the line, when one
/// is new in it or pending again, and when the gate of the first one's route moves. Costs
/// the same however many wait.
pub(super) fn promote(tx: &Tx<'_>, destination: &str, line: &str) -> Result<bool, StoreError> {
    let head = tx
        .sql(HEAD)?
        .query_row([destination, line], |row| {
            let waits = row.get::<_, i64>(1)? == 0 && !row.get::<_, bool>(2)?;
            Ok((row.get::<_, i64>(0)?, waits, row.get::<_, String>(3)?, row.get::<_, i64>(4)?))
        })
        .optional()?;
    let Some((number, true, route, position)) = head else { return Ok(false) };
    if !gates::passed(tx, &route, position)? {
        return Ok(false);
    }
    if tx.sql(GOING)?.exists([destination, line])? {
        return Ok(false);
    }
    tx.sql("UPDATE deliveries SET due = ?2 WHERE n = ?1")?.execute(params![number, tx.now.0])?;
    Ok(true)
}

/// Whether any of them goes on.
pub(super) fn promote_all(tx: &Tx<'_>, lines: &[(String, String)]) -> Result<bool, StoreError> {
    let mut promoted = false;
    for (destination, line) in lines {
        promoted |= promote(tx, destination, line)?;
    }
    Ok(promoted)
}

/// Under [`OnDead::Hold`] there is nothing to do: who died under [`OnDead::Skip`] left
/// its line then.
pub(super) fn settle(
    tx: &Tx<'_>,
    destination: &str,
    on_dead: OnDead,
    limit: usize,
) -> Result<bool, StoreError> {
    if on_dead == OnDead::Hold {
        return Ok(false);
    }
    let limit = limit.max(1);
    let holding: Vec<(i64, String)> = tx
        .sql(HOLDING)?
        .query_map(params![destination, to_i64(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (number, line) in &holding {
        tx.sql("UPDATE deliveries SET line = NULL WHERE n = ?1")?.execute([number])?;
        promote(tx, destination, line)?;
    }
    Ok(holding.len() == limit)
}
