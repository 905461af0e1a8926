//! `GET /api/v1/events` and `GET /api/v1/events/{id}`: what came in, what the steps
//! said, where it went.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::question::{self, EventWords};
use super::{Parts, deliveries};
use crate::model::{Coding, Event, EventId, MAX_DECODED, format_rfc3339};
use crate::store::{EventSummary, RunRecord};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    source: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    status: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(parts): State<Parts>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let ListQuery { source, event_type, status, since, until, cursor, limit } = question::query(query)?;
    let filter = EventWords { source, event_type, status, since, until }.filter(parts.clock.now())?;
    let found = parts.store.events(filter, question::page(cursor, limit)).await?;
    let items: Vec<_> = found.items.iter().map(summary).collect();
    Ok(Json(json!({ "items": items, "next": found.next })))
}

fn summary(event: &EventSummary) -> Value {
    json!({
        "id": event.id,
        "source": event.source,
        "type": event.event_type,
        "received_at": format_rfc3339(event.received_at),
        "status": event.state,
        "repeats": event.repeats,
        "size": event.size,
    })
}

pub(super) async fn show(
    State(parts): State<Parts>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    // What is no text is no id either.
    let Path(id) = id.map_err(|_| Problem::NotFound("no such event"))?;
    let id = EventId::from_text(id);
    let record = parts.store.event(&id).await?.ok_or(Problem::NotFound("no such event"))?;
    let deliveries: Vec<_> = record.deliveries.iter().map(deliveries::summary).collect();
    let runs: Vec<_> = record.runs.iter().map(run).collect();
    let mut shown = event_file(&record.event);
    shown["id"] = json!(record.event.id);
    shown["received_at"] = json!(format_rfc3339(record.event.received_at));
    shown["status"] = json!(record.state());
    shown["repeats"] = json!(record.repeats);
    shown["runs"] = json!(runs);
    shown["deliveries"] = json!(deliveries);
    Ok(Json(shown))
}

/// The event in the shape of an event file, so that what is shown here can be given to
/// a plugin's test as it is.
fn event_file(event: &Event) -> Value {
    let mut headers = serde_json::Map::new();
    for header in &event.headers {
        match headers.get_mut(&header.name) {
            None => {
                headers.insert(header.name.clone(), json!(header.value));
            }
            Some(Value::Array(values)) => values.push(json!(header.value)),
            Some(value) => *value = json!([value.take(), header.value]),
        }
    }
    let mut file = json!({
        "source": event.source,
        "type": event.event_type,
        "method": event.method,
        "path": event.path,
        "query": event.query,
        "headers": headers,
    });
    if !event.attributes.is_empty() {
        let attributes: serde_json::Map<_, _> =
            event.attributes.iter().map(|a| (a.name.clone(), json!(a.value))).collect();
        file["attributes"] = Value::Object(attributes);
    }
    let (key, shown) = body(&event.body);
    file[key] = shown;
    // Beside the bytes as sent, what a step sees of them.
    let coding = Coding::of_headers(&event.headers);
    if let Some(Ok(decoded)) = coding.map(|coding| coding.decode(&event.body, MAX_DECODED)) {
        let (key, shown) = body(&decoded);
        file["decoded"] = json!({ key: shown });
    }
    file
}

/// The body as JSON only where that says the same: a text that reads back to the same
/// bytes is shown as text otherwise, and anything else in base64.
fn body(bytes: &[u8]) -> (&'static str, Value) {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if serde_json::to_vec(&value).is_ok_and(|same| same == bytes) => ("body", value),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => ("body_text", json!(text)),
            Err(_) => ("body_base64", json!(BASE64_STANDARD.encode(bytes))),
        },
    }
}

fn run(run: &RunRecord) -> Value {
    json!({
        "route": run.route,
        "generation": run.generation,
        "status": run.state,
        "held": run.held,
        "reason": run.reason,
        "attempts": run.attempts,
        "due": run.due.map(format_rfc3339),
        "steps": run.steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attribute, Header, Millis};

    fn event(body: &'static [u8]) -> Event {
        let header = |value: &str| Header { name: "x".into(), value: value.into() };
        Event {
            id: EventId::from_text("evt_1"),
            source: "s".into(),
            event_type: None,
            received_at: Millis(0),
            method: "POST".into(),
            path: "/in/s".into(),
            query: None,
            headers: vec![header("1"), header("2"), header("3")],
            body: bytes::Bytes::from_static(body),
            attributes: vec![],
        }
    }

    #[test]
    fn bodies_are_shown_so_that_the_bytes_can_be_made_again() {
        assert_eq!(body(br#"{"b":1,"a":2}"#), ("body", json!({"b": 1, "a": 2})));
        assert_eq!(body(br#"{"a": 1}"#), ("body_text", json!(r#"{"a": 1}"#)));
        assert_eq!(body(b"plain"), ("body_text", json!("plain")));
        assert_eq!(body(&[0xff]), ("body_base64", json!("/w==")));
    }

    #[test]
    fn attributes_are_shown_where_there_are_any() {
        assert_eq!(event_file(&event(b"")).get("attributes"), None);
        let tenant = Attribute { name: "tenant".into(), value: "acme".into() };
        let event = Event { attributes: vec![tenant], ..event(b"") };
        assert_eq!(event_file(&event)["attributes"], json!({ "tenant": "acme" }));
    }

    #[test]
    fn repeated_headers_are_a_list() {
        assert_eq!(event_file(&event(b""))["headers"], json!({ "x": ["1", "2", "3"] }));
    }
}
