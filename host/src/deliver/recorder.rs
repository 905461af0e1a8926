//! Makes ended attempts durable, many at a time, away from those who make them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::model::{Decision, DeliveryState};
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
    pub hard: CancellationToken,
}

impl Recorder {
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.finished.recv_many(&mut batch, BATCH).await > 0 {
            let records: Vec<_> = batch.iter().map(|finished| finished.record.clone()).collect();
            let Some(recorded) = self.record(records).await else { return };
            for (finished, recorded) in batch.drain(..).zip(recorded) {
                self.conclude(&finished, recorded);
            }
        }
    }

    /// Tries until the attempts are on disk. Gives up only when the store is closed or
    /// somebody hurries: then the leases are void and the deliveries will be repeated.
    async fn record(&self, records: Vec<AttemptRecord>) -> Option<Vec<Recorded>> {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.store.record_attempts(records.clone()).await {
                Ok(recorded) => {
                    self.set_well(true);
                    return Some(recorded);
                }
                Err(error) => error,
            };
            self.set_well(false);
            if error == StoreError::Closed || self.hard.is_cancelled() {
                tracing::error!(%error, attempts = records.len(), "attempts were not recorded");
                return None;
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
            }
            Decision::Retry(due) => {
                self.plan.due_at(due);
                tracing::debug!(%delivery, destination, reason, "to be tried again");
            }
        }
    }
}
