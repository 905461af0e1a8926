//! Bytes of events that are in memory on their way from the front door to their commit,
//! counted where they are taken in and where they are given up, so that a backlog of
//! large bodies waits on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound that is shared by those who take in. Cloning shares.
#[derive(Clone, Debug)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    /// Nothing is used of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { used: Arc::default(), bytes }
    }

    /// What is left. Takers look first and take then, so together they may exceed the
    /// budget by what each takes at once.
    pub fn left(&self) -> usize {
        self.bytes.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// Takes in so many bytes.
    pub fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives up what was taken.
    pub fn give_back(&self, bytes: usize) {
        let used = self.used.fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(used >= bytes, "{bytes} bytes are given back of {used}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_given_back() {
        let budget = Budget::new(100);
        let other = budget.clone();
        budget.take(70);
        assert_eq!(other.left(), 30);
        other.take(70);
        assert_eq!(budget.left(), 0, "takers may exceed it together");
        budget.give_back(140);
        assert_eq!(budget.left(), 100);
    }
}
