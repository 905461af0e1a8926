//! A backlog costs no scan: plans use the indexes, and claims stay quick behind
//! thousands of rows that others hold.

use rusqlite::Connection;

use super::{MINUTE, Place, new};
use crate::model::DeliveryState;
use crate::store::sqlite::read;
use crate::store::{DeliveryFilter, Store};

#[tokio::test]
async fn lists_are_read_through_indexes() {
    let place = Place::new();
    place.open().close().await;
    let conn = Connection::open(place.path()).unwrap();
    let states = [
        (None, "deliveries_destination"),
        (Some(DeliveryState::Pending), "deliveries_due"),
        (Some(DeliveryState::Delivered), "deliveries_destination"),
        (Some(DeliveryState::Dead), "deliveries_given_up"),
        (Some(DeliveryState::Cancelled), "deliveries_given_up"),
    ];
    for (state, index) in states {
        let filter = DeliveryFilter { destination: Some("d".into()), state };
        let plan = plan(&conn, &read::list(&filter));
        let found = plan.iter().any(|step| step.contains("SEARCH deliveries USING") && step.contains(index));
        assert!(found, "{state:?}: {plan:?}");
    }
}

fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let unbound = vec![rusqlite::types::Null; explain.parameter_count()];
    let rows = explain.query_map(rusqlite::params_from_iter(unbound), |row| row.get(3)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn claims_walk_past_what_is_leased() {
    let place = Place::new();
    let store = place.open();
    for part in 0..10 {
        let events = (0..200).map(|n| new(&format!("evt_{part}_{n}"))).collect();
        let lease = (part < 5).then_some(MINUTE);
        store.accept(events, lease).await.unwrap();
    }
    let mut claimed = 0;
    loop {
        let more = store.claim_runs(64, MINUTE).await.unwrap();
        if more.items.is_empty() {
            break;
        }
        claimed += more.items.len();
    }
    assert_eq!(claimed, 1000, "the other thousand is held by those who accepted it");
}
