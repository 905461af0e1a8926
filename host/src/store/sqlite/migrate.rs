//! Brings a database file to the schema of this version.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

/// Step n is number n + 1.
const STEPS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_bad_days.sql"),
    include_str!("../../../migrations/sqlite/0003_holders.sql"),
    include_str!("../../../migrations/sqlite/0004_source_secrets.sql"),
    include_str!("../../../migrations/sqlite/0005_unfit_keys.sql"),
];

/// `HKLM`: tells the gateway's files from those of other programs.
const APPLICATION_ID: i64 = 0x484B_4C4D;

/// The highest schema that this version knows.
pub(super) fn known() -> i64 {
    super::encoding::to_i64(STEPS.len())
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No table yet.
    Nothing,
    /// A store with that schema.
    Schema(i64),
}

/// Looks, and changes nothing.
pub(super) fn look(conn: &Connection) -> Result<Found, StoreError> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id")?;
    if application == APPLICATION_ID {
        return Ok(Found::Schema(pragma("user_version")?));
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && tables == 0 {
        return Ok(Found::Nothing);
    }
    Err(StoreError::Other("the file is a database of another program".into()))
}

/// Takes the steps that are missing, each whole or not at all.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let found = match look(conn)? {
        Found::Nothing => 0,
        Found::Schema(found) if found > known() => return Err(StoreError::TooNew { found, known: known() }),
        Found::Schema(found) => found,
    };
    for (step, number) in STEPS.iter().zip(1..).filter(|(_, number)| *number > found) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", number)?;
        tx.commit()?;
    }
    Ok(())
}
