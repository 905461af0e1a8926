//! What serves now: an immutable snapshot, and the calls made through it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::call::{self, Call, CallInput, Failure, Output};
use super::guest::{self, Guest, Shared};
use super::limits::Limits;
use super::version::Version;
use crate::model::StepVerdict;

/// The plugins as of one moment. A run takes one of these and keeps it, so that it
/// ends on the versions it began with.
#[derive(Debug, Default)]
pub struct Plugins {
    pub(super) by_name: BTreeMap<String, Arc<Plugin>>,
}

/// One version of a plugin with its limits.
pub struct Plugin {
    pub(super) version: Arc<Version>,
    pub(super) shared: Arc<Shared>,
    pub(super) limits: Limits,
}

impl Plugins {
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

    /// First 16 hex digits of the SHA-256 of its file.
    pub fn digest(&self) -> &str {
        &self.version.digest[..16]
    }

    /// What it can be asked for: `filter`, `transform`, `verify`, `classify`.
    pub fn exports(&self) -> &[String] {
        &self.version.interfaces.exports
    }

    /// Calls a fresh instance on this thread: filter, then, if that passed, transform,
    /// as far as the plugin has them. `config` is the step's, as JSON text.
    pub fn call(&self, config: &str, input: &CallInput<'_>) -> Call {
        let engine = self.version.pre.engine();
        let mut store = Guest::store(engine, &self.shared, &self.limits, Some(input.event.id.clone()));
        let result = call::instance(&self.version, &mut store, config)
            .and_then(|instance| call::run(&self.version, &mut store, &instance, &self.limits, input));
        let (verdict, reason, output) = match result {
            Ok(output) => (verdict(&output), reason(&output), Some(output)),
            Err(Failure::Said(verdict, reason)) => (verdict, Some(reason), None),
            Err(Failure::Ended(error)) => {
                let (verdict, reason) = call::explain(&error, store.data());
                let (plugin, event, at) = (self.name(), input.event.id.as_str(), call::backtrace(&error));
                tracing::warn!(target: "plugin", plugin, event, at, "{}: {reason}", verdict.as_str());
                (verdict, Some(reason), None)
            }
        };
        let guest = store.data();
        let (took, log_dropped) = (guest.meter.took(), guest.journal.dropped());
        if log_dropped > 0 {
            self.shared.metrics.plugin_log_dropped(self.name(), log_dropped);
        }
        let cut = matches!(verdict, StepVerdict::Trap | StepVerdict::Timeout | StepVerdict::Memory);
        self.shared.called(took, cut);
        Call { verdict, reason, output, took, log_dropped }
    }

    /// Calls one instance `times` over, as no run does, and returns the mean time of a
    /// call: what the plugin's own code costs, for measuring what the sandbox adds.
    pub fn call_warm(&self, config: &str, input: &CallInput<'_>, times: u32) -> Result<Duration, String> {
        let mut store = Guest::store(self.version.pre.engine(), &self.shared, &self.limits, None);
        let mut took = Duration::ZERO;
        let result = call::instance(&self.version, &mut store, config).and_then(|instance| {
            for _ in 0..times {
                guest::renew(&mut store, &self.limits);
                call::run(&self.version, &mut store, &instance, &self.limits, input)?;
                took += store.data().meter.took();
            }
            Ok(())
        });
        result.map_err(|failure| match failure {
            Failure::Said(_, reason) => reason,
            Failure::Ended(error) => call::explain(&error, store.data()).1,
        })?;
        Ok(took / times.max(1))
    }
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
