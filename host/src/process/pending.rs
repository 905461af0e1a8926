//! The values that are on their way to the store, shared by the workers: they read them
//! before they ask the store, and publish what they wrote one after the other.
//!
//! A run that loses a race is repeated at once. One that has lost often runs alone: until
//! it has published, nobody else publishes anything of the plugins that it touches. So the
//! slowest run comes to its end beside quick ones that want the same key.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::overlay::{Newest, Overlay, touched};
use crate::clock::Random;
use crate::model::StateValue;
use crate::plugin::StateReader;
use crate::store::RunResult;

/// Values on their way, over those in the store.
#[derive(Debug)]
pub(super) struct Pending {
    stored: Arc<dyn StateReader>,
    random: Random,
    shared: Mutex<Shared>,
    /// Rung when a run that was alone has published.
    together: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    overlay: Overlay,
    /// Plugins whose values one run has for itself.
    alone: BTreeSet<String>,
    /// Runs whose results the store refused, by lease: the plugins that they touched.
    refused: HashMap<u64, BTreeSet<String>>,
}

/// The right to publish about some plugins, held by one run at a time.
#[derive(Debug)]
pub(super) struct Alone<'a> {
    pending: &'a Pending,
    plugins: BTreeSet<String>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut shared = self.pending.lock();
        for plugin in &self.plugins {
            shared.alone.remove(plugin);
        }
        drop(shared);
        self.pending.together.notify_all();
    }
}

impl Pending {
    /// Nothing on its way to `stored`. `random` tells results apart.
    pub(super) fn new(stored: Arc<dyn StateReader>, random: Random) -> Self {
        Self { stored, random, shared: Mutex::default(), together: Condvar::new() }
    }

    /// Hands a result over to be committed, by `send`: results go in the order in which
    /// they were published. One that read what is no longer so comes back.
    ///
    /// Waits while another run is alone with a plugin that this one touched. One that is
    /// alone itself waits for nobody: it comes back when it touched further plugins.
    pub(super) fn publish(
        &self,
        mut result: RunResult,
        alone: Option<&Alone<'_>>,
        send: impl FnOnce(RunResult),
    ) -> Result<(), Box<RunResult>> {
        let touched = touched(&result.state);
        let version = self.version();
        let mut shared = match alone {
            Some(alone) if touched.is_subset(&alone.plugins) => self.lock(),
            Some(_) => return Err(Box::new(result)),
            None => self.wait_while(|shared| !shared.alone.is_disjoint(&touched)),
        };
        if !shared.overlay.admit(&mut result.state, version) {
            return Err(Box::new(result));
        }
        send(result);
        Ok(())
    }

    /// What became of a published result; one without writes needs no word.
    pub(super) fn settle(&self, version: u64, committed: bool) {
        if version != 0 {
            self.lock().overlay.settle(version, committed);
        }
    }

    /// The store refused a run's result for what it read: next time it runs alone.
    pub(super) fn refuse(&self, lease: u64, plugins: BTreeSet<String>) {
        self.lock().refused.insert(lease, plugins);
    }

    /// The plugins with which a run is to be alone from the beginning: none, for one that
    /// the store has refused nothing.
    pub(super) fn take_refused(&self, lease: u64) -> BTreeSet<String> {
        self.lock().refused.remove(&lease).unwrap_or_default()
    }

    /// Waits until nobody else is alone with one of these plugins; `None` for no plugins.
    pub(super) fn alone(&self, plugins: &BTreeSet<String>) -> Option<Alone<'_>> {
        if plugins.is_empty() {
            return None;
        }
        // All at once, so that no two runs wait for each other.
        let mut shared = self.wait_while(|shared| !shared.alone.is_disjoint(plugins));
        shared.alone.extend(plugins.iter().cloned());
        Some(Alone { pending: self, plugins: plugins.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, mut holds: impl FnMut(&Shared) -> bool) -> MutexGuard<'_, Shared> {
        let shared = self.lock();
        self.together.wait_while(shared, |shared| holds(shared)).unwrap_or_else(PoisonError::into_inner)
    }

    /// Never given before, as far as chance goes, and never 0.
    #[expect(clippy::cast_possible_truncation, reason = "63 of the bits are what is wanted")]
    fn version(&self) -> u64 {
        (self.random.bits() as u64 >> 1).max(1)
    }
}

impl StateReader for Pending {
    fn read(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, String> {
        let on_its_way = self.lock().overlay.newest(plugin, key).map(Newest::value);
        // What was committed since then is in the store: it left the overlay afterwards.
        on_its_way.map_or_else(|| self.stored.read(plugin, key), Ok)
    }

    fn size(&self, plugin: &str) -> Result<u64, String> {
        let on_its_way = self.lock().overlay.bytes(plugin);
        Ok(self.stored.size(plugin)?.saturating_add(on_its_way))
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
