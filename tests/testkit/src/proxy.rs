//! A proxy that is asked for tunnels, remembers for which, and answers as scripted.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What the proxy does when it is asked.
#[derive(Clone, Debug)]
pub enum Tunnel {
    /// A tunnel to this address, whichever was asked for.
    To(SocketAddr),
    /// Bytes instead of one; the connection ends.
    Says(&'static str),
    /// Nothing, and the connection stays.
    Silence,
}

/// What it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `CONNECT 203.0.113.7:443 HTTP/1.1`.
    pub line: String,
    /// Its `proxy-authorization`.
    pub authorization: Option<String>,
}

/// A proxy on a port of its own. Dropping it ends its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Answers everybody with `tunnel`.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(tunnel: Tunnel) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, tunnel.clone(), Arc::clone(&seen)));
            }
        });
        Self { address, asked, task }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, tunnel: Tunnel, seen: Arc<Mutex<Vec<Asked>>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // What follows the head belongs into the tunnel.
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let authorization = lines.find_map(|line| line.strip_prefix("proxy-authorization: ")).map(Into::into);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(Asked { line, authorization });
    match tunnel {
        Tunnel::To(address) => {
            let mut target = TcpStream::connect(address).await?;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut stream, &mut target).await?;
        }
        Tunnel::Says(bytes) => stream.write_all(bytes.as_bytes()).await?,
        Tunnel::Silence => while stream.read_u8().await.is_ok() {},
    }
    Ok(())
}
