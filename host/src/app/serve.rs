//! Serves a router on a listener, plain or over TLS: so many connections, slow ones are cut
//! off, and a stop lets requests under way end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::crowd::{Crowd, Member};
use super::linger::Lingering;
use super::paced::{Pace, Paced};
use crate::config;
use crate::ingest::Peer;
use crate::lifecycle::Shutdown;

/// Of a request's head; providers send a few KiB.
const HEAD_BYTES: usize = 64 << 10;
/// Lines of a head; providers send a few dozen.
const HEADERS: usize = 100;
/// For TLS to be agreed on.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After an accept failed for want of file descriptors, until one may be free again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection of a listener gets.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) router: Router,
    /// Of connections at once.
    pub(super) max_connections: usize,
    /// For a request's head.
    pub(super) header_timeout: Duration,
    /// Between two requests.
    pub(super) idle_timeout: Duration,
    /// Where connections are encrypted.
    pub(super) tls: Option<TlsAcceptor>,
}

impl Service {
    /// With so many places and the times of the configuration, plain.
    pub(super) fn new(router: Router, max_connections: usize, server: &config::Server) -> Self {
        let config::Server { header_timeout, idle_timeout, .. } = *server;
        Self { router, max_connections, header_timeout, idle_timeout, tls: None }
    }
}

/// Serves until the soft stage of `shutdown`, then until the last request has ended or
/// the hard stage has come.
pub(super) async fn serve(listener: TcpListener, service: Service, shutdown: Shutdown) {
    let connections = TaskTracker::new();
    let crowd = Crowd::new(service.max_connections);
    loop {
        let accepted = tokio::select! {
            () = shutdown.soft.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without a place the next ones wait in the system's queue.
                let joined = shutdown.soft.run_until_cancelled(crowd.join(&shutdown.soft));
                let Some(member) = joined.await else { break };
                connections.spawn(begin(stream, peer, member, service.clone(), shutdown.clone()));
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // The files may all be in use: one of ours is enough for the next.
                crowd.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // The port is free before the last answer is written.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn begin(stream: TcpStream, peer: SocketAddr, member: Member, service: Service, shutdown: Shutdown) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &service.tls else {
        return connection(stream, peer, member, service, shutdown).await;
    };
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
    match member.leave().clone().run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => connection(stream, peer, member, service, shutdown).await,
        Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "TLS could not be agreed on"),
        Some(Err(_elapsed)) => tracing::debug!(%peer, "TLS was not agreed on in time"),
        // It was asked to leave.
        None => {}
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: SocketAddr,
    member: Member,
    service: Service,
    shutdown: Shutdown,
) {
    let Service { router, header_timeout, idle_timeout, .. } = service;
    let leave = member.leave().clone();
    let pace = Pace::new(member, header_timeout, idle_timeout);
    let stream = Lingering::new(Paced::new(stream, pace.clone()), shutdown.soft.clone(), pace.clone());
    let answer = service_fn(move |request| answer(request, peer, router.clone(), pace.clone()));
    let mut http = http1::Builder::new();
    // Its own timer does not tell the two times apart, and stands behind them.
    let both = header_timeout.saturating_add(idle_timeout);
    http.timer(TokioTimer::new()).header_read_timeout(both).max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), answer));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = leave.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection.as_mut() => result,
                () = shutdown.hard.cancelled() => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::trace!(%error, "a connection ended with an error");
    }
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    pace: Arc<Pace>,
) -> Result<axum::response::Response, std::convert::Infallible> {
    request.extensions_mut().insert(Peer::new(peer));
    let request = request.map(|body| Body::new(pace.serves(body)));
    let answered = router.oneshot(request).await;
    pace.has_served();
    answered
}

/// Errors that concern one peer, not the listener.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);
    const LONG: Duration = Duration::from_hours(1);
    /// Of answers that the system keeps for who does not read.
    const KEPT: usize = 512;

    /// Refuses everything before its body is read.
    fn service(idle_timeout: Duration) -> Service {
        let router = Router::new().fallback(async || StatusCode::PAYLOAD_TOO_LARGE);
        Service { router, max_connections: 1, header_timeout: idle_timeout, idle_timeout, tls: None }
    }

    /// A peer of that service, and how its connection ends.
    async fn peer(crowd: &Arc<Crowd>, service: Service) -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let shutdown = Shutdown::new();
        let member = crowd.join(&shutdown.soft).await;
        let (ours, theirs) = duplex(KEPT);
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        (theirs, tokio::spawn(connection(ours, address, member, service, shutdown)))
    }

    /// Asks until nobody takes it any more, and reads nothing.
    async fn asks_without_reading(peer: &mut DuplexStream) {
        let ask = b"OPTIONS /in/x HTTP/1.1\r\nhost: gate\r\n\r\n".repeat(100);
        while let Ok(asked) = timeout(Duration::from_millis(50), peer.write_all(&ask)).await {
            asked.unwrap();
        }
    }

    #[tokio::test]
    async fn who_reads_no_answer_is_cut_off_in_time() {
        let (mut peer, ended) = peer(&Crowd::new(1), service(Duration::from_millis(300))).await;
        let ask = b"OPTIONS /in/x HTTP/1.1\r\nhost: gate\r\n\r\n".repeat(1000);
        // It is cut off in the middle of this.
        peer.write_all(&ask).await.unwrap_err();
        timeout(DEADLINE, ended).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_reads_no_answer_makes_room() {
        let crowd = Crowd::new(1);
        let (mut peer, ended) = peer(&crowd, service(LONG)).await;
        asks_without_reading(&mut peer).await;
        let next = timeout(DEADLINE, crowd.join(&Shutdown::new().soft)).await;
        next.expect("the place is free");
        timeout(DEADLINE, ended).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_is_at_its_body_when_it_makes_room_can_read_the_answer() {
        let crowd = Crowd::new(1);
        let (mut peer, ended) = peer(&crowd, service(LONG)).await;
        let body = vec![b'x'; 64 << 10];
        let head = format!("POST /in/x HTTP/1.1\r\nhost: gate\r\ncontent-length: {}\r\n\r\n", body.len());
        peer.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(peer.read_u8().await.unwrap(), b'H', "it is answered");
        let stopping = Shutdown::new();
        let next = crowd.join(&stopping.soft);
        let sends = async {
            peer.write_all(&body).await.expect("the rest is taken");
            peer.shutdown().await.unwrap();
            let mut answer = String::new();
            peer.read_to_string(&mut answer).await.unwrap();
            answer
        };
        // The one that wants the place asks for it first.
        let (_next, answer) = timeout(DEADLINE, async { tokio::join!(biased; next, sends) }).await.unwrap();
        assert!(answer.starts_with("TTP/1.1 413"), "{answer}");
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn one_byte_of_a_head_keeps_no_place() {
        let crowd = Crowd::new(1);
        let (mut peer, ended) = peer(&crowd, service(LONG)).await;
        peer.write_all(b"P").await.unwrap();
        timeout(DEADLINE, crowd.join(&Shutdown::new().soft)).await.expect("the place is free");
        assert_eq!(timeout(DEADLINE, peer.read(&mut [0])).await.unwrap().unwrap(), 0);
        ended.await.unwrap();
    }
}
