//! What a call is made of, for measuring: no run calls a plugin this way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::{self, CallInput, Failure};
use super::guest;
use super::plugins::Plugin;
use super::state::{StateReader, StateView};

/// Wall-clock time of the parts of one call in a fresh instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// A store with its budgets.
    pub store: Duration,
    /// The instance, start functions included.
    pub instantiate: Duration,
    /// `configure`.
    pub configure: Duration,
    /// `filter` and `transform`, and what they returned.
    pub call: Duration,
    /// Taking all of it down.
    pub teardown: Duration,
}

impl Plugin {
    /// Makes one call in a fresh instance and says how long each part of it took, or why
    /// it failed. It reads durable values there, and what it writes is forgotten.
    pub fn call_in_parts(
        &self,
        config: &str,
        input: &CallInput<'_>,
        values: &Arc<dyn StateReader>,
    ) -> Result<Parts, String> {
        let mut parts = Parts::default();
        let mut state = StateView::new(Arc::clone(values));
        let mut last = Instant::now();
        let mut lap = |part: &mut Duration| {
            let now = Instant::now();
            *part = now - std::mem::replace(&mut last, now);
        };
        let mut store = self.store(Some(input.event.id.clone()));
        lap(&mut parts.store);
        let made = self.version.pre.instantiate(&mut store).map_err(Failure::from).and_then(|instance| {
            lap(&mut parts.instantiate);
            call::configured(&self.version, &mut store, &instance, config)?;
            lap(&mut parts.configure);
            self.run(&mut store, &instance, input, &mut state)
        });
        let failed = made.map(drop).map_err(|failure| failure.message(store.data()));
        lap(&mut parts.call);
        drop(store);
        lap(&mut parts.teardown);
        failed.map(|()| parts)
    }

    /// Calls one instance `times` over, as no run does, and returns the mean time of a
    /// call: what the plugin's own code costs, for measuring what the sandbox adds. Each
    /// call reads durable values there, and what it writes is forgotten.
    pub fn call_warm(
        &self,
        config: &str,
        input: &CallInput<'_>,
        values: &Arc<dyn StateReader>,
        times: u32,
    ) -> Result<Duration, String> {
        let limits = &self.policy.limits;
        let mut store = self.store(None);
        let mut took = Duration::ZERO;
        let result = call::instance(&self.version, &mut store, config).and_then(|instance| {
            for _ in 0..times {
                let mut state = StateView::new(Arc::clone(values));
                guest::renew(&mut store, limits, None);
                self.run(&mut store, &instance, input, &mut state)?;
                took += store.data().meter.took();
            }
            Ok(())
        });
        result.map_err(|failure| failure.message(store.data()))?;
        Ok(took / times.max(1))
    }
}
