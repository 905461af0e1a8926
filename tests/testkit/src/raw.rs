//! HTTP/1.1 by hand, for what no client library sends: halves of requests, several at
//! once, a foreign `Host`.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wait::DEADLINE;

/// One connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// As many bytes as `content-length` says.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {} {text}", self.status))
    }
}

impl Raw {
    /// # Panics
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the other side has closed.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the connection is open");
    }

    /// The same, where the other side may have had enough.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Sends nothing more.
    pub async fn finish(&mut self) {
        // The other side may have ended it already.
        let _ = self.stream.shutdown().await;
    }

    /// The next answer.
    ///
    /// # Panics
    /// When the connection ends first, or nothing comes in time.
    pub async fn answer(&mut self) -> RawAnswer {
        let read = timeout(DEADLINE, self.read_answer()).await;
        let why = match read.map_err(|elapsed| elapsed.to_string()) {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed,
        };
        panic!("no answer: {why}; so far: {}", String::from_utf8_lossy(&self.buffer));
    }

    /// Waits until the other side closes, and says what it sent before it did.
    ///
    /// # Panics
    /// When it does not.
    pub async fn closed(mut self) -> Vec<u8> {
        let end = timeout(DEADLINE, async { while matches!(self.more().await, Ok(true)) {} });
        end.await.expect("the connection is closed in time");
        self.buffer
    }

    async fn read_answer(&mut self) -> std::io::Result<RawAnswer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            self.must_have_more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        while self.buffer.len() < length {
            self.must_have_more().await?;
        }
        let body = self.buffer.drain(..length).collect();
        Ok(RawAnswer { status: status.unwrap_or(0), headers, body })
    }

    async fn must_have_more(&mut self) -> std::io::Result<()> {
        if self.more().await? { Ok(()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
    }

    async fn more(&mut self) -> std::io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}
