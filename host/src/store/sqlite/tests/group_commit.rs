//! One commit for everyone waiting, and what a failure inside it does to the others.

use std::sync::Arc;

use super::{MINUTE, Place, counted, new};
use crate::metrics::Metrics;
use crate::store::sqlite::SqliteOptions;
use crate::store::sqlite::tx::Tx;
use crate::store::{Accepted, Store, StoreError};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_share_commits() {
    let place = Place::new();
    let metrics = Arc::new(Metrics::new());
    let store = Arc::new(place.open_with(&SqliteOptions::default(), &metrics).unwrap());
    let callers: Vec<_> = (0..64)
        .map(|caller| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in 0..20 {
                    store.accept(vec![new(&format!("evt_{caller}_{number}"))], None).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let (batches, items) =
        (counted(&metrics, "hookloom_store_batches_total"), counted(&metrics, "hookloom_store_items_total"));
    assert_eq!(items, 64 * 20);
    assert!(batches * 4 < items, "{items} accepts took {batches} commits");
    assert_eq!(store.backlog().await.unwrap().runs, 64 * 20);
}

#[tokio::test]
async fn a_verb_that_fails_takes_no_other_down() {
    let place = Place::new();
    let metrics = Arc::new(Metrics::new());
    let store = Arc::new(place.open_with(&SqliteOptions::default(), &metrics).unwrap());
    store.accept(vec![new("evt_taken")], None).await.unwrap();
    let batches = counted(&metrics, "hookloom_store_batches_total");
    // The writer is kept busy, with nothing else in its batch, until all three wait;
    // the one in the middle writes before it fails.
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let (signal, begun) = tokio::sync::oneshot::channel();
    let mut signal = Some(signal);
    let busy = move |_: &mut Tx<'_>| {
        if let Some(signal) = signal.take() {
            signal.send(()).unwrap();
            gate.recv().unwrap();
        }
        Ok(())
    };
    let three = async {
        begun.await.unwrap();
        tokio::join!(
            store.accept(vec![new("evt_a")], Some(MINUTE)),
            store.accept(vec![new("evt_b"), new("evt_taken")], Some(MINUTE)),
            store.accept(vec![new("evt_c")], Some(MINUTE)),
            async { go.send(()).unwrap() },
        )
    };
    let (_, (first, failing, last, ())) = tokio::join!(store.writer.submit(1, busy), three);
    assert!(matches!(first.unwrap()[..], [Accepted::New(_)]));
    assert!(matches!(failing.unwrap_err(), StoreError::Other(_)));
    assert!(matches!(last.unwrap()[..], [Accepted::New(_)]));
    assert_eq!(counted(&metrics, "hookloom_store_batches_total"), batches + 1);
    assert_eq!(store.backlog().await.unwrap().runs, 3);
    let claimed = store.claim_runs(9, usize::MAX, MINUTE).await.unwrap();
    let ids: Vec<_> = claimed.items.iter().map(|run| run.event.id.as_str()).collect();
    assert_eq!(ids, ["evt_taken"], "the leases of the two hold, and nothing is left of the third");
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_gives_its_leases_back() {
    let place = Place::new();
    let store = place.open();
    {
        let mut accept = Box::pin(store.accept(vec![new("evt_a")], Some(MINUTE)));
        // Polled once, so that it is asked for; then its caller goes away.
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(accept.as_mut().poll(cx).is_pending()));
        assert!(once.await, "a commit takes longer than a poll");
    }
    // What is answered after it finds the lease given back.
    store.release(Vec::new(), Vec::new()).await.unwrap();
    let claimed = store.claim_runs(9, usize::MAX, MINUTE).await.unwrap();
    assert_eq!(claimed.items.len(), 1);
}
