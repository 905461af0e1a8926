//! Reads a body, up to a size and within a time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::refusal::Refusal;

/// The length that the sender says the body has, in bytes.
pub(super) fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The whole body.
///
/// # Errors
/// The refusal that a body above `limit` bytes, slower than `timeout`, or broken off
/// becomes. A declared length above the limit is refused before anything is read.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Refusal> {
    if declared(headers).is_some_and(|length| length > limit as u64) {
        return Err(Refusal::TooLarge(limit));
    }
    match tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await {
        Err(_elapsed) => Err(Refusal::SlowBody),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(Refusal::TooLarge(limit)),
        Ok(Err(_)) => Err(Refusal::Malformed("the body broke off".to_owned())),
    }
}
