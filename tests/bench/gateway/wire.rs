//! As much of HTTP/1.1 as both ends of the load need, and no more, so that the machine's
//! time is the subject's.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads messages of one connection: heads with a `content-length`, and their bodies.
pub(crate) struct Messages<R> {
    stream: R,
    buffer: Vec<u8>,
    /// What of `buffer` the last message took.
    taken: usize,
}

/// One request or response.
pub(crate) struct Message<'a> {
    /// From the first line to the empty one.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl<R: AsyncRead + Unpin> Messages<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::with_capacity(16 << 10), taken: 0 }
    }

    /// The next message; `None` when the peer has closed.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Message<'_>>> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        };
        let end = head + content_length(&self.buffer[..head])?;
        while self.buffer.len() < end {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.taken = end;
        Ok(Some(Message { head: &self.buffer[..head], body: &self.buffer[head..end] }))
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "a message without a content-length");
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let Some((name, value)) = line.split_at_checked("content-length:".len()) else { continue };
        if name.eq_ignore_ascii_case(b"content-length:") {
            let value = str::from_utf8(value).map_err(|_| malformed())?;
            return value.trim().parse().map_err(|_| malformed());
        }
    }
    Err(malformed())
}
