//! Retention: what has served its time is found on a read connection, a bounded part at
//! a time, and deleted by the writer in steps so small that accepts do not notice.
//!
//! Between the look and the step things may have changed, so the writer asks again of
//! each row before it goes.

use std::time::Duration;

use rusqlite::Connection;

use super::SqliteStore;
use super::encoding::{to_i64, to_u64};
use super::expired::{self, Expired, Table};
use super::purge::{self, Candidates};
use super::tx::{Ledger, Tx};
use super::unclaimed::Unclaimed;
use crate::clock::Clock;
use crate::model::Millis;
use crate::store::{Retention, StoreError, Tidied};

/// What a step may take of the writer.
const TARGET: Duration = Duration::from_millis(5);
/// Rows or pages of a step at most, and of the first one.
const MOST: usize = 500;
const FIRST: usize = 16;
/// What a wall clock may be off between two calls without having jumped, and how long one
/// that jumped is not believed: somebody may set it right.
const TOLERANCE: Duration = Duration::from_mins(5);
const DISTRUST: Duration = Duration::from_hours(1);
/// Free pages that are worth keeping, because new events take them: 16 MiB, or this part
/// of the file.
const KEEP_FREE: u64 = 4096;
const KEEP_FREE_PART: u64 = 4;

/// Where the last call got to, and how much a step may do.
#[derive(Debug, Default)]
pub(super) struct Tidier {
    steady: Steady,
    walk: Walk,
    rows: Pace,
    pages: Pace,
}

/// The wall clock, watched beside the monotonic one: one that jumps must not delete what
/// is not old. Pure.
#[derive(Debug, Default)]
struct Steady {
    last: Option<(Millis, Duration)>,
    jumped_at: Option<Duration>,
}

impl Steady {
    /// Whether the wall clock has gone as time has, for an hour or since the start.
    fn look(&mut self, wall: Millis, monotonic: Duration) -> bool {
        if let Some((before, then)) = self.last.replace((wall, monotonic)) {
            let expected = before.after(monotonic.saturating_sub(then));
            if wall > expected.after(TOLERANCE) || wall.after(TOLERANCE) < expected {
                self.jumped_at = Some(monotonic);
            }
        }
        self.jumped_at.is_none_or(|at| monotonic.saturating_sub(at) >= DISTRUST)
    }
}

/// Where to go on; empty: from the beginning.
#[derive(Clone, Debug, Default)]
struct Walk {
    /// The id of the last event that was looked at.
    event: String,
    dedupe: expired::Key,
    plugin_state: expired::Key,
}

/// How many rows or pages a step takes so that it stays near [`TARGET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace(usize);

impl Default for Pace {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pace {
    /// It never falls below the first one: where finding out takes most of the time, smaller
    /// steps would only be more of them.
    ///
    /// After a step that did `done` and took so long. It changes by a factor of two at
    /// most: one slow step is no rule. A step that had little to do shows no reason for
    /// larger ones.
    fn learn(&mut self, done: usize, took: Duration) {
        if done == 0 {
            return;
        }
        let fits = match took.as_nanos() {
            0 => u128::MAX,
            nanos => TARGET.as_nanos().saturating_mul(done as u128) / nanos,
        };
        let fits = usize::try_from(fits).unwrap_or(usize::MAX);
        let most = if done * 2 >= self.0 { self.0 * 2 } else { self.0 };
        self.0 = fits.clamp(self.0 / 2, most).clamp(FIRST, MOST);
    }
}

/// What one look found.
struct Found {
    events: Candidates,
    dedupe: Expired,
    plugin_state: Expired,
    /// Pages to give back to the disk.
    spare: u64,
}

/// What one step of the writer did.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Events that are gone.
    pub(super) events: usize,
    /// Candidates that were gone through; fewer than there were: the step was full.
    pub(super) settled: usize,
    /// Keys and plugin state that are gone.
    pub(super) expired: usize,
    /// Rows of any kind, or pages.
    pub(super) rows: usize,
    pub(super) took: Duration,
}

impl Unclaimed for Step {
    fn give_back(self, _: &mut Ledger) {}
}

pub(super) async fn tidy(store: &SqliteStore, retention: Retention) -> Result<Tidied, StoreError> {
    store.shared.check()?;
    let mut tidier = store.tidier.lock().await;
    if !tidier.steady.look(store.clock.now(), store.clock.monotonic()) {
        return Ok(Tidied::default());
    }
    let (walk, rows, now) = (tidier.walk.clone(), tidier.rows.0, store.clock.now());
    let found = store.readers.read(move |conn| look(conn, &walk, rows, retention, now)).await?;
    let mut done = tidier.delete(store, &found, retention).await?;
    if found.spare > 0 {
        let pages = tidier.pages.0.min(usize::try_from(found.spare).unwrap_or(usize::MAX));
        let clock = store.clock.clone();
        let step = store.writer.submit(1, move |tx| timed(&clock, || give_back(tx, pages))).await?;
        tidier.pages.learn(step.rows, step.took);
        done.pages = step.rows;
        done.more |= step.rows > 0 && to_u64(to_i64(step.rows)) < found.spare;
    }
    Ok(done)
}

impl Tidier {
    /// Deletes what was found, and goes on behind it the next time.
    async fn delete(
        &mut self,
        store: &SqliteStore,
        found: &Found,
        retention: Retention,
    ) -> Result<Tidied, StoreError> {
        let Found { events, dedupe, plugin_state, spare: _ } = found;
        let (found_events, keys, values) =
            (events.found.clone(), dedupe.keys.clone(), plugin_state.keys.clone());
        let mut step = Step::default();
        if !(found_events.is_empty() && keys.is_empty() && values.is_empty()) {
            let (clock, most) = (store.clock.clone(), share_of_events(self.rows.0));
            let work = move |tx: &mut Tx<'_>| {
                timed(&clock, || {
                    let (events, settled, rows) = purge::delete(tx, &found_events, retention, most)?;
                    let expired = expired::delete(tx, Table::Dedupe, &keys)?
                        + expired::delete(tx, Table::PluginState, &values)?;
                    Ok(Step { events, settled, expired, rows: rows + expired, took: Duration::ZERO })
                })
            };
            step = store.writer.submit(1, work).await?;
            self.rows.learn(step.rows, step.took);
        }
        self.walk = Walk {
            event: events.go_on_behind(step.settled),
            dedupe: dedupe.go_on.clone(),
            plugin_state: plugin_state.go_on.clone(),
        };
        let full = events.full || step.settled < events.found.len() || dedupe.full || plugin_state.full;
        Ok(Tidied { events: step.events, expired: step.expired, pages: 0, more: full })
    }
}

/// Half of a step is for events, the rest for the two kinds of keys: so none waits for
/// another.
const fn share_of_events(rows: usize) -> usize {
    if rows > 1 { rows / 2 } else { 1 }
}

const fn share_of_keys(rows: usize) -> usize {
    if rows > 3 { rows / 4 } else { 1 }
}

fn look(
    conn: &Connection,
    walk: &Walk,
    rows: usize,
    retention: Retention,
    now: Millis,
) -> Result<Found, StoreError> {
    let keys = share_of_keys(rows);
    Ok(Found {
        events: purge::find(conn, &walk.event, share_of_events(rows), retention, now)?,
        dedupe: expired::find(conn, Table::Dedupe, &walk.dedupe, keys, now)?,
        plugin_state: expired::find(conn, Table::PluginState, &walk.plugin_state, keys, now)?,
        spare: spare_pages(conn)?,
    })
}

fn spare_pages(conn: &Connection) -> Result<u64, StoreError> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get(0)).map(to_u64);
    let (free, all) = (pragma("freelist_count")?, pragma("page_count")?);
    Ok(free.saturating_sub(KEEP_FREE.max(all / KEEP_FREE_PART)))
}

/// Takes free pages off the end of the file; how many. The file is shorter after the
/// next checkpoint.
fn give_back(tx: &Tx<'_>, pages: usize) -> Result<Step, StoreError> {
    // Not among the cached statements: the number is another one each time.
    let mut vacuum = tx.conn().prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = vacuum.query([])?;
    let mut freed = 0;
    while rows.next()?.is_some() {
        freed += 1;
    }
    Ok(Step { rows: freed, ..Step::default() })
}

fn timed(clock: &Clock, work: impl FnOnce() -> Result<Step, StoreError>) -> Result<Step, StoreError> {
    let begin = clock.monotonic();
    let step = work()?;
    Ok(Step { took: clock.monotonic().saturating_sub(begin), ..step })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_grows_while_it_is_quick_and_shrinks_when_it_is_slow() {
        let ms = Duration::from_millis;
        let table = [
            // (pace, done, took, next)
            (100, 100, ms(5), 100),
            (100, 100, ms(4), 125),
            (100, 100, ms(1), 200),
            (100, 100, Duration::ZERO, 200),
            (100, 100, ms(10), 50),
            (100, 100, ms(1000), 50),
            (100, 10, ms(1), 50),
            (100, 10, Duration::ZERO, 100),
            (100, 0, ms(1000), 100),
            (MOST, MOST, Duration::ZERO, MOST),
            (FIRST, FIRST, ms(1000), FIRST),
            (FIRST, FIRST, ms(1), 2 * FIRST),
        ];
        for (pace, done, took, next) in table {
            let mut learned = Pace(pace);
            learned.learn(done, took);
            assert_eq!(learned, Pace(next), "{pace} {done} {took:?}");
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_is_not_believed_for_an_hour() {
        let (wall, secs) = (|seconds: i64| Millis(seconds * 1000), Duration::from_secs);
        let mut steady = Steady::default();
        assert!(steady.look(wall(1_000_000), secs(0)), "at the start it is all there is");
        assert!(steady.look(wall(1_000_600), secs(600)));
        assert!(steady.look(wall(1_000_800), secs(660)), "a little ahead");
        assert!(!steady.look(wall(4_000_000), secs(720)), "a month ahead");
        assert!(!steady.look(wall(4_003_000), secs(3_720)));
        assert!(steady.look(wall(4_003_600), secs(4_320)), "it was meant");
        assert!(!steady.look(wall(1_000_000), secs(4_380)), "back");
    }

    #[test]
    fn the_smallest_step_still_does_something_of_each_kind() {
        for rows in 1..=MOST {
            assert!(share_of_events(rows) >= 1 && share_of_keys(rows) >= 1);
            assert!(share_of_events(rows) + 2 * share_of_keys(rows) <= rows.max(3), "{rows}");
        }
    }
}
