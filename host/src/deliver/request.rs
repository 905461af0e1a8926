//! The headers of an attempt. Pure.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::model::{Delivery, Header, MASK, Millis};

use super::destination::Destination;
use super::sign::sign;

const AGENT: &str = concat!("hookloom/", env!("CARGO_PKG_VERSION"));

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const EVENT_ID: HeaderName = HeaderName::from_static("hookloom-event-id");
const SOURCE: HeaderName = HeaderName::from_static("hookloom-source");
const EVENT_TYPE: HeaderName = HeaderName::from_static("hookloom-event-type");
const ATTEMPT: HeaderName = HeaderName::from_static("hookloom-attempt");
const REPLAY_OF: HeaderName = HeaderName::from_static("hookloom-replay-of");

/// All headers of an attempt that begins at `at`.
///
/// In rising precedence: what describes the body, the event's headers that the
/// destination forwards, those that steps set, those that the destination configures,
/// and the gateway's own. A text that is no header value is left out.
pub(super) fn headers(delivery: &Delivery, destination: &Destination, at: Millis) -> HeaderMap {
    let mut map =
        HeaderMap::with_capacity(16 + destination.headers.len() + destination.forward_headers.len());
    map.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    carry(&mut map, delivery, &destination.forward_headers);
    for (i, header) in delivery.message.set_headers.iter().enumerate() {
        let Ok(name) = HeaderName::from_bytes(header.name.as_bytes()) else { continue };
        if Header::is_reserved(name.as_str()) {
            continue;
        }
        let again = delivery.message.set_headers[..i].iter().any(|earlier| earlier.name == header.name);
        put(&mut map, name, &header.value, again);
    }
    for (i, (name, value)) in destination.headers.iter().enumerate() {
        if destination.headers[..i].iter().any(|(earlier, _)| earlier == name) {
            map.append(name, value.clone());
        } else {
            map.insert(name, value.clone());
        }
    }
    own(&mut map, delivery, destination, at);
    map
}

/// What comes from the event, unless a step removed it: the content type and encoding,
/// which belong to the body, and what the destination forwards.
fn carry(map: &mut HeaderMap, delivery: &Delivery, forward: &[HeaderName]) {
    let (event, message) = (&delivery.event, &delivery.message);
    let removed = |name: &str| message.remove_headers.iter().any(|r| r == name);
    let forwards = |name: &&HeaderName| {
        !removed(name.as_str()) && !Header::is_reserved(name.as_str()) && *name != CONTENT_ENCODING
    };
    // How the body is compressed, as long as it is the body that was sent.
    let as_sent = message.body.is_none() && !removed(CONTENT_ENCODING.as_str());
    let coding = as_sent.then_some(&CONTENT_ENCODING);
    for name in forward.iter().filter(forwards).chain(coding) {
        let values = event.headers.iter().filter(|h| h.name == name.as_str() && h.value != MASK);
        for (i, header) in values.enumerate() {
            put(map, name.clone(), &header.value, i > 0);
        }
    }
    let kept = event.header(CONTENT_TYPE.as_str()).filter(|_| !removed(CONTENT_TYPE.as_str()));
    if let Some(content_type) = message.content_type.as_deref().or(kept) {
        put(map, CONTENT_TYPE, content_type, false);
    }
}

fn own(map: &mut HeaderMap, delivery: &Delivery, destination: &Destination, at: Millis) {
    let event = &delivery.event;
    put(map, WEBHOOK_ID, delivery.id.as_str(), false);
    map.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(at.as_secs()));
    if !destination.keys.is_empty() {
        let signature = sign(&destination.keys, delivery.id.as_str(), at, delivery.body());
        put(map, WEBHOOK_SIGNATURE, &signature, false);
    }
    if let Some(original) = &delivery.replay_of {
        put(map, REPLAY_OF, original.as_str(), false);
    }
    put(map, EVENT_ID, event.id.as_str(), false);
    put(map, SOURCE, &event.source, false);
    if let Some(event_type) = delivery.message.event_type.as_deref().or(event.event_type.as_deref()) {
        put(map, EVENT_TYPE, event_type, false);
    }
    map.insert(ATTEMPT, HeaderValue::from(delivery.attempts.saturating_add(1)));
}

fn put(map: &mut HeaderMap, name: HeaderName, value: &str, again: bool) {
    let Ok(value) = HeaderValue::from_str(value).or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
    else {
        return;
    };
    if again {
        map.append(name, value);
    } else {
        map.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::deliver::SigningKey;
    use crate::model::{DeliveryId, Event, EventId, Header, Message};

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    fn delivery(headers: &[(&str, &str)], message: Message) -> Delivery {
        let event = Event {
            id: EventId::from_text("evt_1"),
            source: "github".into(),
            event_type: Some("issues.opened".into()),
            received_at: Millis(0),
            method: "POST".into(),
            path: "/in/github".into(),
            query: None,
            headers: headers.iter().map(|(name, value)| header(name, value)).collect(),
            body: Bytes::from_static(b"{}"),
            attributes: Vec::new(),
        };
        Delivery {
            id: DeliveryId::from_text("msg_1"),
            event: Arc::new(event),
            route: "r".into(),
            destination: "crm".into(),
            generation: 0,
            replay_of: None,
            message,
            attempts: 2,
            lease: 1,
        }
    }

    fn destination() -> Destination {
        Destination::new("crm", "https://crm.example.com/hooks".parse().unwrap())
    }

    fn shown(map: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> = map.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_plain_case() {
        let map = headers(
            &delivery(&[("content-type", "application/json")], Message::default()),
            &destination(),
            Millis(5_999),
        );
        let expected = [
            "content-type: application/json",
            "hookloom-attempt: 3",
            "hookloom-event-id: evt_1",
            "hookloom-event-type: issues.opened",
            "hookloom-source: github",
            &format!("user-agent: hookloom/{}", env!("CARGO_PKG_VERSION")),
            "webhook-id: msg_1",
            "webhook-timestamp: 5",
        ];
        assert_eq!(shown(&map), expected);
    }

    #[test]
    fn the_signature_is_there_with_keys_and_covers_the_produced_body() {
        let mut destination = destination();
        destination.keys = vec![SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()];
        let message = Message { body: Some(Bytes::from_static(b"other")), ..Message::default() };
        let map = headers(&delivery(&[], message), &destination, Millis(1_000));
        let expected = sign(&destination.keys, "msg_1", Millis(1_000), b"other");
        assert_eq!(map["webhook-signature"], expected.as_str());
        assert!(!map.contains_key("content-type"));
    }

    #[test]
    fn later_layers_win_and_repeated_names_stay_together() {
        let mut destination = destination();
        destination.forward_headers = ["x-a", "x-b", "x-c", "x-masked"].map(HeaderName::from_static).into();
        destination.headers = vec![(HeaderName::from_static("x-b"), HeaderValue::from_static("configured"))];
        let message = Message {
            set_headers: vec![
                header("x-b", "set"),
                header("x-d", "1"),
                header("x-d", "2"),
                header("webhook-id", "forged"),
                header("content-length", "1"),
                header("x-bad", "a\nb"),
            ],
            remove_headers: vec!["x-c".into()],
            content_type: Some("text/plain".into()),
            event_type: Some("renamed".into()),
            ..Message::default()
        };
        let incoming = [
            ("content-type", "application/json"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-b", "in"),
            ("x-c", "in"),
            ("x-masked", MASK),
            ("x-unlisted", "in"),
        ];
        let map = headers(&delivery(&incoming, message), &destination, Millis(0));
        let values = |name: &str| map.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(values("x-a"), ["1", "2"]);
        assert_eq!(values("x-b"), ["configured"]);
        assert_eq!(values("x-d"), ["1", "2"]);
        assert_eq!(values("webhook-id"), ["msg_1"]);
        assert_eq!(values("content-type"), ["text/plain"]);
        assert_eq!(values("hookloom-event-type"), ["renamed"]);
        for absent in ["x-c", "x-masked", "x-unlisted", "x-bad", "content-length"] {
            assert!(!map.contains_key(absent), "{absent}");
        }
    }

    #[test]
    fn the_encoding_goes_with_the_bytes_that_were_sent_and_with_no_others() {
        let mut destination = destination();
        let of = |destination: &Destination, message| {
            let map = headers(&delivery(&[("content-encoding", "gzip")], message), destination, Millis(0));
            map.get("content-encoding").map(|value| value.to_str().unwrap().to_owned())
        };
        let other = || Message { body: Some(Bytes::from_static(b"{}")), ..Message::default() };
        let own = Message { set_headers: vec![header("content-encoding", "br")], ..other() };
        let removed = Message { remove_headers: vec!["content-encoding".into()], ..Message::default() };
        assert_eq!(of(&destination, Message::default()).as_deref(), Some("gzip"));
        assert_eq!(of(&destination, own).as_deref(), Some("br"));
        assert_eq!(of(&destination, removed), None);
        assert_eq!(of(&destination, other()), None);
        destination.forward_headers = vec![CONTENT_ENCODING];
        assert_eq!(of(&destination, Message::default()).as_deref(), Some("gzip"));
        assert_eq!(of(&destination, other()), None);
    }

    #[test]
    fn a_removed_content_type_is_gone() {
        let message = Message { remove_headers: vec!["content-type".into()], ..Message::default() };
        let map = headers(&delivery(&[("content-type", "a/b")], message), &destination(), Millis(0));
        assert!(!map.contains_key("content-type"));
    }

    #[test]
    fn reserved_names() {
        for name in ["webhook-id", "webhook-anything", "hookloom-source", "host", "content-length", "te"] {
            assert!(Header::is_reserved(name), "{name}");
        }
        for name in ["authorization", "content-type", "x-webhook-id", "user-agent", "cookie"] {
            assert!(!Header::is_reserved(name), "{name}");
        }
    }
}
