//! Watches the disk and the backlog, and opens and closes the front door by them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::alerts::{Alert, Alerts};
use crate::config::Store as StoreSettings;
use crate::ingest::{Closed, Gate};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};

/// How often. Between two looks the door stays as it is, except that a failed accept
/// closes it at once.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Monitor {
    pub(super) store: Arc<dyn Store>,
    pub(super) gate: Arc<Gate>,
    pub(super) metrics: Arc<Metrics>,
    /// On the store's disk.
    pub(super) folder: PathBuf,
    /// As configured; a reload is in force for the next look.
    pub(super) settings: watch::Receiver<StoreSettings>,
    pub(super) alerts: Alerts,
}

impl Monitor {
    pub(super) async fn run(self, shutdown: Shutdown) {
        let mut high = HighWater::default();
        loop {
            let state = self.look(&mut high).await;
            if self.gate.set(state) {
                match state {
                    Some(closed) => {
                        tracing::warn!(reason = closed.reason(), "the door is closed: answering 503");
                    }
                    None => tracing::info!("the door is open again"),
                }
            }
            tokio::select! {
                () = shutdown.soft.cancelled() => break,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
        self.gate.set(Some(Closed::Stopping));
    }

    async fn look(&self, high: &mut HighWater) -> Option<Closed> {
        // An empty batch asks whether the writer still writes.
        if let Err(StoreError::Broken(_) | StoreError::Closed) = self.store.accept(Vec::new(), None).await {
            return Some(Closed::StoreBroken);
        }
        let backlog = match self.store.backlog().await {
            Ok(backlog) => backlog,
            Err(error) => {
                tracing::error!(%error, "the backlog cannot be read");
                return Some(Closed::StoreBroken);
            }
        };
        self.metrics.backlog(backlog.runs, &backlog.deliveries);
        let StoreSettings { max_backlog, min_free_disk, .. } = *self.settings.borrow();
        if high.rises(backlog.runs, max_backlog) {
            tracing::warn!(runs = backlog.runs, max_backlog, "more runs are waiting than is good");
            self.alerts.raise(Alert::BacklogHigh { runs: backlog.runs, max: max_backlog });
        }
        judge(backlog.runs, self.free_disk(), max_backlog, min_free_disk)
    }

    /// Bytes that an ordinary user may still write; `None` where the system does not say.
    fn free_disk(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.folder).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Whether the backlog is high: from four fifths of what closes the door, until it is
/// below half of it, so that one that hovers is told of once.
#[derive(Debug, Default)]
struct HighWater(bool);

impl HighWater {
    /// Whether it has become high just now.
    fn rises(&mut self, runs: u64, max: u64) -> bool {
        let was = self.0;
        self.0 = if was { runs > max / 2 } else { runs > max / 5 * 4 };
        self.0 && !was
    }
}

fn judge(runs: u64, free_disk: Option<u64>, max_backlog: u64, min_free_disk: u64) -> Option<Closed> {
    if free_disk.is_some_and(|free| free < min_free_disk) {
        return Some(Closed::DiskLow);
    }
    (runs > max_backlog).then_some(Closed::Backlog)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_hovers_is_told_of_once() {
        let mut high = HighWater::default();
        let seen = [10, 80, 81, 90, 79, 51, 81, 50, 80, 81].map(|runs| high.rises(runs, 100));
        assert_eq!(seen, [false, false, true, false, false, false, false, false, false, true]);
    }

    #[test]
    fn the_door_closes_beyond_a_limit_and_not_at_it() {
        assert_eq!(judge(10, Some(100), 10, 100), None);
        assert_eq!(judge(11, Some(100), 10, 100), Some(Closed::Backlog));
        assert_eq!(judge(10, Some(99), 10, 100), Some(Closed::DiskLow));
        assert_eq!(judge(10, None, 10, 100), None);
    }
}
