//! What serves now: an immutable snapshot, and the calls made through it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::Instance;
use wasmtime::{PoolConcurrencyLimitError, Store};

use super::call::{self, Call, CallInput, Failure, Output};
use super::granted::{Granted, StateMode};
use super::guest::{self, Guest, Shared};
use super::reuse::{Idle, PluginId, Sandbox};
use super::settings::Policy;
use super::state::StateView;
use super::version::Version;
use crate::model::{EventId, StepVerdict};

/// Of the version that a plugin says it is, so much is recorded with each call, in bytes.
const VERSION_BYTES: usize = 64;

/// The plugins as of one moment. A run takes one of these and keeps it, so that it
/// ends on the versions it began with.
#[derive(Debug, Default)]
pub struct Plugins {
    pub(super) by_name: BTreeMap<String, Arc<Plugin>>,
}

/// One version of a plugin under one policy, with what it was granted.
pub struct Plugin {
    pub(super) id: PluginId,
    pub(super) version: Arc<Version>,
    pub(super) shared: Arc<Shared>,
    pub(super) policy: Policy,
    pub(super) granted: Arc<Granted>,
    pub(super) idle: Arc<Idle>,
}

impl Plugins {
    /// Why there is no plugin of a name, for people.
    pub const MISSING: &str = "the plugin is not in the plugins folder, or does not load";

    /// The plugin of that (normalised) name.
    pub fn get(&self, name: &str) -> Option<Arc<Plugin>> {
        self.by_name.get(name).cloned()
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Plugin {
    /// Its name: the file's stem with `-` for `_`.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What it alone has: another version has another, and so has the same one under
    /// another policy, with other grants, or after it was away.
    pub const fn id(&self) -> PluginId {
        self.id
    }

    /// First 16 hex digits of the SHA-256 of its file.
    pub fn digest(&self) -> &str {
        &self.version.digest[..16]
    }

    /// What it says its version is, cut to what a record keeps.
    pub fn version(&self) -> &str {
        let said = &self.version.metadata.version;
        &said[..said.floor_char_boundary(VERSION_BYTES)]
    }

    /// What it can be asked for: `filter`, `transform`, `verify`, `classify`.
    pub fn exports(&self) -> &[String] {
        &self.version.interfaces.exports
    }

    /// Calls an instance on this thread: filter, then, if that passed, transform, as far
    /// as the plugin has them. The instance is fresh unless the plugin's policy has it
    /// serve several events. `config` is the step's, as JSON text. What the call does to
    /// durable values goes into `state`, unless it fails.
    pub fn call(&self, config: &str, input: &CallInput<'_>, state: &mut StateView) -> Call {
        let mut sandbox = self.sandbox(config, input);
        state.begin_call();
        let result = self
            .started(&mut sandbox, config, input)
            .and_then(|instance| self.run(&mut sandbox.store, &instance, input, state));
        if result.is_err() {
            state.take_back();
        }
        let call = self.conclude(result, sandbox.store.data(), input);
        self.keep(sandbox, config, call.verdict);
        call
    }

    /// Calls an instance that is configured: for as long as that takes, it may use what the
    /// plugin was granted.
    pub(super) fn run(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        input: &CallInput<'_>,
        state: &mut StateView,
    ) -> Result<Output, Failure> {
        let limits = &self.policy.limits;
        store.data_mut().empower(StateMode::Run, &self.granted, limits.kv_size, state);
        let output = call::run(&self.version, store, instance, limits, input);
        store.data_mut().disempower(state);
        output
    }

    /// One that waits for an event, where the policy allows that, or an empty one.
    fn sandbox(&self, config: &str, input: &CallInput<'_>) -> Sandbox {
        let event = Some(input.event.id.clone());
        let waiting = if self.reuses() { self.idle.take(self.id, config) } else { None };
        match waiting {
            Some(mut sandbox) => {
                guest::renew(&mut sandbox.store, &self.policy.limits, event);
                sandbox
            }
            None => Sandbox::empty(self.store(event)),
        }
    }

    pub(super) fn store(&self, event: Option<EventId>) -> Store<Guest> {
        Guest::store(self.version.pre.engine(), &self.shared, &self.policy.limits, event)
    }

    /// The instance in the sandbox, which is made and configured if it is not there.
    fn started(
        &self,
        sandbox: &mut Sandbox,
        config: &str,
        input: &CallInput<'_>,
    ) -> Result<Instance, Failure> {
        if let Some(instance) = sandbox.started {
            return Ok(instance);
        }
        let mut made = call::instance(&self.version, &mut sandbox.store, config);
        if matches!(&made, Err(Failure::Ended(error)) if error.is::<PoolConcurrencyLimitError>()) {
            // Those who wait hold places in the pool that those who work need.
            self.idle.clear();
            sandbox.store = self.store(Some(input.event.id.clone()));
            made = call::instance(&self.version, &mut sandbox.store, config);
        }
        sandbox.started = made.as_ref().ok().copied();
        made
    }

    fn conclude(&self, result: Result<Output, Failure>, guest: &Guest, input: &CallInput<'_>) -> Call {
        let (verdict, reason, output) = match result {
            Ok(output) => (verdict(&output), reason(&output), Some(output)),
            Err(Failure::Said(verdict, reason)) => (verdict, Some(reason), None),
            Err(Failure::Ended(error)) => {
                let (verdict, reason) = call::explain(&error, guest);
                let (plugin, event, at) = (self.name(), input.event.id.as_str(), call::backtrace(&error));
                tracing::warn!(target: "plugin", plugin, event, at, "{}: {reason}", verdict.as_str());
                (verdict, Some(reason), None)
            }
        };
        let (took, log_dropped) = (guest.meter.took(), guest.journal.dropped());
        if log_dropped > 0 {
            self.shared.metrics.plugin_log_dropped(self.name(), log_dropped);
        }
        self.shared.called(took, verdict.is_cut());
        Call { verdict, reason, output, took, memory: guest.memory(), log_dropped }
    }

    /// Lets an instance that ended well wait for its next event, if it may have another.
    fn keep(&self, mut sandbox: Sandbox, config: &str, verdict: StepVerdict) {
        sandbox.served += 1;
        let more = self.reuses() && sandbox.started.is_some() && sandbox.served < self.policy.reuse;
        if more && is_sound_after(verdict) {
            self.idle.put(self.id, config, sandbox, self.shared.clock.monotonic());
        }
    }

    /// Whether it is that version under that policy, with the same secrets.
    pub(super) fn is(&self, version: &Arc<Version>, policy: &Policy, granted: &Granted) -> bool {
        Arc::ptr_eq(&self.version, version) && self.policy == *policy && self.granted.is_unchanged(granted)
    }

    /// An instance that serves one event is a fresh one each time.
    const fn reuses(&self) -> bool {
        self.policy.reuse > 1
    }
}

/// Whether an instance that ended so is as good as before: it returned, and what it
/// returned keeps to the contract.
const fn is_sound_after(verdict: StepVerdict) -> bool {
    use StepVerdict::{Drop, Error, InvalidInput, Pass, Replace, Retry, Split, Unchanged};
    matches!(verdict, Pass | Unchanged | Replace | Split | Drop | InvalidInput | Retry | Error)
}

const fn verdict(output: &Output) -> StepVerdict {
    match output {
        Output::Pass => StepVerdict::Pass,
        Output::Unchanged => StepVerdict::Unchanged,
        Output::Replace(_) => StepVerdict::Replace,
        Output::Split(_) => StepVerdict::Split,
        Output::Drop(_) => StepVerdict::Drop,
    }
}

fn reason(output: &Output) -> Option<String> {
    match output {
        Output::Drop(reason) => Some(reason.clone()),
        _ => None,
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}
