//! A backlog costs no scan: plans use the indexes, and claims stay quick behind
//! thousands of rows that others hold.

use rusqlite::Connection;

use super::{MINUTE, Place, new};
use crate::model::{DeliveryState, Millis};
use crate::store::sqlite::{deliveries, gates, lines, read};
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
        let filter = DeliveryFilter { destination: Some("d".into()), state, ..DeliveryFilter::default() };
        let plan = plan(&conn, &read::list(&filter));
        let found = plan.iter().any(|step| step.contains("SEARCH deliveries USING") && step.contains(index));
        assert!(found, "{state:?}: {plan:?}");
    }
}

pub(super) fn plan(conn: &Connection, sql: &str) -> Vec<String> {
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
        let more = store.claim_runs(64, usize::MAX, MINUTE).await.unwrap();
        if more.items.is_empty() {
            break;
        }
        claimed += more.items.len();
    }
    assert_eq!(claimed, 1000, "the other thousand is held by those who accepted it");
}

#[tokio::test]
async fn a_span_of_time_is_found_in_the_same_indexes() {
    let place = Place::new();
    place.open().close().await;
    let conn = Connection::open(place.path()).unwrap();
    let span = DeliveryFilter { since: Some(Millis(1)), until: Some(Millis(2)), ..DeliveryFilter::default() };
    let plan = plan(&conn, &read::list(&span));
    assert!(
        plan.iter().any(|step| step.contains("USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)")),
        "{plan:?}"
    );
}

/// Each step of keeping lines in order is a seek, however many wait.
#[tokio::test]
async fn lines_are_kept_by_seeks() {
    let place = Place::new();
    place.open().close().await;
    let conn = Connection::open(place.path()).unwrap();
    let table: [(&str, &[&str]); 7] = [
        (deliveries::DUE, &["SEARCH deliveries USING INDEX deliveries_due (destination=? AND due>?)"]),
        (lines::HEAD, &["SEARCH deliveries USING INDEX deliveries_line (destination=? AND line=?)"]),
        (lines::GOING, &["SEARCH deliveries USING INDEX deliveries_going (destination=? AND line=?)"]),
        (gates::GATE, &["SEARCH runs USING INDEX runs_in_line (route=? AND position>?)"]),
        (
            gates::REACH,
            &["SEARCH deliveries USING INDEX deliveries_gated (route=? AND position>? AND position<?)"],
        ),
        (
            gates::WAITING,
            &[
                "SEARCH deliveries USING INDEX deliveries_gated (route=? AND position>? AND position<?)",
                "USE TEMP B-TREE FOR DISTINCT",
            ],
        ),
        (lines::HOLDING, &["SEARCH deliveries USING INDEX deliveries_holding (destination=?)"]),
    ];
    for (sql, expected) in table {
        // Whether an index covers a statement is not what matters here.
        let plan: Vec<_> = plan(&conn, sql).iter().map(|step| step.replace("COVERING ", "")).collect();
        assert_eq!(plan, expected, "{sql}");
    }
}

/// Thousands that wait in line in front of what is due in the index cost a claim nothing:
/// it takes as many steps of the virtual machine as without them.
#[tokio::test]
async fn claims_pass_over_what_waits_in_line() {
    let place = Place::new();
    place.open().close().await;
    let conn = Connection::open(place.path()).unwrap();
    let steps = |conn: &Connection| {
        let mut select = conn.prepare(deliveries::DUE).unwrap();
        let mut rows = select.query(rusqlite::params!["d", i64::MIN]).unwrap();
        assert!(rows.next().unwrap().is_some());
        drop(rows);
        select.get_status(rusqlite::StatementStatus::VmStep)
    };
    let fill = |conn: &Connection, from: i64, to: i64, due: &str, line: &str| {
        conn.execute_batch(&format!(
            "WITH RECURSIVE c(n) AS (VALUES ({from}) UNION ALL SELECT n + 1 FROM c WHERE n < {to}) \
             INSERT INTO deliveries (n, id, event, route, destination, generation, state, due, created_at, line, position) \
             SELECT n, 'msg_' || n, 1, 'r', 'd', 0, 0, {due}, 0, {line}, n FROM c"
        ))
        .unwrap();
    };
    fill(&conn, 1, 10, "n", "NULL");
    let few = steps(&conn);
    fill(&conn, 11, 5000, "NULL", "'k'");
    assert_eq!(steps(&conn), few);
}
