//! Every metric, named and described, in one struct.

mod plugin;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use plugin::{Measured, PluginSeries};

/// What the gateway counts. Cloning shares.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    accept_seconds: Family<SourceLabel, Histogram>,
    runs: Family<RunLabels, Counter>,
    steps: Family<StepLabels, Counter>,
    step_seconds: Family<PluginLabel, Histogram>,
    key_fetches: Family<FetchLabel, Counter>,
    verifications: Family<VerificationLabels, Counter>,
    classifications: Family<ClassificationLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    attempt_seconds: Family<DestinationLabel, Histogram>,
    delivery_seconds: Family<DestinationLabel, Histogram>,
    deliveries: Family<DeliveryLabels, Counter>,
    breaker_openings: Family<DestinationLabel, Counter>,
    destination_breaker: Family<DestinationLabel, Gauge>,
    destination_paused: Family<DestinationLabel, Gauge>,
    destination_disabled: Family<DestinationLabel, Gauge>,
    destination_concurrency: Family<DestinationLabel, Gauge>,
    reloads: Family<ReloadLabels, Counter>,
    tidied_events: Counter,
    tidied_keys: Counter,
    tidied_pages: Counter,
    backlog_runs: Gauge,
    backlog_deliveries: Family<DestinationLabel, Gauge>,
    store_batches: Counter,
    store_items: Counter,
    store_accepting_batches: Counter,
    store_accepted: Counter,
    plugin_log_dropped: Family<PluginLabel, Counter>,
    /// Plugins' own.
    plugin_series: Arc<PluginSeries>,
    plugin_metrics_dropped: Family<PluginLabel, Counter>,
}

/// How a destination stands, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationGauges {
    /// 0 closed, 1 half-open, 2 open.
    pub breaker: i64,
    /// Whether an operator keeps its deliveries back.
    pub paused: bool,
    /// Whether it wants no more.
    pub disabled: bool,
    /// Attempts that may be under way; 0 while its breaker is open.
    pub concurrency: usize,
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
struct VerificationLabels {
    source: String,
    plugin: String,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassificationLabels {
    destination: String,
    plugin: String,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
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
struct FetchLabel {
    outcome: &'static str,
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
            key_fetches: Family::default(),
            verifications: Family::default(),
            classifications: Family::default(),
            attempts: Family::default(),
            attempt_seconds: Family::new_with_constructor(io_histogram),
            delivery_seconds: Family::new_with_constructor(io_histogram),
            deliveries: Family::default(),
            breaker_openings: Family::default(),
            destination_breaker: Family::default(),
            destination_paused: Family::default(),
            destination_disabled: Family::default(),
            destination_concurrency: Family::default(),
            reloads: Family::default(),
            tidied_events: Counter::default(),
            tidied_keys: Counter::default(),
            tidied_pages: Counter::default(),
            backlog_runs: Gauge::default(),
            backlog_deliveries: Family::default(),
            store_batches: Counter::default(),
            store_items: Counter::default(),
            store_accepting_batches: Counter::default(),
            store_accepted: Counter::default(),
            plugin_log_dropped: Family::default(),
            plugin_series: Arc::default(),
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
        let help = "Keys that were fetched to verify requests, by outcome";
        r.register("key_fetches", help, self.key_fetches.clone());
        let verifications = self.verifications.clone();
        r.register("verifications", "Requests that a plugin was asked about, by verdict", verifications);
        let classifications = self.classifications.clone();
        r.register("classifications", "Answers that a plugin was asked about, by verdict", classifications);
        let attempt = self.attempt_seconds.clone();
        r.register_with_unit("attempt", "One HTTP attempt", Unit::Seconds, attempt);
        let delivery = self.delivery_seconds.clone();
        r.register_with_unit("delivery", "From receipt to the destination's 2xx", Unit::Seconds, delivery);
        r.register("deliveries", "Deliveries that ended, by state", self.deliveries.clone());
        self.register_destinations();
        let r = &mut self.registry;
        r.register("reloads", "Reloads of plugins and configuration", self.reloads.clone());
        r.register("tidied_events", "Events deleted after their retention", self.tidied_events.clone());
        let keys = self.tidied_keys.clone();
        r.register("tidied_keys", "Dedupe keys and plugin state deleted after their time", keys);
        let pages = self.tidied_pages.clone();
        r.register("tidied_pages", "Pages of 4 KiB given back to the disk", pages);
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
        r.register_collector(Box::new(self.plugin_series.clone()));
        let dropped = self.plugin_metrics_dropped.clone();
        r.register("plugin_metrics_dropped", "Plugins' metrics dropped for their name or number", dropped);
    }

    fn register_destinations(&mut self) {
        let r = &mut self.registry;
        let help = "Times that a destination began to be left alone for failing";
        r.register("breaker_openings", help, self.breaker_openings.clone());
        let help = "A destination's breaker: 0 closed, 1 half-open (tried one by one), 2 open (left alone)";
        r.register("destination_breaker", help, self.destination_breaker.clone());
        let help = "1 while an operator keeps a destination's deliveries back";
        r.register("destination_paused", help, self.destination_paused.clone());
        let help = "1 while a destination wants no more deliveries: it answered 410";
        r.register("destination_disabled", help, self.destination_disabled.clone());
        let help = "Attempts at once that a destination gets: less than configured while it is overloaded";
        r.register("destination_concurrency", help, self.destination_concurrency.clone());
    }

    /// A request to a source ended: `accepted`, `unfit` (accepted, and dead on arrival),
    /// `duplicate`, or the word of its refusal.
    pub fn request(&self, source: &str, outcome: &'static str) {
        self.requests.get_or_create(&RequestLabels { source: source.into(), outcome }).inc();
    }

    /// How long accepting took, durability included.
    pub fn accept(&self, source: &str, took: Duration) {
        self.accept_seconds.get_or_create(&SourceLabel { source: source.into() }).observe(took.as_secs_f64());
    }

    /// A run ended (`processed`, `dropped`, `failed`), was postponed (`retry`, `held`), or
    /// begins again because another changed what it read (`repeat`).
    pub fn run(&self, route: &str, outcome: &'static str) {
        self.runs.get_or_create(&RunLabels { route: route.into(), outcome }).inc();
    }

    /// A plugin was called.
    pub fn step(&self, route: &str, plugin: &str, verdict: &'static str, took: Duration) {
        self.steps.get_or_create(&StepLabels { route: route.into(), plugin: plugin.into(), verdict }).inc();
        self.step_seconds.get_or_create(&PluginLabel { plugin: plugin.into() }).observe(took.as_secs_f64());
    }

    /// A key was fetched (`ok`), was refused by who has it (`refused`), came as something else
    /// (`unusable`), there was no answer (`unreachable`), or it was not asked for, because its
    /// source named too many that nobody knows (`postponed`).
    pub fn key_fetch(&self, outcome: &'static str) {
        self.key_fetches.get_or_create(&FetchLabel { outcome }).inc();
    }

    /// A source's plugin was asked about a request.
    pub fn verification(&self, source: &str, plugin: &str, verdict: &'static str, took: Duration) {
        let labels = VerificationLabels { source: source.into(), plugin: plugin.into(), verdict };
        self.verifications.get_or_create(&labels).inc();
        self.step_seconds.get_or_create(&PluginLabel { plugin: plugin.into() }).observe(took.as_secs_f64());
    }

    /// A destination's plugin was asked about an answer.
    pub fn classification(&self, destination: &str, plugin: &str, verdict: &'static str, took: Duration) {
        let labels = ClassificationLabels { destination: destination.into(), plugin: plugin.into(), verdict };
        self.classifications.get_or_create(&labels).inc();
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

    /// A destination is left alone for failing. Not counted again after a failed probe.
    pub fn breaker_opened(&self, destination: &str) {
        self.breaker_openings.get_or_create(&DestinationLabel { destination: destination.into() }).inc();
    }

    /// How a destination stands.
    pub fn destination(&self, destination: &str, gauges: &DestinationGauges) {
        let label = DestinationLabel { destination: destination.into() };
        self.destination_breaker.get_or_create(&label).set(gauges.breaker);
        self.destination_paused.get_or_create(&label).set(gauges.paused.into());
        self.destination_disabled.get_or_create(&label).set(gauges.disabled.into());
        let concurrency = i64::try_from(gauges.concurrency).unwrap_or(i64::MAX);
        self.destination_concurrency.get_or_create(&label).set(concurrency);
    }

    /// The destination is gone: it stands no way any more.
    pub fn forget_destination(&self, destination: &str) {
        let label = DestinationLabel { destination: destination.into() };
        let gauges = [
            &self.destination_breaker,
            &self.destination_paused,
            &self.destination_disabled,
            &self.destination_concurrency,
        ];
        for gauge in gauges {
            gauge.remove(&label);
        }
    }

    /// Plugins or configuration were reloaded (`ok`) or refused (`refused`).
    pub fn reload(&self, what: &'static str, outcome: &'static str) {
        self.reloads.get_or_create(&ReloadLabels { what, outcome }).inc();
    }

    /// The store was tidied: events, expired keys and values, and pages are gone.
    pub fn tidied(&self, events: usize, keys: usize, pages: usize) {
        self.tidied_events.inc_by(events as u64);
        self.tidied_keys.inc_by(keys as u64);
        self.tidied_pages.inc_by(pages as u64);
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

    /// A plugin's own counter, `hookloom_plugin_NAME_total`. False: that was dropped, for
    /// its name or labels, or for their number.
    pub fn plugin_count(&self, plugin: &str, name: &str, delta: u64, labels: Vec<(String, String)>) -> bool {
        self.plugin_measured(plugin, name, labels, Measured::Count(delta))
    }

    /// A plugin's own histogram, `hookloom_plugin_NAME`. False: as with a counter.
    pub fn plugin_observe(
        &self,
        plugin: &str,
        name: &str,
        value: f64,
        labels: Vec<(String, String)>,
    ) -> bool {
        self.plugin_measured(plugin, name, labels, Measured::Value(value))
    }

    fn plugin_measured(
        &self,
        plugin: &str,
        name: &str,
        labels: Vec<(String, String)>,
        measured: Measured,
    ) -> bool {
        let recorded = self.plugin_series.record(plugin, name, labels, measured);
        if !recorded {
            self.plugin_metrics_dropped.get_or_create(&PluginLabel { plugin: plugin.into() }).inc();
        }
        recorded
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
