//! One HTTP exchange: the only place that sends anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as TunnelClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::{Body, Client, Request, Response};
use rustls::ClientConfig;
use url::Url;

use crate::model::{AttemptError, Header, Outcome};

use super::classify::classify;
use super::connector::Tunnels;
use super::dialled::Peer;
use super::proxy::Proxy;
use super::resolver::{Guarded, Resolver};
use super::setup::Setup;
use super::tls::MachineRoots;

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

/// Common servers close an idle connection after 5 s (Node.js) or later; a connection
/// that both sides use and close at once is an attempt lost.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A silent HTTP/2 connection is asked whether it lives, because every attempt shares it.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(15);

/// Until a connection stands; a name with several addresses gets to the next in time.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How large an answer's head may be over HTTP/2 or through a proxy: what has arrived of it
/// is held in memory, and nobody who means well needs as much. Straight over HTTP/1.1 the
/// client's own bound holds, of about 400 KiB.
const MAX_HEAD_BYTES: u16 = u16::MAX;

/// The connections of one setup.
#[derive(Debug)]
pub(super) struct Transport {
    way: Way,
    setup: Setup,
}

/// How requests leave.
#[derive(Debug)]
enum Way {
    /// Straight. Names are resolved by the guard.
    Straight(Client),
    /// Through a proxy, by tunnels of our own: `reqwest` would ask the proxy for the name,
    /// and what the proxy makes of it nobody could judge.
    Tunnelled(Box<TunnelClient<HttpsConnector<Tunnels>, Body>>),
}

/// Outbound HTTP cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Not with these certificates.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// Not with these settings.
    #[error("cannot set up outbound HTTP")]
    Client(#[from] reqwest::Error),
    /// Not with these DNS servers.
    #[error("cannot set up name resolution")]
    Resolver(#[source] std::io::Error),
}

/// What came of an exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    pub outcome: Outcome,
    pub address: Option<SocketAddr>,
    pub retry_after: Option<String>,
    /// Those that are kept.
    pub headers: Vec<Header>,
    pub body: Bytes,
    /// All of the answer's headers.
    pub head: HeaderMap,
}

impl Transport {
    pub(super) fn new(setup: Setup, machine: &MachineRoots) -> Result<Self, TransportError> {
        let tls = setup.tls.client_config(machine)?;
        let resolver = Resolver::new(&setup.resolvers).map_err(TransportError::Resolver)?;
        let guarded = Guarded { resolver: Arc::new(resolver), policy: Arc::new(setup.policy.clone()) };
        let way = match &setup.proxy {
            None => Way::Straight(straight(tls, guarded)?),
            Some(proxy) => Way::Tunnelled(Box::new(tunnelled(tls, guarded, proxy.clone()))),
        };
        Ok(Self { way, setup })
    }

    pub(super) const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Posts `body` and reads the answer, all within `timeout`.
    pub(super) async fn post(
        &self,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Exchange {
        if let Err(refusal) = self.setup.policy.judge_url(url) {
            return Exchange::failed(AttemptError::RefusedByGuard, refusal.to_string());
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let exchange = tokio::time::timeout(timeout, self.exchange(request)).await;
        exchange.unwrap_or_else(|_| {
            Exchange::failed(AttemptError::Timeout, format!("no complete answer within {timeout:?}"))
        })
    }

    async fn exchange(&self, request: Request) -> Exchange {
        match self.answer(request).await {
            Ok(response) => read(response).await,
            Err((kind, detail)) => Exchange::failed(kind, detail),
        }
    }

    /// The head of an answer, whose body is still to be read; or why there is none. The
    /// caller has judged the URL, and sets a time limit.
    pub(super) async fn answer(&self, request: Request) -> Result<Response, (AttemptError, String)> {
        match &self.way {
            Way::Straight(client) => {
                client.execute(request).await.map_err(|error| classify(&error, otherwise(&error)))
            }
            Way::Tunnelled(client) => {
                let request = request.try_into().map_err(|error| {
                    let error: reqwest::Error = error;
                    classify(&error, AttemptError::Other)
                })?;
                let answer = client.request(request).await.map_err(|error| {
                    let otherwise =
                        if error.is_connect() { AttemptError::Connect } else { AttemptError::Other };
                    classify(&error, otherwise)
                })?;
                Ok(answer.map(Body::wrap).into())
            }
        }
    }
}

/// What an error without a known cause is.
fn otherwise(error: &reqwest::Error) -> AttemptError {
    match error {
        _ if error.is_timeout() => AttemptError::Timeout,
        _ if error.is_connect() => AttemptError::Connect,
        _ => AttemptError::Other,
    }
}

/// A client that dials what the guard lets through.
fn straight(mut tls: ClientConfig, guarded: Guarded) -> Result<Client, reqwest::Error> {
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // Each try is an attempt that is recorded.
        .retry(reqwest::retry::never())
        .referer(false)
        .dns_resolver(guarded)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .http2_max_header_list_size(MAX_HEAD_BYTES.into())
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .build()
}

/// A client that has a proxy dial what the guard lets through.
fn tunnelled(
    tls: ClientConfig,
    guarded: Guarded,
    proxy: Proxy,
) -> TunnelClient<HttpsConnector<Tunnels>, Body> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(Tunnels { guarded, proxy: Arc::new(proxy) });
    TunnelClient::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .http1_max_buf_size(MAX_HEAD_BYTES.into())
        .http2_max_header_list_size(MAX_HEAD_BYTES.into())
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .build(connector)
}

impl Exchange {
    pub(super) fn failed(kind: AttemptError, detail: String) -> Self {
        let outcome = Outcome::Error { kind, detail };
        let (headers, body, head) = (Vec::new(), Bytes::new(), HeaderMap::new());
        Self { outcome, address: None, retry_after: None, headers, body, head }
    }
}

/// Reads an answer as far as it is worth it. One that breaks off is no answer, whatever
/// its first line said.
async fn read(mut response: Response) -> Exchange {
    let status = response.status().as_u16();
    let address = response.remote_addr().or_else(|| response.extensions().get().map(|Peer(peer)| *peer));
    let headers = kept_headers(response.headers(), response.status().is_success());
    let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).map(Into::into);
    // What frames the body is known by now.
    let head = std::mem::take(response.headers_mut());
    let mut body = BytesMut::new();
    let mut read = 0;
    let outcome = loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break Outcome::Status(status),
            Err(error) => {
                let (kind, detail) = classify(&error, AttemptError::Other);
                break Outcome::Error { kind, detail: format!("answered {status}, and then: {detail}") };
            }
        };
        read += chunk.len();
        // Copied, because a chunk holds on to the connection's whole buffer.
        let room = KEPT_BODY_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if read > READ_BODY_BYTES {
            break Outcome::Status(status);
        }
    };
    Exchange { outcome, address, retry_after, headers, body: body.freeze(), head }
}

fn kept_headers(headers: &HeaderMap, success: bool) -> Vec<Header> {
    let names = if success { &KEPT_HEADERS[..KEPT_ON_SUCCESS] } else { &KEPT_HEADERS[..] };
    let kept = |name: &&str| {
        let mut value = headers.get(*name)?.as_bytes();
        if *name == LOCATION {
            // A redirect often repeats the query, and with it a token.
            value = value.split(|byte| matches!(byte, b'?' | b'#')).next()?;
        }
        let value = String::from_utf8_lossy(&value[..value.len().min(KEPT_HEADER_BYTES)]).into_owned();
        Some(Header { name: (*name).into(), value })
    };
    names.iter().filter_map(kept).collect()
}
