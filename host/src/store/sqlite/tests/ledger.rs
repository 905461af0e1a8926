//! What lives in memory beside the tables follows them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{MINUTE, Place, new};
use crate::model::{
    Attempt, Decision, Delivery, DeliveryId, DeliveryState, Message, MessageKey, Millis, Outcome,
};
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::tx::Tx;
use crate::store::{
    Accepted, AttemptRecord, Committed, DedupeKey, NewDelivery, NewEvent, Recorded, RunEnd, RunLease,
    RunResult, StateChanges, Store, Want,
};

#[tokio::test]
async fn a_refused_attempt_ends_its_lease() {
    let place = Place::new();
    let store = place.open();
    let delivery = deliver(&store).await;
    let set_state = |state: i64| {
        store.writer.submit(1, move |tx: &mut Tx<'_>| {
            tx.sql("UPDATE deliveries SET state = ?1")?.execute([state])?;
            Ok(())
        })
    };
    set_state(3).await.unwrap();
    let recorded = store.record_attempts(vec![attempt(&delivery, Decision::Delivered)]).await.unwrap();
    assert_eq!(recorded, [Recorded::Stale], "it was taken back");
    set_state(0).await.unwrap();
    assert_eq!(claim(&store).await.len(), 1, "nobody is at work on it");
}

#[tokio::test]
async fn a_repeat_that_is_undone_counts_nothing() {
    let place = Place::new();
    let store = place.open();
    let delivery = deliver(&store).await;
    store.record_attempts(vec![attempt(&delivery, Decision::Dead)]).await.unwrap();
    // The second event's id is taken, which fails the verb behind the repeat.
    let batch = vec![keyed("evt_b"), new("evt_a")];
    store.accept(batch, None).await.unwrap_err();
    assert_eq!(store.delivery(&delivery.id).await.unwrap().unwrap().0.state, DeliveryState::Dead);
    assert_eq!(waiting(&store).await, 0);
    store.accept(vec![keyed("evt_b")], None).await.unwrap();
    assert_eq!(waiting(&store).await, 1);
    assert_eq!(claim(&store).await.len(), 1);
}

fn keyed(id: &str) -> NewEvent {
    NewEvent { dedupe: Some(DedupeKey { key: "k".into(), window: MINUTE }), ..new(id) }
}

/// The event `evt_a` as one leased delivery.
async fn deliver(store: &SqliteStore) -> Delivery {
    let accepted = store.accept(vec![keyed("evt_a")], Some(MINUTE)).await.unwrap().remove(0);
    let Accepted::New(mut runs) = accepted else { panic!("a repeat: {accepted:?}") };
    let run = runs.remove(0);
    let id = DeliveryId::derive(&run.event.id, &run.route, "d", MessageKey::Index(0), 0);
    let result = RunResult {
        run: RunLease::from(&run),
        event: Arc::clone(&run.event),
        end: RunEnd::Processed(vec![NewDelivery {
            id,
            destination: "d".into(),
            message: Message::default(),
        }]),
        steps: Vec::new(),
        state: StateChanges::default(),
    };
    let committed = store.commit_processed(vec![result], Some(MINUTE)).await.unwrap().remove(0);
    let Committed::Done(mut deliveries) = committed else { panic!("refused: {committed:?}") };
    deliveries.remove(0)
}

fn attempt(delivery: &Delivery, decision: Decision) -> AttemptRecord {
    let attempt = Attempt {
        number: 1,
        started_at: Millis(0),
        duration: Duration::ZERO,
        outcome: Outcome::Status(503),
        address: None,
        response_headers: Vec::new(),
        response_body: Bytes::new(),
        decision,
        reason: "because".into(),
    };
    AttemptRecord { delivery: delivery.id.clone(), lease: delivery.lease, attempt }
}

async fn claim(store: &SqliteStore) -> Vec<Delivery> {
    let wants = vec![Want { destination: "d".into(), limit: 9 }];
    store.claim_deliveries(wants, MINUTE).await.unwrap().items
}

async fn waiting(store: &SqliteStore) -> u64 {
    let backlog = store.backlog().await.unwrap();
    backlog.deliveries.iter().map(|(_, count)| count).sum()
}
