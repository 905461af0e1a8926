//! Replays: events that go through routes again.

use rusqlite::{OptionalExtension, params};

use super::counters::Change;
use super::encoding::to_i64;
use super::lines;
use super::tx::Tx;
use crate::store::{Replay, Replayed, StoreError};

pub(super) fn replay(tx: &mut Tx<'_>, replays: &[Replay]) -> Result<Vec<Replayed>, StoreError> {
    replays.iter().map(|replay| replay_one(tx, replay)).collect()
}

/// A new generation of runs. In lines they stand behind all that was accepted before:
/// nothing appears in front of what is on its way.
fn replay_one(tx: &mut Tx<'_>, replay: &Replay) -> Result<Replayed, StoreError> {
    let seq: Option<i64> = tx
        .sql("SELECT seq FROM events WHERE id = ?1")?
        .query_row([replay.event.as_str()], |row| row.get(0))
        .optional()?;
    let Some(seq) = seq else { return Ok(Replayed::NotFound) };
    if replay.routes.is_empty() {
        return Ok(Replayed::NoRoute);
    }
    let generation: u32 = tx
        .sql("SELECT coalesce(max(generation), 0) + 1 FROM runs WHERE event = ?1")?
        .query_row([seq], |row| row.get(0))?;
    let position = lines::position_of_new(tx, &replay.routes)?;
    let mut insert = tx.sql(
        "INSERT INTO runs (event, route, generation, state, due, position) VALUES (?1, ?2, ?3, 0, ?4, ?5)",
    )?;
    for run in &replay.routes {
        insert.execute(params![seq, run.route, generation, tx.now.0, position.filter(|_| run.ordered)])?;
    }
    tx.count(Change::Runs(to_i64(replay.routes.len())));
    Ok(Replayed::Done { generation })
}
