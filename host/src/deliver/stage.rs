//! The stage: what its parts share, and how it starts and stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Random};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::Delivery;
use crate::store::Store;

use super::destination::Targets;
use super::lane::{Lane, Origin};
use super::plan::Plan;
use super::recorder::{self, Finished, Recorder};
use super::{claimer, worker};

/// How long a delivery is leased: longer than it may wait in memory, be attempted and
/// wait to be recorded. Whoever hands deliveries over leases them for as long.
pub const LEASE: Duration = Duration::from_mins(15);

/// What the stage is made of.
pub struct Deliver {
    /// Where deliveries come from and results go.
    pub store: Arc<dyn Store>,
    /// The destinations in force; a new value is in force for the next attempt.
    pub targets: watch::Receiver<Arc<Targets>>,
    /// Deliveries that were born leased, for [`LEASE`].
    pub handoff: mpsc::Receiver<Vec<Delivery>>,
    /// Rings when deliveries were committed that nobody handed over.
    pub bell: Arc<Notify>,
    /// Time.
    pub clock: Clock,
    /// Jitter.
    pub random: Random,
    /// Attempts, results, latencies.
    pub metrics: Arc<Metrics>,
}

impl Deliver {
    /// Delivers until `shutdown`. Soft: starts no attempt, gives back what was queued,
    /// finishes attempts under way and records them. Hard: drops attempts under way and
    /// records those that have ended. Returns when that is done.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { store, targets, handoff, bell, clock, random, metrics } = self;
        let (finished, receiver) = mpsc::channel(recorder::QUEUE);
        let (well, well_seen) = watch::channel(true);
        let plan = Arc::new(Plan::default());
        let recorder = Recorder {
            store: Arc::clone(&store),
            finished: receiver,
            well,
            plan: Arc::clone(&plan),
            metrics: Arc::clone(&metrics),
            hard: shutdown.hard.clone(),
        };
        let mut recorder = tokio::spawn(recorder.run());
        let stage = Arc::new(Stage {
            store,
            targets,
            clock,
            random,
            metrics,
            shutdown: shutdown.clone(),
            plan,
            finished,
            well: well_seen,
            tracker: TaskTracker::new(),
            lanes: Mutex::default(),
        });
        let intake =
            async { tokio::join!(claimer::run(Arc::clone(&stage), bell), take_over(&stage, handoff)) };
        tokio::select! {
            _ = intake => {}
            // It ends before its senders only when the store is closed, or by a bug.
            ended = &mut recorder => return propagate(ended),
        }
        stage.release(stage.drain()).await;
        stage.tracker.close();
        stage.tracker.wait().await;
        drop(stage);
        propagate(recorder.await);
    }
}

/// What the parts of the stage share.
pub(super) struct Stage {
    pub store: Arc<dyn Store>,
    pub targets: watch::Receiver<Arc<Targets>>,
    pub clock: Clock,
    pub random: Random,
    pub metrics: Arc<Metrics>,
    pub shutdown: Shutdown,
    pub plan: Arc<Plan>,
    pub finished: mpsc::Sender<Finished>,
    /// Whether attempts are being recorded.
    pub well: watch::Receiver<bool>,
    pub tracker: TaskTracker,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lanes as of now.
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.lock().values().cloned().collect()
    }

    /// Every destination may have something due, whatever was known before.
    pub(super) fn expect_more(&self) {
        self.plan.forget();
        self.lock().values().for_each(|lane| lane.set_more_in_store(true));
    }

    /// Queues leased deliveries of one destination and gives back to the store what has
    /// no place here.
    pub(super) async fn admit(self: &Arc<Self>, origin: Origin, deliveries: Vec<Delivery>) {
        let Some(name) = deliveries.first().map(|delivery| delivery.destination.as_str()) else { return };
        let destination = self.targets.borrow().get(name).cloned();
        let lane = self.lock().get(name).cloned();
        let (Some(destination), Some(lane)) = (destination, lane) else {
            return self.release(deliveries).await;
        };
        if self.shutdown.soft.is_cancelled() {
            return self.release(deliveries).await;
        }
        let rest = lane.offer(origin, deliveries, destination.concurrency, self.clock.monotonic());
        self.staff(&lane, destination.concurrency);
        if !rest.is_empty() {
            self.release(rest).await;
            self.plan.wake();
        }
    }

    /// Takes slots for what is queued.
    fn staff(self: &Arc<Self>, lane: &Arc<Lane>, concurrency: usize) {
        for _ in 0..lane.hire(concurrency) {
            worker::start(self, lane);
        }
    }

    /// Gives leased deliveries back: they are claimable at once.
    pub(super) async fn release(&self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let leases = deliveries.into_iter().map(|delivery| (delivery.id, delivery.lease)).collect();
        if let Err(error) = self.store.release(Vec::new(), leases).await {
            // Their leases end by themselves.
            tracing::warn!(%error, "cannot give deliveries back");
        }
    }

    /// Makes lanes for new destinations, and gives back what waits for those that are
    /// gone. A lane with attempts under way stays until they have ended, so that a
    /// destination that comes back does not exceed its concurrency.
    pub(super) async fn adopt_targets(self: &Arc<Self>) {
        let targets = self.targets.borrow().clone();
        let mut homeless = Vec::new();
        {
            let mut lanes = self.lock();
            lanes.retain(|name, lane| {
                if targets.get(name).is_some() {
                    return true;
                }
                homeless.append(&mut lane.drain());
                !lane.is_idle()
            });
            for destination in targets.iter() {
                let name = &destination.name;
                let lane = lanes.entry(name.clone()).or_insert_with(|| Arc::new(Lane::new(name.clone())));
                lane.set_more_in_store(true);
                self.staff(lane, destination.concurrency);
            }
        }
        self.release(homeless).await;
    }

    /// Takes slots for whatever waits without one.
    pub(super) fn restaff(self: &Arc<Self>) {
        let targets = self.targets.borrow().clone();
        for lane in self.lanes() {
            if let Some(destination) = targets.get(&lane.name) {
                self.staff(&lane, destination.concurrency);
            }
        }
    }

    /// Waits while attempts cannot be recorded; false when the stage stops meanwhile.
    pub(super) async fn recording_is_well(&self) -> bool {
        if *self.well.borrow() {
            return true;
        }
        let mut well = self.well.clone();
        let mended = well.wait_for(|well| *well);
        matches!(self.shutdown.soft.run_until_cancelled(mended).await, Some(Ok(_)))
    }

    fn drain(&self) -> Vec<Delivery> {
        self.lock().values().flat_map(|lane| lane.drain()).collect()
    }
}

/// Takes over deliveries that were born leased, until the soft shutdown. Those that
/// come later keep leases that are void once the store is opened again.
async fn take_over(stage: &Arc<Stage>, mut handoff: mpsc::Receiver<Vec<Delivery>>) {
    let soft = &stage.shutdown.soft;
    while let Some(Some(deliveries)) = soft.run_until_cancelled(handoff.recv()).await {
        let mut by_destination: HashMap<String, Vec<Delivery>> = HashMap::new();
        for delivery in deliveries {
            match by_destination.get_mut(&delivery.destination) {
                Some(together) => together.push(delivery),
                None => drop(by_destination.insert(delivery.destination.clone(), vec![delivery])),
            }
        }
        for together in by_destination.into_values() {
            stage.admit(Origin::Handoff, together).await;
        }
    }
    handoff.close();
    while let Ok(deliveries) = handoff.try_recv() {
        stage.release(deliveries).await;
    }
}

/// A panic of a task is a panic of the stage.
fn propagate(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
