//! Backups: whole, as of one moment, and only under their name when they are sound.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;

use super::{Place, new};
use crate::clock::{Clock, Random};
use crate::store::sqlite::{SqliteOptions, SqliteStore, migrate};
use crate::store::{Store, StoreError};

impl Place {
    fn target(&self) -> PathBuf {
        self.0.path().join("backups/copy.db")
    }

    /// What is in the folder of backups.
    fn backups(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.target().parent().unwrap()).unwrap();
        folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn with_events(events: usize) -> (Self, SqliteStore) {
        let place = Self::new();
        std::fs::create_dir(place.target().parent().unwrap()).unwrap();
        let store = place.open();
        store.accept((0..events).map(|n| new(&format!("evt_{n}"))).collect(), None).await.unwrap();
        (place, store)
    }
}

#[tokio::test]
async fn a_copy_of_a_running_store_opens_as_a_store_with_everything_in_it() {
    let (place, store) = Place::with_events(20).await;
    let found = SqliteStore::backup(&place.path(), &place.target()).unwrap();
    assert_eq!((found.schema, found.backlog.runs), (Some(migrate::known()), 20));
    assert_eq!(place.backups(), ["copy.db"], "nothing is left beside it");
    // The store goes on.
    store.accept(vec![new("evt_later")], None).await.unwrap();
    let copy = Connection::open(place.target()).unwrap();
    let pragma = |name| copy.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("application_id"), 0x484B_4C4D);
    assert_eq!(pragma("user_version"), migrate::known());
    assert_eq!(pragma("auto_vacuum"), 2, "incremental");
    drop(copy);
    let options = SqliteOptions::default();
    let restored =
        SqliteStore::open(&place.target(), &options, Clock::system(), &Random::system(), Arc::default())
            .unwrap();
    let claimed = restored.claim_runs(100, usize::MAX, super::MINUTE).await.unwrap();
    assert_eq!(claimed.items.len(), 20, "what was pending is pending there");
}

#[tokio::test]
async fn a_closed_store_is_copied_and_left_as_it_was() {
    let (place, store) = Place::with_events(3).await;
    store.close().await;
    drop(store);
    let before = std::fs::read(place.path()).unwrap();
    SqliteStore::backup(&place.path(), &place.target()).unwrap();
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
    assert_eq!(place.open().backlog().await.unwrap().runs, 3);
}

#[tokio::test]
async fn a_copy_is_no_more_readable_than_the_store() {
    let (place, _store) = Place::with_events(1).await;
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    SqliteStore::backup(&place.path(), &place.target()).unwrap();
    let mode = std::fs::metadata(place.target()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_cannot_be_copied_is_said_and_leaves_nothing() {
    let (place, store) = Place::with_events(1).await;
    let refused = |path: PathBuf, target: PathBuf| {
        let error = SqliteStore::backup(&path, &target).unwrap_err();
        assert!(matches!(error, StoreError::Other(_)), "{error:?}");
        error.to_string()
    };
    let nowhere = place.0.path().join("nowhere.db");
    assert!(refused(nowhere.clone(), place.target()).contains("there is none at"));
    assert!(!nowhere.exists());
    let empty = place.0.path().join("empty.db");
    std::fs::write(&empty, b"").unwrap();
    assert!(refused(empty, place.target()).contains("is empty"));
    let theirs = place.0.path().join("theirs.db");
    Connection::open(&theirs).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(refused(theirs, place.target()).contains("another program"));
    let no_folder = place.0.path().join("no/such/folder/copy.db");
    assert!(refused(place.path(), no_folder).contains("cannot be written"));
    assert_eq!(place.backups(), [] as [String; 0]);

    std::fs::write(place.target(), b"mine").unwrap();
    assert!(refused(place.path(), place.target()).contains("exists already"));
    assert_eq!(std::fs::read(place.target()).unwrap(), b"mine");
    std::fs::remove_file(place.target()).unwrap();
    std::fs::write(place.target().with_extension("db.part"), b"of another").unwrap();
    assert!(refused(place.path(), place.target()).contains("delete it and try again"));
    assert_eq!(place.backups(), ["copy.db.part"], "it is the other's");
    drop(store);
}

#[tokio::test]
async fn a_damaged_store_gives_no_copy() {
    let (place, store) = Place::with_events(200).await;
    store.close().await;
    drop(store);
    let mut bytes = std::fs::read(place.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(place.path(), bytes).unwrap();
    SqliteStore::backup(&place.path(), &place.target()).unwrap_err();
    assert_eq!(place.backups(), [] as [String; 0]);
}
