//! Events as a provider sends them.

use bytes::Bytes;
use hookloom::model::{Event, EventId, Header, Millis};
use serde_json::json;

/// A few headers and so many bytes of JSON, about.
pub(crate) fn event(bytes: usize) -> Event {
    let headers = [
        "accept",
        "content-type",
        "user-agent",
        "x-github-delivery",
        "x-github-event",
        "x-hub-signature-256",
    ];
    let header = |name: &str| Header { name: name.into(), value: format!("a value of {name}") };
    Event {
        id: EventId::new(1_700_000_000_000, 7),
        source: "github".into(),
        event_type: Some("issues.opened".into()),
        received_at: Millis(1_700_000_000_000),
        method: "POST".into(),
        path: "/in/github".into(),
        query: None,
        headers: headers.map(header).into(),
        body: Bytes::from(body(bytes)),
        attributes: vec![],
    }
}

/// More items for a longer body, and padding for the rest.
fn body(bytes: usize) -> String {
    let item = |i: usize| json!({"id": i, "name": format!("item {i}"), "tags": ["a", "b"]});
    let items: Vec<_> = (0..bytes * 12 / 1024).map(item).collect();
    let mut body = json!({"action": "opened", "sender": {"login": "octocat", "id": 1}, "items": items});
    let missing = bytes.saturating_sub(body.to_string().len() + 9);
    body["pad"] = "x".repeat(missing).into();
    body.to_string()
}
