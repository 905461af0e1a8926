//! Stage 1: receive. Limit, verify, mask, recognise repeats, make durable, answer.

mod acceptor;
mod body;
mod gate;
mod mask;
mod plugin_scheme;
mod refusal;
mod source;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::alerts::Alerts;
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use crate::model::{Attribute, Event, EventId};
use crate::plugin::Judge;
use crate::store::{DedupeKey, NewEvent, Store, StoreError};
use crate::verify::{self, Verdict};

use acceptor::{Acceptor, Receipt};
use refusal::Refusal;

pub use acceptor::RunHandoff;
pub use gate::{Closed, Gate};
pub use source::{Dedupe, DedupeBy, FrontDoor, Reply, Source, SourceScheme};

/// KiB of bodies that are being read or verified at once: what strangers can make the
/// gateway hold in memory.
const UNVERIFIED_KIB: u32 = 256 << 10;

/// What the stage works with.
#[derive(Debug)]
pub struct Ingest {
    door: Arc<ArcSwap<FrontDoor>>,
    acceptor: Acceptor,
    gate: Arc<Gate>,
    unverified: Semaphore,
    judge: Judge,
    clock: Clock,
    random: Random,
    metrics: Arc<Metrics>,
    alerts: Alerts,
}

/// What the stage is given.
pub struct Parts {
    /// The configuration in force.
    pub door: Arc<ArcSwap<FrontDoor>>,
    /// Where events become durable.
    pub store: Arc<dyn Store>,
    /// Where their runs go.
    pub handoff: RunHandoff,
    /// Whether durability can be promised.
    pub gate: Arc<Gate>,
    /// Asks the plugins of sources that verify by one.
    pub judge: Judge,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What operators want to hear of.
    pub alerts: Alerts,
}

/// The front door as HTTP: `/in/{source}` and what is below it.
pub fn router(parts: Parts) -> Router {
    let Parts { door, store, handoff, gate, judge, clock, random, metrics, alerts } = parts;
    let acceptor = Acceptor::start(store, handoff);
    let unverified = Semaphore::new(UNVERIFIED_KIB as usize);
    let ingest = Arc::new(Ingest { door, acceptor, gate, unverified, judge, clock, random, metrics, alerts });
    Router::new().fallback(receive).with_state(ingest)
}

async fn receive(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let door = ingest.door.load_full();
    let name = source_name(request.uri().path()).unwrap_or_default();
    let Some(source) = door.sources.get(name) else {
        // Names that strangers make up are not labels.
        ingest.metrics.request("", Refusal::UnknownSource.word());
        return Refusal::UnknownSource.into_response();
    };
    match ingest.judge(&door, source, request).await {
        Ok((outcome, response)) => {
            ingest.metrics.request(&source.name, outcome);
            response
        }
        Err(refusal) => {
            ingest.metrics.request(&source.name, refusal.word());
            tracing::debug!(source = source.name, refusal = refusal.word(), "request refused");
            refusal.into_response()
        }
    }
}

/// The part of the path that names the source; what follows belongs to the source.
fn source_name(path: &str) -> Option<&str> {
    path.strip_prefix("/in/")?.split('/').next()
}

impl Ingest {
    async fn judge(
        &self,
        door: &FrontDoor,
        source: &Source,
        request: Request,
    ) -> Result<(&'static str, Response), Refusal> {
        if !source.methods.contains(request.method()) {
            return Err(Refusal::Method(source.methods.clone()));
        }
        if let Some(closed) = self.gate.state() {
            return Err(Refusal::Unavailable(closed.reason()));
        }
        let (head, body) = request.into_parts();
        let size = body::declared(&head.headers).unwrap_or(u64::MAX).min(door.max_body as u64);
        let kib = u32::try_from(size.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, UNVERIFIED_KIB);
        let Ok(room) = self.unverified.try_acquire_many(kib) else {
            return Err(Refusal::Unavailable("too many requests at once"));
        };
        let body = body::read(&head.headers, body, door.max_body, door.read_timeout).await?;
        let started = self.clock.monotonic();
        let received = Received { method: &head.method, uri: &head.uri, headers: &head.headers, body: &body };
        let proven = match self.verify(source, &received).await? {
            Verified::Event(proven) => proven,
            Verified::Handshake(response) => return Ok(("handshake", response)),
        };
        drop(room);
        if let Some(limit) = &source.rate_limit {
            limit.take(self.clock.monotonic()).map_err(Refusal::RateLimited)?;
        }
        let new = self.new_event(door, source, &received, proven);
        let receipt = match self.acceptor.accept(new).await {
            None => return Err(Refusal::Unavailable("too many requests at once")),
            Some(Err(error)) => return Err(self.not_durable(&error)),
            Some(Ok(receipt)) => receipt,
        };
        self.metrics.accept(&source.name, self.clock.monotonic().saturating_sub(started));
        let (outcome, id) = match receipt {
            Receipt::Accepted(id) => ("accepted", id),
            Receipt::Duplicate(id) => ("duplicate", id),
        };
        Ok((outcome, success(source, outcome, &id)))
    }

    async fn verify(&self, source: &Source, received: &Received<'_>) -> Result<Verified, Refusal> {
        let scheme = match &source.scheme {
            SourceScheme::Own(scheme) => scheme,
            SourceScheme::Plugin(named) => {
                return plugin_scheme::verify(self, source, named, received).await;
            }
        };
        let request = received.for_scheme(source.public_url.as_deref());
        match scheme.verify(&request, self.clock.now()) {
            Verdict::Accepted(verify::Accepted { id, event_type }) => {
                Ok(Verified::Event(Proven { id, event_type, attributes: Vec::new() }))
            }
            Verdict::Malformed(reason) => Err(Refusal::Malformed(reason)),
            Verdict::Unauthorized(reason) => Err(Refusal::Unauthorized(reason)),
            Verdict::Handshake(reply) => Ok(Verified::Handshake(handshake(reply))),
        }
    }

    fn new_event(
        &self,
        door: &FrontDoor,
        source: &Source,
        received: &Received<'_>,
        proven: Proven,
    ) -> NewEvent {
        let now = self.clock.now();
        let scheme = &source.scheme;
        let routes = door.runs_for(&source.name, proven.event_type.as_deref());
        let dedupe = received.dedupe_key(&source.dedupe, proven.id.as_deref());
        let event = Event {
            id: EventId::new(now.0, self.random.bits()),
            source: source.name.clone(),
            event_type: proven.event_type,
            received_at: now,
            method: received.method.as_str().to_owned(),
            path: received.uri.path().to_owned(),
            query: received.uri.query().map(|query| mask::query(query, |name| scheme.hides_parameter(name))),
            headers: mask::headers(received.headers, |name| scheme.hides_header(name)),
            body: received.body.clone(),
            attributes: proven.attributes,
        };
        NewEvent { event, routes, dedupe }
    }

    /// A store that could not write: says so, and closes the door where it stays so.
    fn not_durable(&self, error: &StoreError) -> Refusal {
        let closed = match error {
            StoreError::Full => Closed::DiskLow,
            StoreError::Broken(_) | StoreError::Closed => Closed::StoreBroken,
            // Of this event alone: the next one may be accepted.
            _ => {
                tracing::error!(%error, "an event could not be stored; answering 503");
                return Refusal::Unavailable("the event could not be stored");
            }
        };
        if self.gate.set(Some(closed)) {
            tracing::error!(%error, "the store did not accept an event; answering 503");
        }
        Refusal::Unavailable(closed.reason())
    }
}

/// What verification makes of a request that it does not refuse.
enum Verified {
    /// An event.
    Event(Proven),
    /// Answered, and no event.
    Handshake(Response),
}

/// What verification knows of an event.
struct Proven {
    id: Option<String>,
    event_type: Option<String>,
    attributes: Vec<Attribute>,
}

/// A request, read in full.
struct Received<'a> {
    method: &'a Method,
    uri: &'a http::Uri,
    headers: &'a HeaderMap,
    body: &'a Bytes,
}

impl Received<'_> {
    fn for_scheme<'a>(&'a self, public_url: Option<&'a str>) -> verify::Request<'a> {
        verify::Request {
            method: self.method.as_str(),
            path: self.uri.path(),
            query: self.uri.query(),
            headers: self.headers,
            body: self.body,
            public_url,
        }
    }

    fn dedupe_key(&self, dedupe: &Dedupe, id: Option<&str>) -> Option<DedupeKey> {
        if dedupe.window == Duration::ZERO {
            return None;
        }
        let key = match &dedupe.key {
            DedupeBy::Id => id?.to_owned(),
            DedupeBy::Header(name) => self.headers.get(name)?.to_str().ok()?.to_owned(),
            DedupeBy::Json(pointer) => {
                let body: serde_json::Value = serde_json::from_slice(self.body).ok()?;
                match body.pointer(pointer)? {
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Null => return None,
                    other => other.to_string(),
                }
            }
            DedupeBy::Content => hex::encode(Sha256::digest(self.body)),
        };
        // Long keys are hashed, so that a sender cannot fill the table with them.
        let key = if key.len() > 256 { hex::encode(Sha256::digest(&key)) } else { key };
        (!key.is_empty()).then_some(DedupeKey { key, window: dedupe.window })
    }
}

fn success(source: &Source, outcome: &str, id: &EventId) -> Response {
    let Some(Reply { status, content_type, body }) = &source.reply else {
        let body = format!(r#"{{"id":"{id}","status":"{outcome}"}}"#);
        return (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body).into_response();
    };
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = *status;
    if let Some(kind) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    response
}

fn handshake(reply: verify::Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    // An echoed challenge must never be read as a page.
    let headers = [("content-type", reply.content_type), ("x-content-type-options", "nosniff")];
    (status, headers, reply.body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_paths_belong_to_the_source() {
        assert_eq!(source_name("/in/github"), Some("github"));
        assert_eq!(source_name("/in/github/sub/path"), Some("github"));
        assert_eq!(source_name("/in/"), Some(""));
        assert_eq!(source_name("/other"), None);
    }

    #[test]
    fn keys_of_repeats() {
        let mut headers = HeaderMap::new();
        headers.insert("x-id", "h1".parse().unwrap());
        let body = Bytes::from_static(br#"{"id":7,"name":"n","none":null}"#);
        let uri = http::Uri::from_static("/in/a");
        let received = Received { method: &Method::POST, uri: &uri, headers: &headers, body: &body };
        let day = Duration::from_hours(24);
        let key = |key, window| received.dedupe_key(&Dedupe { key, window }, Some("i1")).map(|k| k.key);
        assert_eq!(key(DedupeBy::Id, day).as_deref(), Some("i1"));
        assert_eq!(key(DedupeBy::Id, Duration::ZERO), None);
        assert_eq!(key(DedupeBy::Header("x-id".into()), day).as_deref(), Some("h1"));
        assert_eq!(key(DedupeBy::Header("x-other".into()), day), None);
        assert_eq!(key(DedupeBy::Json("/id".into()), day).as_deref(), Some("7"));
        assert_eq!(key(DedupeBy::Json("/name".into()), day).as_deref(), Some("n"));
        assert_eq!(key(DedupeBy::Json("/none".into()), day), None);
        assert_eq!(key(DedupeBy::Content, day).map(|k| k.len()), Some(64));
    }
}
