//! A plugin's durable values for as long as one call: what `kv` reads and writes where
//! there is no store.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::model::{StateChanges, StateValue};
use crate::plugin::StateReader;

/// The values, by key. There is one plugin, so its name does not matter.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryState {
    values: BTreeMap<String, Bytes>,
}

impl MemoryState {
    /// These values.
    pub(super) const fn new(values: BTreeMap<String, Bytes>) -> Self {
        Self { values }
    }

    /// Does what the store would do for a run that succeeded. Time stands still, so a
    /// value with a time to live is there.
    pub(super) fn commit(&mut self, changes: StateChanges) {
        for write in changes.writes {
            match write.value {
                Some(value) => drop(self.values.insert(write.key, value)),
                None => drop(self.values.remove(&write.key)),
            }
        }
    }

    /// The values as they are now.
    pub(super) fn into_values(self) -> BTreeMap<String, Bytes> {
        self.values
    }
}

impl StateReader for MemoryState {
    fn read(&self, _plugin: &str, key: &str) -> Result<Option<StateValue>, String> {
        Ok(self.values.get(key).map(|value| StateValue { version: 1, value: value.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StateWrite;

    #[test]
    fn writes_are_done_in_their_order() {
        let mut state =
            MemoryState::new(BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2".into())]));
        let write = |key: &str, value: Option<&'static str>| StateWrite {
            plugin: "p".into(),
            key: key.into(),
            value: value.map(Bytes::from),
            ttl: None,
        };
        let writes = vec![write("a", None), write("c", Some("3")), write("c", Some("4"))];
        state.commit(StateChanges { writes, ..StateChanges::default() });
        assert_eq!(state.read("p", "a").unwrap(), None);
        assert_eq!(state.read("p", "c").unwrap().map(|found| found.value), Some("4".into()));
        assert_eq!(state.into_values().into_keys().collect::<Vec<_>>(), ["b", "c"]);
    }
}
