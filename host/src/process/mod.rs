//! Stage 2: claim runs, run their routes' steps in the sandbox, commit what came of it.

mod committer;
mod draft;
mod pipeline;
mod queue;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::alerts::{self, Alert, Alerts};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::{Delivery, Route, Run, Step, StepRecord, StepVerdict};
use crate::plugin::{Call, CallInput, PluginHost, Plugins, Workers};
use crate::store::{Resumed, RunEnd, RunLease, RunResult, StateChanges, Store};

use pipeline::Processed;
use queue::{Job, JobEnd, Queue};

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
/// A job that has taken this long begins no further run: its worker is asked for by
/// others, and what it has done is waiting for its commit.
const JOB_TIME: Duration = Duration::from_millis(5);
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
pub struct Changes(Arc<(AtomicU64, Notify)>);

impl Changes {
    /// Something changed: held runs become due.
    pub fn announce(&self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        self.look_again();
    }

    /// Nothing changed, but runs were held that have not seen the last change. Not a
    /// change of its own: it would send every held run round again, and those would
    /// find others that have not seen it.
    fn look_again(&self) {
        self.0.1.notify_one();
    }

    fn count(&self) -> u64 {
        self.0.0.load(Ordering::Acquire)
    }
}

/// A run that was processed and waits for its commit.
struct Done {
    run: Run,
    result: RunResult,
    /// The state of plugins and configuration that it saw.
    saw: u64,
}

/// Processes until `shutdown`: at the soft stage no further run is begun and those
/// under way are committed; at the hard stage nothing is waited for.
pub async fn run(parts: Parts, shutdown: Shutdown) {
    let Parts { store, routes, plugins, workers, mut runs, bell, budget, .. } = parts;
    let Parts { changes, handoff, clock, metrics, alerts, .. } = parts;
    let (done, finished) = mpsc::unbounded_channel();
    let (committed, mut commits) = mpsc::unbounded_channel();
    let (freed, mut job_ends) = mpsc::unbounded_channel();
    let commit = committer::Committer {
        store: store.clone(),
        handoff,
        changes: changes.clone(),
        metrics: metrics.clone(),
        alerts: alerts.clone(),
        committed,
    };
    let committing = tokio::spawn(commit.run(finished, shutdown.clone()));
    let resuming = tokio::spawn(resume_held(store.clone(), changes.clone(), bell.clone(), shutdown.clone()));
    let queue = Queue::new(workers.count());
    let soft = shutdown.soft.clone();
    let processor =
        Processor { routes, plugins, workers, changes, clock, metrics, alerts, soft, done, freed };
    let mut stage = Stage { store, processor, queue, in_flight: 0, budget, next_claim: Duration::ZERO };

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
    runs.close();
    while let Some(run) = runs.recv().await {
        batch.push(run);
    }
    batch.append(&mut stage.queue.drain());
    stage.release(batch.iter().map(RunLease::from).collect()).await;
    // The committer ends when the last job has reported.
    drop(stage);
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
}

impl Stage {
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
        self.in_flight -= committed.count + committed.again.len();
        self.budget.give_back(committed.bytes);
        self.take_in(committed.again);
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

    async fn give_work(&mut self) {
        while let Some(job) = self.queue.next_job() {
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

/// Makes held runs due whenever plugins or configuration changed, and once at start.
async fn resume_held(store: Arc<dyn Store>, changes: Changes, bell: Arc<Notify>, shutdown: Shutdown) {
    /// Runs in one transaction: accepts wait no longer than this many updates take.
    const STEP: usize = 500;
    loop {
        let mut after = 0;
        loop {
            match store.resume_held(after, STEP).await {
                Ok(Resumed { count, last }) => {
                    if count > 0 {
                        bell.notify_one();
                    }
                    if count < STEP {
                        break;
                    }
                    after = last;
                }
                Err(error) => {
                    tracing::error!(%error, "held runs cannot be resumed; trying again");
                    if shutdown.soft.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
                        return;
                    }
                }
            }
        }
        tokio::select! {
            () = shutdown.soft.cancelled() => return,
            () = changes.0.1.notified() => {}
        }
    }
}

/// Turns runs into results on the worker threads.
#[derive(Clone)]
struct Processor {
    routes: Arc<ArcSwap<Routes>>,
    plugins: Arc<PluginHost>,
    workers: Arc<Workers>,
    changes: Changes,
    clock: Clock,
    metrics: Arc<Metrics>,
    alerts: Alerts,
    /// Begin no further run.
    soft: CancellationToken,
    done: mpsc::UnboundedSender<Vec<Done>>,
    freed: mpsc::UnboundedSender<JobEnd>,
}

impl Processor {
    async fn submit(&self, job: Job) {
        let processor = self.clone();
        if self.workers.submit(Box::new(move || processor.process_all(job))).await.is_err() {
            tracing::error!("no worker takes runs; they are claimed again at the next start");
        }
    }

    fn process_all(self, mut job: Job) {
        // One snapshot for the whole job. The count is read first: what changes after
        // it is noticed when a run turns out to be held.
        let saw = self.changes.count();
        let routes = self.routes.load_full();
        let plugins = self.plugins.plugins();
        let start = self.clock.monotonic();
        let took = || self.clock.monotonic().saturating_sub(start);
        let mut runs = std::mem::take(&mut job.runs).into_iter();
        let mut done = Vec::with_capacity(runs.len());
        while !self.soft.is_cancelled()
            && took() < JOB_TIME
            && let Some(run) = runs.next()
        {
            let result = self.guarded(&run, &routes, &plugins);
            done.push(Done { run, result, saw });
        }
        let end = job.end(done.len(), runs.collect(), took());
        // Nobody listens after a hard stop; the runs are claimed again at the next start.
        if !done.is_empty() {
            let _ = self.done.send(done);
        }
        let _ = self.freed.send(end);
    }

    /// A bug in the gateway fails its run, where it can be seen, and no other.
    fn guarded(&self, run: &Run, routes: &Routes, plugins: &Plugins) -> RunResult {
        let processed = catch_unwind(AssertUnwindSafe(|| self.process_one(run, routes, plugins)));
        let Processed { end, steps } = processed.unwrap_or_else(|_| {
            tracing::error!(event = %run.event.id, route = run.route, "processing a run panicked");
            Processed { end: RunEnd::Failed("processing it panicked".to_owned()), steps: Vec::new() }
        });
        self.alert(run, &steps);
        let (event, state) = (run.event.clone(), StateChanges::default());
        RunResult { run: RunLease::from(run), event, end, steps, state }
    }

    /// Tells of plugins that failed, which is not what they answer when an event is none
    /// of theirs. What fails on an alert is not told as another one.
    fn alert(&self, run: &Run, steps: &[StepRecord]) {
        if run.event.source == alerts::SOURCE {
            return;
        }
        for step in steps.iter().filter(|step| step.verdict.is_failure()) {
            self.alerts.raise(Alert::PluginFailed {
                plugin: step.plugin.clone(),
                route: run.route.clone(),
                event: run.event.id.clone(),
                reason: format!("{}: {}", step.verdict.as_str(), step.reason.as_deref().unwrap_or_default()),
            });
        }
    }

    fn process_one(&self, run: &Run, routes: &Routes, plugins: &Plugins) -> Processed {
        match routes.get(&run.route) {
            Some(route) => pipeline::process(run, route, self.clock.now(), &mut |step, input| {
                let (digest, call) = call_plugin(plugins, step, input);
                self.metrics.step(&route.name, &step.plugin, call.verdict.as_str(), call.took);
                (digest, call)
            }),
            None => {
                let reason = format!("the route \"{}\" is not in the configuration", run.route);
                Processed { end: RunEnd::Held(reason), steps: Vec::new() }
            }
        }
    }
}

fn call_plugin(plugins: &Plugins, step: &Step, input: &CallInput<'_>) -> (String, Call) {
    match plugins.get(&step.plugin) {
        Some(plugin) => (plugin.digest().to_owned(), plugin.call(&step.config, input)),
        None => {
            let reason = Some("the plugin is not in the plugins folder, or does not load".to_owned());
            (
                String::new(),
                Call {
                    verdict: StepVerdict::Missing,
                    reason,
                    output: None,
                    took: Duration::ZERO,
                    log_dropped: 0,
                },
            )
        }
    }
}
