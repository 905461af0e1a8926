//! A disk that is full, and one that lies.

use std::os::unix::fs::FileExt;

use super::{MINUTE, Place, new};
use crate::store::sqlite::SqliteOptions;
use crate::store::{Store, StoreError};

#[tokio::test]
async fn a_full_disk_refuses_and_recovers() {
    let place = Place::new();
    let options = SqliteOptions { max_pages: Some(100), ..SqliteOptions::default() };
    let store = place.open_with(&options, &std::sync::Arc::default()).unwrap();
    let mut accepted = 0;
    let error = loop {
        match store.accept(vec![new(&format!("evt_{accepted}"))], None).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 10_000, "the limit is not felt");
    };
    assert_eq!(error, StoreError::Full);
    assert_eq!(store.accept(vec![new("evt_full")], Some(MINUTE)).await.unwrap_err(), StoreError::Full);
    assert_eq!(store.backlog().await.unwrap().runs, accepted);
    // What needs no more room goes on.
    let claimed = store.claim_runs(10_000, usize::MAX, MINUTE).await.unwrap();
    assert_eq!(claimed.items.len() as u64, accepted);
    // There is room again, and the same event is accepted.
    store.set_max_pages(100_000).await.unwrap();
    store.accept(vec![new("evt_full")], None).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().runs, accepted + 1);
}

#[tokio::test]
async fn a_file_with_garbage_in_it_breaks_the_store() {
    let place = Place::new();
    let store = place.open();
    let events = (0..200).map(|n| new(&format!("evt_{n}"))).collect();
    store.accept(events, None).await.unwrap();
    store.close().await;
    let pages = std::fs::metadata(place.path()).unwrap().len() / 4096;
    let file = std::fs::File::options().write(true).open(place.path()).unwrap();
    // The schema and the indexes stay readable; the events do not.
    for page in pages / 2..pages {
        file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
    }
    let store = place.open();
    let error = store.claim_runs(1000, usize::MAX, MINUTE).await.unwrap_err();
    assert!(matches!(error, StoreError::Broken(_)), "{error:?}");
    assert_eq!(store.accept(vec![new("evt_new")], None).await.unwrap_err(), error);
}
