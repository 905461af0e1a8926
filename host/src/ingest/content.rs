//! What a body holds: decompressed, and compared with its schema. Work on the processor,
//! which long and compressed bodies get in turn, on threads of their own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::Received;
use super::body::Room;
use super::refusal::Refusal;
use super::schema::Schema;
use crate::model::{Coding, DecodeError};

/// Bytes that are read where the request is served: about a millisecond's worth. What is
/// longer, or compressed and so of no known length, would keep other requests waiting.
const SHORT: usize = 64 << 10;
/// Long bodies that are read at once. Decompressed and parsed, each may take many times the
/// memory that it came with.
const AT_ONCE: usize = 4;
/// How long others wait for their turn before they are asked to come again: less than most
/// senders wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body as it is read.
#[derive(Debug)]
pub(super) struct Content {
    /// Decompressed.
    pub(super) body: Bytes,
    /// Why it does not match its schema.
    pub(super) unfit: Option<String>,
}

/// Lets long bodies be read in turn.
#[derive(Debug)]
pub(super) struct Reading {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), patience: PATIENCE }
    }
}

impl Reading {
    /// What the body holds, at most `max_decoded` bytes where it is compressed, and whether it
    /// matches. It keeps its room meanwhile.
    ///
    /// # Errors
    /// The refusal that a body becomes that cannot be decompressed, or for which there is no
    /// turn. It was verified, so its provider did send it; but what could never be read is
    /// refused, because a 2xx would promise that.
    pub(super) async fn read(
        &self,
        received: &Received<'_>,
        schema: Option<&Arc<Schema>>,
        max_decoded: usize,
        _room: Room<'_>,
    ) -> Result<Content, Refusal> {
        let coding = Coding::of_request(received.headers);
        let (body, schema) = (received.body.clone(), schema.cloned());
        if coding.is_none() && (schema.is_none() || body.len() <= SHORT) {
            return content(None, body, schema.as_deref(), max_decoded);
        }
        self.in_turn(move || content(coding, body, schema.as_deref(), max_decoded)).await?
    }

    /// What that work on a body comes to. Its place is free when it is done, also where
    /// nobody waits for it any more.
    ///
    /// # Errors
    /// The refusal of a request for which there is no turn.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        const LATER: Refusal = Refusal::Unavailable("the body cannot be read now");
        let place = tokio::time::timeout(self.patience, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(LATER) };
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        working.await.map_err(|_| LATER)
    }
}

fn content(
    coding: Option<Coding>,
    body: Bytes,
    schema: Option<&Schema>,
    max_decoded: usize,
) -> Result<Content, Refusal> {
    let body = match coding.map(|coding| coding.decode(&body, max_decoded)) {
        None => body,
        Some(Ok(decoded)) => decoded,
        Some(Err(error @ DecodeError::TooLarge(_))) => return Err(Refusal::Inflated(error)),
        Some(Err(error @ DecodeError::Corrupt)) => return Err(Refusal::Malformed(error.to_string())),
    };
    let unfit = schema.and_then(|schema| schema.check(&body).err());
    Ok(Content { body, unfit })
}

#[cfg(test)]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    use http::header::CONTENT_ENCODING;
    use http::{HeaderMap, HeaderValue, Method, Uri};

    use super::super::body::{self, Rooms};
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_place_is_taken_until_the_work_is_done_whoever_waits_for_it() {
        let reading = Reading::default();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let (start, mut started) = tokio::sync::oneshot::channel();
        let mut turn = Box::pin(reading.in_turn(move || {
            start.send(()).unwrap();
            finished.recv()
        }));
        tokio::select! {
            biased;
            _ = &mut turn => panic!("nobody let it end"),
            began = &mut started => began.unwrap(),
        }
        drop(turn);
        assert_eq!(reading.places.available_permits(), AT_ONCE - 1);
        finish.send(()).unwrap();
        let all = reading.places.acquire_many(AT_ONCE.try_into().unwrap());
        assert!(tokio::time::timeout(HOUR, all).await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_takes_room_and_does_not_wait_for_ever() {
        let (rooms, uri, body) = (Rooms::default(), Uri::from_static("/in/a"), Bytes::new());
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let received = Received { method: &Method::POST, uri: &uri, headers: &headers, body: &body };
        let all = rooms.left();
        let room =
            async || body::read(&rooms, &headers, vec![b'x'; 4096].into(), 4096, HOUR).await.unwrap().1;

        let patient = Reading { patience: HOUR, ..Reading::default() };
        let places = patient.places.acquire_many(4).await.unwrap();
        let mut reading = pin!(patient.read(&received, None, 4096, room().await));
        assert!(poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await.is_pending());
        assert_eq!(rooms.left(), all - 4);
        drop(places);
        assert_eq!(reading.await.unwrap().body, "");
        assert_eq!(rooms.left(), all);

        let hasty = Reading { patience: Duration::ZERO, ..Reading::default() };
        let _places = hasty.places.acquire_many(4).await.unwrap();
        let refused =
            tokio::time::timeout(HOUR, hasty.read(&received, None, 4096, room().await)).await.unwrap();
        assert_eq!(refused.unwrap_err(), Refusal::Unavailable("the body cannot be read now"));
        assert_eq!(rooms.left(), all);
    }
}
