//! One HTTP exchange: the only place that sends anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use reqwest::{Client, ClientBuilder, Request, Response};
use url::Url;

use crate::model::{AttemptError, Header, Outcome};

use super::classify::classify;
use super::guard::EgressPolicy;
use super::resolver::GuardedResolver;

/// Of an answer's body, so much is kept for the record.
const KEPT_BODY_BYTES: usize = 4 * 1024;

/// Of an answer's body, so much is read, so that the connection can serve again. A
/// longer one costs its connection.
const READ_BODY_BYTES: usize = 64 * 1024;

/// Of a kept header's value, so much.
const KEPT_HEADER_BYTES: usize = 256;

/// Headers that explain an answer.
const KEPT_HEADERS: [&str; 9] = [
    "content-type",
    "retry-after",
    "x-request-id",
    "server",
    "via",
    "date",
    "location",
    "www-authenticate",
    "cf-ray",
];

/// Of these, the ones kept when all went well: that is written for every delivery.
const KEPT_ON_SUCCESS: usize = 3;

/// Until a connection stands; a name with several addresses gets to the next in time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Common servers close an idle connection after 5 s (Node.js) or later; a connection
/// that both sides use and close at once is an attempt lost.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A silent HTTP/2 connection is asked whether it lives, because every attempt shares it.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(15);

/// The connections of one egress policy.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    policy: Arc<EgressPolicy>,
}

/// The HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up outbound HTTP")]
pub struct TransportError(#[source] reqwest::Error);

/// What came of an exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    pub outcome: Outcome,
    pub address: Option<SocketAddr>,
    pub retry_after: Option<String>,
    pub headers: Vec<Header>,
    pub body: Bytes,
}

impl Transport {
    pub(super) fn new(policy: EgressPolicy) -> Result<Self, TransportError> {
        // Whoever comes first installs the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let client = builder(&policy).build().or_else(|error| {
            // A machine without certificates can still deliver to http://.
            tracing::warn!(%error, "no trusted certificates found: https destinations will fail");
            builder(&policy).tls_certs_only([]).build()
        });
        Ok(Self { client: client.map_err(TransportError)?, policy })
    }

    pub(super) fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Posts `body` and reads the answer, all within `timeout`.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Exchange {
        if let Err(refusal) = self.policy.judge_literal(url) {
            return Exchange::failed(AttemptError::RefusedByGuard, refusal.to_string());
        }
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let exchange = tokio::time::timeout(timeout, self.exchange(request)).await;
        exchange.unwrap_or_else(|_| {
            Exchange::failed(AttemptError::Timeout, format!("no complete answer within {timeout:?}"))
        })
    }

    async fn exchange(&self, request: Request) -> Exchange {
        match self.client.execute(request).await {
            Ok(response) => read(response).await,
            Err(error) => {
                let (kind, detail) = classify(&error);
                Exchange::failed(kind, detail)
            }
        }
    }
}

impl Exchange {
    fn failed(kind: AttemptError, detail: String) -> Self {
        let outcome = Outcome::Error { kind, detail };
        Self { outcome, address: None, retry_after: None, headers: Vec::new(), body: Bytes::new() }
    }
}

fn builder(policy: &Arc<EgressPolicy>) -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(GuardedResolver::new(Arc::clone(policy)))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
}

/// Reads an answer as far as it is worth it. One that breaks off is no answer, whatever
/// its first line said.
async fn read(mut response: Response) -> Exchange {
    let status = response.status().as_u16();
    let address = response.remote_addr();
    let headers = kept_headers(response.headers(), response.status().is_success());
    let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).map(Into::into);
    let mut body = BytesMut::new();
    let mut read = 0;
    let outcome = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                read += chunk.len();
                // Copied, because a chunk holds on to the connection's whole buffer.
                let room = KEPT_BODY_BYTES - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if read > READ_BODY_BYTES {
                    break Outcome::Status(status);
                }
            }
            Ok(None) => break Outcome::Status(status),
            Err(error) => {
                let (kind, detail) = classify(&error);
                break Outcome::Error { kind, detail: format!("answered {status}, and then: {detail}") };
            }
        }
    };
    Exchange { outcome, address, retry_after, headers, body: body.freeze() }
}

fn kept_headers(headers: &HeaderMap, success: bool) -> Vec<Header> {
    let names = if success { &KEPT_HEADERS[..KEPT_ON_SUCCESS] } else { &KEPT_HEADERS[..] };
    let kept = |name: &&str| {
        let value = headers.get(*name)?.as_bytes();
        let value = String::from_utf8_lossy(&value[..value.len().min(KEPT_HEADER_BYTES)]).into_owned();
        Some(Header { name: (*name).into(), value })
    };
    names.iter().filter_map(kept).collect()
}
