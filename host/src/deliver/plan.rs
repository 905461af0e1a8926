//! When the store is worth asking next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::Millis;

/// The earliest due time that is known, and a bell for whoever asks the store.
#[derive(Debug, Default)]
pub(super) struct Plan {
    next_due: Mutex<Option<Millis>>,
    changed: Notify,
}

impl Plan {
    /// A delivery is due then.
    pub(super) fn due_at(&self, due: Millis) {
        let mut next = self.lock();
        if next.is_none_or(|known| due < known) {
            *next = Some(due);
            self.changed.notify_one();
        }
    }

    /// The earliest due time that is known.
    pub(super) fn next_due(&self) -> Option<Millis> {
        *self.lock()
    }

    /// Forgets it: the store is about to be asked.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    /// There is room again, or something else to look at.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Until any of that happens.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Millis>> {
        self.next_due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
