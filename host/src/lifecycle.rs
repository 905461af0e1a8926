//! Stopping: first no new work, then, when somebody hurries, no work at all.

use tokio_util::sync::CancellationToken;

/// The two stages of a shutdown. Cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take no new work; finish what is under way.
    pub soft: CancellationToken,
    /// Drop what is under way; the store has it.
    pub hard: CancellationToken,
}

impl Shutdown {
    /// Nothing is asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the next stage: soft at first, then hard.
    pub fn escalate(&self) {
        if self.soft.is_cancelled() {
            self.hard.cancel();
        } else {
            self.soft.cancel();
        }
    }
}
