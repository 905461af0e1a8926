//! What the gateway asks of others for itself: the keys that providers publish. The URL is
//! one that a scheme knows, and yet it is judged and dialled as a delivery's is.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Request, Response};
use url::Url;

use super::guard::Refusal;
use super::post::Answer;
use super::setup::{Egress, Reach, Setup};
use super::tls::{MachineRoots, TlsSettings};
use super::transport::{Transport, TransportError};
use crate::model::Header;

/// For the whole exchange: a sender waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Of an answer's body; a set of keys has some five.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Who asks.
const AGENT: &str = concat!("hookloom/", env!("CARGO_PKG_VERSION"));

/// Asks over `https`, through the guard, without redirects and without a memory.
#[derive(Debug)]
pub struct OutsideClient(Transport);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchFailure {
    /// Not a request that is sent.
    #[error("it is not asked for: {0}")]
    Request(&'static str),
    /// The guard does not let it out.
    #[error("it is not asked for: {0}")]
    Guard(#[from] Refusal),
    /// No answer.
    #[error("{0}")]
    Unanswered(String),
    /// The answer is longer than any that is meant well.
    #[error("the answer is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// Not in time.
    #[error("no complete answer within {TIMEOUT:?}")]
    Timeout,
}

impl OutsideClient {
    /// Under that policy; `tls` says whom to trust where it is not the machine's roots.
    ///
    /// # Errors
    /// When TLS or name resolution cannot be set up.
    pub fn new(egress: &Egress, tls: TlsSettings) -> Result<Self, TransportError> {
        let setup = Setup::new(egress, &Reach { tls, ..Reach::default() });
        Transport::new(setup, &MachineRoots::default()).map(Self)
    }

    /// Asks, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When there is none.
    pub async fn fetch(
        &self,
        method: &str,
        url: &str,
        headers: &[Header],
        body: Vec<u8>,
    ) -> Result<Answer, FetchFailure> {
        let request = request(method, url, headers, body)?;
        self.0.setup().policy.judge_url(request.url())?;
        let exchange = async {
            let response = self.0.answer(request).await;
            read(response.map_err(|(_, detail)| FetchFailure::Unanswered(detail))?).await
        };
        tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or(Err(FetchFailure::Timeout))
    }
}

fn request(method: &str, url: &str, headers: &[Header], body: Vec<u8>) -> Result<Request, FetchFailure> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| FetchFailure::Request("no method"))?;
    let url = Url::parse(url).map_err(|_| FetchFailure::Request("no url"))?;
    if url.scheme() != "https" {
        return Err(FetchFailure::Request("the url does not begin with https://"));
    }
    let mut map = HeaderMap::new();
    map.insert(ACCEPT, HeaderValue::from_static("*/*"));
    map.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for Header { name, value } in headers {
        let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        let (name, value) = pair.ok_or(FetchFailure::Request("a header cannot be sent"))?;
        map.insert(name, value);
    }
    let mut request = Request::new(method, url);
    *request.headers_mut() = map;
    *request.body_mut() = Some(body.into());
    Ok(request)
}

async fn read(mut response: Response) -> Result<Answer, FetchFailure> {
    let status = response.status().as_u16();
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|_| FetchFailure::Unanswered("the answer broke off".to_owned()))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(FetchFailure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body: Bytes::from(body) })
}
