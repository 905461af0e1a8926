//! Durable values of plugins, as one run sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{StateChanges, StateValue, StateWrite};

/// Longest key, in bytes; the shortest has one.
const KEY_BYTES: usize = 256;
/// Largest value, in bytes.
const VALUE_BYTES: usize = 64 << 10;
/// Operations of one call.
const OPERATIONS: u32 = 1_000;
/// Keys and values that one call may write, in bytes.
const CALL_BYTES: usize = 4 << 20;
/// Keys and values that one run may read and write, in bytes: they are in memory until it
/// is committed.
const RUN_BYTES: usize = 32 << 20;

/// Keys that one run may read or write: each is a statement of the commit that everybody
/// waits for.
const RUN_ENTRIES: usize = 10_000;
/// What an entry without a value takes beside its key, in bytes.
const ENTRY_BYTES: usize = 128;

/// Where values are read. Calls block the thread of the guest that asks.
pub trait StateReader: Debug + Send + Sync {
    /// The value as it is committed, or about to be; `None` where there is none; or why it
    /// cannot be read.
    fn read(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, String>;

    /// What the plugin's keys and values take, in bytes; 0 where nobody counts.
    fn size(&self, _plugin: &str) -> Result<u64, String> {
        Ok(0)
    }
}

/// A reader that finds nothing, for calls whose state nobody keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoState;

impl StateReader for NoState {
    fn read(&self, _: &str, _: &str) -> Result<Option<StateValue>, String> {
        Ok(None)
    }
}

/// Why an operation did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StateError {
    /// A key, a value, or what the call does in all.
    TooLarge,
    /// The store has trouble.
    Unavailable(String),
    /// What is asked for makes no sense of the value that is there, or there is no room.
    Other(String),
}

/// Plugin and key.
type Place = (String, String);

#[derive(Clone, Debug)]
struct Written {
    /// `None`: deleted.
    value: Option<Bytes>,
    ttl: Option<Duration>,
}

/// What the calls of one run read and wrote so far.
#[derive(Debug)]
pub struct StateView {
    reader: Arc<dyn StateReader>,
    /// What was there when the run first asked: its version (0: absent) and its bytes.
    seen: BTreeMap<Place, (u64, Option<Bytes>)>,
    /// What the steps before this one wrote.
    written: BTreeMap<Place, Written>,
    /// What the step's calls wrote, but for the last one.
    step: BTreeMap<Place, Written>,
    /// What the last call wrote: it can still be taken back.
    last: BTreeMap<Place, Written>,
    /// Of the last call.
    operations: u32,
    call_bytes: usize,
    run_bytes: usize,
    /// Keys read, and keys written, those taken back included.
    run_entries: usize,
    /// By how many bytes the run lets each plugin's values grow, as far as that is known.
    growth: BTreeMap<String, i64>,
}

impl StateView {
    /// Of a run that begins.
    pub fn new(reader: Arc<dyn StateReader>) -> Self {
        Self {
            reader,
            seen: BTreeMap::new(),
            written: BTreeMap::new(),
            step: BTreeMap::new(),
            last: BTreeMap::new(),
            operations: 0,
            call_bytes: 0,
            run_bytes: 0,
            run_entries: 0,
            growth: BTreeMap::new(),
        }
    }

    /// Keeps what the steps so far wrote, for good.
    pub fn begin_step(&mut self) {
        self.begin_call();
        self.written.extend(mem::take(&mut self.step));
    }

    /// Takes back what the last call wrote: it failed. What it read was read.
    pub fn take_back(&mut self) {
        self.last.clear();
    }

    /// Takes back what all calls of the step wrote: together they failed.
    pub fn take_back_step(&mut self) {
        self.last.clear();
        self.step.clear();
    }

    /// What is to be committed with the run's result. The writes have no version yet.
    pub fn into_changes(mut self) -> StateChanges {
        self.begin_step();
        let reads = self.seen.into_iter().map(|((plugin, key), (version, _))| (plugin, key, version));
        let write = |((plugin, key), Written { value, ttl })| StateWrite { plugin, key, value, ttl };
        StateChanges {
            reads: reads.collect(),
            writes: self.written.into_iter().map(write).collect(),
            version: 0,
        }
    }

    /// All of it, for the guest that is called next; an empty view stays.
    pub(super) fn lend(&mut self) -> Self {
        let empty = Self::new(Arc::clone(&self.reader));
        mem::replace(self, empty)
    }

    /// Keeps what the last call wrote, as far as its step is kept.
    pub(super) fn begin_call(&mut self) {
        self.step.extend(mem::take(&mut self.last));
        (self.operations, self.call_bytes) = (0, 0);
    }

    pub(super) fn get(&mut self, plugin: &str, key: &str) -> Result<Option<Bytes>, StateError> {
        self.operation(key)?;
        self.value(plugin, key)
    }

    /// `room`: what the plugin's keys and values may take, in bytes.
    pub(super) fn set(
        &mut self,
        plugin: &str,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        room: u64,
    ) -> Result<(), StateError> {
        self.operation(key)?;
        self.write(plugin, key, value, ttl, room)
    }

    pub(super) fn delete(&mut self, plugin: &str, key: &str) -> Result<(), StateError> {
        self.operation(key)?;
        let place = place(plugin, key);
        self.spend(key.len() + ENTRY_BYTES, self.own(&place).is_none())?;
        self.last.insert(place, Written { value: None, ttl: None });
        Ok(())
    }

    pub(super) fn increment(
        &mut self,
        plugin: &str,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
        room: u64,
    ) -> Result<i64, StateError> {
        self.operation(key)?;
        let before = match self.value(plugin, key)? {
            None => 0,
            Some(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| StateError::Other(format!("the value of `{key}` is no integer")))?,
        };
        let sum = before
            .checked_add(delta)
            .ok_or_else(|| StateError::Other(format!("{before} and {delta} are beyond 64 bits")))?;
        self.write(plugin, key, Bytes::from(sum.to_string()), ttl, room)?;
        Ok(sum)
    }

    fn operation(&mut self, key: &str) -> Result<(), StateError> {
        self.operations += 1;
        if self.operations > OPERATIONS || key.is_empty() || key.len() > KEY_BYTES {
            return Err(StateError::TooLarge);
        }
        Ok(())
    }

    /// What the run itself wrote there.
    fn own(&self, place: &Place) -> Option<&Written> {
        self.last.get(place).or_else(|| self.step.get(place)).or_else(|| self.written.get(place))
    }

    /// As the run sees it: what it wrote itself, or what was there when it first asked.
    fn value(&mut self, plugin: &str, key: &str) -> Result<Option<Bytes>, StateError> {
        let place = place(plugin, key);
        if let Some(written) = self.own(&place) {
            return Ok(written.value.clone());
        }
        if let Some((_, value)) = self.seen.get(&place) {
            return Ok(value.clone());
        }
        let found = self.reader.read(plugin, key).map_err(StateError::Unavailable)?;
        let (version, value) = found.map_or((0, None), |found| (found.version, Some(found.value)));
        self.spend(key.len() + ENTRY_BYTES + value.as_ref().map_or(0, Bytes::len), true)?;
        self.seen.insert(place, (version, value.clone()));
        Ok(value)
    }

    fn write(
        &mut self,
        plugin: &str,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        room: u64,
    ) -> Result<(), StateError> {
        let size = key.len() + value.len();
        if value.len() > VALUE_BYTES || self.call_bytes + size > CALL_BYTES {
            return Err(StateError::TooLarge);
        }
        let place = place(plugin, key);
        let grows = self.make_room(&place, size, room)?;
        self.spend(size, self.own(&place).is_none())?;
        self.call_bytes += size;
        *self.growth.entry(place.0.clone()).or_default() += grows;
        self.last.insert(place, Written { value: Some(value), ttl });
        Ok(())
    }

    /// By how much the plugin's values grow with an entry of that size, if there is room
    /// for it. What is replaced is looked up only where it decides: far from full, an entry
    /// counts as a new one.
    fn make_room(&self, place: &Place, size: usize, room: u64) -> Result<i64, StateError> {
        let (plugin, key) = place;
        let own = self.own(place).map(|written| &written.value);
        let known = own.or_else(|| self.seen.get(place).map(|(_, value)| value));
        let entry = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| count(key.len() + value.len()));
        let taken = count(self.reader.size(plugin).map_err(StateError::Unavailable)?)
            .saturating_add(self.growth.get(plugin).copied().unwrap_or(0));
        let mut grows = count(size) - known.map_or(0, entry);
        let fits = |grows: i64| grows <= 0 || taken.saturating_add(grows) <= count(room);
        if !fits(grows) && known.is_none() {
            let found = self.reader.read(plugin, key).map_err(StateError::Unavailable)?;
            grows -= entry(&found.map(|found| found.value));
        }
        if fits(grows) {
            return Ok(grows);
        }
        Err(StateError::Other(format!(
            "no room for `{key}`: the plugin's keys and values may take {room} bytes (kv_size)"
        )))
    }

    /// `new`: a key that the run has not read, or not written, so far.
    fn spend(&mut self, bytes: usize, new: bool) -> Result<(), StateError> {
        let entries = self.run_entries + usize::from(new);
        if self.run_bytes + bytes > RUN_BYTES || entries > RUN_ENTRIES {
            return Err(StateError::TooLarge);
        }
        self.run_bytes += bytes;
        self.run_entries = entries;
        Ok(())
    }
}

fn place(plugin: &str, key: &str) -> Place {
    (plugin.to_owned(), key.to_owned())
}

fn count(bytes: impl TryInto<i64>) -> i64 {
    bytes.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
