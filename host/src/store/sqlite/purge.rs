//! Finished events: found in the order of their receipt, and deleted with all that
//! belongs to them.

use rusqlite::{Connection, OptionalExtension};

use super::encoding::to_i64;
use super::lines;
use super::standing::{self, Standing};
use super::tx::Tx;
use crate::model::{EventState, Millis};
use crate::store::{Retention, StoreError};

/// Events that one look goes through at most.
const LOOK_AT: usize = 1_000;
/// So many events in a row that are too young: behind them there are only younger ones.
const YOUNG: usize = 200;

/// What a look found.
#[derive(Debug)]
pub(super) struct Candidates {
    /// Numbers and ids, in the order of the walk.
    pub(super) found: Vec<(i64, String)>,
    /// As many as were asked for: there may be more.
    pub(super) full: bool,
    /// Where the walk began, and where it goes on.
    began: String,
    go_on: String,
}

impl Candidates {
    /// Where the walk goes on when the first `settled` of what was found are done.
    pub(super) fn go_on_behind(&self, settled: usize) -> String {
        if settled >= self.found.len() {
            return self.go_on.clone();
        }
        settled.checked_sub(1).map_or_else(|| self.began.clone(), |last| self.found[last].1.clone())
    }
}

/// Up to `most` events that have served their time, from behind the event `after`.
///
/// Ids sort by the time of receipt, so the index on them leads to the oldest first; no
/// event whose clock was wrong stands before others for ever, as it would by number.
pub(super) fn find(
    conn: &Connection,
    after: &str,
    most: usize,
    retention: Retention,
    now: Millis,
) -> Result<Candidates, StoreError> {
    let newest: Option<i64> = conn.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    let shortest = retention.finished.min(retention.dead);
    let mut candidates =
        Candidates { found: Vec::new(), full: false, began: after.to_owned(), go_on: String::new() };
    let (mut looked_at, mut young) = (0, 0);
    let mut select = conn.prepare_cached(WALK)?;
    let mut rows = select.query(rusqlite::params![after, to_i64(LOOK_AT)])?;
    while let Some(row) = rows.next()? {
        let (seq, id): (i64, String) = (row.get(0)?, row.get(1)?);
        let received_at = Millis(row.get(2)?);
        looked_at += 1;
        if received_at.after(shortest) > now {
            young += 1;
            if young == YOUNG {
                return Ok(Candidates { go_on: String::new(), ..candidates });
            }
            continue;
        }
        young = 0;
        if Some(seq) == newest || !has_served(&standing::of(conn, seq)?, received_at, retention, now) {
            candidates.go_on = id;
            continue;
        }
        candidates.go_on.clone_from(&id);
        candidates.found.push((seq, id));
        if candidates.found.len() == most {
            candidates.full = true;
            return Ok(candidates);
        }
    }
    if looked_at < LOOK_AT {
        candidates.go_on = String::new();
    }
    Ok(candidates)
}

const NEWEST: &str = "SELECT max(seq) FROM events";

/// The walk over the index of ids.
pub(super) const WALK: &str =
    "SELECT e.seq, e.id, e.received_at FROM events e WHERE e.id > ?1 ORDER BY e.id LIMIT ?2";

/// Whether nothing of the event waits and its last end is long enough ago.
fn has_served(standing: &Standing, received_at: Millis, retention: Retention, now: Millis) -> bool {
    let kept = match standing.state() {
        EventState::Pending => return false,
        EventState::Delivered | EventState::Dropped => retention.finished,
        EventState::Failed => retention.dead,
    };
    standing.ended_at.map_or(received_at, |ended_at| ended_at.max(received_at)).after(kept) <= now
}

/// Deletes the events that have still served their time, until `most` rows are gone.
/// Returns the events that are gone, the candidates that are settled, and the rows.
pub(super) fn delete(
    tx: &mut Tx<'_>,
    candidates: &[(i64, String)],
    retention: Retention,
    most: usize,
) -> Result<(usize, usize, usize), StoreError> {
    let (mut events, mut settled, mut rows) = (0, 0, 0);
    for (seq, _) in candidates {
        if rows >= most {
            break;
        }
        if let Some(standing) = verify(tx, *seq, retention)? {
            rows += delete_attempts(tx, &standing, most - rows)?;
            if rows >= most {
                // Attempts may be left, and the event with them.
                break;
            }
            rows += delete_event(tx, *seq, &standing)?;
            events += 1;
        }
        settled += 1;
    }
    Ok((events, settled, rows))
}

/// What the look found, asked again where nothing can change any more. The newest event
/// stays, because its number must not be given to another; so does one of which an
/// attempt is under way.
fn verify(tx: &Tx<'_>, seq: i64, retention: Retention) -> Result<Option<Standing>, StoreError> {
    let received_at: Option<i64> = tx
        .sql("SELECT received_at FROM events WHERE seq = ?1 AND seq < (SELECT max(seq) FROM events)")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    let Some(received_at) = received_at else { return Ok(None) };
    let standing = standing::of(tx.conn(), seq)?;
    let leased = |number: i64| tx.ledger.deliveries.blocks(&number, tx.monotonic);
    let free = !standing.deliveries.iter().any(|delivery| leased(delivery.number));
    Ok((free && has_served(&standing, Millis(received_at), retention, tx.now)).then_some(standing))
}

/// Up to `most` of them: there is no bound on how often operators retry.
fn delete_attempts(tx: &Tx<'_>, standing: &Standing, most: usize) -> Result<usize, StoreError> {
    let mut delete = tx.sql(
        "DELETE FROM attempts WHERE delivery = ?1 AND ordinal IN \
         (SELECT ordinal FROM attempts WHERE delivery = ?1 ORDER BY ordinal LIMIT ?2)",
    )?;
    let mut rows = 0;
    for delivery in &standing.deliveries {
        if rows >= most {
            break;
        }
        rows += delete.execute([delivery.number, to_i64(most - rows)])?;
    }
    Ok(rows)
}

/// The rest in one go: a run's deliveries came in one go, too. Those who waited in line
/// behind a dead one wait no more.
fn delete_event(tx: &mut Tx<'_>, seq: i64, standing: &Standing) -> Result<usize, StoreError> {
    let mut rows = 0;
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut delete = tx.sql("DELETE FROM deliveries WHERE n = ?1 RETURNING destination, line")?;
    for delivery in &standing.deliveries {
        let (destination, line): (_, Option<String>) =
            delete.query_row([delivery.number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        lines.extend(line.map(|line| (destination, line)));
        rows += 1;
    }
    lines::promote_all(tx, &lines)?;
    rows += tx.sql("DELETE FROM runs WHERE event = ?1")?.execute([seq])?;
    rows += tx.sql("DELETE FROM events WHERE seq = ?1")?.execute([seq])?;
    Ok(rows)
}
