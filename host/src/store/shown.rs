//! What is shown of events and deliveries: records, lists and their filters.

use crate::model::{
    DeliveryId, DeliveryState, Event, EventId, EventState, EventTypePattern, Millis, RunState, StepRecord,
};

/// One event as it is shown.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// What came in.
    pub event: Event,
    /// By route and generation.
    pub runs: Vec<RunRecord>,
    /// In the order of their creation.
    pub deliveries: Vec<DeliveryRecord>,
    /// Repeats that were recognised.
    pub repeats: u64,
}

impl EventRecord {
    /// The event's status, from its runs and deliveries.
    pub fn state(&self) -> EventState {
        derive_state(
            self.runs.iter().map(|run| run.state),
            self.deliveries.iter().map(|delivery| delivery.state),
        )
    }
}

/// An event's status, from the states of its runs and deliveries.
pub(super) fn derive_state(
    mut runs: impl Iterator<Item = RunState> + Clone,
    mut deliveries: impl Iterator<Item = DeliveryState> + Clone,
) -> EventState {
    let none = deliveries.clone().next().is_none();
    if runs.clone().any(|run| run == RunState::Pending) || deliveries.clone().any(|state| !state.is_final()) {
        EventState::Pending
    } else if runs.any(|run| run == RunState::Failed)
        || deliveries.any(|state| state != DeliveryState::Delivered)
    {
        EventState::Failed
    } else if none {
        EventState::Dropped
    } else {
        EventState::Delivered
    }
}

/// One run as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The route's name.
    pub route: String,
    /// 0, or which replay.
    pub generation: u32,
    /// Where it stands.
    pub state: RunState,
    /// Waits for plugins or configuration.
    pub held: bool,
    /// Why it was dropped, failed, postponed or held.
    pub reason: Option<String>,
    /// Tries that ended without an end.
    pub attempts: u32,
    /// When it is due, while it is pending and not held.
    pub due: Option<Millis>,
    /// What its steps said at the last try.
    pub steps: Vec<StepRecord>,
}

/// One delivery as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its `webhook-id`.
    pub id: DeliveryId,
    /// The event it came from.
    pub event: EventId,
    /// The route's name.
    pub route: String,
    /// The destination's name.
    pub destination: String,
    /// 0, or which replay.
    pub generation: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts of its schedule that ended. A repeat of its event begins the schedule of
    /// a dead delivery anew; the earlier attempts are kept beside the new ones.
    pub attempts: u32,
    /// When the next is due, while it is pending; `None`: it waits in line.
    pub due: Option<Millis>,
    /// When it was created.
    pub created_at: Millis,
    /// When it was delivered or given up.
    pub ended_at: Option<Millis>,
    /// The key of the line in which it stands.
    pub line: Option<String>,
    /// Of a replay: the id that the message has in generation 0.
    pub replay_of: Option<DeliveryId>,
    /// The reason of the last attempt's decision.
    pub reason: Option<String>,
}

/// One event in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSummary {
    /// Its id.
    pub id: EventId,
    /// The source that received it.
    pub source: String,
    /// The provider's name for what happened.
    pub event_type: Option<String>,
    /// When it was received.
    pub received_at: Millis,
    /// Where it stands.
    pub state: EventState,
    /// Repeats that were recognised.
    pub repeats: u64,
    /// Bytes of its body.
    pub size: u64,
}

/// Which events to list; `None` takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// By source.
    pub source: Option<String>,
    /// By type.
    pub event_type: Option<EventTypePattern>,
    /// By status.
    pub state: Option<EventState>,
    /// Received then or later.
    pub since: Option<Millis>,
    /// Received before.
    pub until: Option<Millis>,
}

/// Which deliveries to list; `None` takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// By destination.
    pub destination: Option<String>,
    /// By state.
    pub state: Option<DeliveryState>,
    /// Created then or later.
    pub since: Option<Millis>,
    /// Created before.
    pub until: Option<Millis>,
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where the last page ended, as it said.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct PageOf<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next part begins; `None`: there is none.
    pub next: Option<String>,
}

/// How much is waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Runs that are pending, held ones included.
    pub runs: u64,
    /// Of these, held.
    pub held: u64,
    /// Pending deliveries by destination.
    pub deliveries: Vec<(String, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_state_follows_from_its_runs_and_deliveries() {
        use DeliveryState::{Cancelled, Dead, Delivered, Pending as Waiting};
        use RunState::{Dropped, Failed, Pending, Processed};
        let table: [(&[RunState], &[DeliveryState], EventState); 11] = [
            (&[], &[], EventState::Dropped),
            (&[Dropped, Processed], &[], EventState::Dropped),
            (&[Dropped, Processed], &[Delivered], EventState::Delivered),
            (&[Processed], &[Delivered, Delivered], EventState::Delivered),
            (&[Processed], &[Delivered, Dead], EventState::Failed),
            (&[Processed], &[Cancelled], EventState::Failed),
            (&[Failed], &[], EventState::Failed),
            (&[Failed, Processed], &[Delivered], EventState::Failed),
            (&[Pending], &[], EventState::Pending),
            (&[Pending, Failed], &[Dead], EventState::Pending),
            (&[Processed], &[Waiting, Dead], EventState::Pending),
        ];
        for (runs, deliveries, expected) in table {
            let state = derive_state(runs.iter().copied(), deliveries.iter().copied());
            assert_eq!(state, expected, "{runs:?} {deliveries:?}");
        }
    }
}
