//! Opens the file: lock, settings, connections.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::SqliteOptions;
use super::migrate::{self, Found};
use crate::store::StoreError;

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// It does: what was accepted survives the machine.
    #[default]
    Full,
    /// It does not. For benchmarks: it breaks the promise of every verb.
    Off,
}

/// Another program (a backup, a shell) may hold the file for so long.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Statements that stay prepared; there are fewer.
const STATEMENTS: usize = 128;

/// Takes the lock beside the file. It is the operating system's and ends with the
/// process, however that dies.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fail = |what: &Path, e: std::io::Error| StoreError::Other(format!("{}: {e}", what.display()));
    // SQLite syncs the folder that it writes to; the entries of new folders are ours.
    let changed = folders_that_gain_one(folder).map_err(|e| fail(folder, e))?;
    fs::create_dir_all(folder).map_err(|e| fail(folder, e))?;
    for above in changed {
        File::open(&above).and_then(|f| f.sync_all()).map_err(|e| fail(&above, e))?;
    }
    let beside = beside(path, ".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&beside)
        .map_err(|e| fail(&beside, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.display().to_string())),
        Err(TryLockError::Error(e)) => Err(fail(&beside, e)),
    }
}

/// The folders that get a new entry when `folder` is created with those above it.
fn folders_that_gain_one(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = std::path::absolute(folder)?;
    let missing = folder.ancestors().take_while(|folder| !folder.exists());
    Ok(missing.filter_map(Path::parent).map(Path::to_owned).collect())
}

/// The file of that name with `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The writer's connection, on the schema of this version.
pub(super) fn writer(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    keep_private(path)
        .map_err(|e| StoreError::Other(format!("{} cannot be kept private: {e}", path.display())))?;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    match migrate::look(&conn)? {
        // Only an empty file can still take it, and only before it has a log.
        Found::Nothing => conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?,
        Found::Schema(found) if found > migrate::known() => {
            return Err(StoreError::TooNew { found, known: migrate::known() });
        }
        Found::Schema(_) => {}
    }
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Other(format!("the file system of {} does not allow WAL", path.display())));
    }
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Off => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    // 8 MiB: the inner pages of every index of a million rows, with room. A larger one
    // costs time: after a commit that moved pages SQLite walks all that it has cached.
    conn.pragma_update(None, "cache_size", -8 * 1024)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // 16 MiB of log before it is written back: most pages are changed several times in
    // that span and written once.
    conn.pragma_update(None, "wal_autocheckpoint", 4096)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    if let Some(pages) = options.max_pages {
        conn.pragma_update(None, "max_page_count", pages)?;
    }
    migrate::migrate(&mut conn)?;
    Ok(conn)
}

/// Bodies of webhooks and secrets that were learnt are in there. A new file is its
/// owner's alone; `SQLite` gives its logs the same permissions. One that is there keeps
/// what it has, beyond what it lets everybody do.
#[cfg(unix)]
fn keep_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    for file in ["", "-wal", "-shm"].map(|suffix| beside(path, suffix)) {
        let Ok(metadata) = file.metadata() else { continue };
        let mode = metadata.permissions().mode();
        if mode & 0o007 != 0 {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode & 0o770))?;
        }
    }
    Ok(())
}

/// Elsewhere the folder's permissions are inherited.
#[cfg(not(unix))]
fn keep_private(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_gains_an_entry_is_synced() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        let changed = folders_that_gain_one(&at("a/b/c")).unwrap();
        assert_eq!(changed, [at("a/b"), at("a"), place.path().to_owned()]);
        lock(&at("a/b/c/file")).unwrap();
        assert_eq!(folders_that_gain_one(&at("a/b/c")).unwrap(), [] as [PathBuf; 0]);
        assert_eq!(folders_that_gain_one(&at("a/b/d")).unwrap(), [at("a/b")]);
    }
}
