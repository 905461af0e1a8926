//! Instances that serve several events, where a plugin's policy has `reuse`.
//!
//! Between two events such an instance waits here. It serves the configuration that it
//! was given and no other, belongs to one version under one policy, and goes when either
//! is replaced, when it has served its number, when others need its place, or when nobody
//! asked for it for a while. What ended badly never comes here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::Instance;

use super::guest::Guest;

/// An instance that nobody asked for goes after so long, when the folder is next looked at.
const IDLE: Duration = Duration::from_mins(1);

/// Tells plugins apart, each version under each policy with each grant: never given twice
/// in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginId(pub(crate) u64);

/// A store and, once it is started and configured, the instance in it.
pub(super) struct Sandbox {
    pub(super) store: Store<Guest>,
    pub(super) started: Option<Instance>,
    /// Events so far.
    pub(super) served: u32,
    /// What it was given when it waited before.
    config: Option<Arc<str>>,
}

impl Sandbox {
    /// With nothing in it yet.
    pub(super) const fn empty(store: Store<Guest>) -> Self {
        Self { store, started: None, served: 0, config: None }
    }
}

/// All instances that wait, of all plugins: so many at most, whichever plugins they are
/// of, because each holds a place in the pool and its memory.
#[derive(Debug)]
pub(super) struct Idle {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The longest idle first.
    waiting: Vec<Waiting>,
    /// Plugins that serve.
    serving: BTreeSet<PluginId>,
}

struct Waiting {
    plugin: PluginId,
    config: Arc<str>,
    since: Duration,
    sandbox: Sandbox,
}

impl Idle {
    /// Room for `most` instances.
    pub(super) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// An instance of that plugin with that configuration: the one that was used last,
    /// whose memory is likeliest to be in the processor's caches.
    pub(super) fn take(&self, plugin: PluginId, config: &str) -> Option<Sandbox> {
        let mut state = self.state();
        let found = state.waiting.iter().rposition(|w| w.plugin == plugin && *w.config == *config)?;
        let Waiting { mut sandbox, config, .. } = state.waiting.remove(found);
        sandbox.config = Some(config);
        Some(sandbox)
    }

    /// Lets an instance with that configuration wait for its next event, unless its plugin
    /// no longer serves. The longest idle one makes room for it. `now` is monotonic.
    pub(super) fn put(&self, plugin: PluginId, config: &str, mut sandbox: Sandbox, now: Duration) {
        let config = sandbox.config.take().unwrap_or_else(|| config.into());
        let waiting = Waiting { plugin, config, since: now, sandbox };
        let mut state = self.state();
        let out = if self.most == 0 || !state.serving.contains(&plugin) {
            Some(waiting)
        } else {
            let full = state.waiting.len() >= self.most;
            let longest = full.then(|| state.waiting.remove(0));
            state.waiting.push(waiting);
            longest
        };
        // Taking an instance down takes longer than anybody should wait for the lock.
        drop(state);
        drop(out);
    }

    /// From now on these plugins serve: instances of others go, and those that were idle
    /// for long.
    pub(super) fn serve(&self, plugins: BTreeSet<PluginId>, now: Duration) {
        let mut state = self.state();
        let gone = |w: &mut Waiting| !plugins.contains(&w.plugin) || now.saturating_sub(w.since) > IDLE;
        let out: Vec<_> = state.waiting.extract_if(.., gone).collect();
        state.serving = plugins;
        drop(state);
        drop(out);
    }

    /// Gives all places in the pool back.
    pub(super) fn clear(&self) {
        let out = std::mem::take(&mut self.state().waiting);
        drop(out);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting")
            .field("plugin", &self.plugin)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
