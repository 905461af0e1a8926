//! Answers to what is no event: handshakes, with what they have to do before, and the
//! probes that every source answers.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::refusal::{Refusal, allowed};
use super::source::{Source, SourceScheme};
use super::{Ingest, Received};
use crate::model::Header;
use crate::verify::{Effect, Reply, Scheme, Verdict};

/// How often a `CloudEvents` sender may send.
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

impl Ingest {
    /// A request with a method that events of the source do not come with: a handshake,
    /// a probe, or nothing. Its body is not read.
    ///
    /// # Errors
    /// What it is refused with: 405 where it is nothing.
    pub(super) async fn probe(
        &self,
        source: &Arc<Source>,
        head: &http::request::Parts,
    ) -> Result<(&'static str, Response), Refusal> {
        let Ok(_room) = self.rooms.enter() else {
            return Err(Refusal::Unavailable("too many requests at once"));
        };
        if let SourceScheme::Own(own) = &source.scheme {
            let nothing = Bytes::new();
            let received =
                Received { method: &head.method, uri: &head.uri, headers: &head.headers, body: &nothing };
            let url = source.public_url.as_deref().map(|base| received.url_below(base));
            match own.probe(&received.for_scheme(url.as_deref())) {
                None => {}
                Some(Verdict::Handshake(reply)) => {
                    return Ok(("handshake", self.answer(source, own, reply).await?));
                }
                Some(other) => return Err(Refusal::of(other)),
            }
        }
        match head.method {
            // As a GET would be answered that proves nothing: providers ask whether
            // somebody is there (Trello, Mandrill, Intercom).
            Method::HEAD => Ok(("probe", StatusCode::OK.into_response())),
            Method::OPTIONS => {
                let allow = [(ALLOW, allowed(&source.methods))];
                Ok(("probe", (StatusCode::NO_CONTENT, allow).into_response()))
            }
            _ => Err(Refusal::Method(source.methods.clone())),
        }
    }

    /// Does what a handshake has to do, then answers it.
    ///
    /// # Errors
    /// What it is refused with where that cannot be done.
    pub(super) async fn answer(
        &self,
        source: &Source,
        scheme: &Scheme,
        reply: Reply,
    ) -> Result<Response, Refusal> {
        match &reply.effect {
            None => {}
            Some(Effect::Learn(secret)) => self.learnt.learn(source, scheme, secret).await?,
            Some(Effect::Call(fetch)) => self.call(&source.name, fetch).await?,
        }
        let mut response = response(reply);
        // A scheme does not know what its source lets through (CloudEvents, http-webhook
        // 1.0.2, section 4.2.2: requests a minute).
        if let (Some(limit), Some(rate)) = (&source.rate_limit, response.headers_mut().get_mut(ALLOWED_RATE))
        {
            *rate = HeaderValue::from(limit.rate().per_minute());
        }
        Ok(response)
    }
}

/// The answer as HTTP.
fn response(reply: Reply) -> Response {
    let Reply { status, content_type, headers, body, effect: _ } = reply;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let own = response.headers_mut();
    for Header { name, value } in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            own.append(name, value);
        }
    }
    if let Some(kind) = content_type {
        own.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    // An echoed challenge must never be read as a page.
    own.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
