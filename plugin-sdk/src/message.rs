//! What a transform makes of an event.

use serde::Serialize;

use crate::{Attribute, Header, Result};

/// What a transform makes of an event. Every part that is left out stays as the event
/// has it.
///
/// ```
/// # use hookloom_sdk::*;
/// # fn main() -> Result<()> {
/// let message = Message::json(&serde_json::json!({ "text": "hello" }))?
///     .header("x-priority", "1")
///     .event_type("greeting")
///     .to(["crm"]);
/// # assert_eq!(message.body.as_deref(), Some(&br#"{"text":"hello"}"#[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// `None` keeps the event's bytes without copying them back.
    pub body: Option<Vec<u8>>,
    /// `None` keeps the event's.
    pub content_type: Option<String>,
    /// Headers sent to the destination, each replacing all of its name that an earlier
    /// step set.
    pub set_headers: Vec<Header>,
    /// Names that no longer are sent.
    pub remove_headers: Vec<String>,
    /// Renames the event.
    pub event_type: Option<String>,
    /// Narrows the route's destinations.
    pub destinations: Option<Vec<String>>,
    /// Added to the event's attributes.
    pub attributes: Vec<Attribute>,
    /// Tells the messages of a split apart.
    pub idempotency_suffix: Option<String>,
}

impl Message {
    /// The event's own body.
    pub fn keep() -> Self {
        Self::default()
    }

    /// These bytes, of the event's content type.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..Self::default() }
    }

    /// This value as compact JSON, of the type `application/json`.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(crate::Error::other)?;
        Ok(Self::bytes(body).content_type("application/json"))
    }

    /// This text, of the type `text/plain; charset=utf-8`.
    pub fn text(body: impl Into<String>) -> Self {
        Self::bytes(body.into()).content_type("text/plain; charset=utf-8")
    }

    /// The `content-type` it is sent with.
    #[must_use]
    pub fn content_type(mut self, value: impl Into<String>) -> Self {
        self.content_type = Some(value.into());
        self
    }

    /// Sends a header. `webhook-*`, `hookloom-*` and the headers that frame a request
    /// (`host`, `content-length`, …) belong to the gateway: naming one is an error.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_headers.push(Header::new(name, value));
        self
    }

    /// Does not send a header that an earlier step set or the destination forwards.
    #[must_use]
    pub fn remove_header(mut self, name: impl Into<String>) -> Self {
        self.remove_headers.push(name.into().to_ascii_lowercase());
        self
    }

    /// Renames the event for later steps and for `hookloom-event-type`.
    #[must_use]
    pub fn event_type(mut self, name: impl Into<String>) -> Self {
        self.event_type = Some(name.into());
        self
    }

    /// Narrows the route's destinations to these. A name that the route does not have
    /// is an error; none at all sends it nowhere.
    #[must_use]
    pub fn to<Name: Into<String>>(mut self, destinations: impl IntoIterator<Item = Name>) -> Self {
        self.destinations = Some(destinations.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an attribute for later steps.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name: name.into(), value: value.into() });
        self
    }

    /// Makes this message's `webhook-id` independent of its position in a split. It has
    /// to be [valid](is_valid_suffix), and unique among the messages of its run.
    #[must_use]
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.idempotency_suffix = Some(suffix.into());
        self
    }
}

/// Whether the gateway takes this as a message's suffix: `[A-Za-z0-9_-]{1,64}`.
pub fn is_valid_suffix(suffix: &str) -> bool {
    (1..=64).contains(&suffix.len())
        && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_named() {
        assert_eq!(Message::keep(), Message::default());
        assert_eq!(Message::bytes("x").content_type, None);
    }

    #[test]
    fn header_names_are_lower_case_on_the_wire() {
        let message = Message::keep().header("X-Tag", "V").remove_header("X-Old");
        assert_eq!(message.set_headers, [Header { name: "x-tag".into(), value: "V".into() }]);
        assert_eq!(message.remove_headers, ["x-old"]);
    }

    #[test]
    fn suffixes_are_short_and_plain() {
        let longest = "x".repeat(64);
        for valid in ["a", "line-1", "A_9", &longest] {
            assert!(is_valid_suffix(valid), "{valid}");
        }
        let too_long = "x".repeat(65);
        for invalid in ["", "a.b", "a b", "ä", &too_long] {
            assert!(!is_valid_suffix(invalid), "{invalid}");
        }
    }
}
