//! What a `#[classify]` function is given, and what it answers.

use std::time::Duration;

use serde::Deserialize;

use crate::header::{Header, values};
use crate::{Result, json};

/// What a destination answered to an attempt.
///
/// Tests make one with [`testing::response`](../hookloom_sdk/testing/fn.response.html).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// In the order in which they came.
    pub headers: Vec<Header>,
    /// The first 4 KiB.
    pub body: Vec<u8>,
    /// Which attempt of the delivery it was; the first is 1.
    pub attempt: u32,
}

impl Response {
    /// The body, read as JSON; `invalid-input` where it does not fit, as it does not where
    /// it is longer than what is kept of it.
    pub fn json<'response, T: Deserialize<'response>>(&'response self) -> Result<T> {
        json::read_body(&self.body)
    }

    /// The body as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The first value of a header, whatever the case of `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// Every value of a header, in order, whatever the case of `name`.
    pub fn headers<'response>(&'response self, name: &str) -> impl Iterator<Item = &'response str> {
        values(&self.headers, name)
    }
}

/// What an answer means for its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Delivered.
    Done,
    /// Try again: after so many milliseconds, or as the schedule says.
    Retry(Option<u64>),
    /// Give up; the reason is recorded.
    Dead(String),
    /// As the gateway would have decided.
    Default,
}

/// Delivered.
pub const fn done() -> Decision {
    Decision::Done
}

/// Try again, as the destination's schedule says.
pub const fn retry() -> Decision {
    Decision::Retry(None)
}

/// Try again, so long from now.
pub fn retry_after(delay: Duration) -> Decision {
    Decision::Retry(Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)))
}

/// Give up; the reason is recorded.
pub fn dead(reason: impl Into<String>) -> Decision {
    Decision::Dead(reason.into())
}

/// As the gateway would have decided without the plugin.
pub const fn as_usual() -> Decision {
    Decision::Default
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_delay_is_in_milliseconds() {
        assert_eq!(retry_after(Duration::from_secs(2)), Decision::Retry(Some(2000)));
        assert_eq!(retry_after(Duration::MAX), Decision::Retry(Some(u64::MAX)));
    }

    #[test]
    fn a_response_is_read_like_an_event() {
        let response = testing::response(429).header("Retry-After", "3").body("nö").build();
        assert_eq!((response.header("retry-after"), response.text().as_ref()), (Some("3"), "nö"));
        assert!(response.json::<u8>().is_err());
    }
}
