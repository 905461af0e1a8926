//! The stage: what its parts share, and how it starts and stops.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::task::TaskTracker;

use crate::alerts::Alerts;
use crate::clock::{Clock, Random};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::Delivery;
use crate::plugin::Judge;
use crate::store::Store;

use super::attempt::Tools;
use super::board::Board;
use super::destination::{Destination, Targets};
use super::hold::Hold;
use super::lane::Lane;
use super::plan::Plan;
use super::queue::Origin;
use super::recorder::{self, Finished, Recorder};
use super::{claimer, orders, settle, worker};

/// How long a delivery is leased: longer than it may wait in memory, be attempted and
/// wait to be recorded. Whoever hands deliveries over leases them for as long.
pub const LEASE: Duration = Duration::from_mins(15);

/// Deliveries that are handed over before the store was asked what operators have said
/// wait so long for that.
const FIRST_WORD: Duration = Duration::from_secs(1);

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
    /// Rings when deliveries were taken back: what is queued here is to be asked for again.
    pub recall: Arc<Notify>,
    /// Asks the plugins that destinations name for what answers mean.
    pub judge: Judge,
    /// Time.
    pub clock: Clock,
    /// Jitter.
    pub random: Random,
    /// Attempts, results, latencies.
    pub metrics: Arc<Metrics>,
    /// What operators want to hear of.
    pub alerts: Alerts,
    /// Where they see how destinations stand; of the same targets.
    pub board: Board,
}

impl Deliver {
    /// Delivers until `shutdown`. Soft: starts no attempt, gives back what was queued,
    /// finishes attempts under way and records them. Hard: drops attempts under way and
    /// records those that have ended. Returns when that is done.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { store, targets, handoff, bell, recall, judge, .. } = self;
        let Self { clock, random, metrics, alerts, board, .. } = self;
        let (finished, receiver) = mpsc::channel(recorder::QUEUE);
        let (well, well_seen) = watch::channel(true);
        let plan = Arc::new(Plan::default());
        let recorder = Recorder {
            store: Arc::clone(&store),
            finished: receiver,
            well,
            plan: Arc::clone(&plan),
            metrics: Arc::clone(&metrics),
            alerts: alerts.clone(),
            hard: shutdown.hard.clone(),
        };
        let mut recorder = tokio::spawn(recorder.run());
        let stage = Arc::new(Stage {
            store,
            targets,
            judge,
            clock,
            random,
            metrics,
            alerts,
            shutdown: shutdown.clone(),
            plan,
            finished,
            well: well_seen,
            tracker: TaskTracker::new(),
            board,
            orders: Notify::new(),
            said: watch::Sender::default(),
        });
        let intake = async {
            tokio::join!(
                claimer::run(Arc::clone(&stage), bell, recall),
                take_over(&stage, handoff),
                orders::run(Arc::clone(&stage)),
                settle::run(Arc::clone(&stage)),
            )
        };
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
    pub judge: Judge,
    pub clock: Clock,
    pub random: Random,
    pub metrics: Arc<Metrics>,
    pub alerts: Alerts,
    pub shutdown: Shutdown,
    pub plan: Arc<Plan>,
    pub finished: mpsc::Sender<Finished>,
    /// Whether attempts are being recorded.
    pub well: watch::Receiver<bool>,
    pub tracker: TaskTracker,
    /// Operators may have said something.
    pub orders: Notify,
    /// What they said last of destinations; those of which nothing is said are free.
    pub said: watch::Sender<Option<HashMap<String, Hold>>>,
    board: Board,
}

impl Stage {
    /// What attempts are made with.
    pub(super) fn tools(&self) -> Tools<'_> {
        Tools { judge: &self.judge, clock: &self.clock, random: &self.random, metrics: &self.metrics }
    }

    /// All lanes as of now.
    pub(super) fn lanes(&self) -> Vec<Arc<Lane>> {
        self.board.lanes().values().cloned().collect()
    }

    /// Every destination may have something due, whatever was known before.
    pub(super) fn expect_more(&self) {
        self.plan.forget();
        self.board.lanes().values().for_each(|lane| lane.set_more_in_store(true));
    }

    /// This destination may have something due.
    pub(super) fn expect_more_for(&self, name: &str) {
        if let Some(lane) = self.board.lanes().get(name) {
            lane.set_more_in_store(true);
        }
        self.plan.wake();
    }

    /// Queues leased deliveries of one destination and returns those that have no place
    /// here: they are to be given back to the store.
    pub(super) fn admit(self: &Arc<Self>, origin: Origin, deliveries: Vec<Delivery>) -> Vec<Delivery> {
        let Some(name) = deliveries.first().map(|delivery| delivery.destination.as_str()) else {
            return deliveries;
        };
        let destination = self.targets.borrow().get(name).cloned();
        let lane = self.board.lanes().get(name).cloned();
        let (Some(destination), Some(lane)) = (destination, lane) else { return deliveries };
        if self.shutdown.soft.is_cancelled() {
            return deliveries;
        }
        let (now, pace) = (self.clock.monotonic(), destination.pace());
        let rest = lane.offer(origin, deliveries, now, &pace);
        self.staff(&lane, &destination);
        if lane.opens_in(now, &pace).is_some() {
            self.plan.wake();
        }
        rest
    }

    /// Takes slots for what is queued and may be attempted now.
    pub(super) fn staff(self: &Arc<Self>, lane: &Arc<Lane>, destination: &Destination) {
        for _ in 0..lane.hire(self.clock.monotonic(), &destination.pace()) {
            worker::start(self, lane);
        }
    }

    /// Gives leased deliveries back: they are claimable at once.
    pub(super) async fn release(&self, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let mut names: Vec<_> = deliveries.iter().map(|delivery| delivery.destination.clone()).collect();
        names.dedup();
        let leases = deliveries.into_iter().map(|delivery| (delivery.id, delivery.lease)).collect();
        if let Err(error) = self.store.release(Vec::new(), leases).await {
            // Their leases end by themselves.
            tracing::warn!(%error, "cannot give deliveries back");
        }
        // Not before: a claim in between would have found nothing.
        for name in names {
            self.expect_more_for(&name);
        }
    }

    /// Makes lanes for new destinations, and gives back what waits for those that are
    /// gone. A lane with attempts under way stays until they have ended, so that a
    /// destination that comes back does not exceed its concurrency.
    pub(super) async fn adopt_targets(self: &Arc<Self>) {
        let targets = self.targets.borrow().clone();
        let mut homeless = Vec::new();
        {
            let mut lanes = self.board.lanes();
            lanes.retain(|name, lane| {
                if targets.get(name).is_some() {
                    return true;
                }
                homeless.append(&mut lane.drain());
                self.metrics.forget_destination(name);
                !lane.is_idle()
            });
            let said = self.said.borrow();
            for destination in targets.iter() {
                let name = &destination.name;
                let lane = lanes.entry(name.clone()).or_insert_with(|| {
                    let lane = Lane::new(name.clone());
                    if let Some(said) = said.as_ref() {
                        let hold = said.get(name).copied().unwrap_or(Hold::Free);
                        lane.hear(hold, lane.hold_version());
                    }
                    Arc::new(lane)
                });
                lane.meet(&destination.url);
                lane.set_more_in_store(true);
                self.staff(lane, destination);
            }
        }
        self.show();
        self.release(homeless).await;
    }

    /// Takes slots for whatever waits without one, and says how long until the first lane
    /// opens of those that are closed.
    pub(super) fn restaff(self: &Arc<Self>) -> Option<Duration> {
        let targets = self.targets.borrow().clone();
        let mut first: Option<Duration> = None;
        for lane in self.lanes() {
            let Some(destination) = targets.get(&lane.name) else { continue };
            // In this order: a lane that opens in between is not overlooked.
            let opening = lane.opens_in(self.clock.monotonic(), &destination.pace());
            self.staff(&lane, destination);
            first = first.into_iter().chain(opening).min();
        }
        first
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

    /// Gives back what is queued, so that what was taken back among it is not sent. The rest
    /// is claimed again.
    pub(super) async fn recall(&self) {
        self.release(self.drain()).await;
        self.expect_more();
    }

    fn drain(&self) -> Vec<Delivery> {
        self.board.lanes().values().flat_map(|lane| lane.drain()).collect()
    }
}

/// Takes over deliveries that were born leased, until the soft shutdown. Those that
/// come later keep leases that are void once the store is opened again.
async fn take_over(stage: &Arc<Stage>, mut handoff: mpsc::Receiver<Vec<Delivery>>) {
    let soft = &stage.shutdown.soft;
    let mut said = stage.said.subscribe();
    let first_word = tokio::time::timeout(FIRST_WORD, said.wait_for(Option::is_some));
    drop(soft.run_until_cancelled(first_word).await);
    while let Some(Some(deliveries)) = soft.run_until_cancelled(handoff.recv()).await {
        let mut by_destination: HashMap<String, Vec<Delivery>> = HashMap::new();
        for delivery in deliveries {
            match by_destination.get_mut(&delivery.destination) {
                Some(together) => together.push(delivery),
                None => drop(by_destination.insert(delivery.destination.clone(), vec![delivery])),
            }
        }
        let admit = |together| stage.admit(Origin::Handoff, together);
        let rest = by_destination.into_values().flat_map(admit).collect();
        stage.release(rest).await;
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
