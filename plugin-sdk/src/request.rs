//! What a `#[verify]` function is given.

use serde::Deserialize;

use crate::header::{Header, values};
use crate::{Result, json};

/// A request that says it is a webhook of its source. Nothing is known about who sent it.
///
/// Tests make one with [`testing::request`](../hookloom_sdk/testing/fn.request.html).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Percent-encoded as it came, without the query.
    pub path: String,
    /// The part behind `?`, as it came.
    pub query: Option<String>,
    /// All of them, in the order in which they came.
    pub headers: Vec<Header>,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// The URL that the provider was given: the gateway's `public_url` and the source's
    /// path, for schemes that sign it.
    pub public_url: String,
    /// When the gateway asks, in milliseconds since 1970-01-01T00:00Z.
    pub now_ms: u64,
}

impl Request {
    /// The body, read as JSON. What does not fit is `invalid-input`, which a `#[verify]`
    /// function answers as [`malformed`](crate::malformed). At most 128 levels deep.
    pub fn json<'request, T: Deserialize<'request>>(&'request self) -> Result<T> {
        json::read_body(&self.body)
    }

    /// The body as text; `invalid-input` where it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        Ok(std::str::from_utf8(&self.body)?)
    }

    /// The first value of a header, whatever the case of `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// Every value of a header, in order, whatever the case of `name`.
    pub fn headers<'request>(&'request self, name: &str) -> impl Iterator<Item = &'request str> {
        values(&self.headers, name)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, testing};

    #[test]
    fn headers_are_found_in_any_case() {
        let request = testing::request().header("X-Signature", "a").header("x-signature", "b").build();
        assert_eq!(request.header("x-SIGNATURE"), Some("a"));
        assert_eq!(request.headers("x-signature").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_body_that_does_not_fit_says_where() {
        let request = testing::request().body(r#"{"id": "x"}"#).build();
        let error = request.json::<std::collections::BTreeMap<&str, u8>>().unwrap_err();
        assert!(matches!(error, Error::InvalidInput(message) if message.starts_with("/id: invalid type")));
    }
}
