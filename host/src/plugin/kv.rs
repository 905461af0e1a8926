//! The import `kv`: durable values, by grant.

use std::time::Duration;

use bytes::Bytes;

use super::bindings::v0_1_0::hookloom::plugin::kv;
use super::granted::StateMode;
use super::guest::Guest;
use super::state::{StateError, StateView};

/// What a host function of the import returns: a trap, or the guest's own result.
type Answer<T> = wasmtime::Result<Result<T, kv::Error>>;

impl From<StateError> for kv::Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::TooLarge => Self::TooLarge,
            StateError::Unavailable(why) => Self::Unavailable(why),
            StateError::Other(why) => Self::Other(why),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Guest {
    /// Does something to the values of the guest's plugin: their view, its name, and what
    /// they may take.
    fn with_state<T>(
        &mut self,
        access: Access,
        act: impl FnOnce(&mut StateView, &str, u64) -> Result<T, StateError>,
    ) -> Answer<T> {
        let powers = &mut self.powers;
        let may = match powers.mode {
            StateMode::None => false,
            StateMode::ReadOnly => access == Access::Read,
            StateMode::Run => true,
        };
        let Some(state) = powers.state.as_mut().filter(|_| may && powers.granted.kv) else {
            return Ok(Err(kv::Error::AccessDenied));
        };
        let done = act(state, &self.shared.name, powers.kv_size);
        // The store may have kept the guest waiting for longer than it has.
        self.meter.check()?;
        Ok(done.map_err(kv::Error::from))
    }
}

impl kv::Host for Guest {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        let found = self.with_state(Access::Read, |state, plugin, _| state.get(plugin, &key))?;
        Ok(found.map(|value| value.map(Vec::from)))
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Answer<()> {
        let (value, ttl) = (Bytes::from(value), ttl_ms.map(Duration::from_millis));
        self.with_state(Access::Write, |state, plugin, room| state.set(plugin, &key, value, ttl, room))
    }

    fn delete(&mut self, key: String) -> Answer<()> {
        self.with_state(Access::Write, |state, plugin, _| state.delete(plugin, &key))
    }

    fn increment(&mut self, key: String, delta: i64, ttl_ms: Option<u64>) -> Answer<i64> {
        let ttl = ttl_ms.map(Duration::from_millis);
        self.with_state(Access::Write, |state, plugin, room| state.increment(plugin, &key, delta, ttl, room))
    }
}
