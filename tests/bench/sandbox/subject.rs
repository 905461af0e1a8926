//! A plugin in a room of its own, and calls of it.

use std::sync::Arc;
use std::time::Duration;

use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{Event, StepVerdict};
use hookloom::plugin::{
    CallInput, Context, Limits, NoState, Parts, Plugin, PluginHost, PluginSettings, Policy, StateReader,
    StateView,
};
use hookloom_testkit::measure::median;

/// A part of a call, and how long it took.
type Part = (&'static str, fn(&Parts) -> Duration);
const PARTS: [Part; 5] = [
    ("  store, wall clock", |parts| parts.store),
    ("  instantiate", |parts| parts.instantiate),
    ("  configure", |parts| parts.configure),
    ("  call", |parts| parts.call),
    ("  teardown", |parts| parts.teardown),
];

/// A plugin that serves.
pub(crate) struct Subject {
    plugin: Arc<Plugin>,
    /// The room that it lives in.
    _host: Arc<PluginHost>,
    _dir: tempfile::TempDir,
}

impl Subject {
    /// Serves that component, with its policy's `reuse`.
    pub(crate) fn new(component: &[u8], reuse: u32) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("guest.wasm"), component).expect("a plugin");
        let limits = Limits { deadline: Duration::from_secs(5), ..Limits::default() };
        let context = Context {
            clock: Clock::system(),
            random: Random::system(),
            metrics: Arc::new(Metrics::new()),
            state: Arc::new(NoState),
        };
        let defaults = Policy { limits: limits.clone(), reuse, ..Policy::default() };
        let settings = PluginSettings { defaults, ..PluginSettings::new(dir.path(), limits) };
        let host = PluginHost::start(settings, context).expect("the room opens");
        let report = host.scan(&[]);
        let plugin = host.plugins().get("guest").unwrap_or_else(|| panic!("{:?}", report.problems));
        Self { plugin, _host: host, _dir: dir }
    }

    /// As runs call it.
    pub(crate) fn calls(&self, config: &str, event: &Event, times: u32) {
        for _ in 0..times {
            let call = self.plugin.call(config, &input(event), &mut StateView::new(Arc::new(NoState)));
            let good = [StepVerdict::Pass, StepVerdict::Unchanged, StepVerdict::Replace, StepVerdict::Drop];
            assert!(good.contains(&call.verdict), "{call:?}");
        }
    }

    /// The same call of one instance.
    pub(crate) fn warm(&self, config: &str, event: &Event, times: u32) {
        self.plugin.call_warm(config, &input(event), &no_values(), times).expect("warm calls");
    }

    /// What fresh calls are made of: medians by the wall clock, in microseconds.
    pub(crate) fn parts(&self, config: &str, event: &Event, times: u32) -> Vec<(&'static str, f64)> {
        let parts: Vec<_> = (0..times)
            .map(|_| self.plugin.call_in_parts(config, &input(event), &no_values()).expect("a call"))
            .collect();
        let of = |pick: fn(&Parts) -> Duration| {
            median(parts.iter().map(|parts| pick(parts).as_secs_f64() * 1e6).collect())
        };
        PARTS.iter().map(|(what, pick)| (*what, of(*pick))).collect()
    }
}

fn no_values() -> Arc<dyn StateReader> {
    Arc::new(NoState)
}

fn input(event: &Event) -> CallInput<'_> {
    CallInput {
        event,
        body: &event.body,
        event_type: event.event_type.as_deref(),
        content_type: Some("application/json"),
        attributes: &[],
    }
}
