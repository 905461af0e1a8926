//! A gate that lets thousands go at once: the writer looks at them in parts.

use std::sync::Arc;

use super::{MINUTE, Place, new};
use crate::model::{DeliveryId, Line, Message, OnDead};
use crate::store::sqlite::tx::Tx;
use crate::store::sqlite::{SqliteStore, gates};
use crate::store::{
    Accepted, NewDelivery, NewEvent, NewRun, RunEnd, RunLease, RunResult, StateChanges, Store, StoreError,
    Want,
};

/// More than are looked at in one go.
const MANY: usize = 1200;

/// An ordered run that is still to be processed, and many behind it that are.
async fn many_behind_one(store: &SqliteStore) {
    let event = |n: usize| NewEvent {
        routes: vec![NewRun { route: "r".into(), ordered: true, dead: None }],
        ..new(&format!("evt_{n}"))
    };
    let accepted = store.accept((0..=MANY).map(event).collect(), Some(MINUTE)).await.unwrap();
    let runs = accepted.into_iter().skip(1).map(|accepted| match accepted {
        Accepted::New(mut runs) => runs.remove(0),
        Accepted::Duplicate(id) => panic!("a repeat of {id}"),
    });
    let results = runs.map(|run| {
        let id = DeliveryId::from_text(format!("msg_{}", run.event.id));
        let line = Line { key: run.event.id.to_string(), on_dead: OnDead::Hold };
        let new = NewDelivery { line: Some(line), ..NewDelivery::new(id, "d", Message::default()) };
        RunResult {
            run: RunLease::from(&run),
            event: Arc::clone(&run.event),
            end: RunEnd::Processed(vec![new]),
            steps: Vec::new(),
            state: StateChanges::default(),
        }
    });
    store.commit_processed(results.collect(), None).await.unwrap();
    assert_eq!(claim(store).await, 0);
}

async fn claim(store: &SqliteStore) -> usize {
    let wants = vec![Want { destination: "d".into(), limit: 10 * MANY }];
    store.claim_deliveries(wants, MINUTE).await.unwrap().items.len()
}

/// Each claim that finds none lets the writer look at one more part.
async fn claim_all(store: &SqliteStore) -> usize {
    let mut claimed = 0;
    for _ in 0..MANY {
        claimed += claim(store).await;
        if claimed == MANY {
            break;
        }
    }
    claimed
}

fn end_the_first(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.sql("UPDATE runs SET state = 2, due = NULL WHERE event = 1")?.execute([])?;
    Ok(())
}

fn due(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let due =
        tx.sql("SELECT count(*) FROM deliveries WHERE due IS NOT NULL")?.query_row([], |row| row.get(0))?;
    Ok(due)
}

#[tokio::test]
async fn many_behind_a_gate_go_in_parts_and_all_of_them_go() {
    let place = Place::new();
    let store = place.open();
    many_behind_one(&store).await;
    let first_part = |tx: &mut Tx<'_>| {
        end_the_first(tx)?;
        assert!(gates::advance(tx, "r", 1)?);
        assert_eq!((due(tx)?, tx.ledger.windows.len()), (512, 1), "the rest waits for its turn");
        Ok(())
    };
    store.writer.submit(1, first_part).await.unwrap();
    assert_eq!(claim_all(&store).await, MANY);
}

#[tokio::test]
async fn what_a_crash_left_behind_a_gate_goes_after_the_next_opening() {
    let place = Place::new();
    let store = place.open();
    many_behind_one(&store).await;
    store.writer.submit(1, |tx: &mut Tx<'_>| end_the_first(tx)).await.unwrap();
    assert_eq!(claim(&store).await, 0, "nobody has looked");
    drop(store);
    assert_eq!(claim_all(&place.open()).await, MANY);
}

#[tokio::test]
async fn a_gate_that_moved_in_a_verb_that_failed_did_not_move() {
    let place = Place::new();
    let store = place.open();
    many_behind_one(&store).await;
    let failing = |tx: &mut Tx<'_>| {
        end_the_first(tx)?;
        gates::advance(tx, "r", 1)?;
        Err::<(), _>(StoreError::Other("no".into()))
    };
    store.writer.submit(1, failing).await.unwrap_err();
    let left = |tx: &mut Tx<'_>| {
        assert_eq!((due(tx)?, tx.ledger.windows.len()), (0, 0));
        Ok(())
    };
    store.writer.submit(1, left).await.unwrap();
    assert_eq!(claim(&store).await, 0);
}
