//! What a `#[verify]` function answers.

use crate::{Attribute, Error, Header};

/// Whether a request is a webhook of its source.
///
/// A function may answer with what becomes one as well: an [`Acceptance`], a [`Reply`], or
/// a `Result` of any of these, so that `?` ends a check that fails:
///
/// ```
/// # use hookloom_sdk::*;
/// fn check(request: &Request) -> Result<Acceptance, Verification> {
///     let token = request.header("x-token").ok_or_else(|| unauthorized("no x-token"))?;
///     if !same_bytes(token, secrets::reveal("SHOP_TOKEN")?) {
///         return Err(unauthorized("a wrong x-token"));
///     }
///     Ok(accept())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is one.
    Accepted(Acceptance),
    /// Answer so and keep nothing: a handshake.
    Respond(Reply),
    /// 400: not a request of this provider.
    Malformed(String),
    /// 401: wrong or missing credentials.
    Unauthorized(String),
    /// 503: cannot be decided now.
    Unavailable(String),
}

/// What an accepted request says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acceptance {
    /// The provider's id of this webhook, for deduplication.
    pub id: Option<String>,
    /// What the provider calls it.
    pub event_type: Option<String>,
    /// Facts about it that steps can read.
    pub attributes: Vec<Attribute>,
}

impl Acceptance {
    /// The provider's id of this webhook: a second one with the same id is a duplicate.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What the provider calls it.
    #[must_use]
    pub fn event_type(mut self, name: impl Into<String>) -> Self {
        self.event_type = Some(name.into());
        self
    }

    /// A fact about it that steps can read.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name: name.into(), value: value.into() });
        self
    }
}

/// What is answered to a handshake, which is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// 200 to 499.
    pub status: u16,
    /// Sent with it.
    pub headers: Vec<Header>,
    /// At most 64 KiB.
    pub body: Vec<u8>,
}

impl Reply {
    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }

    /// These bytes, of no type.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// This text, of the type `text/plain; charset=utf-8`.
    #[must_use]
    pub fn text(self, body: impl Into<String>) -> Self {
        self.body(body.into()).header("content-type", "text/plain; charset=utf-8")
    }

    /// This value as compact JSON, of the type `application/json`.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.body(body.to_string()).header("content-type", "application/json")
    }
}

/// It is a webhook of its source.
pub fn accept() -> Acceptance {
    Acceptance::default()
}

/// Answers with this status, 200 to 499, and keeps nothing: a handshake.
pub const fn respond(status: u16) -> Reply {
    Reply { status, headers: Vec::new(), body: Vec::new() }
}

/// 400: not a request of this provider.
pub fn malformed(reason: impl Into<String>) -> Verification {
    Verification::Malformed(reason.into())
}

/// 401: wrong or missing credentials.
pub fn unauthorized(reason: impl Into<String>) -> Verification {
    Verification::Unauthorized(reason.into())
}

/// 503: cannot be decided now.
pub fn unavailable(reason: impl Into<String>) -> Verification {
    Verification::Unavailable(reason.into())
}

impl From<Acceptance> for Verification {
    fn from(acceptance: Acceptance) -> Self {
        Self::Accepted(acceptance)
    }
}

impl From<Reply> for Verification {
    fn from(reply: Reply) -> Self {
        Self::Respond(reply)
    }
}

/// What cannot be read is malformed; everything else may be otherwise on a later try of
/// the provider's, and is never accepted.
impl From<Error> for Verification {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidInput(message) => Self::Malformed(message),
            Error::Misconfigured(message) | Error::Retry(message) | Error::Other(message) => {
                Self::Unavailable(message)
            }
        }
    }
}

/// So that `?` works on a call for a secret.
impl From<crate::secrets::Error> for Verification {
    fn from(error: crate::secrets::Error) -> Self {
        Error::from(error).into()
    }
}

/// So that `?` works on a call for a value.
impl From<crate::kv::Error> for Verification {
    fn from(error: crate::kv::Error) -> Self {
        Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_never_accepts() {
        let of = |error| Verification::from(error);
        assert_eq!(of(Error::invalid_input("a")), malformed("a"));
        assert_eq!(of(Error::misconfigured("a")), unavailable("a"));
        assert_eq!(of(Error::retry("a")), unavailable("a"));
        assert_eq!(of(Error::other("a")), unavailable("a"));
    }

    #[test]
    fn a_reply_says_what_its_body_is() {
        let reply = respond(200).json(&serde_json::json!({"challenge": "x"}));
        assert_eq!(reply.body, br#"{"challenge":"x"}"#);
        assert_eq!(reply.headers, [Header::new("Content-Type", "application/json")]);
        assert_eq!(respond(204).header("X-A", "b").headers, [Header::new("x-a", "b")]);
    }
}
