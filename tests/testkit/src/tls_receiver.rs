//! A receiver behind TLS that speaks HTTP/1.1, HTTP/2 or both, answers as scripted and
//! remembers over which connection it was sent what.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certs::Pair;
use crate::receiver::DEADLINE;

/// HTTP/2's SETTINGS without any, and GOAWAY that names no stream and no error.
const SETTINGS_THEN_GOAWAY: &[u8] =
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/// What it does with the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsAnswer {
    /// This status.
    Status(u16),
    /// This status, with so many bytes of header.
    BigHead(u16, usize),
    /// 200 with so many bytes of body.
    Body(usize),
    /// 302 to another path of its own.
    Redirect,
    /// This status once [`TlsReceiver::open`] was called.
    Held(u16),
    /// The connection ends without an answer.
    Cut,
    /// GOAWAY, without an answer (HTTP/2, and as the first thing on a connection).
    GoAway,
}

/// How it is set up.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Its certificate.
    pub pair: Pair,
    /// What it offers, best first.
    pub alpn: Vec<&'static str>,
    /// Who signs the certificates that clients must show; `None`: they need none.
    pub client_authority: Option<String>,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRequest {
    /// From 0, in the order in which they were opened.
    pub connection: usize,
    /// HTTP's.
    pub version: Version,
    /// The authority or `host` that it names.
    pub host: String,
    /// The name that was asked for by TLS.
    pub server_name: Option<String>,
    /// Its `webhook-id`.
    pub webhook_id: String,
    /// Whether the client showed a certificate.
    pub identified: bool,
}

/// A receiver on a port of its own. Dropping it ends its connections.
pub struct TlsReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    script: Mutex<VecDeque<TlsAnswer>>,
    seen: watch::Sender<Vec<TlsRequest>>,
    open: watch::Sender<bool>,
}

impl TlsReceiver {
    /// Answers in the order of `script`, and 200 after that.
    ///
    /// # Panics
    /// When the options are of no use.
    pub async fn start(options: TlsOptions, script: impl IntoIterator<Item = TlsAnswer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            seen: watch::Sender::default(),
            open: watch::Sender::default(),
        });
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&options)));
        let task = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://HOST:PORT/hooks`.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/hooks", self.address.port())
    }

    /// Lets held answers go, also later ones.
    pub fn open(&self) {
        self.shared.open.send_replace(true);
    }

    /// What it was sent so far.
    pub fn seen(&self) -> Vec<TlsRequest> {
        self.shared.seen.borrow().clone()
    }

    /// Waits until that many requests were read, and returns all there are.
    ///
    /// # Panics
    /// After [`DEADLINE`].
    pub async fn requests(&self, count: usize) -> Vec<TlsRequest> {
        let mut seen = self.shared.seen.subscribe();
        let reached = seen.wait_for(|seen| seen.len() >= count);
        match tokio::time::timeout(DEADLINE, reached).await {
            Ok(Ok(seen)) => seen.clone(),
            _ => panic!("the receiver never saw {count} requests; it saw {:?}", self.seen()),
        }
    }
}

impl Drop for TlsReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn server_config(options: &TlsOptions) -> ServerConfig {
    let certificates = |pem: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(|cert| cert.expect("a certificate")).collect()
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("TLS has versions");
    let config = match &options.client_authority {
        None => config.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(pem) {
                roots.add(root).expect("an authority");
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().expect("it trusts somebody"))
        }
    };
    let key = PrivateKeyDer::from_pem_slice(options.pair.key.as_bytes()).expect("a key");
    let mut config = config.with_single_cert(certificates(&options.pair.cert), key).expect("a pair");
    config.alpn_protocols = options.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    while let Ok((stream, _)) = listener.accept().await {
        let accepting = acceptor.accept(stream).into_fallible();
        let shared = Arc::clone(&shared);
        let connection = count;
        count += 1;
        connections.spawn(async move {
            match accepting.await {
                Ok(stream) => serve(stream, connection, shared).await,
                // Read to the end, so that the alert is not overtaken by a reset.
                Err((_, mut stream)) => until_closed(&mut stream).await,
            }
        });
    }
}

async fn until_closed(stream: &mut TcpStream) {
    let mut sink = [0; 1024];
    while matches!(stream.read(&mut sink).await, Ok(1..)) {}
}

async fn serve(mut stream: TlsStream<TcpStream>, connection: usize, shared: Arc<Shared>) {
    let (_, session) = stream.get_ref();
    let http2 = session.alpn_protocol() == Some(b"h2");
    let server_name = session.server_name().map(str::to_owned);
    let identified = session.peer_certificates().is_some();
    if http2 && shared.script().front() == Some(&TlsAnswer::GoAway) {
        shared.script().pop_front();
        return go_away(&mut stream).await;
    }
    let cut = Arc::new(Notify::new());
    let cut_here = Arc::clone(&cut);
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, cut, server_name) = (Arc::clone(&shared), Arc::clone(&cut), server_name.clone());
        async move {
            let read = TlsRequest { connection, server_name, identified, ..read(request).await };
            Ok::<_, Infallible>(shared.answer(read, &cut).await)
        }
    });
    let io = TokioIo::new(stream);
    let served = async {
        // How a connection ends is the other side's business.
        if http2 {
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, service)
                .await;
        } else {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        }
    };
    tokio::select! {
        () = served => {}
        () = cut_here.notified() => {}
    }
}

async fn read(request: Request<Incoming>) -> TlsRequest {
    let text = |name: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let host = request.uri().authority().map_or_else(|| text("host"), ToString::to_string);
    let (version, webhook_id) = (request.version(), text("webhook-id"));
    let _ = request.into_body().collect().await;
    TlsRequest { connection: 0, version, host, server_name: None, webhook_id, identified: false }
}

/// Waits for a request's first bytes, which are HTTP/2's preface, and takes none.
async fn go_away(stream: &mut TlsStream<TcpStream>) {
    let mut preface = [0; 24];
    if stream.read_exact(&mut preface).await.is_ok() && stream.write_all(SETTINGS_THEN_GOAWAY).await.is_ok() {
        let _ = stream.flush().await;
        let mut sink = [0; 1024];
        while matches!(stream.read(&mut sink).await, Ok(1..)) {}
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, VecDeque<TlsAnswer>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: TlsRequest, cut: &Notify) -> Response<Full<Bytes>> {
        self.seen.send_modify(|seen| seen.push(request));
        let answer = self.script().pop_front().unwrap_or(TlsAnswer::Status(200));
        let mut response = Response::new(Full::default());
        let status = match answer {
            TlsAnswer::Status(status) => status,
            TlsAnswer::BigHead(status, bytes) => {
                let value = "x".repeat(bytes).try_into().expect("a header's value");
                response.headers_mut().insert("x-big", value);
                status
            }
            TlsAnswer::Body(bytes) => {
                *response.body_mut() = Full::from(vec![b'x'; bytes]);
                200
            }
            TlsAnswer::Redirect => {
                let elsewhere = http::HeaderValue::from_static("/elsewhere");
                response.headers_mut().insert("location", elsewhere);
                302
            }
            TlsAnswer::Held(status) => {
                let _ = self.open.subscribe().wait_for(|open| *open).await;
                status
            }
            TlsAnswer::Cut | TlsAnswer::GoAway => {
                cut.notify_one();
                std::future::pending().await
            }
        };
        *response.status_mut() = status.try_into().expect("a status");
        response
    }
}
