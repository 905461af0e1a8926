//! What operators and answers say of destinations.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::counters::Change;
use super::tx::Tx;
use crate::model::Millis;
use crate::store::{DestinationCommand, DestinationState, Disabled, Disables, StoreError};

/// What is said, by name; a destination of which nothing is said is not there.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<String, DestinationState>);

impl Said {
    pub(super) fn read(conn: &Connection) -> Result<Self, StoreError> {
        let mut select = conn.prepare(
            "SELECT name, paused_at, disabled_at, disabled_url, disabled_reason FROM destinations",
        )?;
        let states = select.query_map([], |row| {
            let state = to_state(row)?;
            Ok((state.name.clone(), state))
        })?;
        Ok(Self(states.collect::<Result<_, _>>()?))
    }

    pub(super) fn apply(&mut self, state: DestinationState) {
        if says_nothing(&state) {
            self.0.remove(&state.name);
        } else {
            self.0.insert(state.name.clone(), state);
        }
    }

    pub(super) fn all(&self) -> Vec<DestinationState> {
        self.0.values().cloned().collect()
    }
}

const fn says_nothing(state: &DestinationState) -> bool {
    state.paused.is_none() && state.disabled.is_none()
}

fn to_state(row: &Row<'_>) -> Result<DestinationState, rusqlite::Error> {
    let disabled = match row.get::<_, Option<i64>>(2)? {
        Some(since) => Some(Disabled { since: Millis(since), url: row.get(3)?, reason: row.get(4)? }),
        None => None,
    };
    Ok(DestinationState { name: row.get(0)?, paused: row.get::<_, Option<i64>>(1)?.map(Millis), disabled })
}

fn read(tx: &Tx<'_>, name: &str) -> Result<DestinationState, StoreError> {
    let found = tx
        .sql(
            "SELECT name, paused_at, disabled_at, disabled_url, disabled_reason FROM destinations \
             WHERE name = ?1",
        )?
        .query_row([name], to_state)
        .optional()?;
    Ok(found.unwrap_or_else(|| DestinationState { name: name.to_owned(), ..DestinationState::default() }))
}

fn write(tx: &mut Tx<'_>, state: DestinationState) -> Result<(), StoreError> {
    if says_nothing(&state) {
        tx.sql("DELETE FROM destinations WHERE name = ?1")?.execute([&state.name])?;
    } else {
        let disabled = state.disabled.as_ref();
        tx.sql(
            "INSERT OR REPLACE INTO destinations \
             (name, paused_at, disabled_at, disabled_url, disabled_reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            state.name,
            state.paused.map(|since| since.0),
            disabled.map(|disabled| disabled.since.0),
            disabled.map(|disabled| &disabled.url),
            disabled.map(|disabled| &disabled.reason),
        ])?;
    }
    tx.count(Change::Destination(state));
    Ok(())
}

pub(super) fn command(
    tx: &mut Tx<'_>,
    name: &str,
    command: DestinationCommand,
) -> Result<DestinationState, StoreError> {
    let before = read(tx, name)?;
    let mut state = before.clone();
    match command {
        // Since when is what the first one said.
        DestinationCommand::Pause => state.paused = before.paused.or(Some(tx.now)),
        DestinationCommand::Resume => (state.paused, state.disabled) = (None, None),
        DestinationCommand::Enable => state.disabled = None,
    }
    if state != before {
        write(tx, state.clone())?;
    }
    Ok(state)
}

/// Several attempts of one destination may be answered so at a time: the first one says
/// since when and why.
pub(super) fn disable(tx: &mut Tx<'_>, name: &str, disables: &Disables) -> Result<(), StoreError> {
    let mut state = read(tx, name)?;
    if state.disabled.as_ref().is_some_and(|disabled| disabled.url == disables.url) {
        return Ok(());
    }
    let (url, reason) = (disables.url.clone(), disables.reason.clone());
    state.disabled = Some(Disabled { since: tx.now, url, reason });
    write(tx, state)
}
