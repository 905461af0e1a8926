//! The order that a destination asks for, and the key by which it is kept.

use sha2::{Digest, Sha256};

use super::{Coding, Event, Header, MAX_DECODED, Message, pointed};

/// Longer keys are hashed, so that what a sender writes cannot fill an index.
const MAX_KEY_BYTES: usize = 128;

/// Which deliveries of a destination follow each other, one at a time, in the order in
/// which their events were accepted. Those of different keys go side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// None does.
    #[default]
    None,
    /// Those of one source.
    Source,
    /// Those with the same value at this JSON pointer (RFC 6901) of the message's body.
    Json(String),
    /// Those with the same value of this (lower-case) header: as the message sets it,
    /// else as the event brought it.
    Header(String),
}

/// What a dead delivery means for those behind it in its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDead {
    /// They wait until an operator retries or cancels it.
    #[default]
    Hold,
    /// They go on.
    Skip,
}

/// A place in line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The key, unique within the destination.
    pub key: String,
    /// What its death means for those behind it.
    pub on_dead: OnDead,
}

impl Order {
    /// The key of a message; `None`: it stands in no line, because no order is asked for
    /// or the message does not have what it is ordered by.
    pub fn key(&self, event: &Event, message: &Message) -> Option<String> {
        let key = match self {
            Self::None => return None,
            Self::Source => event.source.clone(),
            Self::Json(pointer) => {
                // What is sent as it came may have come compressed.
                let coding = Coding::of_headers(&event.headers);
                match (&message.body, coding) {
                    (Some(body), _) => pointed(body, pointer)?,
                    (None, Some(coding)) => pointed(&coding.decode(&event.body, MAX_DECODED).ok()?, pointer)?,
                    (None, None) => pointed(&event.body, pointer)?,
                }
            }
            Self::Header(name) => header(name, event, message)?.to_owned(),
        };
        let too_long = key.len() > MAX_KEY_BYTES;
        Some(if too_long { format!("sha256:{}", hex::encode(Sha256::digest(&key))) } else { key })
    }
}

fn header<'a>(name: &str, event: &'a Event, message: &'a Message) -> Option<&'a str> {
    let own = |headers: &'a [Header]| headers.iter().find(|h| h.name == name).map(|h| h.value.as_str());
    let removed = message.remove_headers.iter().any(|removed| removed == name);
    own(&message.set_headers).or_else(|| if removed { None } else { own(&event.headers) })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{EventId, Millis};

    fn event() -> Event {
        Event {
            id: EventId::from_text("evt_1"),
            source: "shop".into(),
            event_type: None,
            received_at: Millis(0),
            method: "POST".into(),
            path: "/in/shop".into(),
            query: None,
            headers: vec![Header { name: "x-customer".into(), value: "from the event".into() }],
            body: Bytes::from_static(br#"{"customer":{"id":7},"name":"n","none":null}"#),
            attributes: Vec::new(),
        }
    }

    #[test]
    fn keys_are_read_from_the_produced_message() {
        let replaced = Message {
            body: Some(Bytes::from_static(br#"{"customer":{"id":"seven"}}"#)),
            set_headers: vec![Header { name: "x-customer".into(), value: "set".into() }],
            ..Message::default()
        };
        let removed = Message { remove_headers: vec!["x-customer".into()], ..Message::default() };
        let (plain, json) = (Message::default(), |pointer: &str| Order::Json(pointer.into()));
        let header = Order::Header("x-customer".into());
        let table = [
            (Order::None, &plain, None),
            (Order::Source, &plain, Some("shop")),
            (json("/customer/id"), &plain, Some("7")),
            (json("/customer/id"), &replaced, Some("seven")),
            (json("/name"), &replaced, None),
            (json("/none"), &plain, None),
            (header.clone(), &plain, Some("from the event")),
            (header.clone(), &replaced, Some("set")),
            (header, &removed, None),
        ];
        for (order, message, expected) in table {
            assert_eq!(order.key(&event(), message).as_deref(), expected, "{order:?}");
        }
    }

    #[test]
    fn a_body_that_came_compressed_is_ordered_by_what_is_inside() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, br#"{"customer":7}"#).unwrap();
        let body = Bytes::from(encoder.finish().unwrap());
        let coding = Header { name: "content-encoding".into(), value: "gzip".into() };
        let sent = Event { headers: vec![coding], body: body.clone(), ..event() };
        let order = Order::Json("/customer".into());
        assert_eq!(order.key(&sent, &Message::default()).as_deref(), Some("7"));
        let inside = Bytes::from_static(br#"{"customer":8}"#);
        let produced = Message { body: Some(inside), ..Message::default() };
        assert_eq!(order.key(&sent, &produced).as_deref(), Some("8"));
        let broken = Event { body: body.slice(..body.len() - 1), ..sent };
        assert_eq!(order.key(&broken, &Message::default()), None);
    }

    #[test]
    fn a_body_that_is_no_json_has_no_key_and_a_long_key_is_hashed() {
        let body = |bytes: &[u8]| Message { body: Some(Bytes::copy_from_slice(bytes)), ..Message::default() };
        assert_eq!(Order::Json("/a".into()).key(&event(), &body(b"not json")), None);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(10_000));
        let key = Order::Json("/a".into()).key(&event(), &body(long.as_bytes())).unwrap();
        assert!(key.starts_with("sha256:") && key.len() < MAX_KEY_BYTES, "{key}");
    }
}
