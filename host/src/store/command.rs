//! What operators ask of the store, and what the store does on its own account.

use std::time::Duration;

use super::NewRun;
use crate::model::{DeliveryState, DeliveryTransition, EventId, Millis, Secret};

/// What operators can do to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryCommand {
    /// Due at once, under the same id. A pending one goes on with its schedule, a dead or
    /// cancelled one begins it anew.
    Retry,
    /// Not sent any more.
    Cancel,
}

impl DeliveryCommand {
    /// What it does to a delivery's state.
    pub const fn transition(self) -> DeliveryTransition {
        match self {
            Self::Retry => DeliveryTransition::Retry,
            Self::Cancel => DeliveryTransition::Cancel,
        }
    }
}

/// What became of a command on a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commanded {
    /// It is in that state now.
    Done(DeliveryState),
    /// In that state this cannot be done.
    Refused(DeliveryState),
    /// There is no such delivery.
    NotFound,
}

/// An event to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Which.
    pub event: EventId,
    /// Through these routes; none: nothing is done.
    pub routes: Vec<NewRun>,
}

/// What became of one [`Replay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// Its runs of this generation are due.
    Done {
        /// 1 for the first replay.
        generation: u32,
    },
    /// No route takes it.
    NoRoute,
    /// There is no such event.
    NotFound,
}

/// What is said of a destination, beside its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationState {
    /// Its name.
    pub name: String,
    /// Since when an operator keeps its deliveries back.
    pub paused: Option<Millis>,
    /// That it wants no more, until an operator resumes it or its URL is another.
    pub disabled: Option<Disabled>,
}

/// Why a destination is disabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub since: Millis,
    /// The hash of the URL that answered so.
    pub url: String,
    /// For people.
    pub reason: String,
}

/// What can be said of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationCommand {
    /// Keep its deliveries back.
    Pause,
    /// Send them, whatever kept them back.
    Resume,
    /// It is another receiver: it is not disabled any more, but stays paused.
    Enable,
}

/// Secrets of a source that are kept. A further one is refused: each is that of a webhook
/// that is still there, for all that is known.
pub const MAX_LEARNT: usize = 16;

/// What became of a secret that a handshake handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a secret may not have been kept"]
pub enum Learning {
    /// It is kept, as the newest of its source.
    Kept,
    /// Nothing has changed: the source has [`MAX_LEARNT`] others.
    Full,
}

/// A secret that a provider handed over in a handshake.
#[derive(Clone, Debug)]
pub struct LearntSecret {
    /// The source's name.
    pub source: String,
    /// In force beside those that are configured.
    pub secret: Secret,
    /// When.
    pub at: Millis,
}

/// How long what is finished is kept. Counted from the end of an event's last run or
/// delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events of which everything was delivered or dropped.
    pub finished: Duration,
    /// Events with a failed run, or a dead or cancelled delivery.
    pub dead: Duration,
}

/// What one call of [`Store::tidy`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Events that are gone.
    pub events: usize,
    /// Keys and plugin state that are gone.
    pub expired: usize,
    /// Pages given back to the disk.
    pub pages: usize,
    /// Whether there may be more to do right now.
    pub more: bool,
}
