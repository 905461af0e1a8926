//! What runs wrote to plugins' values and is not committed yet, so that the next run builds
//! on it without waiting for the disk. Pure: `pending.rs` shares it between threads.
//!
//! Results are admitted one after the other, and reach the store in that order. One that
//! read a value which another run has written over meanwhile is not admitted. What the
//! store refuses after all takes with it whatever was built on it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use bytes::Bytes;

use crate::model::{StateChanges, StateValue};

/// The newest values that are on their way to the store.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    plugins: HashMap<String, Namespace>,
    /// What was admitted and is not settled, in order.
    admitted: VecDeque<Admitted>,
}

#[derive(Debug, Default)]
struct Namespace {
    newest: HashMap<String, Newest>,
    /// Bytes of these keys and values: what was written over takes no room once it is
    /// committed.
    bytes: u64,
}

/// What a key holds once everything is committed.
#[derive(Debug)]
pub(super) struct Newest {
    /// Of the result that wrote it.
    version: u64,
    /// `None`: deleted.
    value: Option<Bytes>,
}

impl Newest {
    pub(super) fn value(&self) -> Option<StateValue> {
        self.value.clone().map(|value| StateValue { version: self.version, value })
    }

    /// What a run that reads it has seen; 0: absent.
    const fn seen(&self) -> u64 {
        if self.value.is_some() { self.version } else { 0 }
    }

    /// Bytes of both; a deleted key has none.
    fn size(&self, key: &str) -> u64 {
        self.value.as_ref().map_or(0, |value| key.len() + value.len()) as u64
    }
}

#[derive(Debug)]
struct Admitted {
    version: u64,
    /// Versions that it read.
    read: Vec<u64>,
    /// Plugin and key.
    wrote: Vec<(String, String)>,
}

impl Overlay {
    /// What is on its way for that key.
    pub(super) fn newest(&self, plugin: &str, key: &str) -> Option<&Newest> {
        self.plugins.get(plugin)?.newest.get(key)
    }

    /// Bytes of a plugin's keys and values on their way.
    pub(super) fn bytes(&self, plugin: &str) -> u64 {
        self.plugins.get(plugin).map_or(0, |namespace| namespace.bytes)
    }

    /// Takes a result in, known by `version`, if what it read is still so as far as is known
    /// here; of what is not on its way the store is the judge.
    #[must_use]
    pub(super) fn admit(&mut self, changes: &mut StateChanges, version: u64) -> bool {
        let other = |(plugin, key, seen): &(String, String, u64)| {
            self.newest(plugin, key).is_some_and(|newest| newest.seen() != *seen)
        };
        if changes.reads.iter().any(other) {
            return false;
        }
        if changes.writes.is_empty() {
            return true;
        }
        changes.version = version;
        let mut wrote = Vec::with_capacity(changes.writes.len());
        for write in &changes.writes {
            let namespace = self.plugins.entry(write.plugin.clone()).or_default();
            namespace.put(&write.key, Newest { version, value: write.value.clone() });
            wrote.push((write.plugin.clone(), write.key.clone()));
        }
        let read = changes.reads.iter().map(|(_, _, seen)| *seen).collect();
        self.admitted.push_back(Admitted { version, read, wrote });
        true
    }

    /// The store has committed the result of that version, or refused it: then nothing
    /// builds on it any more, nor on what did.
    pub(super) fn settle(&mut self, version: u64, committed: bool) {
        let Some(place) = self.admitted.iter().position(|one| one.version == version) else { return };
        let Some(settled) = self.admitted.remove(place) else { return };
        for (plugin, key) in &settled.wrote {
            if let Some(namespace) = self.plugins.get_mut(plugin) {
                namespace.forget(key, version);
            }
        }
        if !committed {
            self.forget_what_built_on(version, place);
        }
        for (plugin, _) in &settled.wrote {
            if self.plugins.get(plugin).is_some_and(|namespace| namespace.newest.is_empty()) {
                self.plugins.remove(plugin);
            }
        }
    }

    /// Those behind stay until the store has refused them as well.
    fn forget_what_built_on(&mut self, version: u64, from: usize) {
        let mut refused = HashSet::from([version]);
        for one in self.admitted.range(from..) {
            if !one.read.iter().any(|read| refused.contains(read)) {
                continue;
            }
            refused.insert(one.version);
            for (plugin, key) in &one.wrote {
                if let Some(namespace) = self.plugins.get_mut(plugin) {
                    namespace.forget(key, one.version);
                }
            }
        }
    }
}

impl Namespace {
    fn put(&mut self, key: &str, newest: Newest) {
        self.bytes += newest.size(key);
        if let Some(written_over) = self.newest.insert(key.to_owned(), newest) {
            self.bytes -= written_over.size(key);
        }
    }

    /// Forgets the key, unless another result has written it since.
    fn forget(&mut self, key: &str, version: u64) {
        if self.newest.get(key).is_some_and(|newest| newest.version == version)
            && let Some(forgotten) = self.newest.remove(key)
        {
            self.bytes -= forgotten.size(key);
        }
    }
}

/// The plugins whose values these changes are about.
pub(super) fn touched(changes: &StateChanges) -> BTreeSet<String> {
    let read = changes.reads.iter().map(|(plugin, _, _)| plugin);
    read.chain(changes.writes.iter().map(|write| &write.plugin)).cloned().collect()
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
