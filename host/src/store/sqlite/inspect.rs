//! A look at a store from outside, for `hookloom check` and `hookloom verify`.

use std::fmt::Write;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connect::{self, beside};
use super::counters::Counters;
use super::encoding::to_u64;
use super::migrate::{self, Found};
use super::secrets;
use crate::store::{Backlog, LearntSecret, StoreError};

/// What is found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreInspection {
    /// Its schema; `None`: nothing is there yet.
    pub schema: Option<i64>,
    /// The highest schema that this version knows.
    pub known: i64,
    /// What waits in it; empty where the schema is newer.
    pub backlog: Backlog,
    /// Of the runs that wait in it, those of each route.
    pub runs: Vec<(String, u64)>,
}

pub(super) fn inspect(path: &Path) -> Result<StoreInspection, StoreError> {
    if !path.exists() {
        return Ok(StoreInspection { known: migrate::known(), ..StoreInspection::default() });
    }
    look(&open(path)?)
}

pub(super) fn look(conn: &Connection) -> Result<StoreInspection, StoreError> {
    let nothing = StoreInspection { known: migrate::known(), ..StoreInspection::default() };
    match migrate::look(conn)? {
        Found::Nothing => Ok(nothing),
        Found::Schema(schema) if schema > migrate::known() => {
            Ok(StoreInspection { schema: Some(schema), ..nothing })
        }
        Found::Schema(schema) => {
            let backlog = Counters::count(conn)?.backlog();
            Ok(StoreInspection { schema: Some(schema), backlog, runs: runs(conn)?, ..nothing })
        }
    }
}

/// What handshakes handed over; nothing where there is no store yet.
pub(super) fn learnt(path: &Path) -> Result<Vec<LearntSecret>, StoreError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let conn = open(path)?;
    match migrate::look(&conn)? {
        Found::Nothing => Ok(Vec::new()),
        Found::Schema(found) if found > migrate::known() => {
            Err(StoreError::TooNew { found, known: migrate::known() })
        }
        Found::Schema(found) if found < secrets::SINCE => Ok(Vec::new()),
        Found::Schema(_) => secrets::all(&conn),
    }
}

/// From the partial indexes of what is pending, which hold the route's name, too.
fn runs(conn: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let mut select = conn.prepare(
        "SELECT route, count(*) FROM \
         (SELECT route FROM runs INDEXED BY runs_due WHERE state = 0 \
          UNION ALL SELECT route FROM runs INDEXED BY runs_held WHERE state = 4) \
         GROUP BY route ORDER BY route",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, to_u64(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A store that was closed has no log beside it, and an ordinary connection would
/// create one; `immutable` promises that nobody writes.
fn open(path: &Path) -> Result<Connection, StoreError> {
    if beside(path, "-wal").exists() {
        return connect::reader(path);
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Ok(Connection::open_with_flags(format!("file:{}?immutable=1", escape(path)), flags)?)
}

/// Percent-encodes what would end the path of a URI.
fn escape(path: &Path) -> String {
    path.as_os_str().as_encoded_bytes().iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(text, "%{byte:02x}");
        }
        text
    })
}
