//! Stage 2: claim runs, run their routes' steps in the sandbox, commit what came of it.

mod committer;
mod draft;
mod overlay;
mod pending;
mod pipeline;
mod processor;
mod queue;
mod results;
mod resume;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, watch};

use crate::alerts::Alerts;
use crate::budget::Budget;
use crate::clock::{Clock, Random};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::{Delivery, Route, Run};
use crate::plugin::{PluginHost, StateReader, Workers};
use crate::store::{RunLease, RunResult, Store};

use pending::Pending;
use processor::Processor;
use queue::{JobEnd, Queue};
use results::Kept;
use resume::Resumer;

/// How long a run may be away from the store: above the longest chain of calls
/// (`pipeline::MAX_TIME`) and the wait of a full queue in front of it.
pub const RUN_LEASE: Duration = Duration::from_hours(1);
const _: () = assert!(RUN_LEASE.as_secs() >= 10 * pipeline::MAX_TIME.as_secs());
/// Runs that are away from the store at once, and so in memory.
pub const MAX_IN_FLIGHT: usize = 4096;
/// Bytes of their events, together with what waits to be handed to this stage.
pub const MAX_BYTES_IN_FLIGHT: usize = 64 << 20;
/// Runs that are taken in at once.
const MAX_INTAKE: usize = 256;
/// A missed bell costs at most this.
const POLL: Duration = Duration::from_secs(1);

/// The routes in force, by name.
pub type Routes = HashMap<String, Route>;

/// What the stage is given.
pub struct Parts {
    /// Where runs come from and results go.
    pub store: Arc<dyn Store>,
    /// The configuration in force.
    pub routes: Arc<ArcSwap<Routes>>,
    /// The plugins in force.
    pub plugins: Arc<PluginHost>,
    /// Where their durable values are read.
    pub state: Arc<dyn StateReader>,
    /// The threads that call them.
    pub workers: Arc<Workers>,
    /// Runs that were claimed when they were accepted.
    pub runs: mpsc::Receiver<Run>,
    /// Rung when runs may be claimable.
    pub bell: Arc<Notify>,
    /// Bytes of events in memory; what comes by `runs` is counted in already.
    pub budget: Budget,
    /// Tells that plugins or configuration changed.
    pub changes: Changes,
    /// Where deliveries go.
    pub handoff: DeliveryHandoff,
    /// Time.
    pub clock: Clock,
    /// Tells versions of durable values apart.
    pub random: Random,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What operators want to hear of.
    pub alerts: Alerts,
}

/// Where committed deliveries go.
#[derive(Clone, Debug)]
pub struct DeliveryHandoff {
    /// Deliveries claimed for the delivery stage.
    pub deliveries: mpsc::Sender<Vec<Delivery>>,
    /// Rung when deliveries are to be claimed from the store instead.
    pub bell: Arc<Notify>,
    /// How long the delivery stage may hold a delivery.
    pub lease: Duration,
}

/// Counts the changes of plugins and configuration, so that a run that was held by an
/// older state than today's is looked at again. Cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<State>);

#[derive(Debug, Default)]
struct State {
    count: AtomicU64,
    /// Runs were held that have not seen the last change.
    missed: AtomicBool,
    bell: Notify,
}

impl Changes {
    /// Something changed: held runs that it concerns become due.
    pub fn announce(&self) {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        self.0.bell.notify_one();
    }

    /// Nothing changed, but runs were held that have not seen the last change. Not a
    /// change of its own: it would send held runs round again, and those would find
    /// others that have not seen it.
    fn look_again(&self) {
        self.0.missed.store(true, Ordering::Release);
        self.0.bell.notify_one();
    }

    /// Returns once something has changed or was missed; true: it was missed, so what
    /// was seen before says nothing of what holds runs.
    async fn changed(&self) -> bool {
        self.0.bell.notified().await;
        self.0.missed.swap(false, Ordering::AcqRel)
    }

    fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }
}

/// A run that was processed and waits for its commit.
struct Done {
    run: Run,
    result: RunResult,
    /// The state of plugins and configuration that it saw.
    saw: u64,
    /// What the result takes until then.
    kept: Kept,
}

/// Processes until `shutdown`: at the soft stage no further run is begun and those
/// under way are committed; at the hard stage nothing is waited for.
pub async fn run(parts: Parts, shutdown: Shutdown) {
    let Parts { store, routes, plugins, workers, mut runs, bell, budget, .. } = parts;
    let Parts { changes, handoff, clock, random, metrics, alerts, state, .. } = parts;
    let pending = Arc::new(Pending::new(state, random));
    let (done, finished) = mpsc::unbounded_channel();
    let (committed, mut commits) = mpsc::unbounded_channel();
    let (freed, mut job_ends) = mpsc::unbounded_channel();
    let commit = committer::Committer {
        store: store.clone(),
        handoff,
        changes: changes.clone(),
        metrics: metrics.clone(),
        alerts: alerts.clone(),
        pending: pending.clone(),
        committed,
    };
    let committing = tokio::spawn(commit.run(finished, shutdown.clone()));
    let soft = shutdown.soft.clone();
    let drained = Arc::new(watch::Sender::new(false));
    let resumer = Resumer {
        store: store.clone(),
        routes: routes.clone(),
        plugins: plugins.clone(),
        changes: changes.clone(),
        bell: bell.clone(),
        drained: drained.clone(),
        soft: soft.clone(),
    };
    let resuming = tokio::spawn(resumer.run());
    let queue = Queue::new(workers.count());
    let processor = Processor {
        routes,
        plugins,
        pending,
        workers,
        changes,
        clock,
        metrics,
        alerts,
        results: Budget::new(results::MAX_BYTES),
        soft,
        done,
        freed,
    };
    let mut stage =
        Stage { store, processor, queue, in_flight: 0, budget, next_claim: Duration::ZERO, drained };

    let mut batch = Vec::new();
    let mut open = true;
    loop {
        let (room, to_claim) = (stage.room(), stage.room_to_claim());
        // In no fixed order: neither what comes in nor what waits in the store may keep
        // the other waiting.
        tokio::select! {
            () = shutdown.soft.cancelled() => break,
            Some(committed) = commits.recv() => stage.committed(committed),
            Some(end) = job_ends.recv() => stage.job_ended(end).await,
            received = runs.recv_many(&mut batch, room), if room > 0 && open => {
                open = received > 0;
                stage.take_in(batch.drain(..));
            }
            () = bell.notified(), if to_claim > 0 => stage.next_claim = Duration::ZERO,
            () = tokio::time::sleep(stage.until_claim()), if to_claim > 0 => stage.claim(to_claim).await,
        }
        stage.give_work().await;
    }
    stage.give_back(runs, batch).await;
    tokio::select! {
        _ = committing => {}
        () = shutdown.hard.cancelled() => tracing::warn!("runs under way are dropped here"),
    }
    let _ = resuming.await;
}

/// What the loop of the stage keeps.
struct Stage {
    store: Arc<dyn Store>,
    processor: Processor,
    queue: Queue,
    /// Runs in memory, from their claim to their commit.
    in_flight: usize,
    budget: Budget,
    next_claim: Duration,
    /// Whether the last claim found all that is due.
    drained: Arc<watch::Sender<bool>>,
}

impl Stage {
    /// Gives back every run that was not begun. The committer ends when the last job has
    /// reported.
    async fn give_back(mut self, mut runs: mpsc::Receiver<Run>, mut waiting: Vec<Run>) {
        runs.close();
        while let Some(run) = runs.recv().await {
            waiting.push(run);
        }
        waiting.append(&mut self.queue.drain());
        self.release(waiting.iter().map(RunLease::from).collect()).await;
    }

    /// How many runs may be taken in.
    fn room(&self) -> usize {
        if self.queue.is_open() { MAX_IN_FLIGHT.saturating_sub(self.in_flight).min(MAX_INTAKE) } else { 0 }
    }

    /// How many may be claimed: those that were handed over are in memory already.
    fn room_to_claim(&self) -> usize {
        // With nothing in memory, one is taken however large it is.
        if self.budget.left() > 0 || self.in_flight == 0 { self.room() } else { 0 }
    }

    fn take_in(&mut self, runs: impl IntoIterator<Item = Run>) {
        for run in runs {
            let size = run.event.size();
            if self.queue.push(run) {
                self.in_flight += 1;
            } else {
                self.budget.give_back(size);
            }
        }
    }

    fn committed(&mut self, committed: committer::Ended) {
        self.in_flight -= committed.count;
        self.budget.give_back(committed.bytes);
        self.queue.push_first(committed.again);
    }

    async fn job_ended(&mut self, end: JobEnd) {
        let moved = self.queue.job_ended(end);
        self.in_flight -= moved.parked;
        self.budget.give_back(moved.parked_bytes);
        if !moved.unparked.is_empty() {
            self.release(moved.unparked).await;
            self.next_claim = Duration::ZERO;
        }
    }

    /// Not while too much waits for its commit: every commit asks again.
    async fn give_work(&mut self) {
        while self.processor.results.left() > 0
            && let Some(job) = self.queue.next_job()
        {
            self.processor.submit(job).await;
        }
    }

    fn until_claim(&self) -> Duration {
        self.next_claim.saturating_sub(self.processor.clock.monotonic())
    }

    async fn claim(&mut self, limit: usize) {
        let clock = &self.processor.clock;
        let wait = match self.store.claim_runs(limit, self.budget.left(), RUN_LEASE).await {
            Ok(claimed) => {
                self.budget.take(claimed.items.iter().map(|run| run.event.size()).sum());
                let wait = claimed.next_due.map_or(POLL, |due| clock.now().until(due).min(POLL));
                if !wait.is_zero() {
                    self.drained.send_replace(true);
                }
                self.take_in(claimed.items);
                wait
            }
            Err(error) => {
                tracing::error!(%error, "runs cannot be claimed; trying again");
                POLL
            }
        };
        self.next_claim = self.processor.clock.monotonic() + wait;
    }

    /// Gives runs back: they are claimable at once.
    async fn release(&self, leases: Vec<RunLease>) {
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(leases, Vec::new()).await {
            tracing::debug!(%error, "runs were not given back; their leases end by themselves");
        }
    }
}
