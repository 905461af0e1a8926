//! `GET /api/v1/sources`; `POST /api/v1/sources/{name}/arm` and `GET` of the same, which
//! open and watch the window in which a handshake may hand over a secret;
//! `POST /api/v1/sources/{name}/forget`.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::HeaderName;
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};

use super::Parts;
use super::problem::Problem;
use super::question;
use crate::learning::{Look, Ticket};
use crate::model::format_rfc3339;

const NOT_FOUND: Problem = Problem::NotFound("no such source");

/// How long a window is open where nothing is said: long enough to find the page where
/// the provider creates webhooks.
const WINDOW: Duration = Duration::from_mins(10);
/// At most: whoever comes first in a window has the source's key.
const MAX_WINDOW: Duration = Duration::from_hours(24);

/// A secret may be in the answer.
type Uncached = ([(HeaderName, &'static str); 1], Json<Value>);

pub(super) async fn list(State(parts): State<Parts>) -> Result<Json<Value>, Problem> {
    let mut learnt: HashMap<String, usize> = HashMap::new();
    for one in parts.store.learnt_secrets().await? {
        *learnt.entry(one.source).or_default() += 1;
    }
    let now = parts.clock.monotonic();
    let mut items = (parts.configured)().sources;
    for source in &mut items {
        let name = source["name"].as_str().unwrap_or_default();
        let count = learnt.get(name).copied().unwrap_or(0);
        let until = parts.windows.until(name, now).map(format_rfc3339);
        source["learnt_secrets"] = json!(count);
        source["armed_until"] = json!(until);
    }
    Ok(Json(json!({ "items": items, "next": null })))
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arm {
    /// Like `10m`.
    #[serde(rename = "for")]
    span: Option<String>,
}

/// Opens the window. Who has the ticket of the answer may ask what came of it.
pub(super) async fn arm(
    State(parts): State<Parts>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Uncached, Problem> {
    let source = configured(&parts, name)?;
    let name = source["name"].as_str().unwrap_or_default();
    let span = span(question::body::<Arm>(body)?.span)?;
    if source["learns"] != json!(true) {
        let scheme = source["scheme"].as_str().unwrap_or_default();
        let text = format!("{name} does not learn its secret in a handshake (its scheme is {scheme})");
        return Err(Problem::Conflict(text));
    }
    let ticket = Ticket::new(parts.random.bits());
    let now = (parts.clock.monotonic(), parts.clock.now());
    let until = parts.windows.open(name, ticket.clone(), now, span);
    tracing::info!(source = name, "waits for a handshake that hands over a secret");
    let armed = json!({ "name": name, "armed_until": format_rfc3339(until), "ticket": ticket.expose() });
    Ok(uncached(armed))
}

#[derive(serde::Deserialize)]
pub(super) struct Asked {
    ticket: String,
}

/// How the window stands that was opened with that ticket.
pub(super) async fn window(
    State(parts): State<Parts>,
    name: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Uncached, Problem> {
    let Path(name) = name.map_err(|_| NOT_FOUND)?;
    let Asked { ticket } = question::query(asked)?;
    let look = parts.windows.look(&name, &Ticket::from_text(ticket), parts.clock.monotonic());
    let (state, until, secret) = match look {
        Look::Open(until) => ("open", Some(format_rfc3339(until)), None),
        Look::Used(secret) => ("learnt", None, secret),
        Look::Closed => ("closed", None, None),
        Look::Unknown => {
            let text = "that window is gone: another one was opened, or the gateway was started again";
            return Err(Problem::Conflict(text.to_owned()));
        }
    };
    let mut shown = json!({ "name": name, "state": state, "armed_until": until });
    if let Some(secret) = secret {
        shown["secret"] = json!(secret.expose());
    }
    Ok(uncached(shown))
}

/// Drops what the source has learnt; also of one that is not configured any more.
pub(super) async fn forget(
    State(parts): State<Parts>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let Path(name) = name.map_err(|_| NOT_FOUND)?;
    let count = (parts.forget)(name.clone()).await?;
    if count == 0 && !is_configured(&parts, &name) {
        return Err(NOT_FOUND);
    }
    Ok(Json(json!({ "name": name, "forgotten": count })))
}

fn configured(parts: &Parts, name: Result<Path<String>, PathRejection>) -> Result<Value, Problem> {
    let Path(name) = name.map_err(|_| NOT_FOUND)?;
    (parts.configured)().sources.into_iter().find(|source| source["name"] == json!(name)).ok_or(NOT_FOUND)
}

fn is_configured(parts: &Parts, name: &str) -> bool {
    (parts.configured)().sources.iter().any(|source| source["name"] == json!(name))
}

fn span(text: Option<String>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(WINDOW) };
    let span = humantime::parse_duration(&text).ok().filter(|span| !span.is_zero() && *span <= MAX_WINDOW);
    span.ok_or_else(|| Problem::BadRequest(format!("`{text}` is not a time up to 24h, like 10m")))
}

fn uncached(body: Value) -> Uncached {
    ([(CACHE_CONTROL, "no-store")], Json(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_bounded_time() {
        assert_eq!(span(None).unwrap(), WINDOW);
        for (text, seconds) in [("90s", 90), ("10m", 600), ("24h", 86_400)] {
            assert_eq!(span(Some(text.into())).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "0s", "24h 1s", "soon", "-1m", "10"] {
            assert!(matches!(span(Some(text.into())), Err(Problem::BadRequest(_))), "{text}");
        }
    }
}
