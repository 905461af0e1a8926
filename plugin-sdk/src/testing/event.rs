//! Makes events for tests.

use serde::Serialize;

use super::host;
use crate::{Attribute, Event, Header};

/// An event of this source, like one that came as a `POST` without a body.
pub fn event(source: impl Into<String>) -> EventBuilder {
    let source = source.into();
    EventBuilder(Event {
        id: "evt_test".to_owned(),
        path: format!("/in/{source}"),
        source,
        event_type: None,
        received_at_ms: host::now_ms(),
        method: "POST".to_owned(),
        query: None,
        headers: Vec::new(),
        content_type: None,
        body: Vec::new(),
        attributes: Vec::new(),
    })
}

/// Makes an event step by step.
#[derive(Clone, Debug)]
pub struct EventBuilder(Event);

impl EventBuilder {
    /// Its id; otherwise `evt_test`.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// What the provider calls it.
    #[must_use]
    pub fn event_type(mut self, name: impl Into<String>) -> Self {
        self.0.event_type = Some(name.into());
        self
    }

    /// When it came; otherwise now.
    #[must_use]
    pub fn received_at_ms(mut self, at: u64) -> Self {
        self.0.received_at_ms = at;
        self
    }

    /// Its method; otherwise `POST`.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.0.method = method.into();
        self
    }

    /// Its path; otherwise `/in/` and the source.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.0.path = path.into();
        self
    }

    /// The part behind `?`.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.0.query = Some(query.into());
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let header = Header::new(name, value);
        if header.name == "content-type" {
            self.0.content_type = Some(header.value.clone());
        }
        self.0.headers.push(header);
        self
    }

    /// One more attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.push(Attribute { name: name.into(), value: value.into() });
        self
    }

    /// A JSON body, with its content type unless there is one already.
    #[must_use]
    pub fn json(self, body: impl Serialize) -> Self {
        let with_body = self.body(serde_json::to_vec(&body).expect("a test's body serialises"));
        if with_body.0.content_type.is_some() {
            return with_body;
        }
        with_body.header("content-type", "application/json")
    }

    /// These bytes as they are.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self
    }

    /// The event.
    pub fn build(self) -> Event {
        self.0
    }
}
