//! A look at a store from outside, for `hookloom check`.

use std::fmt::Write;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connect::{self, beside};
use super::counters::Counters;
use super::migrate::{self, Found};
use crate::store::{Backlog, StoreError};

/// What is found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreInspection {
    /// Its schema; `None`: nothing is there yet.
    pub schema: Option<i64>,
    /// The highest schema that this version knows.
    pub known: i64,
    /// What waits in it; empty where the schema is newer.
    pub backlog: Backlog,
}

pub(super) fn inspect(path: &Path) -> Result<StoreInspection, StoreError> {
    let nothing = StoreInspection { known: migrate::known(), ..StoreInspection::default() };
    if !path.exists() {
        return Ok(nothing);
    }
    let conn = open(path)?;
    match migrate::look(&conn)? {
        Found::Nothing => Ok(nothing),
        Found::Schema(schema) if schema > migrate::known() => {
            Ok(StoreInspection { schema: Some(schema), ..nothing })
        }
        Found::Schema(schema) => {
            let backlog = Counters::count(&conn)?.backlog();
            Ok(StoreInspection { schema: Some(schema), backlog, ..nothing })
        }
    }
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
