//! Documents from outside that some schemes cannot decide without: who gets them, and
//! the question asked again once they are there.
//!
//! ```text
//! decide ──wants──► keeper ──► place (a host): kept, or failed a moment ago
//!   ▲                 │ neither: one flight for all who want it, if the source may
//!   └──document───────┴──► Fetcher (the gateway's own goes through the egress guard)
//! ```
//!
//! What is wanted is named before anything is proven, so strangers name it, too. What they
//! make up costs their source's [`unknown_keys`]; no other source, and no key that came before.

mod cache;
mod keeper;
mod place;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::refusal::Refusal;
use super::source::Source;
use super::{Ingest, Received};
use crate::model::{Coding, Millis};
use crate::rate::{Rate, RateLimiter};
use crate::verify::{Documents, Fetch, Scheme, Verdict};

pub(super) use keeper::Keeper;

/// Documents that one request may want: a key, and the key again where the first answer
/// was too old.
const MAX_WANTS: usize = 3;

/// How often a source may have documents fetched that never came: four at once, then one
/// in two seconds. It is the source's, because who knows a source's URL can use this up, and
/// nobody else shall pay for it. It is so much that a source with new keys has them soon, and
/// so little that in the five seconds that a fetch may take, the strangers of no source take
/// all turns of a place.
pub fn unknown_keys() -> RateLimiter {
    RateLimiter::new(Rate::per_second(0.5).with_burst(4))
}

/// Gets documents from outside.
#[async_trait]
pub trait Fetcher: std::fmt::Debug + Send + Sync {
    /// The body of a 2xx answer. `name` is what the document is called where it is kept.
    async fn fetch(&self, name: &str, fetch: &Fetch) -> Result<Bytes, FetchError>;
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The other side says that there is none: 4xx.
    #[error("it was refused with {0}")]
    Refused(u16),
    /// Nobody knows.
    #[error("{0}")]
    Unreachable(String),
}

/// Why a want is not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unmet {
    /// There is no document.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came is no such document.
    #[error("the answer is no key")]
    Unusable,
    /// The turns of its place are taken.
    #[error("too many keys are fetched at once")]
    Crowded,
    /// Nobody knows how it ended.
    #[error("the fetch broke off")]
    BrokeOff,
    /// It never came before, and its source has asked for many of that kind.
    #[error("too many unknown keys were asked for")]
    Postponed,
}

impl Unmet {
    /// The same of a set of keys.
    fn of_set(self) -> Self {
        match self {
            Self::Fetch(FetchError::Refused(status)) => {
                FetchError::Unreachable(format!("answered {status}")).into()
            }
            other => other,
        }
    }

    /// What it means for the request. Only where the provider says that there is no such key,
    /// the request is not its own; whatever else it is, a genuine one has to come again.
    fn outcome(&self) -> Result<Verdict, Refusal> {
        match self {
            Self::Fetch(FetchError::Refused(_)) => {
                Ok(Verdict::Unauthorized("the key that signed is not known".to_owned()))
            }
            Self::Postponed => Err(Refusal::Unavailable("too many unknown keys are named at once")),
            Self::Fetch(FetchError::Unreachable(_)) | Self::Unusable | Self::Crowded | Self::BrokeOff => {
                Err(UNVERIFIED)
            }
        }
    }
}

const UNVERIFIED: Refusal = Refusal::Unavailable("the request cannot be verified now");

impl Ingest {
    /// The scheme's verdict, with every document that it wants.
    pub(super) async fn decide(
        &self,
        source: &Source,
        scheme: &Arc<Scheme>,
        received: &Received<'_>,
    ) -> Result<Verdict, Refusal> {
        let now = self.clock.now();
        let url = source.public_url.as_deref().map(|base| received.url_below(base));
        let (mut documents, mut met) = (Documents::default(), Vec::new());
        loop {
            let want = match self.judged(scheme, received, url.as_deref(), now, &documents).await? {
                Verdict::Wanted(want) => want,
                verdict @ (Verdict::Accepted(_) | Verdict::Handshake(_)) => {
                    self.documents.prove(&met);
                    return Ok(verdict);
                }
                verdict => return Ok(verdict),
            };
            if met.len() == MAX_WANTS {
                return Err(UNVERIFIED);
            }
            match self.documents.get(&want, &source.unknown_keys).await {
                Ok(document) => documents.insert(&want.name, document),
                Err(unmet) => return unmet.outcome(),
            }
            met.push(want);
        }
    }

    /// The scheme's verdict with these documents. What a compressed body holds may be much,
    /// so whoever sent it waits for a turn.
    async fn judged(
        &self,
        scheme: &Arc<Scheme>,
        received: &Received<'_>,
        url: Option<&str>,
        now: Millis,
        documents: &Documents,
    ) -> Result<Verdict, Refusal> {
        if Coding::of_request(received.headers).is_none() {
            return Ok(scheme.verify(&received.for_scheme(url), now, documents));
        }
        let (scheme, documents, url) = (scheme.clone(), documents.clone(), url.map(str::to_owned));
        let (method, uri) = (received.method.clone(), received.uri.clone());
        let (headers, body) = (received.headers.clone(), received.body.clone());
        let judge = move || {
            let received = Received { method: &method, uri: &uri, headers: &headers, body: &body };
            scheme.verify(&received.for_scheme(url.as_deref()), now, &documents)
        };
        self.reading.in_turn(judge).await
    }

    /// Calls what a handshake has to call before it may be answered.
    pub(super) async fn call(&self, source: &str, fetch: &Fetch) -> Result<(), Refusal> {
        self.documents.call(fetch).await.map_err(|error| {
            tracing::warn!(source, %error, "a subscription cannot be confirmed; answering 503");
            Refusal::Unavailable("the subscription cannot be confirmed now")
        })?;
        tracing::info!(source, "a subscription was confirmed");
        Ok(())
    }
}
