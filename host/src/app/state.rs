//! Plugins' durable values, read from the store for a guest that waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::model::StateValue;
use crate::plugin::StateReader;
use crate::store::{Store, StoreError};

/// How long a store that does not answer keeps a guest, and the thread that calls it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The store as plugins read it, on threads that are none of the runtime's.
pub(super) struct StoredState {
    pub(super) store: Arc<dyn Store>,
    pub(super) runtime: Handle,
}

impl std::fmt::Debug for StoredState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredState")
    }
}

impl StoredState {
    fn answer<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
        match self.runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await }) {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store does not answer within {PATIENCE:?}")),
        }
    }
}

impl StateReader for StoredState {
    fn read(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, String> {
        self.answer(self.store.plugin_state(plugin, key))
    }

    fn size(&self, plugin: &str) -> Result<u64, String> {
        self.answer(self.store.plugin_state_size(plugin))
    }
}
