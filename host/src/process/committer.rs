//! Commits processed runs, many in one call of the store, and hands their deliveries
//! over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::Run;
use crate::store::{Committed, RunEnd, RunResult, Store};

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
    pub(super) committed: mpsc::UnboundedSender<Ended>,
}

/// What a commit gives back.
pub(super) struct Ended {
    /// Runs that are no longer away from the store.
    pub(super) ended: usize,
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
            tokio::spawn(async move {
                committer.commit(jobs.into_iter().flatten().collect(), &shutdown).await;
                drop(slot);
            });
        }
        // Every slot back means that every commit has ended.
        let _ = slots.acquire_many(u32::try_from(CONCURRENT_BATCHES).unwrap_or(u32::MAX)).await;
    }

    async fn commit(&self, batch: Vec<Done>, shutdown: &Shutdown) {
        let now = self.changes.count();
        let mut again = Vec::new();
        let mut runs = Vec::with_capacity(batch.len());
        let mut results = Vec::with_capacity(batch.len());
        let mut held = false;
        for Done { run, result, saw } in batch {
            if matches!(result.end, RunEnd::Held(_)) {
                // What holds it may be mended already.
                if saw != now {
                    again.push(run);
                    continue;
                }
                held = true;
            }
            runs.push((run, word(&result.end)));
            results.push(result);
        }
        let mut ended = 0;
        if !results.is_empty() {
            let Some(committed) = self.commit_in_store(results, shutdown).await else { return };
            let repeated = again.len();
            ended = committed.count;
            self.hand_over(runs, committed, &mut again);
            ended -= again.len() - repeated;
        }
        if held && self.changes.count() != now {
            self.changes.look_again();
        }
        // The stage's loop is gone after a soft stop, and counts no longer.
        let _ = self.committed.send(Ended { ended, again });
    }

    fn hand_over(&self, runs: Vec<(Run, &'static str)>, committed: Batch<'_>, again: &mut Vec<Run>) {
        let mut deliveries = Vec::new();
        for ((run, word), committed) in runs.into_iter().zip(committed.items) {
            match committed {
                Committed::Done(new) => {
                    self.metrics.run(&run.route, word);
                    deliveries.extend(new);
                }
                Committed::Conflict => again.push(run),
                Committed::Stale => {
                    tracing::warn!(event = %run.event.id, route = run.route, "a run's lease had ended; its result is dropped");
                }
            }
        }
        match committed.room {
            Some(room) if !deliveries.is_empty() => {
                room.send(deliveries);
            }
            Some(_) => {}
            None => self.handoff.bell.notify_one(),
        }
    }

    /// Commits, however often it takes; `None` when somebody hurries the stop.
    async fn commit_in_store(&self, results: Vec<RunResult>, shutdown: &Shutdown) -> Option<Batch<'_>> {
        let count = results.len();
        let mut results = Some(results);
        loop {
            // Room first: what is claimed with the commit can always be handed over.
            let room = self.handoff.deliveries.try_reserve().ok();
            let lease = room.is_some().then_some(self.handoff.lease);
            let offered = results.take()?;
            match self.store.commit_processed(offered.clone(), lease).await {
                Ok(items) => return Some(Batch { items, room, count }),
                Err(error) => {
                    tracing::error!(%error, runs = count, "processed runs cannot be committed; trying again");
                    results = Some(offered);
                }
            }
            tokio::select! {
                () = shutdown.hard.cancelled() => return None,
                () = tokio::time::sleep(BACK_OFF) => {}
            }
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
