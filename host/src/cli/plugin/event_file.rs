//! The event of an event file or a fixture.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::node::Node;
use crate::model::{Attribute, Event, EventId, Header, Millis};

/// The id of an event whose file gives none.
const ID: &str = "evt_test";

/// What an event is made of, and what the admin API shows beside it, which is passed over.
const KEYS: [&str; 17] = [
    "id",
    "source",
    "type",
    "method",
    "path",
    "query",
    "headers",
    "body",
    "body_text",
    "body_base64",
    "attributes",
    "received_at",
    "received_at_ms",
    "status",
    "repeats",
    "runs",
    "deliveries",
];

/// A body as a file writes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// `body`: JSON.
    Json(Value),
    /// `body_text` or `body_base64`: these bytes.
    Exact(Bytes),
}

impl Body {
    /// The bytes; JSON is written without spaces, its keys in the file's order.
    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Self::Json(value) => value.to_string().into(),
            Self::Exact(bytes) => bytes.clone(),
        }
    }

    /// The key and value that say these bytes: as JSON where they are, then as text.
    pub(super) fn written(bytes: &[u8]) -> (&'static str, Value) {
        match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
            (Ok(value), _) => ("body", value),
            (Err(_), Ok(text)) => ("body_text", json!(text)),
            (Err(_), Err(_)) => ("body_base64", json!(BASE64_STANDARD.encode(bytes))),
        }
    }
}

/// The event at that place. What the file does not say is as in a `POST` without a body,
/// received `now`. All but `source` may be missing.
pub(super) fn read(at: &Node<'_>, now: Millis) -> Result<Event, String> {
    at.object(&KEYS)?;
    let text = |key: &str| at.get(key).map(|node| node.text().map(str::to_owned)).transpose();
    let source = text("source")?.ok_or_else(|| at.wrong("`source` is missing: the name of the source"))?;
    let received_at = match (at.get("received_at"), at.get("received_at_ms")) {
        (Some(instant), _) => instant.instant()?,
        (None, Some(ms)) => {
            Millis(ms.value.as_i64().ok_or_else(|| ms.wrong("must be milliseconds since 1970"))?)
        }
        (None, None) => now,
    };
    let mut headers = headers(at)?;
    let body = body(at)?;
    let has_type = headers.iter().any(|header| header.name == "content-type");
    if matches!(body, Some(Body::Json(_))) && !has_type {
        headers.push(Header { name: "content-type".into(), value: "application/json".into() });
    }
    Ok(Event {
        id: EventId::from_text(text("id")?.unwrap_or_else(|| ID.to_owned())),
        event_type: text("type")?,
        received_at,
        method: text("method")?.unwrap_or_else(|| "POST".to_owned()),
        path: text("path")?.unwrap_or_else(|| format!("/in/{source}")),
        query: text("query")?,
        headers,
        body: body.map(|body| body.bytes()).unwrap_or_default(),
        attributes: attributes(at)?.into_iter().map(|(name, value)| Attribute { name, value }).collect(),
        source,
    })
}

/// `headers`, in their order; a list of values is a repeated header.
fn headers(at: &Node<'_>) -> Result<Vec<Header>, String> {
    let mut headers = Vec::new();
    for (name, values) in at.get("headers").map(|node| node.members()).transpose()?.unwrap_or_default() {
        let header = |value: &str| Header { name: name.to_ascii_lowercase(), value: value.to_owned() };
        headers.extend(values.texts()?.into_iter().map(header));
    }
    Ok(headers)
}

/// `attributes`, by name.
pub(super) fn attributes(at: &Node<'_>) -> Result<Vec<(String, String)>, String> {
    let members = at.get("attributes").map(|node| node.members()).transpose()?.unwrap_or_default();
    members.into_iter().map(|(name, value)| Ok((name.to_owned(), value.text()?.to_owned()))).collect()
}

/// The one of `body`, `body_text` and `body_base64` that is there. A body may be `null`,
/// which is JSON as well.
pub(super) fn body(at: &Node<'_>) -> Result<Option<Body>, String> {
    let json = at.value.get("body").cloned().map(Body::Json);
    let text = at.get("body_text").map(|node| node.text().map(|text| Body::Exact(text.to_owned().into())));
    let base64 = at.get("body_base64").map(|node| {
        let bytes = BASE64_STANDARD.decode(node.text()?);
        bytes
            .map(|bytes| Body::Exact(bytes.into()))
            .map_err(|error| node.wrong(&format!("no base64: {error}")))
    });
    let mut found = json.map(Ok).into_iter().chain(text).chain(base64);
    match (found.next(), found.next()) {
        (body, None) => body.transpose(),
        _ => Err(at.wrong("more than one of `body`, `body_text` and `body_base64`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: &Value) -> Result<Event, String> {
        read(&Node::top(value), Millis(7))
    }

    #[test]
    fn what_is_missing_is_as_in_a_plain_post() {
        let event = event(&json!({ "source": "s" })).unwrap();
        assert_eq!(event.id.as_str(), "evt_test");
        assert_eq!((event.method.as_str(), event.path.as_str()), ("POST", "/in/s"));
        assert_eq!((event.received_at, event.headers.len(), event.body.len()), (Millis(7), 0, 0));
    }

    #[test]
    fn json_bodies_have_their_keys_in_order_and_a_content_type() {
        let event = event(&json!({ "source": "s", "body": { "b": 1, "a": [2] } })).unwrap();
        assert_eq!(&event.body[..], br#"{"b":1,"a":[2]}"#);
        assert_eq!(event.header("content-type"), Some("application/json"));
    }

    #[test]
    fn repeated_headers_keep_their_order() {
        let event = event(&json!({ "source": "s", "headers": { "X-B": ["1", "2"], "x-a": "3" } })).unwrap();
        let pairs: Vec<_> = event.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
        assert_eq!(pairs, [("x-b", "1"), ("x-b", "2"), ("x-a", "3")]);
    }

    #[test]
    fn what_the_admin_api_shows_is_an_event_file() {
        let shown = json!({
            "source": "s", "type": null, "query": null, "received_at": "1970-01-01T00:00:01Z", "body_text": "x",
            "id": "evt_1", "status": "failed", "repeats": 0, "runs": [], "deliveries": [],
        });
        let event = event(&shown).unwrap();
        assert_eq!((event.received_at, event.event_type, &event.body[..]), (Millis(1000), None, &b"x"[..]));
    }

    #[test]
    fn mistakes_are_named() {
        let table = [
            (json!({}), "`source` is missing: the name of the source"),
            (json!({ "source": 1 }), "source: must be a text"),
            (json!({ "source": "s", "boddy": 1 }), "unknown field `boddy`; known are id, source"),
            (json!({ "source": "s", "body_base64": "Zg=" }), "body_base64: no base64: "),
            (json!({ "source": "s", "body": 1, "body_text": "" }), "more than one of `body`, `body_text`"),
            (json!({ "source": "s", "headers": { "a": 1 } }), "headers.a: must be a text or a list of texts"),
            (json!({ "source": "s", "received_at": "now" }), "received_at: must be an instant"),
        ];
        for (file, message) in table {
            let error = event(&file).unwrap_err();
            assert!(error.starts_with(message), "{file}: {error}");
        }
    }

    #[test]
    fn bodies_are_written_so_that_people_can_read_them() {
        assert_eq!(Body::written(b"{\"a\": 1}"), ("body", json!({ "a": 1 })));
        assert_eq!(Body::written(b"plain"), ("body_text", json!("plain")));
        assert_eq!(Body::written(&[0xff, 0xfe]), ("body_base64", json!("//4=")));
    }
}
