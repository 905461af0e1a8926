//! How long a connection may take: for the head of a request, between two requests, and until
//! something of an answer is read. A body has a time of its own, which ingest watches.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::crowd::Member;

/// For what is still to be written, once the place is wanted by somebody else. An answer is
/// small: who reads at all has it in that time.
const LEAVING: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come on it yet.
    New,
    /// Part of a head has come.
    Head,
    /// A request is being served.
    Serving,
    /// The last request is answered.
    Idle,
}

/// Where a connection stands.
#[derive(Debug)]
struct Standing {
    phase: Phase,
    /// How many times began anew: two idle times are two, although nobody read between them.
    time: u64,
    /// The body of the last request has not been read to its end.
    owed: bool,
}

/// Where a connection stands: its stream reads it, its service moves it.
#[derive(Debug)]
pub(super) struct Pace {
    standing: Mutex<Standing>,
    head: Duration,
    idle: Duration,
    member: Member,
}

impl Pace {
    /// Of a new connection: `head` for its first head, from now on.
    pub(super) fn new(member: Member, head: Duration, idle: Duration) -> Arc<Self> {
        let standing = Mutex::new(Standing { phase: Phase::New, time: 0, owed: false });
        Arc::new(Self { standing, head, idle, member })
    }

    /// A head is read in full; what follows it is this body.
    pub(super) fn serves<B: Body>(self: &Arc<Self>, body: B) -> Owed<B> {
        self.moves(Phase::Serving);
        self.standing().owed = !body.is_end_stream();
        self.member.is_busy();
        Owed { body, pace: self.clone() }
    }

    /// The answer is known.
    pub(super) fn has_served(&self) {
        self.moves(Phase::Idle);
        self.member.is_idle();
    }

    /// Whether the other side is no longer waited for: its place is wanted, and it owes nothing
    /// that it would have to send before it reads the answer.
    pub(super) fn is_given_up(&self) -> bool {
        self.member.makes_room() && !self.standing().owed
    }

    fn moves(&self, to: Phase) {
        let mut standing = self.standing();
        standing.phase = to;
        standing.time += 1;
    }

    /// Bytes have come: of a head, unless a request is being served or its body is due.
    fn has_read(&self) {
        let mut standing = self.standing();
        match standing.phase {
            // The first bytes do not start the time of the first head anew.
            Phase::New => standing.phase = Phase::Head,
            Phase::Idle if !standing.owed => {
                standing.phase = Phase::Head;
                standing.time += 1;
                self.member.begins();
            }
            Phase::Idle | Phase::Head | Phase::Serving => {}
        }
    }

    /// Which time runs for what is read, and how long it is.
    fn reading(&self) -> Option<(u64, Duration)> {
        let standing = self.standing();
        let limit = match standing.phase {
            // Nothing is due to it.
            Phase::New | Phase::Head if self.member.makes_room() => Duration::ZERO,
            Phase::New | Phase::Head => self.head,
            Phase::Idle => self.idle,
            Phase::Serving => return None,
        };
        Some((standing.time, limit))
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request, which says when it has been read.
#[derive(Debug)]
pub(super) struct Owed<B> {
    body: B,
    pace: Arc<Pace>,
}

impl<B: Body + Unpin> Body for Owed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.pace.standing().owed = false;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type Timer = Pin<Box<Sleep>>;

/// A stream that ends with an error when its pace is not kept.
pub(super) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    /// Of what is read, and which time it is.
    reading: Option<(u64, Timer)>,
    /// Runs while nothing of what is written is taken.
    writing: Option<Timer>,
    /// Runs from the first wait on after the place was wanted, whatever is taken meanwhile.
    leaving: Option<Timer>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace, reading: None, writing: None, leaving: None }
    }

    fn poll_reading(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((time, limit)) = self.pace.reading() else {
            self.reading = None;
            return Poll::Pending;
        };
        if limit.is_zero() {
            return Poll::Ready(());
        }
        let timer = match self.reading.take() {
            Some((of, timer)) if of == time => timer,
            _ => Box::pin(tokio::time::sleep(limit)),
        };
        self.reading.insert((time, timer)).1.as_mut().poll(cx)
    }

    /// What a write came to, in time. Reads do not time it: with an answer to write and a
    /// further request in hand, nobody reads.
    fn timed<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let limit = self.pace.head.max(self.pace.idle);
        let writing = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        let mut late = writing.as_mut().poll(cx).is_ready();
        if self.pace.member.makes_room() {
            let leaving = self.leaving.get_or_insert_with(|| Box::pin(tokio::time::sleep(LEAVING)));
            late |= leaving.as_mut().poll(cx).is_ready();
        }
        if late { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.poll_reading(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.pace.has_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.timed(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.timed(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_flush(cx);
        self.timed(written, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.timed(written, cx)
    }
}

#[cfg(test)]
mod tests {

    use http_body_util::{Empty, Full};
    use tokio_util::sync::CancellationToken;

    use super::super::crowd::Crowd;
    use super::*;

    #[tokio::test]
    async fn two_idle_times_are_two_although_nobody_reads_between_them() {
        let member = Crowd::new(1).join(&CancellationToken::new()).await;
        let pace = Pace::new(member, Duration::from_secs(10), Duration::from_mins(1));
        let head = pace.reading();
        pace.has_read();
        assert_eq!(pace.reading(), head, "the first byte begins nothing");
        let mut times = Vec::new();
        for _ in 0..2 {
            drop(pace.serves(Empty::<&[u8]>::new()));
            assert_eq!(pace.reading(), None);
            pace.has_served();
            times.extend(pace.reading());
        }
        assert!(times[0].0 != times[1].0 && times[0].1 == times[1].1, "{times:?}");
        pace.has_read();
        let (time, limit) = pace.reading().unwrap();
        assert!(time != times[1].0 && limit == Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_body_is_owed_until_its_end_is_read() {
        let member = Crowd::new(1).join(&CancellationToken::new()).await;
        let pace = Pace::new(member, Duration::from_secs(10), Duration::from_mins(1));
        for (body, read, owed) in [("", false, false), ("{}", false, true), ("{}", true, false)] {
            let mut body = pace.serves(Full::new(body.as_bytes()));
            if read {
                let mut next = async || std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
                while let Some(frame) = next().await {
                    let Ok(frame) = frame;
                    assert_eq!(frame.into_data().unwrap(), b"{}");
                }
            }
            pace.has_served();
            assert_eq!(pace.standing().owed, owed);
            let before = pace.reading();
            pace.has_read();
            assert_eq!(pace.reading() == before, owed, "what comes is of the body, or of a head");
        }
    }
}
