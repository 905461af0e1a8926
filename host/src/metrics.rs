//! Every metric, named and described, in one struct.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// What the gateway counts. Cloning shares.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    accept_seconds: Family<SourceLabel, Histogram>,
    runs: Family<RunLabels, Counter>,
    steps: Family<StepLabels, Counter>,
    step_seconds: Family<PluginLabel, Histogram>,
    attempts: Family<AttemptLabels, Counter>,
    attempt_seconds: Family<DestinationLabel, Histogram>,
    delivery_seconds: Family<DestinationLabel, Histogram>,
    deliveries: Family<DeliveryLabels, Counter>,
    reloads: Family<ReloadLabels, Counter>,
    backlog_runs: Gauge,
    backlog_deliveries: Family<DestinationLabel, Gauge>,
    store_batches: Counter,
    store_items: Counter,
    store_accepting_batches: Counter,
    store_accepted: Counter,
    plugin_log_dropped: Family<PluginLabel, Counter>,
    plugin_count: Family<PluginMetricLabels, Counter>,
    plugin_observe: Family<PluginMetricLabels, Histogram>,
    plugin_metrics_dropped: Family<PluginLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    route: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    route: String,
    plugin: String,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginMetricLabels {
    plugin: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DestinationLabel {
    destination: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    destination: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    destination: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    what: &'static str,
    outcome: &'static str,
}

/// From 100 µs to about 100 s, doubling: latencies of disks and networks.
fn io_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 21))
}

/// From 1 µs to about 4 s, fourfold: sandbox calls.
fn call_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_001, 4.0, 12))
}

/// From 0.001 to about a million, fourfold: whatever plugins measure.
fn value_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 16))
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("hookloom"),
            requests: Family::default(),
            accept_seconds: Family::new_with_constructor(io_histogram),
            runs: Family::default(),
            steps: Family::default(),
            step_seconds: Family::new_with_constructor(call_histogram),
            attempts: Family::default(),
            attempt_seconds: Family::new_with_constructor(io_histogram),
            delivery_seconds: Family::new_with_constructor(io_histogram),
            deliveries: Family::default(),
            reloads: Family::default(),
            backlog_runs: Gauge::default(),
            backlog_deliveries: Family::default(),
            store_batches: Counter::default(),
            store_items: Counter::default(),
            store_accepting_batches: Counter::default(),
            store_accepted: Counter::default(),
            plugin_log_dropped: Family::default(),
            plugin_count: Family::default(),
            plugin_observe: Family::new_with_constructor(value_histogram),
            plugin_metrics_dropped: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("requests", "Requests to a source, by outcome", self.requests.clone());
        let accept = self.accept_seconds.clone();
        r.register_with_unit("accept", "From a request read in full to its 2xx", Unit::Seconds, accept);
        r.register("runs", "Runs that ended or were postponed", self.runs.clone());
        r.register("steps", "Plugin calls, by verdict", self.steps.clone());
        let step = self.step_seconds.clone();
        r.register_with_unit("step", "One plugin call, instance included", Unit::Seconds, step);
        r.register("attempts", "HTTP attempts, by outcome", self.attempts.clone());
        let attempt = self.attempt_seconds.clone();
        r.register_with_unit("attempt", "One HTTP attempt", Unit::Seconds, attempt);
        let delivery = self.delivery_seconds.clone();
        r.register_with_unit("delivery", "From receipt to the destination's 2xx", Unit::Seconds, delivery);
        r.register("deliveries", "Deliveries that ended, by state", self.deliveries.clone());
        r.register("reloads", "Reloads of plugins and configuration", self.reloads.clone());
        r.register("backlog_runs", "Runs that are pending", self.backlog_runs.clone());
        let waiting = self.backlog_deliveries.clone();
        r.register("backlog_deliveries", "Deliveries that are pending", waiting);
        r.register("store_batches", "Transactions synced to disk", self.store_batches.clone());
        r.register("store_items", "Verbs committed in them", self.store_items.clone());
        let accepting = self.store_accepting_batches.clone();
        r.register("store_accepting_batches", "Of these transactions, those with new events", accepting);
        r.register("store_accepted", "New events made durable", self.store_accepted.clone());
        let dropped = self.plugin_log_dropped.clone();
        r.register("plugin_log_dropped", "Log lines above a plugin's limit", dropped);
        r.register("plugin_count", "Counters that plugins keep", self.plugin_count.clone());
        r.register("plugin_value", "Values that plugins observed", self.plugin_observe.clone());
        let dropped = self.plugin_metrics_dropped.clone();
        r.register("plugin_metrics_dropped", "Plugins' metrics dropped for their name or number", dropped);
    }

    /// A request to a source ended: `accepted`, `duplicate`, or the word of its refusal.
    pub fn request(&self, source: &str, outcome: &'static str) {
        self.requests.get_or_create(&RequestLabels { source: source.into(), outcome }).inc();
    }

    /// How long accepting took, durability included.
    pub fn accept(&self, source: &str, took: Duration) {
        self.accept_seconds.get_or_create(&SourceLabel { source: source.into() }).observe(took.as_secs_f64());
    }

    /// A run ended (`processed`, `dropped`, `failed`) or was postponed (`retry`, `held`).
    pub fn run(&self, route: &str, outcome: &'static str) {
        self.runs.get_or_create(&RunLabels { route: route.into(), outcome }).inc();
    }

    /// A plugin was called.
    pub fn step(&self, route: &str, plugin: &str, verdict: &'static str, took: Duration) {
        self.steps.get_or_create(&StepLabels { route: route.into(), plugin: plugin.into(), verdict }).inc();
        self.step_seconds.get_or_create(&PluginLabel { plugin: plugin.into() }).observe(took.as_secs_f64());
    }

    /// An HTTP attempt ended: `2xx`, `3xx`, `4xx`, `5xx` or the word of its error.
    pub fn attempt(&self, destination: &str, outcome: &'static str, took: Duration) {
        self.attempts.get_or_create(&AttemptLabels { destination: destination.into(), outcome }).inc();
        let label = DestinationLabel { destination: destination.into() };
        self.attempt_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// A delivery ended.
    pub fn delivery_ended(&self, destination: &str, state: &'static str) {
        self.deliveries.get_or_create(&DeliveryLabels { destination: destination.into(), state }).inc();
    }

    /// How long an event took to arrive.
    pub fn delivered(&self, destination: &str, since_receipt: Duration) {
        let label = DestinationLabel { destination: destination.into() };
        self.delivery_seconds.get_or_create(&label).observe(since_receipt.as_secs_f64());
    }

    /// Plugins or configuration were reloaded (`ok`) or refused (`refused`).
    pub fn reload(&self, what: &'static str, outcome: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { what, outcome }).inc();
    }

    /// How much is waiting.
    pub fn backlog(&self, runs: u64, deliveries: &[(String, u64)]) {
        self.backlog_runs.set(i64::try_from(runs).unwrap_or(i64::MAX));
        for (destination, pending) in deliveries {
            let label = DestinationLabel { destination: destination.clone() };
            self.backlog_deliveries.get_or_create(&label).set(i64::try_from(*pending).unwrap_or(i64::MAX));
        }
    }

    /// The store synced one transaction with so many verbs and new events in it.
    pub fn store_batch(&self, items: u64, accepted: u64) {
        self.store_batches.inc();
        self.store_items.inc_by(items);
        if accepted > 0 {
            self.store_accepting_batches.inc();
            self.store_accepted.inc_by(accepted);
        }
    }

    /// A plugin logged more than its limit.
    pub fn plugin_log_dropped(&self, plugin: &str, lines: u64) {
        self.plugin_log_dropped.get_or_create(&PluginLabel { plugin: plugin.into() }).inc_by(lines);
    }

    /// A plugin's own counter.
    pub fn plugin_count(&self, plugin: &str, name: &str, delta: u64) {
        let labels = PluginMetricLabels { plugin: plugin.into(), name: name.into() };
        self.plugin_count.get_or_create(&labels).inc_by(delta);
    }

    /// A plugin's own observation.
    pub fn plugin_observe(&self, plugin: &str, name: &str, value: f64) {
        let labels = PluginMetricLabels { plugin: plugin.into(), name: name.into() };
        self.plugin_observe.get_or_create(&labels).observe(value);
    }

    /// A plugin's own metric was dropped, for its name or for their number.
    pub fn plugin_metric_dropped(&self, plugin: &str) {
        self.plugin_metrics_dropped.get_or_create(&PluginLabel { plugin: plugin.into() }).inc();
    }

    /// All of them in the text format that Prometheus reads.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
