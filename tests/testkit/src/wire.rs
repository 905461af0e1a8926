//! As much of HTTP/1.1 as both ends of the load need, and no more, so that the machine's
//! time is the subject's.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads messages of one connection: heads with a `content-length`, and their bodies.
#[derive(Debug)]
pub struct Messages<R> {
    stream: R,
    buffer: Vec<u8>,
    /// What of `buffer` the last message took.
    taken: usize,
}

/// One request or response.
#[derive(Debug)]
pub struct Message<'a> {
    /// From the first line to the empty one.
    pub head: &'a [u8],
    /// As many bytes as its `content-length` says.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The first header of that name, which is not case-sensitive.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }
}

impl<R: AsyncRead + Unpin> Messages<R> {
    /// From the beginning of `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::with_capacity(16 << 10), taken: 0 }
    }

    /// The next message; `None` when the peer has closed. May be dropped while it waits.
    pub async fn next(&mut self) -> io::Result<Option<Message<'_>>> {
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

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let mut lines = head.split(|&byte| byte == b'\n').skip(1);
    let value = lines.find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.strip_prefix(b":"))?
    })?;
    str::from_utf8(value).ok().map(str::trim)
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "a message without a content-length");
    header(head, "content-length").and_then(|value| value.parse().ok()).ok_or_else(malformed)
}
