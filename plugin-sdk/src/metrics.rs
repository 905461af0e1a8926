//! The plugin's own metrics, at the gateway's `/metrics` under the plugin's name.
//!
//! Names are `[a-z][a-z0-9_]{0,63}`, at most 32 a plugin; what is above is dropped and
//! counted.

/// Adds to a counter.
pub fn count(name: &str, delta: u64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::lifecycle::hookloom::plugin::metrics::count(name, delta);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::count(name, delta);
}

/// Adds an observation to a histogram.
pub fn observe(name: &str, value: f64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::lifecycle::hookloom::plugin::metrics::observe(name, value);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::observe(name, value);
}
