//! Stage 1: receive. Limit, verify, mask, recognise repeats, make durable, answer.

mod acceptor;
mod address;
mod body;
mod certificate;
mod content;
mod documents;
mod gate;
mod handshake;
mod learnt;
mod mask;
mod plugin_scheme;
mod recursion;
mod refusal;
mod schema;
mod source;
mod unfit;

use std::borrow::Cow;
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

use crate::alerts::Alerts;
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use crate::model::{Attribute, Event, EventId, pointed};
use crate::plugin::Judge;
use crate::store::{DedupeKey, NewEvent, Store, StoreError};
use crate::verify::{self, Verdict};

use acceptor::{Acceptor, Receipt};
use body::Rooms;
use content::{Content, Reading};
use documents::Keeper;
use refusal::Refusal;

pub use acceptor::RunHandoff;
pub use address::Peer;
pub use certificate::{Certificate, CertificateError};
pub use documents::{FetchError, Fetcher, unknown_keys};
pub use gate::{Closed, Gate};
pub use learnt::Learnt;
pub use schema::{OnInvalid, Schema, SchemaFault, Schemas};
pub use source::{Dedupe, DedupeBy, FrontDoor, Reply, Source, SourceScheme};

/// What the stage works with.
#[derive(Debug)]
pub struct Ingest {
    door: Arc<ArcSwap<FrontDoor>>,
    acceptor: Acceptor,
    gate: Arc<Gate>,
    rooms: Rooms,
    reading: Reading,
    judge: Judge,
    documents: Arc<Keeper>,
    learnt: Arc<Learnt>,
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
    /// Gets the keys that providers publish.
    pub fetcher: Arc<dyn Fetcher>,
    /// What handshakes handed over.
    pub learnt: Arc<Learnt>,
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
    let Parts { door, store, handoff, gate, judge, fetcher, learnt, clock, random, metrics, alerts } = parts;
    let acceptor = Acceptor::start(store, handoff, metrics.clone(), alerts.clone());
    let documents = Keeper::new(fetcher, clock.clone(), metrics.clone());
    let ingest = Arc::new(Ingest {
        door,
        acceptor,
        gate,
        rooms: Rooms::default(),
        reading: Reading::default(),
        judge,
        documents,
        learnt,
        clock,
        random,
        metrics,
        alerts,
    });
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
        source: &Arc<Source>,
        request: Request,
    ) -> Result<(&'static str, Response), Refusal> {
        from_allowed_address(door, source, &request)?;
        if !source.methods.contains(request.method()) {
            return self.probe(source, &request.into_parts().0).await;
        }
        if let Some(closed) = self.gate.state() {
            return Err(Refusal::Unavailable(closed.reason()));
        }
        let (head, body) = request.into_parts();
        let max_body = source.max_body.unwrap_or(door.max_body);
        let (body, room) = body::read(&self.rooms, &head.headers, body, max_body, door.read_timeout).await?;
        let started = self.clock.monotonic();
        let received = Received { method: &head.method, uri: &head.uri, headers: &head.headers, body: &body };
        let proven = match self.verify(source, &received).await? {
            Verified::Event(proven) => proven,
            Verified::Handshake(response) => return Ok(("handshake", response)),
        };
        if let Some(limit) = &source.rate_limit {
            limit.take(self.clock.monotonic()).map_err(Refusal::RateLimited)?;
        }
        let schema = source.schemas.as_ref().and_then(|schemas| schemas.of(proven.event_type.as_deref()));
        let content = self.reading.read(&received, schema, source.max_decoded_body, room).await?;
        let new = self.new_event(door, source, &received, proven, content)?;
        let receipt = match self.acceptor.accept(new).await {
            None => return Err(Refusal::Unavailable("too many requests at once")),
            Some(Err(error)) => return Err(self.not_durable(&error)),
            Some(Ok(receipt)) => receipt,
        };
        self.metrics.accept(&source.name, self.clock.monotonic().saturating_sub(started));
        let (outcome, status, id) = match receipt {
            Receipt::Accepted(id) => ("accepted", "accepted", id),
            Receipt::Unfit(id) => ("unfit", "accepted", id),
            Receipt::Duplicate(id) => ("duplicate", "duplicate", id),
        };
        Ok((outcome, success(source, status, &id)))
    }

    async fn verify(&self, source: &Arc<Source>, received: &Received<'_>) -> Result<Verified, Refusal> {
        let own = match &source.scheme {
            SourceScheme::Own(own) => own,
            SourceScheme::Plugin(named) => {
                return plugin_scheme::verify(self, source, named, received).await;
            }
        };
        let learnt = self.learnt.scheme(source);
        let scheme = learnt.as_ref().unwrap_or(own);
        match self.decide(source, scheme, received).await? {
            Verdict::Accepted(verify::Accepted { id, event_type }) => {
                Ok(Verified::Event(Proven { id, event_type, attributes: Vec::new() }))
            }
            Verdict::Handshake(reply) => Ok(Verified::Handshake(self.answer(source, own, reply).await?)),
            Verdict::Unauthorized(_) if scheme.has_no_secret() => {
                let name = &source.name;
                Err(Refusal::Unauthorized(format!("no secret yet: run `hookloom source arm {name}`")))
            }
            other => Err(Refusal::of(other)),
        }
    }

    fn new_event(
        &self,
        door: &FrontDoor,
        source: &Source,
        received: &Received<'_>,
        proven: Proven,
        content: Content,
    ) -> Result<NewEvent, Refusal> {
        let now = self.clock.now();
        let scheme = &source.scheme;
        let mut routes = door.runs_for(&source.name, proven.event_type.as_deref());
        let dedupe = received.dedupe_key(&source.dedupe, proven.id.as_deref(), &content.body);
        let mut attributes = proven.attributes;
        if let Some(reason) = content.unfit {
            unfit::judge(source, reason, &mut routes, &mut attributes)?;
        }
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
            attributes,
        };
        Ok(NewEvent { event, routes, dedupe })
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
    /// The URL as the provider knows it.
    fn url_below<'a>(&self, base: &'a str) -> Cow<'a, str> {
        verify::registered_url(base, self.uri.path(), self.uri.query())
    }

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

    /// `content` is the body, decompressed.
    fn dedupe_key(&self, dedupe: &Dedupe, id: Option<&str>, content: &[u8]) -> Option<DedupeKey> {
        if dedupe.window == Duration::ZERO {
            return None;
        }
        let key = match &dedupe.key {
            DedupeBy::Id => id?.to_owned(),
            DedupeBy::Header(name) => self.headers.get(name)?.to_str().ok()?.to_owned(),
            DedupeBy::Json(pointer) => pointed(content, pointer)?,
            DedupeBy::Content => hex::encode(Sha256::digest(verify::content(self.headers, self.body))),
        };
        // Long keys are hashed, so that a sender cannot fill the table with them.
        let key = if key.len() > 256 { hex::encode(Sha256::digest(&key)) } else { key };
        (!key.is_empty()).then_some(DedupeKey { key, window: dedupe.window })
    }
}

/// Refuses who is none of those that the source takes requests from.
fn from_allowed_address(door: &FrontDoor, source: &Source, request: &Request) -> Result<(), Refusal> {
    if source.allow_from.is_empty() {
        return Ok(());
    }
    // Without an extension nobody knows where a request comes from.
    let peer = request.extensions().get::<Peer>().copied().ok_or(Refusal::Address)?;
    let sender = address::sender(peer, request.headers(), &door.trusted_proxies);
    match sender {
        Ok(sender) if address::is_in(&source.allow_from, sender) => Ok(()),
        other => {
            tracing::debug!(source = source.name, ?peer, sender = ?other, "not an address that may send here");
            Err(Refusal::Address)
        }
    }
}

fn success(source: &Source, status: &str, id: &EventId) -> Response {
    let Some(Reply { status: code, content_type, body }) = &source.reply else {
        let body = format!(r#"{{"id":"{id}","status":"{status}"}}"#);
        return (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body).into_response();
    };
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = *code;
    if let Some(kind) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    response
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

    /// Rule 8 of the providers: what is signed is the URL as registered, in its own bytes.
    #[test]
    fn the_signed_url_is_the_registered_one_and_what_is_behind_it() {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        for (base, uri, expected) in [
            ("https://h.test/in/a", "/in/a", "https://h.test/in/a"),
            ("https://x.test/hook/", "/in/a?b=%20&C=+", "https://x.test/hook/?b=%20&C=+"),
            ("https://h.test", "/in/a/sub//%7e/..", "https://h.test/sub//%7e/.."),
            ("https://h.test", "/in/a/?", "https://h.test/?"),
            ("https://h.test", "http://other.test:80/in/a/b?c", "https://h.test/b?c"),
        ] {
            let uri: http::Uri = uri.parse().unwrap();
            let received = Received { method: &Method::POST, uri: &uri, headers: &headers, body: &body };
            assert_eq!(received.url_below(base), expected);
        }
    }

    #[test]
    fn keys_of_repeats() {
        let mut headers = HeaderMap::new();
        headers.insert("x-id", "h1".parse().unwrap());
        let body = Bytes::from_static(br#"{"id":7,"name":"n","none":null}"#);
        let uri = http::Uri::from_static("/in/a");
        let received = Received { method: &Method::POST, uri: &uri, headers: &headers, body: &body };
        let day = Duration::from_hours(24);
        let key =
            |key, window| received.dedupe_key(&Dedupe { key, window }, Some("i1"), &body).map(|k| k.key);
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
