//! Alerts: what operators want to hear of, raised where it happens and turned into
//! events of the source `hookloom`, which routes send anywhere like those of any other.
//!
//! Raising never waits and never fails: a stage goes on whether anybody listens or not.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{DeliveryId, EventId};

/// The name of the source that alerts come from; no configured source may have it.
pub const SOURCE: &str = "hookloom";

/// Alerts that may wait to become events; beyond that they are dropped, because a flood
/// of them says no more than the first ones did.
const QUEUE: usize = 1024;

/// Something that operators want to hear of.
#[derive(Clone, Debug, PartialEq)]
pub enum Alert {
    /// A destination answered that it wants no more.
    DestinationDisabled {
        /// Its name.
        destination: String,
        /// For people.
        reason: String,
    },
    /// A destination failed so often in a row that it is left alone for a while.
    BreakerOpen {
        /// Its name.
        destination: String,
        /// Failures in a row.
        failures: u32,
        /// Until it is tried again.
        pause: Duration,
    },
    /// A delivery was given up.
    DeliveryDead {
        /// Its destination.
        destination: String,
        /// Its id.
        delivery: DeliveryId,
        /// The event it came from.
        event: EventId,
        /// For people.
        reason: String,
    },
    /// An event's runs were given up before they began.
    RunDead {
        /// The event's source.
        source: String,
        /// The routes whose runs they are.
        routes: Vec<String>,
        /// The event.
        event: EventId,
        /// For people.
        reason: String,
    },
    /// A call of a plugin failed.
    PluginFailed {
        /// Its name.
        plugin: String,
        /// The route, where it was called for one.
        route: Option<String>,
        /// The source, where it was to verify a request.
        source: Option<String>,
        /// The event it was called for, where there is one.
        event: Option<EventId>,
        /// For people.
        reason: String,
    },
    /// More is waiting than is good.
    BacklogHigh {
        /// Unprocessed runs.
        runs: u64,
        /// Runs beyond which the door closes.
        max: u64,
    },
}

impl Alert {
    /// The type of its event.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::DestinationDisabled { .. } => "hookloom.destination.disabled",
            Self::BreakerOpen { .. } => "hookloom.breaker_open",
            Self::DeliveryDead { .. } => "hookloom.delivery_dead",
            Self::RunDead { .. } => "hookloom.run_dead",
            Self::PluginFailed { .. } => "hookloom.plugin_failed",
            Self::BacklogHigh { .. } => "hookloom.backlog_high",
        }
    }
}

/// Where alerts are raised. Cloning shares.
#[derive(Clone, Debug)]
pub struct Alerts(mpsc::Sender<Alert>);

impl Alerts {
    /// With the end at which they come out.
    pub fn new() -> (Self, mpsc::Receiver<Alert>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Raises one; drops it when too many wait, or nobody listens any more.
    pub fn raise(&self, alert: Alert) {
        if self.0.try_send(alert).is_err() {
            tracing::debug!("an alert was dropped: too many are waiting");
        }
    }
}
