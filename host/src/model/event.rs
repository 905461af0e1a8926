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

/// Names that say where a message goes and how it is framed: the connection's business,
/// never a plugin's or a configuration's (RFC 9110 §7.6.1, RFC 9112).
const FRAMING: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Header {
    /// All of a request or an answer, in order; a repeated name is several.
    pub fn list(map: &http::HeaderMap) -> Vec<Self> {
        let value = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        map.iter().map(|(name, v)| Self { name: name.as_str().to_owned(), value: value(v) }).collect()
    }

    /// Whether only the gateway sends that (lower-case) header.
    pub fn is_reserved(name: &str) -> bool {
        name.starts_with("webhook-") || name.starts_with("hookloom-") || FRAMING.contains(&name)
    }
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
    /// About so many bytes it takes in memory.
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|h| h.name.len() + h.value.len() + size_of::<Header>());
        let attributes =
            self.attributes.iter().map(|a| a.name.len() + a.value.len() + size_of::<Attribute>());
        size_of::<Self>() + self.body.len() + headers.sum::<usize>() + attributes.sum::<usize>()
    }

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

impl EventState {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Dropped, Self::Failed].into_iter().find(|s| s.as_str() == word)
    }
}
