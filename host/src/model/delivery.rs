//! A delivery (one message for one destination), its attempts, and the one
//! transition function of its state.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, Event, Header, Millis};

/// What is sent: what the route's steps made of the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// `None`: the event's own bytes.
    pub body: Option<Bytes>,
    /// `None`: the event's own.
    pub content_type: Option<String>,
    /// What `hookloom-event-type` says; `None`: the event's own.
    pub event_type: Option<String>,
    /// Headers that steps set, lower case; they win over forwarded ones.
    pub set_headers: Vec<Header>,
    /// Lower-case names that are not forwarded.
    pub remove_headers: Vec<String>,
}

/// One message for one destination, claimed for an attempt.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its `webhook-id`.
    pub id: DeliveryId,
    /// The event it came from.
    pub event: Arc<Event>,
    /// The route's name.
    pub route: String,
    /// The destination's name.
    pub destination: String,
    /// 0, or which replay it belongs to.
    pub generation: u32,
    /// Of a replay: the id that the message has in generation 0.
    pub replay_of: Option<DeliveryId>,
    /// What is sent.
    pub message: Message,
    /// Attempts that ended before this claim.
    pub attempts: u32,
    /// Names the lease under which it was claimed.
    pub lease: u64,
}

impl Delivery {
    /// The bytes that are sent and signed.
    pub fn body(&self) -> &Bytes {
        self.message.body.as_ref().unwrap_or(&self.event.body)
    }
}

/// Where a delivery stands.
///
/// ```text
///            attempt: retry
///            ┌────┐
///            ▼    │   attempt: 2xx
/// (commit) pending ──────────────► delivered
///            ▲  │ └──────────────► dead        attempts are used up
///            │  └────────────────► cancelled   by an operator; so can dead
///            └──── retry by an operator, or a repeat of the event ◄── dead | cancelled
/// ```
///
/// A delivery that is cancelled during an attempt is delivered all the same when that
/// attempt arrives: what happened is what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be attempted at its due time.
    Pending,
    /// A destination answered 2xx.
    Delivered,
    /// Given up and kept.
    Dead,
    /// Taken back by an operator.
    Cancelled,
}

/// What can happen to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryTransition {
    /// An attempt ended with this decision.
    Attempted(Decision),
    /// It is to be sent again: an operator says so, or the event came again.
    Retry,
    /// An operator takes it back.
    Cancel,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision", content = "due")]
pub enum Decision {
    /// It arrived.
    Delivered,
    /// The next attempt is due then.
    Retry(Millis),
    /// Given up.
    Dead,
}

impl Decision {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry(_) => "retry",
            Self::Dead => "dead",
        }
    }
}

impl DeliveryState {
    /// The state after `transition`, or `None` where that cannot happen. A delivered one
    /// never becomes pending again: that would be a second delivery of the same id.
    pub const fn apply(self, transition: DeliveryTransition) -> Option<Self> {
        match (self, transition) {
            (Self::Pending, DeliveryTransition::Attempted(decision)) => Some(match decision {
                Decision::Delivered => Self::Delivered,
                Decision::Retry(_) => Self::Pending,
                Decision::Dead => Self::Dead,
            }),
            (Self::Cancelled, DeliveryTransition::Attempted(decision)) => Some(match decision {
                Decision::Delivered => Self::Delivered,
                Decision::Retry(_) | Decision::Dead => Self::Cancelled,
            }),
            (Self::Pending | Self::Dead, DeliveryTransition::Cancel) => Some(Self::Cancelled),
            (Self::Pending | Self::Dead | Self::Cancelled, DeliveryTransition::Retry) => Some(Self::Pending),
            _ => None,
        }
    }

    /// Whether nothing more happens to it by itself.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending)
    }

    /// The word used in tables, JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Dead, Self::Cancelled].into_iter().find(|s| s.as_str() == word)
    }
}

/// What one HTTP try came to. A destination that refuses or is not there is an
/// outcome, not an error of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The destination answered with this status.
    Status(u16),
    /// It did not answer.
    Error {
        /// Which part failed.
        kind: AttemptError,
        /// For people.
        detail: String,
    },
}

/// The part of an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptError {
    /// The name did not resolve.
    Dns,
    /// No connection.
    Connect,
    /// No agreement on TLS, or a certificate that is not trusted.
    Tls,
    /// No complete answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// The address is not one that destinations may resolve to.
    RefusedByGuard,
    /// The destination is misconfigured: no signature can be made for it.
    Unsignable,
    /// The head of the answer is larger than anybody's is.
    TooLarge,
    /// The answer is not HTTP, or anything else.
    Other,
}

impl AttemptError {
    /// The word used in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::RefusedByGuard => "refused-by-guard",
            Self::Unsignable => "unsignable",
            Self::TooLarge => "too-large",
            Self::Other => "other",
        }
    }
}

/// The record of one HTTP try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: Millis,
    /// Until the answer was read or the failure known.
    pub duration: Duration,
    /// What it came to.
    pub outcome: Outcome,
    /// The address that was dialled, where a connection was made.
    pub address: Option<SocketAddr>,
    /// Of the response, those that explain it.
    pub response_headers: Vec<Header>,
    /// At most 4 KiB.
    pub response_body: Bytes,
    /// What follows.
    pub decision: Decision,
    /// Why, for people.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryState::{Cancelled, Dead, Delivered, Pending};

    #[test]
    fn every_transition() {
        let delivered = DeliveryTransition::Attempted(Decision::Delivered);
        let retry = DeliveryTransition::Attempted(Decision::Retry(Millis(1)));
        let dead = DeliveryTransition::Attempted(Decision::Dead);
        let table = [
            (Pending, [Some(Delivered), Some(Pending), Some(Dead), Some(Pending), Some(Cancelled)]),
            (Delivered, [None; 5]),
            (Dead, [None, None, None, Some(Pending), Some(Cancelled)]),
            (Cancelled, [Some(Delivered), Some(Cancelled), Some(Cancelled), Some(Pending), None]),
        ];
        for (from, expected) in table {
            let transitions = [delivered, retry, dead, DeliveryTransition::Retry, DeliveryTransition::Cancel];
            for (transition, to) in transitions.into_iter().zip(expected) {
                assert_eq!(from.apply(transition), to, "{from:?} {transition:?}");
            }
        }
    }
}
