//! A source whose scheme is a plugin: asks it, and answers as it says. Whatever keeps it
//! from deciding is answered with 503; nothing is accepted on its behalf.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::X_CONTENT_TYPE_OPTIONS;

use super::refusal::Refusal;
use super::{Ingest, Proven, Received, Source, Verified};
use crate::alerts::Alert;
use crate::model::{Header, NamedPlugin};
use crate::plugin::{Acceptance, PluginResponse, Verification, VerifyInput};

/// What senders read of a plugin's reason for a 400, in characters.
const SHOWN_REASON: usize = 200;

const UNVERIFIED: &str = "a plugin could not verify a request; answering 503";

/// Asks the source's plugin about a request.
///
/// # Errors
/// What the request is refused with.
pub(super) async fn verify(
    ingest: &Ingest,
    source: &Source,
    named: &Arc<NamedPlugin>,
    received: &Received<'_>,
) -> Result<Verified, Refusal> {
    let input = VerifyInput {
        method: received.method.as_str().to_owned(),
        path: received.uri.path().to_owned(),
        query: received.uri.query().map(str::to_owned),
        // The one who verifies sees credentials; the event keeps none.
        headers: Header::list(received.headers),
        body: received.body.clone(),
        public_url: source.public_url.clone().unwrap_or_default(),
        now: ingest.clock.now(),
    };
    let judged = ingest.judge.verify(&source.name, named, input).await;
    let verdict = match &judged.answer {
        Ok(said) => said.as_str(),
        Err(none) => none.verdict.as_str(),
    };
    ingest.metrics.verification(&source.name, &named.plugin, verdict, judged.took);
    let (source, plugin, digest) = (&source.name, &named.plugin, &judged.digest);
    let micros = judged.took.as_micros();
    match judged.answer {
        Ok(said) => {
            let reason = reason(&said);
            tracing::debug!(source, plugin, digest, micros, verdict, reason, "a plugin verified a request");
            answer(said)
        }
        Err(none) => {
            let reason = none.reason;
            // A stranger's request that finds no room, or a plugin that is on its way, is
            // no failure of a plugin; and strangers do not fill the log.
            if none.verdict.is_failure() {
                ingest.alerts.raise(Alert::PluginFailed {
                    plugin: plugin.clone(),
                    route: None,
                    source: Some(source.clone()),
                    event: None,
                    reason: format!("{verdict}: {reason}"),
                });
                tracing::warn!(source, plugin, digest, micros, verdict, reason, "{UNVERIFIED}");
            } else {
                tracing::debug!(source, plugin, digest, micros, verdict, reason, "{UNVERIFIED}");
            }
            Err(Refusal::Unavailable("the request cannot be verified now"))
        }
    }
}

fn reason(said: &Verification) -> Option<&str> {
    match said {
        Verification::Malformed(reason)
        | Verification::Unauthorized(reason)
        | Verification::Unavailable(reason) => Some(reason),
        Verification::Accepted(_) | Verification::Respond(_) => None,
    }
}

fn answer(said: Verification) -> Result<Verified, Refusal> {
    match said {
        Verification::Accepted(Acceptance { id, event_type, attributes }) => {
            Ok(Verified::Event(Proven { id, event_type, attributes }))
        }
        Verification::Respond(response) => Ok(Verified::Handshake(respond(response))),
        Verification::Malformed(reason) => Err(Refusal::Malformed(shown(&reason))),
        // One text for all: a reason could tell a stranger how close a guess was.
        Verification::Unauthorized(_) => {
            Err(Refusal::Unauthorized("the request is not authorized".to_owned()))
        }
        Verification::Unavailable(_) => Err(Refusal::Unavailable("the request cannot be verified now")),
    }
}

fn respond(response: PluginResponse) -> Response {
    let PluginResponse { status, headers, body } = response;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
    // An echoed challenge must never be read as a page.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The beginning of a reason, on one line.
fn shown(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(SHOWN_REASON).collect()
}
