//! What plugins measure themselves: each name is a family of its own,
//! `hookloom_plugin_NAME`, in which a label tells plugins apart. What a plugin may not, is
//! dropped.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Names that one plugin may use.
const NAMES: usize = 32;
/// Labels of one measurement.
const LABELS: usize = 4;
/// Different sets of labels that one plugin may give a name.
const SETS: usize = 100;
/// Longest name, and longest value of a label, in bytes.
const BYTES: usize = 64;
/// Names of the gateway's own, as `hookloom_plugin_log_dropped_total`.
const OWN_NAMES: [&str; 2] = ["log_dropped", "metrics_dropped"];
/// Labels that tell the plugin and the bucket.
const OWN_LABELS: [&str; 2] = ["plugin", "le"];

/// Labels in the order of their names, so that a set is one however it was given.
type Labels = BTreeMap<String, String>;

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Measured {
    /// More of something.
    Count(u64),
    /// How much of something it was.
    Value(f64),
}

/// The series of all plugins.
#[derive(Debug, Default)]
pub(super) struct PluginSeries(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By name.
    families: BTreeMap<String, Family>,
    /// How many names each plugin uses.
    names: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Family {
    kind: MetricType,
    /// By plugin.
    series: BTreeMap<String, BTreeMap<Labels, Series>>,
}

#[derive(Debug)]
enum Series {
    Count(u64),
    Values(Histogram),
}

impl PluginSeries {
    /// Adds a measurement. False: it was dropped, for its name or its labels, for their
    /// number, or because the name stands for the other kind of metric already.
    pub(super) fn record(
        &self,
        plugin: &str,
        name: &str,
        labels: Vec<(String, String)>,
        measured: Measured,
    ) -> bool {
        let count = labels.len();
        let labels: Labels = labels.into_iter().collect();
        // Fewer: one of them was named twice.
        if !may_be_named(name, &OWN_NAMES)
            || count > LABELS
            || labels.len() < count
            || !labels.iter().all(may_label)
        {
            return false;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.series(plugin, name, labels, measured).is_some_and(|series| series.add(measured))
    }
}

impl Known {
    fn series(
        &mut self,
        plugin: &str,
        name: &str,
        labels: Labels,
        measured: Measured,
    ) -> Option<&mut Series> {
        let family = self.families.get(name);
        if family.is_some_and(|family| family.kind.as_str() != measured.kind().as_str())
            || !measured.is_finite()
        {
            return None;
        }
        match family.and_then(|family| family.series.get(plugin)) {
            Some(sets) if !sets.contains_key(&labels) && sets.len() >= SETS => return None,
            Some(_) => {}
            None => {
                let names = self.names.entry(plugin.to_owned()).or_default();
                if *names >= NAMES {
                    return None;
                }
                *names += 1;
            }
        }
        let new = || Family { kind: measured.kind(), series: BTreeMap::new() };
        let family = self.families.entry(name.to_owned()).or_insert_with(new);
        let sets = family.series.entry(plugin.to_owned()).or_default();
        Some(sets.entry(labels).or_insert_with(|| measured.series()))
    }
}

impl Measured {
    const fn kind(self) -> MetricType {
        match self {
            Self::Count(_) => MetricType::Counter,
            Self::Value(_) => MetricType::Histogram,
        }
    }

    /// What is not a number would make the sum none for ever after.
    const fn is_finite(self) -> bool {
        match self {
            Self::Count(_) => true,
            Self::Value(value) => value.is_finite(),
        }
    }

    fn series(self) -> Series {
        match self {
            Self::Count(_) => Series::Count(0),
            // From 0.001 to about a million, fourfold: whatever plugins measure.
            Self::Value(_) => Series::Values(Histogram::new(exponential_buckets(0.001, 4.0, 16))),
        }
    }
}

impl Series {
    /// False: it is of the other kind.
    fn add(&mut self, measured: Measured) -> bool {
        match (self, measured) {
            (Self::Count(sum), Measured::Count(delta)) => *sum = sum.saturating_add(delta),
            (Self::Values(histogram), Measured::Value(value)) => histogram.observe(value),
            _ => return false,
        }
        true
    }
}

impl Collector for PluginSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, Family { kind, series }) in &known.families {
            let (name, help) = (format!("plugin_{name}"), "Measured by plugins");
            let mut family = encoder.encode_descriptor(&name, help, None, *kind)?;
            for (plugin, sets) in series {
                for (labels, series) in sets {
                    let own = ("plugin", plugin.as_str());
                    let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                    let labels: Vec<_> = std::iter::once(own).chain(labels).collect();
                    let encoder = family.encode_family(&labels)?;
                    match series {
                        Series::Count(sum) => ConstCounter::new(*sum).encode(encoder)?,
                        Series::Values(histogram) => histogram.encode(encoder)?,
                    }
                }
            }
        }
        Ok(())
    }
}

fn may_label((name, value): (&String, &String)) -> bool {
    may_be_named(name, &OWN_LABELS) && value.len() <= BYTES
}

/// `[a-z][a-z0-9_]{0,63}`, and no name of the gateway's own.
fn may_be_named(name: &str, own: &[&str]) -> bool {
    name.len() <= BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !own.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    const ONE: Measured = Measured::Count(1);

    fn labels(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_and_labels_have_rules() {
        let long = "x".repeat(65);
        let series = PluginSeries::default();
        for name in ["a", "a1_b", &long[1..]] {
            assert!(series.record("p", name, vec![], ONE), "{name}");
            assert!(series.record("p", "a", labels(&[(name, "any value: \u{e9}\"\n")]), ONE), "{name}");
        }
        for name in ["", "1a", "_a", "A", "a-b", "a b", "\u{e9}", &long] {
            assert!(!series.record("p", name, vec![], ONE), "{name}");
            assert!(!series.record("p", "a", labels(&[(name, "")]), ONE), "{name}");
        }
        assert!(!series.record("p", "log_dropped", vec![], ONE), "the gateway's own");
        for refused in [&[("plugin", "q")][..], &[("le", "1")], &[("a", &long)], &[("a", "1"), ("a", "2")]] {
            assert!(!series.record("p", "a", labels(refused), ONE), "{refused:?}");
        }
        let five = [("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", "")];
        assert!(
            series.record("p", "a", labels(&five[..4]), ONE) && !series.record("p", "a", labels(&five), ONE)
        );
    }

    #[test]
    fn a_plugin_has_so_many_names_and_a_name_so_many_sets_of_labels() {
        let series = PluginSeries::default();
        let record = |plugin: &str, name: &str, set: usize| {
            series.record(plugin, name, labels(&[("set", &set.to_string())]), ONE)
        };
        for n in 0..NAMES {
            assert!(record("p", &format!("name_{n}"), 0), "{n}");
        }
        assert!(!record("p", "one_more", 0) && record("q", "one_more", 0), "each plugin has its own");
        assert!(record("p", "name_0", 0), "what is known goes on");
        for set in 1..SETS {
            assert!(record("p", "name_0", set), "{set}");
        }
        assert!(!record("p", "name_0", SETS) && record("p", "name_0", 1));
        assert!(record("p", "name_1", SETS), "each name has its own");
    }

    #[test]
    fn a_name_is_one_kind_of_metric() {
        let series = PluginSeries::default();
        assert!(
            series.record("p", "a", vec![], ONE) && series.record("p", "b", vec![], Measured::Value(0.5))
        );
        for plugin in ["p", "q"] {
            assert!(!series.record(plugin, "a", vec![], Measured::Value(0.5)));
            assert!(!series.record(plugin, "b", vec![], ONE));
        }
        assert!(!series.record("p", "b", vec![], Measured::Value(f64::NAN)));
    }

    #[test]
    fn they_are_rendered_under_their_names() {
        let metrics = Metrics::new();
        for (first, second) in [(("a", "1"), ("b", "2")), (("b", "2"), ("a", "1"))] {
            assert!(metrics.plugin_count("p", "seen", 2, labels(&[first, second])));
        }
        assert!(
            metrics.plugin_count("q", "seen", u64::MAX, vec![])
                && metrics.plugin_count("q", "seen", 1, vec![])
        );
        assert!(metrics.plugin_observe("p", "size", 3.0, labels(&[("kind", "x\"y")])));
        assert!(!metrics.plugin_observe("p", "seen", 3.0, vec![]));
        let text = metrics.render();
        let expected = [
            "# TYPE hookloom_plugin_seen counter\n",
            "hookloom_plugin_seen_total{plugin=\"p\",a=\"1\",b=\"2\"} 4\n",
            "hookloom_plugin_seen_total{plugin=\"q\"} 18446744073709551615\n",
            "# TYPE hookloom_plugin_size histogram\n",
            "hookloom_plugin_size_sum{plugin=\"p\",kind=\"x\\\"y\"} 3.0\n",
            "hookloom_plugin_size_bucket{le=\"4.096\",plugin=\"p\",kind=\"x\\\"y\"} 1\n",
            "hookloom_plugin_metrics_dropped_total{plugin=\"p\"} 1\n",
        ];
        for line in expected {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert_eq!(text.matches("# TYPE hookloom_plugin_seen ").count(), 1, "one family");
    }
}
