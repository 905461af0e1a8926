//! Makes verified events durable, many in one call of the store, and hands their runs
//! over in memory.
//!
//! Requests only wait here: a sender that goes away in the middle takes nothing with
//! it, neither the event nor the lease of its runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::unfit::Unfit;
use crate::alerts::Alerts;
use crate::budget::Budget;
use crate::metrics::Metrics;
use crate::model::{EventId, Run};
use crate::store::{Accepted, NewEvent, Store, StoreError};

/// Events in one call of the store.
const MAX_BATCH: usize = 256;
/// Requests that may wait for the disk before further ones are refused.
const QUEUE: usize = 4096;
/// Calls of the store under way at once: one on the disk, one that filled up behind it,
/// and a few for senders who come back just before the next commit begins.
const CONCURRENT_BATCHES: usize = 8;

/// What an event was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Receipt {
    Accepted(EventId),
    /// Accepted, with runs that were dead on arrival.
    Unfit(EventId),
    Duplicate(EventId),
}

/// One event on its way to the disk.
struct Waiting {
    event: NewEvent,
    reply: oneshot::Sender<Result<Receipt, StoreError>>,
}

/// Where accepted runs go.
#[derive(Clone, Debug)]
pub struct RunHandoff {
    /// Runs claimed for the processing stage.
    pub runs: mpsc::Sender<Run>,
    /// Rung when runs are to be claimed from the store instead.
    pub bell: Arc<Notify>,
    /// Bytes of events on their way to that stage or in it.
    pub budget: Budget,
    /// How long the processing stage may hold a run.
    pub lease: Duration,
}

/// What commits events, and says what became of them.
struct Committer {
    store: Arc<dyn Store>,
    handoff: RunHandoff,
    metrics: Arc<Metrics>,
    alerts: Alerts,
}

/// The door to the store. Cloning shares.
#[derive(Clone, Debug)]
pub(super) struct Acceptor {
    queue: mpsc::Sender<Waiting>,
}

impl Acceptor {
    /// Starts the task that fills batches; it ends when the last clone is dropped.
    pub(super) fn start(
        store: Arc<dyn Store>,
        handoff: RunHandoff,
        metrics: Arc<Metrics>,
        alerts: Alerts,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(fill_batches(waiting, Committer { store, handoff, metrics, alerts }));
        Self { queue }
    }

    /// Returns when the event is on disk. `None`: too many wait already.
    pub(super) async fn accept(&self, event: NewEvent) -> Option<Result<Receipt, StoreError>> {
        let (reply, receipt) = oneshot::channel();
        self.queue.try_send(Waiting { event, reply }).ok()?;
        Some(receipt.await.unwrap_or(Err(StoreError::Closed)))
    }
}

async fn fill_batches(mut queue: mpsc::Receiver<Waiting>, committer: Committer) {
    let committer = Arc::new(committer);
    let slots = Arc::new(Semaphore::new(CONCURRENT_BATCHES));
    loop {
        // The slot first: what arrives while the disk is busy joins this batch.
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let mut batch = Vec::new();
        if queue.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        let committer = committer.clone();
        tokio::spawn(async move {
            commit(batch, &committer).await;
            drop(slot);
        });
    }
}

async fn commit(batch: Vec<Waiting>, committer: &Committer) {
    let Committer { store, handoff, metrics, alerts } = committer;
    let (events, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.event, w.reply)).unzip();
    let ids: Vec<_> = events.iter().map(|new| (new.event.id.clone(), Unfit::of(new))).collect();
    // Room is reserved before the runs are claimed, so that what is claimed can always
    // be handed over; without room they stay in the store until they are asked for.
    let runs = events.iter().map(|new| new.routes.len()).sum();
    let room = if handoff.budget.left() > 0 { handoff.runs.try_reserve_many(runs).ok() } else { None };
    let lease = room.is_some().then_some(handoff.lease);
    let accepted = match store.accept(events, lease).await {
        Ok(accepted) => accepted,
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
            return;
        }
    };
    let mut claimed = Vec::with_capacity(runs);
    let mut revived = false;
    for ((accepted, reply), (id, unfit)) in accepted.into_iter().zip(replies).zip(ids) {
        let receipt = match accepted {
            Accepted::New(runs) => {
                claimed.extend(runs);
                if let Some(unfit) = unfit {
                    unfit.tell(metrics, alerts);
                    Receipt::Unfit(id)
                } else {
                    Receipt::Accepted(id)
                }
            }
            Accepted::Duplicate(first) => {
                revived = true;
                Receipt::Duplicate(first)
            }
        };
        // A sender that left does not matter: its event is on disk.
        let _ = reply.send(Ok(receipt));
    }
    if lease.is_none() || revived {
        handoff.bell.notify_one();
    }
    if let Some(room) = room {
        handoff.budget.take(claimed.iter().map(|run| run.event.size()).sum());
        for (permit, run) in room.zip(claimed) {
            permit.send(run);
        }
    }
}
