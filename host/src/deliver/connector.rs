//! How a connection through a proxy comes about: resolve, judge, and ask the proxy for
//! what was judged. TLS is put on top of it, by the host's name.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use tokio::net::TcpStream;
use tower::Service;

use super::dialled::Dialled;
use super::proxy::Proxy;
use super::resolver::Guarded;
use super::transport::CONNECT_TIMEOUT;

/// What TLS and the HTTP client pass on unchanged; `classify` looks inside.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens tunnels under one policy.
#[derive(Clone, Debug)]
pub(super) struct Tunnels {
    pub guarded: Guarded,
    pub proxy: Arc<Proxy>,
}

/// Neither a tunnel nor a refusal in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {CONNECT_TIMEOUT:?}")]
pub(super) struct ConnectTimeout;

impl Service<Uri> for Tunnels {
    type Response = Dialled;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Dialled, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tunnels = self.clone();
        Box::pin(async move {
            let opened = tokio::time::timeout(CONNECT_TIMEOUT, tunnels.open(&uri)).await;
            opened.unwrap_or_else(|_| Err(ConnectTimeout.into()))
        })
    }
}

impl Tunnels {
    /// A tunnel to the first address that the proxy can reach. When it reaches none: what
    /// it said of the first.
    async fn open(&self, uri: &Uri) -> Result<Dialled, BoxError> {
        let host = uri.host().ok_or("the url names no host")?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let mut failure = None;
        for address in self.guarded.permitted(host).await? {
            let target = SocketAddr::new(address, port);
            let stream = self.reach().await.map_err(|error| self.proxy.unreachable(error))?;
            match self.proxy.tunnel(stream, target).await {
                Ok(stream) => return Ok(Dialled::new(stream, target)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.map_or_else(|| "no address".into(), BoxError::from))
    }

    /// The operator chose the proxy, so its own addresses are not judged.
    async fn reach(&self) -> io::Result<TcpStream> {
        let found = self.guarded.resolver.look_up(self.proxy.host()).await?;
        let hops: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip, self.proxy.port())).collect();
        let stream = TcpStream::connect(&hops[..]).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
