//! The gates of routes: what stands in line waits for the earlier runs of its route that
//! are still to be processed.
//!
//! When the earliest of them ends, the gate moves on to the next one, and the deliveries
//! between the two positions are looked at, each once. There may be very many: those
//! behind a run that was postponed for hours. So a verb looks at a part, and the writer
//! goes on with the rest between the verbs that follow. (No answer says what may go then:
//! who claims looks again after a while anyhow.) What a crash leaves of it is looked at
//! after the next opening.

use rusqlite::{Connection, OptionalExtension, params};

use super::lines;
use super::tx::Tx;
use crate::store::StoreError;

/// Deliveries looked at in one go, and all of the last one's run.
const LOOKS: i64 = 512;

/// The earliest run of a route that is still to be processed.
pub(super) const GATE: &str = "SELECT min(position) FROM runs INDEXED BY runs_in_line \
     WHERE route = ?1 AND position IS NOT NULL AND state IN (0, 4)";
/// The last of so many deliveries of a route that wait between two positions.
pub(super) const REACH: &str = "SELECT position FROM deliveries INDEXED BY deliveries_gated \
     WHERE route = ?1 AND position > ?2 AND position <= ?3 \
     AND line IS NOT NULL AND due IS NULL AND state = 0 ORDER BY position LIMIT 1 OFFSET ?4";
/// The lines in which a route's deliveries wait between two positions.
pub(super) const WAITING: &str = "SELECT DISTINCT destination, line \
     FROM deliveries INDEXED BY deliveries_gated \
     WHERE route = ?1 AND position > ?2 AND position <= ?3 \
     AND line IS NOT NULL AND due IS NULL AND state = 0";

/// Positions that a gate has passed, and whose deliveries are still to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    route: String,
    /// Looked at already.
    after: i64,
    /// The last one.
    to: i64,
}

/// Whether the route's gate has passed a position.
pub(super) fn passed(tx: &Tx<'_>, route: &str, position: i64) -> Result<bool, StoreError> {
    Ok(gate(tx, route)?.is_none_or(|gate| position <= gate))
}

fn gate(tx: &Tx<'_>, route: &str) -> Result<Option<i64>, StoreError> {
    Ok(tx.sql(GATE)?.query_row([route], |row| row.get(0))?)
}

/// After the run at `position` ended: lets go those who waited for it alone. Returns
/// whether any goes on.
pub(super) fn advance(tx: &mut Tx<'_>, route: &str, position: i64) -> Result<bool, StoreError> {
    let to = gate(tx, route)?.unwrap_or(i64::MAX);
    if to < position {
        return Ok(false);
    }
    let (promoted, rest) = look(tx, Window { route: route.to_owned(), after: position, to })?;
    tx.ledger.windows.extend(rest);
    Ok(promoted)
}

/// Looks at a part of a window. Returns whether any goes on, and the rest.
pub(super) fn look(tx: &Tx<'_>, window: Window) -> Result<(bool, Option<Window>), StoreError> {
    let Window { route, after, to } = &window;
    let reach: Option<i64> =
        tx.sql(REACH)?.query_row(params![route, after, to, LOOKS - 1], |row| row.get(0)).optional()?;
    let last = reach.unwrap_or(*to);
    let waiting: Vec<(String, String)> = tx
        .sql(WAITING)?
        .query_map(params![route, after, last], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let promoted = lines::promote_all(tx, &waiting)?;
    Ok((promoted, (last < *to && reach.is_some()).then_some(Window { after: last, ..window })))
}

/// All that gates have passed, for a store that opens.
pub(super) fn all(conn: &Connection) -> Result<Vec<Window>, StoreError> {
    let mut select = conn.prepare(
        "SELECT DISTINCT route FROM deliveries INDEXED BY deliveries_gated \
         WHERE line IS NOT NULL AND due IS NULL AND state = 0",
    )?;
    let routes = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let window = |route: String| {
        let gate: Option<i64> = conn.query_row(GATE, [&route], |row| row.get(0))?;
        Ok(Window { route, after: i64::MIN, to: gate.unwrap_or(i64::MAX) })
    };
    routes.into_iter().map(window).collect()
}
