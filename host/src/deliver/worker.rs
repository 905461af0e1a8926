//! A slot at work: attempts of one destination, one after the other, while there are any.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::alerts::{self, Alert};
use crate::model::{Decision, Delivery, Outcome};
use crate::plugin::NoAnswer;
use crate::store::{AttemptRecord, Disables};

use super::attempt::{self, Performed};
use super::destination::{Destination, Targets};
use super::judgement::{self, Judgement};
use super::lane::Lane;
use super::orders::url_hash;
use super::recorder::Finished;
use super::retry::describe;
use super::signal::Signal;
use super::stage::Stage;

/// The answer of a destination that wants no more deliveries.
const GONE: Outcome = Outcome::Status(410);

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
        let next = lane.next(stage.clock.monotonic(), &destination.pace());
        slot.held = next.delivery.is_some();
        if next.wake {
            stage.plan.wake();
        }
        stage.release(next.returned).await;
        let Some((delivery, number)) = next.delivery else { return };
        let performed = attempt::perform(&targets, destination, &delivery, stage.tools()).await;
        let finished = finish(&stage, &lane, destination, &delivery, number, performed);
        if stage.finished.send(finished).await.is_err() {
            return;
        }
    }
}

/// Heeds what the attempt says of its destination, before anything else starts there.
fn finish(
    stage: &Arc<Stage>,
    lane: &Arc<Lane>,
    destination: &Destination,
    delivery: &Delivery,
    number: u64,
    Performed { attempt, retry_after, judgement }: Performed,
) -> Finished {
    stage.metrics.attempt(&lane.name, attempt::outcome_word(&attempt.outcome), attempt.duration);
    let signal = judgement::signal(judgement.as_ref(), &attempt.outcome, retry_after);
    let heeded = lane.heed(stage.clock.monotonic(), number, signal, &destination.pace());
    lane.note_failure(match signal {
        Signal::Failed | Signal::Overloaded { .. } | Signal::Silent => Some(describe(&attempt.outcome)),
        Signal::Took | Signal::Answered => None,
    });
    tell_of_plugin(stage, delivery, judgement.as_ref());
    let disables = match &judgement {
        Some(judgement) if !judgement.is_default() => None,
        _ => disables(stage, lane, destination, &attempt.outcome),
    };
    stage.follow(lane, destination, &heeded);
    let since_receipt = attempt::since_receipt(delivery, &attempt);
    // An alert that could not be delivered raises none.
    let mourned = attempt.decision == Decision::Dead && delivery.event.source != alerts::SOURCE;
    Finished {
        lane: Arc::clone(lane),
        since_receipt,
        event: mourned.then(|| delivery.event.id.clone()),
        record: AttemptRecord {
            delivery: delivery.id.clone(),
            lease: delivery.lease,
            attempt,
            on_dead: destination.on_dead,
            disables,
        },
    }
}

/// A plugin that does not say what answers mean is told of as one that fails in a step.
/// What fails on an alert is not told as another one.
fn tell_of_plugin(stage: &Arc<Stage>, delivery: &Delivery, judgement: Option<&Judgement>) {
    if let Some(Judgement { plugin, said: Err(NoAnswer { verdict, reason }) }) = judgement
        && verdict.is_failure()
        && delivery.event.source != alerts::SOURCE
    {
        stage.alerts.raise(Alert::PluginFailed {
            plugin: plugin.clone(),
            route: Some(delivery.route.clone()),
            source: None,
            event: Some(delivery.event.id.clone()),
            reason: format!("{}: {reason}", verdict.as_str()),
        });
    }
}

/// A 410 is meant for whoever asks this URL. If that is another by now, nobody else is
/// kept back.
fn disables(
    stage: &Arc<Stage>,
    lane: &Lane,
    destination: &Destination,
    outcome: &Outcome,
) -> Option<Disables> {
    if *outcome != GONE {
        return None;
    }
    let current = stage.targets.borrow().get(&destination.name).cloned();
    if current.is_none_or(|current| current.url != destination.url) {
        return None;
    }
    let reason = "it answered 410: it wants no more deliveries";
    if lane.disable() {
        tracing::warn!(destination = lane.name, "disabled: {reason}");
        let alert = Alert::DestinationDisabled { destination: lane.name.clone(), reason: reason.into() };
        stage.alerts.raise(alert);
        stage.show_one(lane);
    }
    Some(Disables { url: url_hash(&destination.url), reason: reason.into() })
}
