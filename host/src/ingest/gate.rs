//! Whether durability can be promised now, and if not, why.

use std::sync::{Mutex, PoisonError};

/// The door: open, or closed for a reason. Written by whoever watches the disk and the
/// backlog, read at each request and by `/readyz`.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<Closed>>);

/// Why the door is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Less than `min_free_disk` is left.
    DiskLow,
    /// More than `max_backlog` events are unprocessed.
    Backlog,
    /// A write did not reach the disk.
    StoreBroken,
    /// The process is stopping.
    Stopping,
}

impl Closed {
    /// For senders and `/readyz`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DiskLow => "the disk is almost full",
            Self::Backlog => "too many events are waiting",
            Self::StoreBroken => "the store cannot write",
            Self::Stopping => "the gateway is stopping",
        }
    }
}

impl Gate {
    /// The door's state.
    pub fn state(&self) -> Option<Closed> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens (`None`) or closes it; returns whether that changed anything.
    pub fn set(&self, state: Option<Closed>) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, state) != state
    }
}
