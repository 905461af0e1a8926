//! What the contract lets plugins import: log, clock, random and metrics here; what needs
//! a grant in `kv.rs` and `secrets.rs`.

use std::sync::atomic::Ordering;

use tracing::Level;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::v0_1_0::hookloom::plugin::{clock, kv, log, metrics, random, reveal, secrets, types};
use super::guest::Guest;
use super::wasi::nanos;

/// Links all of them. What needs a grant is linked for everyone: a component that imports
/// it without one does not get here, and every call asks again.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    log::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    clock::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    random::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    metrics::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    kv::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    secrets::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
    reveal::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)?;
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
        let handed = fields.iter().map(|f| f.name.len() + f.value.len()).sum::<usize>();
        self.receive(message.len() + handed)?;
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
    fn count(&mut self, name: String, delta: u64, labels: Vec<metrics::Label>) -> wasmtime::Result<()> {
        let recorded = self.shared.metrics.plugin_count(&self.shared.name, &name, delta, pairs(labels));
        self.measured(recorded);
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64, labels: Vec<metrics::Label>) -> wasmtime::Result<()> {
        let recorded = self.shared.metrics.plugin_observe(&self.shared.name, &name, value, pairs(labels));
        self.measured(recorded);
        Ok(())
    }
}

impl Guest {
    fn measured(&self, recorded: bool) {
        if !recorded {
            self.shared.metrics_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn pairs(labels: Vec<metrics::Label>) -> Vec<(String, String)> {
    labels.into_iter().map(|label| (label.name, label.value)).collect()
}
