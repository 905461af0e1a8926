//! What the contract lets every plugin import: log, clock, random, metrics.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tracing::Level;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::v0_1_0::hookloom::plugin::{clock, log, metrics, random, types};
use super::guest::Guest;
use super::limits::METRIC_NAMES;
use super::wasi::nanos;

/// Longest name of a metric, in bytes.
const METRIC_NAME_BYTES: usize = 64;

/// Links them.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    log::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    clock::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    random::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    metrics::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    types::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn log(&mut self, level: log::Level, message: String, fields: Vec<log::Field>) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => Level::TRACE,
            log::Level::Debug => Level::DEBUG,
            log::Level::Info => Level::INFO,
            log::Level::Warn => Level::WARN,
            log::Level::Error => Level::ERROR,
        };
        self.journal.log(level, &message, fields.iter().map(|f| (f.name.as_str(), f.value.as_str())));
        Ok(())
    }
}

impl clock::Host for Guest {
    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.shared.clock.now().0).unwrap_or(0))
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        Ok(nanos(&self.shared.clock))
    }
}

impl random::Host for Guest {
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len.into())
    }

    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random_u64())
    }
}

impl metrics::Host for Guest {
    fn count(&mut self, name: String, delta: u64) -> wasmtime::Result<()> {
        if self.may_measure(&name) {
            self.shared.metrics.plugin_count(&self.shared.name, &name, delta);
        }
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64) -> wasmtime::Result<()> {
        if self.may_measure(&name) {
            self.shared.metrics.plugin_observe(&self.shared.name, &name, value);
        }
        Ok(())
    }
}

impl Guest {
    /// Whether the name is one, and among the first that the plugin used.
    fn may_measure(&self, name: &str) -> bool {
        let mut names = self.shared.metric_names.lock().unwrap_or_else(PoisonError::into_inner);
        let may = names.contains(name)
            || (is_metric_name(name) && names.len() < METRIC_NAMES && names.insert(name.to_owned()));
        if !may {
            self.shared.metrics_dropped.fetch_add(1, Ordering::Relaxed);
            self.shared.metrics.plugin_metric_dropped(&self.shared.name);
        }
        may
    }
}

/// `[a-z][a-z0-9_]{0,63}`
fn is_metric_name(name: &str) -> bool {
    name.len() <= METRIC_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names() {
        for name in ["a", "a1_b", &"x".repeat(64)] {
            assert!(is_metric_name(name), "{name}");
        }
        for name in ["", "1a", "_a", "A", "a-b", "a b", "é", &"x".repeat(65)] {
            assert!(!is_metric_name(name), "{name}");
        }
    }
}
