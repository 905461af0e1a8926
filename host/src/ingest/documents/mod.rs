//! Documents from outside that some schemes cannot decide without: who gets them, and
//! the question asked again once they are there.
//!
//! ```text
//! decide ──wants──► keeper ──► cache: kept, or failed a moment ago
//!   ▲                 │ neither: one flight for all who want it
//!   └──document───────┴──► Fetcher (the gateway's own goes through the egress guard)
//! ```

mod cache;
mod keeper;

use async_trait::async_trait;
use bytes::Bytes;

use super::Ingest;
use super::refusal::Refusal;
use crate::verify::{self, Documents, Fetch, Scheme, Verdict};

pub(super) use keeper::Keeper;

/// Documents that one request may want: a key, and the key again where the first answer
/// was too old.
const MAX_WANTS: usize = 3;

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

impl Ingest {
    /// The scheme's verdict, with every document that it wants.
    pub(super) async fn decide(
        &self,
        scheme: &Scheme,
        request: &verify::Request<'_>,
    ) -> Result<Verdict, Refusal> {
        const UNVERIFIED: Refusal = Refusal::Unavailable("the request cannot be verified now");
        let now = self.clock.now();
        let mut documents = Documents::default();
        for _ in 0..MAX_WANTS {
            let want = match scheme.verify(request, now, &documents) {
                Verdict::Wanted(want) => want,
                verdict => return Ok(verdict),
            };
            match self.documents.get(&want).await {
                Ok(document) => documents.insert(want.name, document),
                Err(FetchError::Refused(_)) => {
                    return Ok(Verdict::Unauthorized("the key that signed is not known".to_owned()));
                }
                Err(FetchError::Unreachable(_)) => return Err(UNVERIFIED),
            }
        }
        Err(UNVERIFIED)
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
