//! The end of a connection whose sender is not done: the answer is to be read, although
//! nobody reads the rest of the request.
//!
//! Closing a socket with unread bytes in it resets the connection, and a sender that
//! writes its whole body before it reads would see the reset instead of the 413 or 503.
//! So the writing half is closed first, and what still comes is thrown away for a while
//! (RFC 9112 §9.6).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::paced::Pace;

/// How long a sender may take to notice.
const TIME: Duration = Duration::from_secs(2);
/// What is thrown away at most: above the largest bodies that providers send.
const BYTES: usize = 32 << 20;

/// A stream whose shutdown lingers.
pub(super) struct Lingering<S> {
    stream: S,
    /// A gateway that stops waits for nobody's rest.
    stopping: CancellationToken,
    /// Says whether one that makes room has a rest.
    pace: Arc<Pace>,
    /// Set once the writing half is closed.
    until: Option<Pin<Box<Sleep>>>,
    left: usize,
}

impl<S: AsyncRead + Unpin> Lingering<S> {
    pub(super) fn new(stream: S, stopping: CancellationToken, pace: Arc<Pace>) -> Self {
        Self { stream, stopping, pace, until: None, left: BYTES }
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut sink = [0; 8 * 1024];
        while self.left > 0 {
            let mut read = ReadBuf::new(&mut sink);
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read));
            let count = read.filled().len();
            if result.is_err() || count == 0 {
                // The other side is done, or gone.
                break;
            }
            self.left = self.left.saturating_sub(count);
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.until.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let until = this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(TIME)));
        let is_cut = this.stopping.is_cancelled() || this.pace.is_given_up();
        if is_cut || until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        this.poll_discard(cx).map(Ok)
    }
}
