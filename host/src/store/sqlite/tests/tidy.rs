//! What tidying costs: bounded looks through indexes, small steps, and room that is given
//! back or taken again.

use bytes::Bytes;
use rusqlite::Connection;

use super::scale::plan;
use super::{MINUTE, Place, new};
use crate::model::{EventId, Millis};
use crate::store::sqlite::expired::Table;
use crate::store::sqlite::tidy::Step;
use crate::store::sqlite::tx::Tx;
use crate::store::sqlite::{SqliteStore, list, purge};
use crate::store::{EventFilter, NewEvent, Page, Retention, Store, Tidied};

/// Nothing is kept for long.
const RETENTION: Retention = Retention { finished: MINUTE, dead: MINUTE };

#[tokio::test]
async fn walks_follow_indexes() {
    let place = Place::new();
    place.open().close().await;
    let conn = Connection::open(place.path()).unwrap();
    for (walk, index) in [
        (purge::WALK, "USING INDEX sqlite_autoindex_events_1 (id>?)"),
        (Table::Dedupe.walk(), "USING PRIMARY KEY ((source,key)>(?,?))"),
        (Table::PluginState.walk(), "USING PRIMARY KEY ((plugin,key)>(?,?))"),
    ] {
        let plan = plan(&conn, walk);
        assert!(plan.len() == 1 && plan[0].contains(index), "{walk}: {plan:?}");
    }
}

#[tokio::test]
async fn a_page_looks_at_a_bounded_number_of_events() {
    let place = Place::new();
    let store = place.open();
    let of = |n: usize, source: &str| {
        let mut new = new(&format!("evt_{n}"));
        new.event.source = source.into();
        new
    };
    let events = (0..10).map(|n| of(n, if n == 0 { "wanted" } else { "other" })).collect();
    store.accept(events, None).await.unwrap();
    store.close().await;
    let conn = Connection::open(place.path()).unwrap();
    let filter = EventFilter { source: Some("wanted".into()), ..EventFilter::default() };
    let (mut cursor, mut pages) = (None, Vec::new());
    loop {
        let page = list::events(&conn, &filter, &Page { cursor, limit: 5 }, 3).unwrap();
        pages.push(page.items.len());
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, [0, 0, 0, 1], "three are looked at each time, and what is left in the end");
}

fn big(n: usize) -> NewEvent {
    let mut new = new(&format!("evt_{n:04}"));
    new.event.id = EventId::from_text(format!("evt_{n:04}"));
    new.event.body = Bytes::from(vec![b'x'; 128 << 10]);
    new.event.received_at = Millis(0);
    new.routes.clear();
    new
}

async fn tidy(store: &SqliteStore) -> Tidied {
    let mut sum = Tidied::default();
    loop {
        let step = store.tidy(&RETENTION).await.unwrap();
        assert!(step.events <= 500 && step.pages <= 500, "{step:?}");
        sum.events += step.events;
        sum.pages += step.pages;
        if !step.more {
            return sum;
        }
    }
}

fn pragma(place: &Place, name: &str) -> i64 {
    let conn = Connection::open(place.path()).unwrap();
    conn.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_file_that_is_mostly_free_shrinks_and_what_stays_free_is_taken_again() {
    const EVENTS: usize = 400;
    let place = Place::new();
    let store = place.open();
    for part in 0..4 {
        store.accept((part * 100..part * 100 + 100).map(big).collect(), None).await.unwrap();
    }
    let full = pragma(&place, "page_count");
    let done = tidy(&store).await;
    assert_eq!(done.events, EVENTS - 1, "all but the newest");
    assert!(done.pages > 5000, "{done:?}");
    let (free, pages) = (pragma(&place, "freelist_count"), pragma(&place, "page_count"));
    assert_eq!(free, 4096, "so much is kept for what comes");
    // The pages that map pages to their owners (one in 820) go without being counted.
    let given = i64::try_from(done.pages).unwrap();
    assert!((full - given - 50..=full - given).contains(&pages), "{full} - {given} = {pages}");
    assert_eq!(tidy(&store).await, Tidied::default(), "and nothing more is done");

    store.accept((EVENTS..EVENTS + 100).map(big).collect(), None).await.unwrap();
    assert_eq!(pragma(&place, "page_count"), pages, "new events take free pages");
    store.close().await;
    let bytes = std::fs::metadata(place.path()).unwrap().len();
    assert_eq!(i64::try_from(bytes).unwrap(), pages * 4096, "the file on the disk is as short");
}

#[tokio::test]
async fn what_is_under_way_is_left_alone() {
    // Between the look and the step the event may have been repeated, and its runs be
    // due again: the writer asks once more.
    let place = Place::new();
    let store = place.open();
    store.accept(vec![new("evt_1"), new("evt_2")], None).await.unwrap();
    let found = vec![(1, "evt_1".to_owned())];
    let deleted = store
        .writer
        .submit(1, move |tx| {
            let (events, settled, rows) = purge::delete(tx, &found, RETENTION, 500)?;
            assert_eq!((events, settled, rows), (0, 1, 0));
            Ok(())
        })
        .await;
    assert_eq!(deleted, Ok(()));
    assert!(store.event(&EventId::from_text("evt_1")).await.unwrap().is_some());
}

#[tokio::test]
async fn attempts_without_number_go_in_pieces() {
    const ATTEMPTS: u32 = 1000;
    let place = Place::new();
    let store = place.open();
    store.accept(vec![new("evt_1"), new("evt_2")], None).await.unwrap();
    let rows = move |tx: &mut Tx<'_>| {
        tx.sql("UPDATE runs SET state = 1, first_delivery = 7, last_delivery = 7 WHERE event = 1")?
            .execute([])?;
        tx.sql(
            "INSERT INTO deliveries (n, id, event, route, destination, generation, state, created_at) \
             VALUES (7, 'msg_7', 1, 'r', 'd', 0, 1, 0)",
        )?
        .execute([])?;
        tx.sql(
            "WITH RECURSIVE some (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM some WHERE n < ?1) \
             INSERT INTO attempts (delivery, ordinal, number, started_at, duration, decision, reason) \
             SELECT 7, n, n, 0, 0, 0, '' FROM some",
        )?
        .execute([ATTEMPTS])?;
        Ok(())
    };
    store.writer.submit(1, rows).await.unwrap();
    let (mut steps, mut rows) = (Vec::new(), 0);
    while steps.last() != Some(&(1, 1)) {
        let found = vec![(1, "evt_1".to_owned())];
        let step = move |tx: &mut Tx<'_>| {
            let (events, settled, rows) = purge::delete(tx, &found, RETENTION, 300)?;
            Ok(Step { events, settled, rows, ..Step::default() })
        };
        let step = store.writer.submit(1, step).await.unwrap();
        assert!((1..=300).contains(&step.rows), "{step:?}");
        rows += step.rows;
        steps.push((step.events, step.settled));
        assert!(steps.len() < 100, "{steps:?}");
    }
    assert_eq!(steps, [(0, 0), (0, 0), (0, 0), (1, 1)], "it is settled when it is gone");
    assert_eq!(rows, ATTEMPTS as usize + 3, "with the event, its run and its delivery");
}
