//! How events, messages and attempts look as columns.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

use super::codes;
use crate::model::{Attempt, Attribute, Event, EventId, Header, Message, Millis, Outcome};
use crate::store::StoreError;

/// A repeated list of names and values as JSON writes it: `[["a","1"],["b","2"]]`.
type Pairs<'a> = Vec<(&'a str, &'a str)>;
type OwnedPairs = Vec<(String, String)>;

#[derive(Serialize)]
struct HeadRef<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    headers: Pairs<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Pairs<'a>,
}

#[derive(Deserialize)]
struct Head {
    method: String,
    path: String,
    #[serde(default)]
    query: Option<String>,
    headers: OwnedPairs,
    #[serde(default)]
    attributes: OwnedPairs,
}

#[derive(Serialize, Deserialize)]
struct MessageHead {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: OwnedPairs,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
}

/// The `head` column of an event.
pub(super) fn head(event: &Event) -> Result<String, StoreError> {
    let head = HeadRef {
        method: &event.method,
        path: &event.path,
        query: event.query.as_deref(),
        headers: event.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect(),
        attributes: event.attributes.iter().map(|a| (a.name.as_str(), a.value.as_str())).collect(),
    };
    Ok(serde_json::to_string(&head)?)
}

/// The columns of [`event`], of `events AS e`.
pub(super) const EVENT: &str = "e.id, e.source, e.type, e.received_at, e.head, e.body";

/// The event in the columns [`EVENT`], which begin at `at`.
pub(super) fn event(row: &Row<'_>, at: usize) -> Result<Event, StoreError> {
    let head: Head = serde_json::from_str(row.get_ref(at + 4)?.as_str()?)?;
    Ok(Event {
        id: EventId::from_text(row.get::<_, String>(at)?),
        source: row.get(at + 1)?,
        event_type: row.get(at + 2)?,
        received_at: Millis(row.get(at + 3)?),
        method: head.method,
        path: head.path,
        query: head.query,
        headers: to_headers(head.headers),
        body: Bytes::copy_from_slice(row.get_ref(at + 5)?.as_blob()?),
        attributes: head.attributes.into_iter().map(|(name, value)| Attribute { name, value }).collect(),
    })
}

/// The `message` column of a delivery: nothing for a message that is the event's own.
pub(super) fn message_head(message: &Message) -> Result<Option<String>, StoreError> {
    let Message { body: _, content_type, event_type, set_headers, remove_headers } = message;
    if content_type.is_none() && event_type.is_none() && set_headers.is_empty() && remove_headers.is_empty() {
        return Ok(None);
    }
    let head = MessageHead {
        content_type: content_type.clone(),
        event_type: event_type.clone(),
        set: set_headers.iter().map(|h| (h.name.clone(), h.value.clone())).collect(),
        remove: remove_headers.clone(),
    };
    Ok(Some(serde_json::to_string(&head)?))
}

/// The message in the columns `message, body`, which begin at `at`.
pub(super) fn message(row: &Row<'_>, at: usize) -> Result<Message, StoreError> {
    let body = optional_bytes(row, at + 1)?;
    let ValueRef::Text(head) = row.get_ref(at)? else {
        return Ok(Message { body, ..Message::default() });
    };
    let head: MessageHead = serde_json::from_slice(head)?;
    Ok(Message {
        body,
        content_type: head.content_type,
        event_type: head.event_type,
        set_headers: to_headers(head.set),
        remove_headers: head.remove,
    })
}

/// The columns of [`attempt`].
pub(super) const ATTEMPT: &str = "number, started_at, duration, status, error, detail, address, decision, due, \
                                  reason, response_headers, response_body";

/// The attempt in the columns [`ATTEMPT`].
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    let outcome = match row.get(3)? {
        Some(status) => Outcome::Status(status),
        None => Outcome::Error { kind: codes::to_attempt_error(row.get(4)?)?, detail: row.get(5)? },
    };
    let address: Option<String> = row.get(6)?;
    let address = address.map(|text| text.parse()).transpose();
    let response_headers = match row.get_ref(10)? {
        ValueRef::Text(json) => to_headers(serde_json::from_slice(json)?),
        _ => Vec::new(),
    };
    Ok(Attempt {
        number: row.get(0)?,
        started_at: Millis(row.get(1)?),
        duration: Duration::from_micros(u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0)),
        outcome,
        address: address.map_err(|e| StoreError::Other(format!("an attempt's address: {e}")))?,
        response_headers,
        response_body: optional_bytes(row, 11)?.unwrap_or_default(),
        decision: codes::to_decision(row.get(7)?, row.get(8)?)?,
        reason: row.get(9)?,
    })
}

/// The `response_headers` column: nothing when there are none.
pub(super) fn headers(headers: &[Header]) -> Result<Option<String>, StoreError> {
    if headers.is_empty() {
        return Ok(None);
    }
    let pairs: Pairs<'_> = headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    Ok(Some(serde_json::to_string(&pairs)?))
}

fn to_headers(pairs: OwnedPairs) -> Vec<Header> {
    pairs.into_iter().map(|(name, value)| Header { name, value }).collect()
}

fn optional_bytes(row: &Row<'_>, at: usize) -> Result<Option<Bytes>, StoreError> {
    Ok(row.get_ref(at)?.as_blob_or_null()?.map(Bytes::copy_from_slice))
}

/// A count as `SQLite`'s signed integer.
pub(super) fn to_i64(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A count that `SQLite` gave.
pub(super) fn to_u64(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
