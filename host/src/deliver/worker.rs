//! A slot at work: attempts of one destination, one after the other, while there are any.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::Delivery;
use crate::store::AttemptRecord;

use super::attempt;
use super::destination::{Destination, Targets};
use super::lane::Lane;
use super::recorder::Finished;
use super::stage::Stage;

/// Starts a slot that was hired.
pub(super) fn start(stage: &Arc<Stage>, lane: &Arc<Lane>) {
    let slot = Slot { stage: Arc::clone(stage), lane: Arc::clone(lane), held: true };
    let hard: CancellationToken = stage.shutdown.hard.clone();
    stage.tracker.spawn(hard.run_until_cancelled_owned(work(slot)));
}

/// A taken slot. It is given back however the work ends, a panic included; the delivery
/// of a panicked attempt stays leased, so that it does not come back at once.
struct Slot {
    stage: Arc<Stage>,
    lane: Arc<Lane>,
    held: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.held {
            self.lane.abandon();
            // Its queue may need another slot.
            self.stage.plan.wake();
        }
    }
}

async fn work(mut slot: Slot) {
    let stage = Arc::clone(&slot.stage);
    let lane = Arc::clone(&slot.lane);
    while stage.recording_is_well().await && !stage.shutdown.soft.is_cancelled() {
        // As of each attempt: a reload is in force for the next one.
        let targets: Arc<Targets> = stage.targets.borrow().clone();
        let Some(destination) = targets.get(&lane.name) else { return };
        let next = lane.next(destination.concurrency, stage.clock.monotonic());
        slot.held = next.delivery.is_some();
        if next.wants_more {
            stage.plan.wake();
        }
        stage.release(next.expired).await;
        let Some(delivery) = next.delivery else { return };
        let finished = finish(&stage, &lane, &targets, destination, &delivery).await;
        if stage.finished.send(finished).await.is_err() {
            return;
        }
    }
}

async fn finish(
    stage: &Stage,
    lane: &Arc<Lane>,
    targets: &Targets,
    destination: &Destination,
    delivery: &Delivery,
) -> Finished {
    let attempt = attempt::perform(targets, destination, delivery, &stage.clock, &stage.random).await;
    stage.metrics.attempt(&lane.name, attempt::outcome_word(&attempt.outcome), attempt.duration);
    let since_receipt = attempt::since_receipt(delivery, &attempt);
    let record = AttemptRecord { delivery: delivery.id.clone(), lease: delivery.lease, attempt };
    Finished { lane: Arc::clone(lane), record, since_receipt }
}
