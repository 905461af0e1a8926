//! The plugin's own metrics, at the gateway's `/metrics` under the plugin's name.
//!
//! ```
//! use hookloom_sdk::metrics;
//!
//! metrics::count("seen", 1);
//! metrics::count_with("seen_by_provider", 1, &[("provider", "stripe")]);
//! metrics::observe("amount_eur", 12.5);
//! ```
//!
//! Names, those of labels too, are `[a-z][a-z0-9_]{0,63}`; values have at most 64 bytes. At
//! most 32 names a plugin, 4 labels and 100 different sets of labels a name; what is above
//! is dropped and counted. So a label is for what has a few values (a provider, a status),
//! never for an id.

/// Adds to a counter.
pub fn count(name: &str, delta: u64) {
    count_with(name, delta, &[]);
}

/// Adds to the counter that these labels, names and values, tell apart.
pub fn count_with(name: &str, delta: u64, labels: &[(&str, &str)]) {
    #[cfg(target_family = "wasm")]
    crate::bindings::free::hookloom::plugin::metrics::count(name, delta, &to_contract(labels));
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::count(name, delta, labels);
}

/// Adds an observation to a histogram.
pub fn observe(name: &str, value: f64) {
    observe_with(name, value, &[]);
}

/// Adds an observation to the histogram that these labels, names and values, tell apart.
pub fn observe_with(name: &str, value: f64, labels: &[(&str, &str)]) {
    #[cfg(target_family = "wasm")]
    crate::bindings::free::hookloom::plugin::metrics::observe(name, value, &to_contract(labels));
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::observe(name, value, labels);
}

#[cfg(target_family = "wasm")]
fn to_contract(labels: &[(&str, &str)]) -> Vec<crate::bindings::free::hookloom::plugin::metrics::Label> {
    labels
        .iter()
        .map(|(name, value)| crate::bindings::free::hookloom::plugin::metrics::Label {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        })
        .collect()
}
