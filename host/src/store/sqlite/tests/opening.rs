//! Opening: schema, lock, and the look from outside.

use rusqlite::Connection;

use super::{Place, new};
use crate::store::sqlite::{SqliteOptions, SqliteStore, migrate};
use crate::store::{Backlog, Store, StoreError};

#[tokio::test]
async fn an_empty_place_gets_the_whole_schema_and_its_settings() {
    let place = Place::new();
    place.open().close().await;
    let conn = Connection::open(place.path()).unwrap();
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("user_version"), migrate::known());
    assert_eq!(pragma("auto_vacuum"), 2, "incremental");
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn every_step_follows_from_the_one_before() {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate::migrate(&mut conn).unwrap();
    let tables = |conn: &Connection| -> i64 {
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
    };
    let before = tables(&conn);
    migrate::migrate(&mut conn).unwrap();
    assert_eq!(tables(&conn), before, "a second time changes nothing");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    place.open().close().await;
    let newer = migrate::known() + 1;
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", newer).unwrap();
    let refused = place.open_with(&SqliteOptions::default(), &std::sync::Arc::default()).unwrap_err();
    assert_eq!(refused, StoreError::TooNew { found: newer, known: migrate::known() });
    let found = SqliteStore::inspect(&place.path()).unwrap();
    assert_eq!((found.schema, found.backlog), (Some(newer), Backlog::default()));
    let learnt = SqliteStore::learnt(&place.path()).unwrap_err();
    assert_eq!(learnt, StoreError::TooNew { found: newer, known: migrate::known() });
}

#[test]
fn another_programs_file_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let refused = place.open_with(&SqliteOptions::default(), &std::sync::Arc::default()).unwrap_err();
    assert!(refused.to_string().contains("another program"), "{refused}");
    assert!(SqliteStore::inspect(&place.path()).is_err());
}

#[tokio::test]
async fn one_process_at_a_time_holds_it() {
    let place = Place::new();
    let first = place.open();
    let refused = place.open_with(&SqliteOptions::default(), &std::sync::Arc::default()).unwrap_err();
    assert_eq!(refused, StoreError::Locked(place.path().display().to_string()));
    assert!(refused.to_string().contains("in use by another process"));
    first.close().await;
    place.open();
    place.open();
}

#[tokio::test]
async fn a_look_creates_nothing() {
    let place = Place::new();
    let nothing = SqliteStore::inspect(&place.path()).unwrap();
    assert_eq!((nothing.schema, nothing.known), (None, migrate::known()));
    assert!(!place.path().parent().unwrap().exists());

    let store = place.open();
    store.accept(vec![new("evt_1")], None).await.unwrap();
    store.close().await;
    let before = files(&place);
    let found = SqliteStore::inspect(&place.path()).unwrap();
    assert_eq!((found.schema, found.backlog.runs), (Some(migrate::known()), 1));
    assert_eq!(files(&place), before);
}

#[tokio::test]
async fn a_look_works_while_a_gateway_runs() {
    let place = Place::new();
    let store = place.open();
    store.accept(vec![new("evt_1"), new("evt_2")], None).await.unwrap();
    assert_eq!(SqliteStore::inspect(&place.path()).unwrap().backlog.runs, 2);
    store.accept(vec![new("evt_3")], None).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().runs, 3);
}

fn files(place: &Place) -> Vec<String> {
    let folder = std::fs::read_dir(place.path().parent().unwrap()).unwrap();
    let mut names: Vec<_> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_reads_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let files =
        || ["", "-wal", "-shm"].map(|suffix| place.path().with_file_name(format!("hookloom.db{suffix}")));
    let modes = || files().map(|file| file.metadata().unwrap().permissions().mode() & 0o777);
    let store = place.open();
    store.accept(vec![new("a")], None).await.unwrap();
    assert_eq!(modes(), [0o600; 3], "its owner's alone");
    store.close().await;
    drop(store);
    // As an earlier version left it, and an operator whose group makes the backups.
    for (before, after) in [(0o644, 0o640), (0o660, 0o660), (0o666, 0o660)] {
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(before)).unwrap();
        let store = place.open();
        store.accept(vec![new(&before.to_string())], None).await.unwrap();
        assert_eq!(modes(), [after; 3], "{before:o}");
        store.close().await;
    }
}
