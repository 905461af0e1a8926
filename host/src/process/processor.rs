//! Turns runs into results on the worker threads: each through its route's steps, again
//! where another run changed what its plugins read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::alerts::{self, Alert, Alerts};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Route, Run, StateChanges, Step, StepRecord, StepVerdict};
use crate::plugin::{Call, CallInput, PluginHost, Plugins, StateView, Workers};
use crate::store::{RunEnd, RunLease, RunResult};

use super::overlay::touched;
use super::pending::Pending;
use super::pipeline::{self, Processed, Ran, StepCalls};
use super::queue::{Job, JobEnd};
use super::results::Kept;
use super::{Changes, Done, Routes};

/// A job that has taken this long begins no further run: its worker is asked for by
/// others, and what it has done is waiting for its commit.
const JOB_TIME: Duration = Duration::from_millis(5);
/// Races that a run loses before it runs alone.
const RACES: u32 = 3;

/// Turns runs into results on the worker threads.
#[derive(Clone)]
pub(super) struct Processor {
    pub(super) routes: Arc<ArcSwap<Routes>>,
    pub(super) plugins: Arc<PluginHost>,
    pub(super) pending: Arc<Pending>,
    pub(super) workers: Arc<Workers>,
    pub(super) changes: Changes,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) alerts: Alerts,
    /// Bytes of results that are not committed.
    pub(super) results: Budget,
    /// Begin no further run.
    pub(super) soft: CancellationToken,
    pub(super) done: mpsc::UnboundedSender<Vec<Done>>,
    pub(super) freed: mpsc::UnboundedSender<JobEnd>,
}

/// What all runs of a job see: one snapshot.
struct Snapshot {
    saw: u64,
    routes: Arc<Routes>,
    plugins: Arc<Plugins>,
}

impl Processor {
    pub(super) async fn submit(&self, job: Job) {
        let processor = self.clone();
        if self.workers.submit(Box::new(move || processor.process_all(job))).await.is_err() {
            tracing::error!("no worker takes runs; they are claimed again at the next start");
        }
    }

    fn process_all(self, mut job: Job) {
        // The count is read first: what changes after it is noticed when a run turns out to
        // be held.
        let saw = self.changes.count();
        let seen = Snapshot { saw, routes: self.routes.load_full(), plugins: self.plugins.plugins() };
        let start = self.clock.monotonic();
        let took = || self.clock.monotonic().saturating_sub(start);
        let mut runs = std::mem::take(&mut job.runs).into_iter();
        let mut done = Vec::with_capacity(runs.len());
        let mut begun = 0;
        while !self.soft.is_cancelled()
            && took() < JOB_TIME
            && (begun == 0 || self.results.left() > 0)
            && let Some(run) = runs.next()
        {
            begun += 1;
            done.extend(self.process(run, &seen));
        }
        let end = job.end(begun, runs.collect(), took());
        // Nobody listens after a hard stop; the runs are claimed again at the next start.
        if !done.is_empty() {
            let _ = self.done.send(done);
        }
        let _ = self.freed.send(end);
    }

    /// Processes a run, as often as it takes until what its plugins read is still so. A
    /// result with durable values is published by itself, because others build on it.
    fn process(&self, run: Run, seen: &Snapshot) -> Option<Done> {
        let mut alone_with = self.pending.take_refused(run.lease);
        let mut lost = 0;
        loop {
            let alone = self.pending.alone(&alone_with);
            let mut result = self.guarded(&run, seen);
            if !matches!(result.end, RunEnd::Processed(_) | RunEnd::Dropped(_)) {
                result.state = StateChanges::default();
            }
            if result.state == StateChanges::default() {
                self.alert(&run, &result.steps);
                return Some(self.finished(run, result, seen));
            }
            let send = |result: RunResult| {
                self.alert(&run, &result.steps);
                let _ = self.done.send(vec![self.finished(run.clone(), result, seen)]);
            };
            let Err(result) = self.pending.publish(result, alone.as_ref(), send) else { return None };
            self.metrics.run(&run.route, "repeat");
            lost += 1;
            if lost >= RACES || alone.is_some() {
                alone_with.append(&mut touched(&result.state));
            }
        }
    }

    fn finished(&self, run: Run, result: RunResult, seen: &Snapshot) -> Done {
        let kept = Kept::new(&self.results, &result);
        Done { run, result, saw: seen.saw, kept }
    }

    /// A bug in the gateway fails its run, where it can be seen, and no other.
    fn guarded(&self, run: &Run, seen: &Snapshot) -> RunResult {
        let mut state = StateView::new(self.pending.clone());
        let processed = catch_unwind(AssertUnwindSafe(|| self.process_once(run, seen, &mut state)));
        let Processed { end, steps } = processed.unwrap_or_else(|_| {
            tracing::error!(event = %run.event.id, route = run.route, "processing a run panicked");
            Processed { end: RunEnd::Failed("processing it panicked".to_owned()), steps: Vec::new() }
        });
        let (event, state) = (run.event.clone(), state.into_changes());
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
                route: Some(run.route.clone()),
                source: None,
                event: Some(run.event.id.clone()),
                reason: format!("{}: {}", step.verdict.as_str(), step.reason.as_deref().unwrap_or_default()),
            });
        }
    }

    fn process_once(&self, run: &Run, seen: &Snapshot, state: &mut StateView) -> Processed {
        let Some(route) = seen.routes.get(&run.route) else {
            let reason = format!("the route \"{}\" is not in the configuration", run.route);
            return Processed { end: RunEnd::Held(reason), steps: Vec::new() };
        };
        let mut calls = Calls { plugins: &seen.plugins, route, metrics: &self.metrics, state };
        pipeline::process(run, route, self.clock.now(), &mut calls)
    }
}

/// Calls of plugins, for one run.
struct Calls<'a> {
    plugins: &'a Plugins,
    route: &'a Route,
    metrics: &'a Metrics,
    state: &'a mut StateView,
}

impl StepCalls for Calls<'_> {
    fn begin_step(&mut self) {
        self.state.begin_step();
    }

    fn call(&mut self, step: &Step, input: &CallInput<'_>) -> (Ran, Call) {
        let (ran, call) = call_plugin(self.plugins, step, input, self.state);
        self.metrics.step(&self.route.name, &step.plugin, call.verdict.as_str(), call.took);
        (ran, call)
    }

    fn take_back(&mut self) {
        self.state.take_back();
    }

    fn take_back_step(&mut self) {
        self.state.take_back_step();
    }
}

fn call_plugin(plugins: &Plugins, step: &Step, input: &CallInput<'_>, state: &mut StateView) -> (Ran, Call) {
    match plugins.get(&step.plugin) {
        Some(plugin) => {
            let ran = Ran { digest: plugin.digest().to_owned(), version: plugin.version().to_owned() };
            (ran, plugin.call(&step.config, input, state))
        }
        None => {
            let reason = Some(Plugins::MISSING.to_owned());
            let (verdict, took) = (StepVerdict::Missing, Duration::ZERO);
            (Ran::default(), Call { verdict, reason, output: None, took, memory: 0, log_dropped: 0 })
        }
    }
}
