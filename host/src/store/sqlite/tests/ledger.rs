//! What lives in memory beside the tables follows them.

use std::sync::Arc;

use super::{MINUTE, Place, new};
use crate::model::{Decision, Delivery, DeliveryId, DeliveryState, Message, MessageKey, Run};
use crate::store::conformance::attempt;
use crate::store::sqlite::tx::Tx;
use crate::store::sqlite::{SqliteStore, destinations};
use crate::store::{
    Accepted, Committed, Created, DedupeKey, DestinationCommand, NewDelivery, NewEvent, Recorded, RunEnd,
    RunLease, RunResult, StateChanges, Store, StoreError, Want,
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
    set_state(2).await.unwrap();
    let recorded = store.record_attempts(vec![attempt(&delivery, Decision::Delivered)]).await.unwrap();
    assert_eq!(recorded, [Recorded::Stale], "it was given up");
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

#[tokio::test]
async fn what_is_said_of_a_destination_in_a_verb_that_failed_is_not_said() {
    let place = Place::new();
    let store = place.open();
    store.command_destination("d", DestinationCommand::Pause).await.unwrap();
    let before = store.destinations().await.unwrap();
    let failing = |tx: &mut Tx<'_>| {
        destinations::command(tx, "d", DestinationCommand::Resume)?;
        destinations::command(tx, "e", DestinationCommand::Pause)?;
        Err::<(), _>(StoreError::Other("no".into()))
    };
    store.writer.submit(1, failing).await.unwrap_err();
    assert_eq!(store.destinations().await.unwrap(), before);
    store.close().await;
    assert_eq!(place.open().destinations().await.unwrap(), before);
}

#[tokio::test]
async fn created_deliveries_that_nobody_waits_for_are_claimable() {
    let place = Place::new();
    let store = place.open();
    let accepted = store.accept(vec![new("evt_a")], Some(MINUTE)).await.unwrap().remove(0);
    let Accepted::New(runs) = accepted else { panic!("a repeat: {accepted:?}") };
    {
        let mut commit = Box::pin(store.commit_processed(vec![to_d(&runs[0])], Some(MINUTE)));
        // Polled once, so that it is asked for; then its caller goes away.
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(commit.as_mut().poll(cx).is_pending()));
        assert!(once.await, "a commit takes longer than a poll");
    }
    // What is answered after it finds the lease given back.
    store.release(Vec::new(), Vec::new()).await.unwrap();
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
    let committed = store.commit_processed(vec![to_d(&run)], Some(MINUTE)).await.unwrap().remove(0);
    let Committed::Done(Created { leased: mut deliveries, .. }) = committed else {
        panic!("refused: {committed:?}")
    };
    deliveries.remove(0)
}

/// The run's event itself, for the destination `d`.
fn to_d(run: &Run) -> RunResult {
    let id = DeliveryId::derive(&run.event.id, &run.route, "d", MessageKey::Index(0), 0);
    RunResult {
        run: RunLease::from(run),
        event: Arc::clone(&run.event),
        end: RunEnd::Processed(vec![NewDelivery::new(id, "d", Message::default())]),
        steps: Vec::new(),
        state: StateChanges::default(),
    }
}

async fn claim(store: &SqliteStore) -> Vec<Delivery> {
    let wants = vec![Want { destination: "d".into(), limit: 9 }];
    store.claim_deliveries(wants, MINUTE).await.unwrap().items
}

async fn waiting(store: &SqliteStore) -> u64 {
    let backlog = store.backlog().await.unwrap();
    backlog.deliveries.iter().map(|(_, count)| count).sum()
}
