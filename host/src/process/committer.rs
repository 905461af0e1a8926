//! Commits processed runs, many in one call of the store, and hands their deliveries
//! over.

use std::collections::BTreeSet;
use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::alerts::{self, Alert, Alerts};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::{DeliveryId, DeliveryState, Run};
use crate::store::{Committed, RunEnd, RunResult, Store, StoreError};

use super::overlay::touched;
use super::pending::Pending;
use super::{Changes, DeliveryHandoff, Done};

/// Calls of the store under way at once: one on the disk and one filling up behind it.
const CONCURRENT_BATCHES: usize = 2;
/// How long a store that refuses is left alone.
const BACK_OFF: Duration = Duration::from_secs(1);

pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) handoff: DeliveryHandoff,
    pub(super) changes: Changes,
    pub(super) metrics: Arc<Metrics>,
    pub(super) alerts: Alerts,
    pub(super) pending: Arc<Pending>,
    pub(super) committed: mpsc::UnboundedSender<Ended>,
}

/// What is remembered of a result while the store has it.
struct Ending {
    run: Run,
    word: &'static str,
    /// Of what its plugins wrote.
    version: u64,
    /// The plugins whose values it read or wrote.
    touched: BTreeSet<String>,
}

/// What a commit gives back.
pub(super) struct Ended {
    /// Runs that are no longer away from the store.
    pub(super) count: usize,
    /// Bytes of their events.
    pub(super) bytes: usize,
    /// Runs to process again, because state that they read, or what holds them, has changed.
    pub(super) again: Vec<Run>,
}

impl Committer {
    /// Commits what comes until the last job has reported.
    pub(super) async fn run(self, mut finished: mpsc::UnboundedReceiver<Vec<Done>>, shutdown: Shutdown) {
        let committer = Arc::new(self);
        let slots = Arc::new(Semaphore::new(CONCURRENT_BATCHES));
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let mut jobs = Vec::new();
            if finished.recv_many(&mut jobs, 64).await == 0 {
                break;
            }
            let (committer, shutdown) = (committer.clone(), shutdown.clone());
            let mut commit = Box::pin(async move {
                committer.commit(jobs.into_iter().flatten().collect(), &shutdown).await;
                drop(slot);
            });
            // It is begun here, so that the store is asked in the order in which results
            // came: what one built on is there before it.
            if poll_fn(|context| Poll::Ready(commit.as_mut().poll(context))).await.is_pending() {
                tokio::spawn(commit);
            }
        }
        // Every slot back means that every commit has ended.
        let _ = slots.acquire_many(u32::try_from(CONCURRENT_BATCHES).unwrap_or(u32::MAX)).await;
    }

    pub(super) async fn commit(&self, batch: Vec<Done>, shutdown: &Shutdown) {
        let now = self.changes.count();
        let mut again = Vec::new();
        let mut runs = Vec::with_capacity(batch.len());
        let mut results = Vec::with_capacity(batch.len());
        let mut all_kept = Vec::with_capacity(batch.len());
        let mut held = false;
        for Done { run, result, saw, kept } in batch {
            all_kept.push(kept);
            if matches!(result.end, RunEnd::Held(_)) {
                // What holds it may be mended already.
                if saw != now {
                    again.push(run);
                    continue;
                }
                held = true;
            }
            let (word, version, touched) = (word(&result.end), result.state.version, touched(&result.state));
            runs.push(Ending { run, word, version, touched });
            results.push(result);
        }
        let (mut ended, mut bytes) = (0, 0);
        if !results.is_empty() {
            let Some(committed) = self.commit_in_store(results, shutdown).await else { return };
            let size = |runs: &[Run]| runs.iter().map(|run| run.event.size()).sum::<usize>();
            let repeated = again.len();
            (ended, bytes) = (committed.count, runs.iter().map(|ending| ending.run.event.size()).sum());
            self.hand_over(runs, committed, &mut again);
            ended -= again.len() - repeated;
            bytes -= size(&again[repeated..]);
        }
        if held && self.changes.count() != now {
            self.changes.look_again();
        }
        // Before the stage is told, which then looks for work.
        drop(all_kept);
        // The stage's loop is gone after a soft stop, and counts no longer.
        let _ = self.committed.send(Ended { count: ended, bytes, again });
    }

    fn hand_over(&self, runs: Vec<Ending>, committed: Batch<'_>, again: &mut Vec<Run>) {
        let mut deliveries = Vec::new();
        let mut claimable = false;
        for (Ending { run, word, version, touched }, committed) in runs.into_iter().zip(committed.items) {
            self.pending.settle(version, matches!(committed, Committed::Done(_)));
            match committed {
                Committed::Done(created) => {
                    self.metrics.run(&run.route, word);
                    deliveries.extend(created.leased);
                    claimable |= created.claimable;
                    self.tell_of_dead(&run, created.dead);
                }
                Committed::Conflict => {
                    self.metrics.run(&run.route, "repeat");
                    self.pending.refuse(run.lease, touched);
                    again.push(run);
                }
                Committed::Stale => {
                    tracing::warn!(event = %run.event.id, route = run.route, "a run's lease had ended; its result is dropped");
                }
            }
        }
        if let Some(room) = committed.room
            && !deliveries.is_empty()
        {
            room.send(deliveries);
        }
        if claimable {
            self.handoff.bell.notify_one();
        }
    }

    fn tell_of_dead(&self, run: &Run, dead: Vec<(DeliveryId, String)>) {
        for (delivery, destination) in dead {
            self.metrics.delivery_ended(&destination, DeliveryState::Dead.as_str());
            tracing::warn!(%delivery, destination, "born dead: its destination has max_pending");
            if run.event.source != alerts::SOURCE {
                let reason = "born dead: its destination has max_pending".to_owned();
                let event = run.event.id.clone();
                self.alerts.raise(Alert::DeliveryDead { destination, delivery, event, reason });
            }
        }
    }

    /// Commits, however often it takes; `None` when somebody hurries the stop.
    async fn commit_in_store(&self, mut results: Vec<RunResult>, shutdown: &Shutdown) -> Option<Batch<'_>> {
        let count = results.len();
        loop {
            // Room first: what is claimed with the commit can always be handed over.
            let room = self.handoff.deliveries.try_reserve().ok();
            let lease = room.is_some().then_some(self.handoff.lease);
            let error = match self.store.commit_processed(results.clone(), lease).await {
                Ok(items) => return Some(Batch { items, room, count }),
                Err(error) => error,
            };
            tracing::error!(%error, runs = count, "processed runs cannot be committed; trying again");
            if matches!(error, StoreError::Other(_)) {
                // One of them is what the store does not take: the others need not wait.
                if count > 1 {
                    let items = self.commit_each(results, shutdown).await?;
                    return Some(Batch { items, room: None, count });
                }
                self.refuse(&mut results, &error);
            }
            tokio::select! {
                () = shutdown.hard.cancelled() => return None,
                () = tokio::time::sleep(BACK_OFF) => {}
            }
        }
    }

    /// Commits them one by one, without leases.
    async fn commit_each(&self, results: Vec<RunResult>, shutdown: &Shutdown) -> Option<Vec<Committed>> {
        let mut committed = Vec::with_capacity(results.len());
        for result in results {
            let mut alone = vec![result];
            let items = loop {
                match self.store.commit_processed(alone.clone(), None).await {
                    Ok(items) => break items,
                    Err(error @ StoreError::Other(_)) => self.refuse(&mut alone, &error),
                    Err(_) => {}
                }
                shutdown.hard.run_until_cancelled(tokio::time::sleep(BACK_OFF)).await?;
            };
            committed.extend(items);
        }
        Some(committed)
    }

    /// Makes failures, which the store can take, of results that it does not: there they can
    /// be seen and replayed.
    fn refuse(&self, results: &mut [RunResult], error: &StoreError) {
        for result in results {
            result.end = RunEnd::Failed(format!("its result cannot be stored: {error}"));
            result.steps = Vec::new();
            self.pending.settle(result.state.version, false);
        }
    }
}

struct Batch<'a> {
    items: Vec<Committed>,
    room: Option<mpsc::Permit<'a, Vec<crate::model::Delivery>>>,
    count: usize,
}

const fn word(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Processed(_) => "processed",
        RunEnd::Dropped(_) => "dropped",
        RunEnd::Failed(_) => "failed",
        RunEnd::Retry(..) => "retry",
        RunEnd::Held(_) => "held",
    }
}
