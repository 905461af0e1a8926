//! Durable values of plugins, as a run reads and writes them.

use std::time::Duration;

use bytes::Bytes;

/// What a run's plugins read and wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// (plugin, key, version seen; 0: absent). A mismatch is a conflict.
    pub reads: Vec<(String, String, u64)>,
    /// In order.
    pub writes: Vec<StateWrite>,
    /// What the written values are known by: never given before and never 0 where there
    /// are writes. It is given by who writes and not by the store, so that a run can build
    /// on what another is about to commit: where that is not committed, neither is this.
    pub version: u64,
}

/// One write to a plugin's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// The namespace.
    pub plugin: String,
    /// 1 to 256 bytes.
    pub key: String,
    /// `None` deletes.
    pub value: Option<Bytes>,
    /// Forgotten so long after it is committed.
    pub ttl: Option<Duration>,
}

/// A value of a plugin's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateValue {
    /// Another after each write; never 0.
    pub version: u64,
    /// The bytes.
    pub value: Bytes,
}
