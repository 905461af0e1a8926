//! Keeps the store at its size: has it tidied in small steps, for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::Store as StoreSettings;
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::store::{Store, Tidied};

/// Between looks that find less than a step: each goes on where the last one ended.
const IDLE: Duration = Duration::from_secs(1);
/// Between steps while there is: twice what a step takes, so that accepts get most of the
/// writer.
const PAUSE: Duration = Duration::from_millis(10);
/// While the store does not answer.
const ERROR_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Janitor {
    pub(super) store: Arc<dyn Store>,
    /// As configured; a reload is in force for the next step.
    pub(super) settings: watch::Receiver<StoreSettings>,
    pub(super) metrics: Arc<Metrics>,
}

impl Janitor {
    pub(super) async fn run(self, shutdown: Shutdown) {
        loop {
            let retention = self.settings.borrow().retention;
            let pause = match self.store.tidy(&retention).await {
                Ok(Tidied { events, expired, pages, more }) => {
                    self.metrics.tidied(events, expired, pages);
                    if more { PAUSE } else { IDLE }
                }
                Err(error) => {
                    tracing::warn!(%error, "the store cannot be tidied now");
                    ERROR_PAUSE
                }
            };
            if shutdown.soft.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }
}
