//! Reads a body, up to a size and within a time, and makes it take its room as it comes:
//! what a sender only announces takes none.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refusal::Refusal;

/// What is read or verified at once and may go no further: what strangers can make the
/// gateway hold in memory. In KiB.
const UNVERIFIED_KIB: usize = 256 << 10;

/// Room for the bodies of requests that are not accepted yet.
#[derive(Debug)]
pub(super) struct Rooms(Semaphore);

/// The room that one body takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    rooms: &'a Semaphore,
    taken: SemaphorePermit<'a>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self::of_kib(UNVERIFIED_KIB)
    }
}

impl Rooms {
    fn of_kib(kib: usize) -> Self {
        Self(Semaphore::new(kib))
    }

    /// For a request whose body begins to be read.
    pub(super) fn enter(&self) -> Result<Room<'_>, Refusal> {
        Ok(Room { rooms: &self.0, taken: self.0.try_acquire().map_err(|_| FULL)? })
    }

    /// In KiB.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.0.available_permits()
    }
}

const FULL: Refusal = Refusal::Unavailable("too many requests at once");

impl Room<'_> {
    /// Makes it as large as so many bytes.
    fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let more = bytes.div_ceil(1024).saturating_sub(self.taken.num_permits());
        let more = u32::try_from(more).map_err(|_| FULL)?;
        self.taken.merge(self.rooms.try_acquire_many(more).map_err(|_| FULL)?);
        Ok(())
    }
}

/// The length that the sender says the body has, in bytes.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body, and the room that it takes.
///
/// # Errors
/// The refusal that a body above `limit` bytes, slower than `timeout`, broken off, or
/// without room becomes. A declared length above the limit is refused before anything is
/// read.
pub(super) async fn read<'a>(
    rooms: &'a Rooms,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
) -> Result<(Bytes, Room<'a>), Refusal> {
    if declared(headers).is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge(limit));
    }
    let room = rooms.enter()?;
    tokio::time::timeout(timeout, read_all(room, body, limit)).await.unwrap_or(Err(Refusal::SlowBody))
}

async fn read_all(mut room: Room<'_>, mut body: Body, limit: usize) -> Result<(Bytes, Room<'_>), Refusal> {
    // Copied, so that many small pieces do not keep their large buffers.
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Malformed("the body broke off".to_owned()))?;
        let Ok(piece) = frame.into_data() else { continue };
        let length = read.len() + piece.len();
        if length > limit {
            return Err(Refusal::TooLarge(limit));
        }
        room.grow_to(length)?;
        read.extend_from_slice(&piece);
    }
    // Without what the buffer had grown to beyond the body.
    Ok((read.into_boxed_slice().into(), room))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::future::{Future, poll_fn};
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Pieces, and then silence.
    struct Slow(VecDeque<Bytes>);

    impl axum::body::HttpBody for Slow {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.pop_front().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
        }
    }

    fn saying(length: usize) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, length.into())])
    }

    async fn begin<F: Future>(mut reading: Pin<&mut F>) -> Poll<F::Output> {
        poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await
    }

    #[tokio::test]
    async fn what_is_announced_takes_no_room_and_what_came_does() {
        let rooms = Rooms::of_kib(8);
        let pieces =
            || Body::new(Slow([Bytes::from_static(&[0; 100]), Bytes::from_static(&[0; 1000])].into()));
        let announced = saying(8 << 10);
        let mut strangers = [(); 3].map(|()| Box::pin(read(&rooms, &announced, pieces(), 8 << 10, HOUR)));
        for stranger in &mut strangers {
            assert!(begin(stranger.as_mut()).await.is_pending());
        }
        assert_eq!(rooms.left(), 2, "two KiB each");
        let body = |length| Body::from(vec![b'x'; length]);
        let (sound, room) = read(&rooms, &saying(2048), body(2048), 4096, HOUR).await.unwrap();
        assert_eq!((sound.len(), rooms.left()), (2048, 0));
        let refused = read(&rooms, &HeaderMap::new(), body(1), 4096, HOUR).await.unwrap_err();
        assert_eq!(refused, FULL);
        drop(room);
        let refused = read(&rooms, &HeaderMap::new(), body(2049), 4096, HOUR).await.unwrap_err();
        assert_eq!((refused, rooms.left()), (FULL, 2), "what was taken is given back");
        drop(strangers);
        assert_eq!(rooms.left(), 8);
    }

    #[tokio::test]
    async fn limits_of_size_and_time() {
        let rooms = Rooms::default();
        let none = HeaderMap::new();
        for (length, fits) in [(0, true), (5, true), (6, false)] {
            let read = read(&rooms, &none, Body::from(vec![b'x'; length]), 5, HOUR).await;
            assert_eq!(read.map(|(body, _)| body.len()).ok(), fits.then_some(length));
        }
        let silent = Body::new(Slow(VecDeque::new()));
        let mut declared = pin!(read(&rooms, &none, silent, 5, Duration::ZERO));
        assert_eq!(declared.as_mut().await.unwrap_err(), Refusal::SlowBody);
        let silent = Body::new(Slow(VecDeque::new()));
        assert_eq!(read(&rooms, &saying(6), silent, 5, HOUR).await.unwrap_err(), Refusal::TooLarge(5));
        assert_eq!(rooms.left(), UNVERIFIED_KIB);
    }
}
