//! Serves a router on a listener: slow heads are cut off, and a stop lets requests
//! under way end.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::linger::Lingering;
use crate::lifecycle::Shutdown;

/// For a request's head, and for an idle connection's next request.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
/// Of a request's head; providers send a few KiB.
const HEAD_BYTES: usize = 64 << 10;
/// After an accept failed for want of file descriptors, until one may be free again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the soft stage of `shutdown`, then until the last request has ended or
/// the hard stage has come.
pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.soft.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => {
                connections.spawn(connection(stream, router.clone(), shutdown.clone()));
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // The port is free before the last answer is written.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, router: Router, shutdown: Shutdown) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEAD_BYTES);
    let stream = Lingering::new(stream, shutdown.soft.clone());
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.soft.cancelled() => {
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

/// Errors that concern one peer, not the listener.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}
