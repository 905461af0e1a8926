//! A consistent copy of a store, also while a gateway runs on it.
//!
//! The copy is written beside its place and looked at before it gets there: what has the
//! name of a backup is one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::connect::{self, beside};
use super::migrate::{self, Found};
use super::{StoreInspection, inspect};
use crate::store::StoreError;

pub(super) fn backup(path: &Path, target: &Path) -> Result<StoreInspection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Other(format!("there is none at {}", path.display())));
    }
    refuse_existing(target)?;
    let part = beside(target, ".part");
    create(path, &part)?;
    let copied = copy(path, &part).and_then(|found| put_in_place(&part, target).map(|()| found));
    if copied.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&part);
        let _ = fs::remove_file(beside(&part, "-journal"));
    }
    copied.map_err(|error| match error {
        // Nothing is known against the store: it may as well be the copy's disk.
        StoreError::Broken(why) => StoreError::Other(format!("the copy failed: {why}")),
        other => other,
    })
}

fn refuse_existing(target: &Path) -> Result<(), StoreError> {
    match target.symlink_metadata() {
        Ok(_) => {
            Err(StoreError::Other(format!("{} exists already and is not overwritten", target.display())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot("be looked at", target, &error)),
    }
}

/// An empty file that nobody may read who may not read the store.
fn create(path: &Path, part: &Path) -> Result<(), StoreError> {
    let file = File::create_new(part).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Other(format!(
            "{} exists: another backup is writing it, or one was interrupted; delete it and try again",
            part.display()
        )),
        _ => cannot("be written", part, &error),
    })?;
    let permissions = path.metadata().and_then(|store| file.set_permissions(store.permissions()));
    permissions.map_err(|error| {
        let _ = fs::remove_file(part);
        cannot("be written", part, &error)
    })
}

fn copy(path: &Path, part: &Path) -> Result<StoreInspection, StoreError> {
    let conn = source(path)?;
    if migrate::look(&conn)? == Found::Nothing {
        return Err(StoreError::Other(format!("{} is empty", path.display())));
    }
    // One snapshot of everything that is committed; settings of the file come along.
    conn.execute("VACUUM INTO ?1", [text(part)?])?;
    drop(conn);
    let copy = connect::reader(part)?;
    let verdict: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Other(format!("the copy is damaged, and so may the store be: {verdict}")));
    }
    inspect::look(&copy)
}

/// A connection that sees what a gateway has committed so far. It may write, because
/// where no gateway runs, the files that readers share have to be made; what it leaves is
/// what it found.
fn source(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(connect::BUSY)?;
    Ok(conn)
}

/// Survives the machine under its own name, or is not there under it.
fn put_in_place(part: &Path, target: &Path) -> Result<(), StoreError> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let sync = |path: &Path| {
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| cannot("be synced", path, &error))
    };
    sync(part)?;
    refuse_existing(target)?;
    fs::rename(part, target).map_err(|error| cannot("be renamed", part, &error))?;
    sync(folder)
}

fn text(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| StoreError::Other(format!("{} is not a name in UTF-8", path.display())))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        return StoreError::Full;
    }
    StoreError::Other(format!("{} cannot {what}: {error}", path.display()))
}
