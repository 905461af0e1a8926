//! An event: one received webhook.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{EventId, Millis};

/// What a credential reads as once it is masked.
pub const MASK: &str = "***";

/// One HTTP header; a repeated name is several headers, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Lower case.
    pub name: String,
    /// Bytes that are not UTF-8 read as U+FFFD.
    pub value: String,
}

/// A named fact about an event that is not part of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Unique within its event.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// One received webhook, verified and with its credentials masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The gateway's id.
    pub id: EventId,
    /// The source that received it.
    pub source: String,
    /// The provider's name for what happened, where the source knows it.
    pub event_type: Option<String>,
    /// When the request was read in full.
    pub received_at: Millis,
    /// Upper case.
    pub method: String,
    /// As it came, without the query.
    pub path: String,
    /// The part behind `?`, as it came.
    pub query: Option<String>,
    /// Lower-case names, in the order received.
    pub headers: Vec<Header>,
    /// The exact bytes.
    pub body: Bytes,
    /// Facts beside the request.
    pub attributes: Vec<Attribute>,
}

impl Event {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|h| h.name == name).map(|h| h.value.as_str())
    }
}

/// An event's status, derived from its runs and deliveries; it is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// A run or a delivery is still to be done.
    Pending,
    /// Every run is processed and every delivery has arrived.
    Delivered,
    /// No route wanted it, or plugins dropped it: nothing was to be delivered.
    Dropped,
    /// A run failed or a delivery is dead or cancelled.
    Failed,
}
