//! Files of earlier versions: everything in them is kept, and goes on.

use rusqlite::Connection;

use super::{MINUTE, Place};
use crate::model::{AttemptError, Decision, DeliveryId, DeliveryState, EventId, Millis, Outcome, RunState};
use crate::store::sqlite::migrate;
use crate::store::{
    Accepted, Backlog, DeliveryFilter, DeliveryRecord, Holder, Page, Replay, Replayed, SqliteStore, Store,
    StoreError, Want,
};

/// A file as the first version left it, with rows of every kind.
fn first_version(place: &Place) {
    std::fs::create_dir_all(place.path().parent().unwrap()).unwrap();
    let conn = Connection::open(place.path()).unwrap();
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    conn.execute_batch(include_str!("../../../../migrations/sqlite/0001_initial.sql")).unwrap();
    conn.execute_batch(include_str!("first_version.sql")).unwrap();
    conn.pragma_update(None, "application_id", 0x484B_4C4D).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
}

async fn delivery(store: &dyn Store, id: &str) -> DeliveryRecord {
    store.delivery(&DeliveryId::from_text(id)).await.unwrap().unwrap().0
}

#[tokio::test]
async fn a_file_of_the_first_version_keeps_everything() {
    let place = Place::new();
    first_version(&place);
    // Before secrets could be learnt, and nobody migrates it for a look.
    assert_eq!(SqliteStore::learnt(&place.path()).unwrap().len(), 0);
    let store = place.open();
    let version: i64 = Connection::open(place.path())
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, migrate::known());
    let backlog = store.backlog().await.unwrap();
    let expected = Backlog { runs: 2, held: 1, deliveries: vec![("d".into(), 2), ("e".into(), 1)] };
    assert_eq!(backlog, expected);

    let event = store.event(&EventId::from_text("evt_1")).await.unwrap().unwrap();
    assert_eq!((event.event.source.as_str(), &event.event.body[..], event.repeats), ("s", &b"one"[..], 2));
    let runs: Vec<_> =
        event.runs.iter().map(|run| (run.route.as_str(), run.state, run.held, run.attempts)).collect();
    let expected = [
        ("dropped", RunState::Dropped, false, 0),
        ("failed", RunState::Failed, false, 3),
        ("held", RunState::Pending, true, 0),
        ("pending", RunState::Pending, false, 1),
        ("processed", RunState::Processed, false, 0),
    ];
    assert_eq!(runs, expected);
    assert_eq!(event.runs[0].reason.as_deref(), Some("no"));
    assert_eq!(event.runs[4].steps[0].plugin, "p");

    let deliveries: Vec<_> = event.deliveries.iter().map(|d| (d.id.as_str(), d.state, d.ended_at)).collect();
    let expected = [
        ("msg_pending", DeliveryState::Pending, None),
        ("msg_delivered", DeliveryState::Delivered, Some(Millis(1500))),
        ("msg_dead", DeliveryState::Dead, Some(Millis(1700))),
        ("msg_cancelled", DeliveryState::Cancelled, Some(Millis(1100))),
        ("msg_later", DeliveryState::Pending, None),
        ("msg_other", DeliveryState::Pending, None),
    ];
    assert_eq!(deliveries, expected);
    let dead = delivery(&store, "msg_dead").await;
    assert_eq!((dead.attempts, dead.reason.as_deref(), dead.due), (2, Some("gave up"), None));
    assert_eq!((dead.line, dead.replay_of, dead.created_at), (None, None, Millis(1100)));
    let (_, attempts) = store.delivery(&DeliveryId::from_text("msg_dead")).await.unwrap().unwrap();
    let kinds: Vec<_> = attempts.iter().map(|a| (a.number, &a.outcome, a.decision)).collect();
    let error = Outcome::Error { kind: AttemptError::Timeout, detail: "slow".into() };
    let expected = [(1, &Outcome::Status(503), Decision::Retry(Millis(1650))), (2, &error, Decision::Dead)];
    assert_eq!(kinds, expected);
    let state = store.plugin_state("p", "k").await.unwrap().unwrap();
    assert_eq!((state.version, &state.value[..]), (7, &b"v"[..]));
}

#[tokio::test]
async fn a_file_of_the_first_version_goes_on() {
    let place = Place::new();
    first_version(&place);
    let store = place.open();
    let runs = store.claim_runs(9, usize::MAX, MINUTE).await.unwrap().items;
    assert_eq!(runs.iter().map(|run| run.route.as_str()).collect::<Vec<_>>(), ["pending"]);
    let holder = Holder { route: "held".into(), plugin: Some("absent".into()) };
    assert_eq!(store.holders().await.unwrap(), std::slice::from_ref(&holder));
    assert_eq!(store.resume_held(&holder, 0, 9).await.unwrap().count, 1);
    let wants = ["d", "e"].map(|destination| Want { destination: destination.into(), limit: 9 });
    let claimed = store.claim_deliveries(wants.into(), MINUTE).await.unwrap().items;
    let ids: Vec<_> = claimed.iter().map(|delivery| delivery.id.as_str()).collect();
    assert_eq!(ids, ["msg_pending", "msg_later", "msg_other"]);
    assert_eq!(claimed[0].body(), "one");
    assert_eq!(claimed[2].body(), "own");
    assert_eq!(claimed[2].message.content_type.as_deref(), Some("text/plain"));
    let filter = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let page = store.deliveries(filter, Page { cursor: None, limit: 9 }).await.unwrap();
    assert_eq!(page.items.len(), 1);

    // What is new stands behind what is there, and the old keys are still keys.
    let accepted = store.accept(vec![super::new("evt_new")], None).await.unwrap();
    assert!(matches!(accepted[..], [Accepted::New(_)]));
    let repeat = super::NewEvent {
        dedupe: Some(crate::store::DedupeKey { key: "key".into(), window: MINUTE }),
        ..super::new("evt_repeat")
    };
    let accepted = store.accept(vec![repeat], None).await.unwrap();
    assert!(matches!(&accepted[..], [Accepted::Duplicate(id)] if id.as_str() == "evt_1"));
    assert_eq!(delivery(&store, "msg_dead").await.state, DeliveryState::Pending);
    let event = EventId::from_text("evt_1");
    let routes = vec![super::NewRun { route: "processed".into(), ordered: true, dead: None }];
    let replayed = store.replay(vec![Replay { event, routes }]).await.unwrap();
    assert_eq!(replayed, [Replayed::Done { generation: 1 }]);
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_file_as_it_was() {
    let place = Place::new();
    first_version(&place);
    let look = || {
        let conn = Connection::open(place.path()).unwrap();
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let sum = "SELECT count(*) FROM deliveries";
        (version, conn.query_row(sum, [], |row| row.get::<_, i64>(0)).unwrap())
    };
    // A table that the step is to create is there already.
    let conn = Connection::open(place.path()).unwrap();
    conn.execute_batch("CREATE TABLE destinations (x)").unwrap();
    let refused = place.open_with(&super::SqliteOptions::default(), &std::sync::Arc::default()).unwrap_err();
    assert!(matches!(&refused, StoreError::Other(why) if why.contains("destinations")), "{refused}");
    assert_eq!(look(), (1, 6));
    conn.execute_batch("DROP TABLE destinations").unwrap();
    drop(conn);
    place.open();
    assert_eq!(look(), (migrate::known(), 6));
}
