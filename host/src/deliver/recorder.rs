//! Makes ended attempts durable, many at a time, away from those who make them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::alerts::{Alert, Alerts};
use crate::metrics::Metrics;
use crate::model::{Decision, DeliveryState, EventId};
use crate::store::{AttemptRecord, Recorded, Store, StoreError};

use super::lane::Lane;
use super::plan::Plan;

/// Ended attempts that may wait to be recorded; beyond that their slots wait too.
pub(super) const QUEUE: usize = 4_096;

/// Attempts in one transaction at most.
const BATCH: usize = 512;

/// Between tries while the store does not record: doubling from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub lane: Arc<Lane>,
    pub record: AttemptRecord,
    /// From the event's receipt to the attempt's end.
    pub since_receipt: Duration,
    /// The event, where operators want to hear that its delivery died.
    pub event: Option<EventId>,
}

/// Why attempts were not recorded.
enum Refused {
    /// The store is closed, or somebody hurries: leases are void and the deliveries will
    /// be repeated.
    Stopped,
    /// The store takes others, not these.
    Unfit(StoreError),
}

/// One attempt that cannot be recorded must not hold up all others. Its lease ends by
/// itself, and it is repeated.
fn abandon(finished: &Finished, error: &StoreError) {
    let (delivery, destination) = (&finished.record.delivery, finished.lane.name.as_str());
    tracing::error!(%error, %delivery, destination, "an attempt cannot be recorded; it will be repeated");
    if finished.record.disables.is_some() {
        finished.lane.disabling_is_recorded();
    }
}

/// Records what it is sent until every sender is gone.
pub(super) struct Recorder {
    pub store: Arc<dyn Store>,
    pub finished: mpsc::Receiver<Finished>,
    /// Whether the last try went well; attempts wait until it does, because one whose
    /// result cannot be kept is one that is sent again.
    pub well: watch::Sender<bool>,
    pub plan: Arc<Plan>,
    pub metrics: Arc<Metrics>,
    pub alerts: Alerts,
    pub hard: CancellationToken,
}

impl Recorder {
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.finished.recv_many(&mut batch, BATCH).await > 0 {
            let records: Vec<_> = batch.iter().map(|finished| finished.record.clone()).collect();
            match self.record(records).await {
                Ok(recorded) => {
                    for (finished, recorded) in batch.drain(..).zip(recorded) {
                        self.conclude(&finished, recorded);
                    }
                }
                Err(Refused::Stopped) => return,
                Err(Refused::Unfit(error)) => {
                    tracing::warn!(%error, attempts = batch.len(), "recording these attempts one by one");
                    for finished in batch.drain(..) {
                        match self.record(vec![finished.record.clone()]).await {
                            Ok(recorded) => recorded.into_iter().for_each(|r| self.conclude(&finished, r)),
                            Err(Refused::Stopped) => return,
                            Err(Refused::Unfit(error)) => abandon(&finished, &error),
                        }
                    }
                }
            }
        }
    }

    /// Tries until the attempts are on disk, unless it is them that the store does not
    /// take.
    async fn record(&self, records: Vec<AttemptRecord>) -> Result<Vec<Recorded>, Refused> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.store.record_attempts(records.clone()).await {
                Ok(recorded) => {
                    self.set_well(true);
                    return Ok(recorded);
                }
                Err(error) => error,
            };
            if !matches!(
                error,
                StoreError::Full | StoreError::Busy(_) | StoreError::Broken(_) | StoreError::Closed
            ) {
                return Err(Refused::Unfit(error));
            }
            self.set_well(false);
            if error == StoreError::Closed || self.hard.is_cancelled() {
                tracing::error!(%error, attempts = records.len(), "attempts were not recorded");
                return Err(Refused::Stopped);
            }
            tracing::warn!(%error, attempts = records.len(), "cannot record attempts yet");
            self.hard.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn set_well(&self, well: bool) {
        self.well.send_if_modified(|was| std::mem::replace(was, well) != well);
    }

    fn conclude(&self, finished: &Finished, recorded: Recorded) {
        let (destination, record) = (finished.lane.name.as_str(), &finished.record);
        let (delivery, reason) = (&record.delivery, record.attempt.reason.as_str());
        if record.disables.is_some() {
            finished.lane.disabling_is_recorded();
        }
        if recorded == (Recorded::Done { next_in_line: true }) {
            finished.lane.set_more_in_store(true);
            self.plan.wake();
        }
        if recorded == Recorded::Stale {
            tracing::warn!(%delivery, destination, reason, "the delivery was taken away during its attempt");
            return;
        }
        match record.attempt.decision {
            Decision::Delivered => {
                self.metrics.delivery_ended(destination, DeliveryState::Delivered.as_str());
                self.metrics.delivered(destination, finished.since_receipt);
            }
            Decision::Dead => {
                self.metrics.delivery_ended(destination, DeliveryState::Dead.as_str());
                tracing::warn!(%delivery, destination, reason, "given up");
                if let Some(event) = finished.event.clone() {
                    self.alerts.raise(Alert::DeliveryDead {
                        destination: destination.to_owned(),
                        delivery: delivery.clone(),
                        event,
                        reason: reason.to_owned(),
                    });
                }
            }
            Decision::Retry(due) => {
                self.plan.due_at(due);
                tracing::debug!(%delivery, destination, reason, "to be tried again");
            }
        }
    }
}
