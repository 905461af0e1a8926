//! What a plugin is given.

use serde::Deserialize;

use crate::header::{Attribute, Header, values};
use crate::{Result, json};

/// One received webhook, already verified and on disk.
///
/// Tests make one with [`testing::event`](../hookloom_sdk/testing/fn.event.html).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The gateway's id, `evt_…`. Stable: a retried or replayed event keeps it.
    pub id: String,
    /// Name of the source in the configuration.
    pub source: String,
    /// What the provider calls it (`issues.opened`), where the source knows.
    pub event_type: Option<String>,
    /// When the gateway received it, in milliseconds since 1970-01-01T00:00Z.
    pub received_at_ms: u64,
    /// The request's method, upper case.
    pub method: String,
    /// The request's path, percent-encoded as it came, without the query.
    pub path: String,
    /// The part behind `?`, as it came.
    pub query: Option<String>,
    /// In the order in which they came; credentials are masked as `***`. Only those
    /// that the plugin named, if it named some.
    pub headers: Vec<Header>,
    /// Value of the `content-type` header, as a convenience.
    pub content_type: Option<String>,
    /// The exact bytes. After a step that replaced it: what that step produced. Empty
    /// for a plugin that said `body = false`.
    pub body: Vec<u8>,
    /// What the source and earlier steps know about the event.
    pub attributes: Vec<Attribute>,
}

impl Event {
    /// The body, read as JSON. What does not fit is `invalid-input`, with the place
    /// in the document: `/sender/login: invalid type: …`. At most 128 levels deep.
    pub fn json<'event, T: Deserialize<'event>>(&'event self) -> Result<T> {
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
    pub fn headers<'event>(&'event self, name: &str) -> impl Iterator<Item = &'event str> {
        values(&self.headers, name)
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.name == name).map(|found| found.value.as_str())
    }

    /// Whether the event's type is `name`, or a kind of it: `issues.opened` is of the
    /// type `issues`.
    pub fn is_type(&self, name: &str) -> bool {
        self.event_type.as_deref().is_some_and(|own| {
            own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Error, testing};

    #[test]
    fn headers_are_found_in_any_case_and_in_order() {
        let event = testing::event("s").header("X-Tag", "a").header("x-tag", "b").build();
        assert_eq!(event.header("X-TAG"), Some("a"));
        assert_eq!(event.headers("x-tag").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(event.header("x-none"), None);
    }

    #[test]
    fn a_body_that_does_not_fit_says_where() {
        #[derive(serde::Deserialize, Debug)]
        struct Item {
            #[serde(rename = "id")]
            _id: u32,
        }
        #[derive(serde::Deserialize, Debug)]
        struct Body {
            #[serde(rename = "items")]
            _items: Vec<Item>,
        }
        let event = testing::event("s").json(json!({"items": [{"id": 1}, {"id": "two"}]})).build();
        let Err(Error::InvalidInput(message)) = event.json::<Body>() else { panic!("it fits") };
        assert!(message.starts_with("/items/1/id: invalid type: string \"two\", expected u32"), "{message}");
    }

    #[test]
    fn a_type_has_kinds() {
        let event = testing::event("s").event_type("issues.opened").build();
        assert!(event.is_type("issues"));
        assert!(event.is_type("issues.opened"));
        assert!(!event.is_type("issue"));
        assert!(!testing::event("s").build().is_type("issues"));
    }
}
