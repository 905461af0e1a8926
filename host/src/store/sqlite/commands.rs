//! What operators do to deliveries.

use rusqlite::{OptionalExtension, params};

use super::codes::to_delivery_state;
use super::counters::Change;
use super::lines;
use super::tx::Tx;
use crate::model::{DeliveryId, DeliveryState};
use crate::store::{Commanded, DeliveryCommand, StoreError};

pub(super) fn command(
    tx: &mut Tx<'_>,
    deliveries: &[DeliveryId],
    command: DeliveryCommand,
) -> Result<Vec<Commanded>, StoreError> {
    deliveries.iter().map(|id| command_one(tx, id, command)).collect()
}

struct Found {
    number: i64,
    state: DeliveryState,
    destination: String,
    line: Option<String>,
}

fn find(tx: &Tx<'_>, id: &DeliveryId) -> Result<Option<Found>, StoreError> {
    let found = tx
        .sql("SELECT n, state, destination, line FROM deliveries WHERE id = ?1")?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((number, state, destination, line)) = found else { return Ok(None) };
    Ok(Some(Found { number, state: to_delivery_state(state)?, destination, line }))
}

fn command_one(tx: &mut Tx<'_>, id: &DeliveryId, command: DeliveryCommand) -> Result<Commanded, StoreError> {
    let Some(found) = find(tx, id)? else { return Ok(Commanded::NotFound) };
    let Some(next) = found.state.apply(command.transition()) else {
        return Ok(Commanded::Refused(found.state));
    };
    match command {
        DeliveryCommand::Retry if found.state == DeliveryState::Pending => hurry(tx, &found)?,
        DeliveryCommand::Retry => revive(tx, found.number, &found.destination, found.line.as_deref())?,
        DeliveryCommand::Cancel => cancel(tx, found)?,
    }
    Ok(Commanded::Done(next))
}

/// Due now, unless it waits in line. One that is under way is left alone: what follows its
/// attempt says when it is due.
fn hurry(tx: &Tx<'_>, found: &Found) -> Result<(), StoreError> {
    if tx.ledger.deliveries.blocks(&found.number, tx.monotonic) {
        return Ok(());
    }
    tx.sql("UPDATE deliveries SET due = min(due, ?2) WHERE n = ?1 AND due IS NOT NULL")?
        .execute(params![found.number, tx.now.0])?;
    Ok(())
}

/// Makes a dead or cancelled one pending again, at the beginning of its schedule: due now,
/// or in its place in line where it still has one. The attempts stay, and the next ones
/// are numbered from 1 like any schedule's.
pub(super) fn revive(
    tx: &mut Tx<'_>,
    number: i64,
    destination: &str,
    line: Option<&str>,
) -> Result<(), StoreError> {
    let due = line.is_none().then_some(tx.now.0);
    tx.sql("UPDATE deliveries SET state = 0, due = ?2, attempts = 0, ended_at = NULL WHERE n = ?1")?
        .execute(params![number, due])?;
    if let Some(line) = line {
        lines::promote(tx, destination, line)?;
    }
    tx.count(Change::Deliveries(destination.to_owned(), 1));
    Ok(())
}

/// The lease of an attempt under way stays valid: what happened is recorded.
fn cancel(tx: &mut Tx<'_>, found: Found) -> Result<(), StoreError> {
    tx.sql("UPDATE deliveries SET state = 3, due = NULL, line = NULL, ended_at = ?2 WHERE n = ?1")?
        .execute(params![found.number, tx.now.0])?;
    if let Some(line) = &found.line {
        lines::promote(tx, &found.destination, line)?;
    }
    if found.state == DeliveryState::Pending {
        tx.count(Change::Deliveries(found.destination, -1));
    }
    Ok(())
}
