//! What a run is making of its event: the event as the steps so far left it, and the
//! rules for what a step may make of it.

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderName, HeaderValue};

use crate::model::{Attribute, Coding, Event, Header, MAX_DECODED, Message, Route, RouteTarget};
use crate::plugin::{CallInput, PluginMessage};

/// One message in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) body: Option<Bytes>,
    pub(super) content_type: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) set_headers: Vec<Header>,
    pub(super) remove_headers: Vec<String>,
    pub(super) attributes: Vec<Attribute>,
    /// `None`: all of the route's.
    pub(super) destinations: Option<Vec<String>>,
    pub(super) suffix: Option<String>,
}

impl Draft {
    /// Before any step: with the attributes that the source gave the event, and what it
    /// holds where it came compressed. Without steps it stays as it was sent.
    pub(super) fn of(event: &Event, route: &Route) -> Self {
        let draft = Self { attributes: event.attributes.clone(), ..Self::default() };
        let coding = Coding::of_headers(&event.headers).filter(|_| !route.steps.is_empty());
        // What cannot be decompressed was not accepted, unless an older gateway did.
        match coding.map(|coding| coding.decode(&event.body, MAX_DECODED)) {
            Some(Ok(body)) => {
                let remove_headers = vec![CONTENT_ENCODING.as_str().to_owned()];
                Self { body: Some(body), remove_headers, ..draft }
            }
            Some(Err(_)) | None => draft,
        }
    }

    /// The event as the next step is to see it.
    pub(super) fn input<'a>(&'a self, event: &'a Event) -> CallInput<'a> {
        CallInput {
            event,
            body: self.body.as_ref().unwrap_or(&event.body),
            event_type: self.event_type.as_deref().or(event.event_type.as_deref()),
            content_type: self.content_type.as_deref().or_else(|| event.header("content-type")),
            attributes: &self.attributes,
        }
    }

    /// This draft after a step produced `message`.
    ///
    /// # Errors
    /// Which rule of the contract the message breaks.
    pub(super) fn apply(&self, message: PluginMessage, route: &Route) -> Result<Self, String> {
        let PluginMessage {
            body,
            mut content_type,
            set_headers,
            remove_headers,
            event_type,
            destinations,
            attributes,
            idempotency_suffix,
        } = message;
        let mut next = self.clone();
        for name in remove_headers {
            let name = checked_name(&name)?;
            next.set_headers.retain(|h| h.name != name);
            if name == "content-type" {
                next.content_type = None;
            }
            next.remove_headers.push(name);
        }
        let mut fresh: Vec<Header> = Vec::with_capacity(set_headers.len());
        for Header { name, value } in set_headers {
            let name = checked_name(&name)?;
            if HeaderValue::from_str(&value).is_err() {
                return Err(format!("the value of the header \"{name}\" is not one that HTTP allows"));
            }
            if name == "content-type" {
                content_type = Some(value);
            } else {
                fresh.push(Header { name, value });
            }
        }
        next.set_headers.retain(|old| !fresh.iter().any(|new| new.name == old.name));
        next.set_headers.extend(fresh);
        if let Some(kind) = &content_type
            && HeaderValue::from_str(kind).is_err()
        {
            return Err("the content type is not a header value that HTTP allows".to_owned());
        }
        next.body = body.or(next.body);
        next.content_type = content_type.or(next.content_type);
        next.event_type = checked_event_type(event_type)?.or(next.event_type);
        next.narrow(destinations, route)?;
        next.add_attributes(attributes);
        next.extend_suffix(idempotency_suffix)?;
        Ok(next)
    }

    fn narrow(&mut self, to: Option<Vec<String>>, route: &Route) -> Result<(), String> {
        let Some(to) = to else { return Ok(()) };
        if let Some(unknown) = to.iter().find(|name| route.target(name).is_none()) {
            return Err(format!("the route \"{}\" has no destination \"{unknown}\"", route.name));
        }
        self.destinations = Some(match self.destinations.take() {
            None => to,
            Some(before) => before.into_iter().filter(|name| to.contains(name)).collect(),
        });
        Ok(())
    }

    fn add_attributes(&mut self, attributes: Vec<Attribute>) {
        for attribute in attributes {
            self.attributes.retain(|a| a.name != attribute.name);
            self.attributes.push(attribute);
        }
    }

    /// A suffix below another one is appended to it: both tell messages apart.
    fn extend_suffix(&mut self, suffix: Option<String>) -> Result<(), String> {
        let Some(suffix) = suffix else { return Ok(()) };
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if suffix.is_empty() || suffix.len() > 64 || !suffix.chars().all(allowed) {
            return Err(format!("the idempotency suffix \"{suffix}\" is not of [A-Za-z0-9_-]{{1,64}}"));
        }
        self.suffix = Some(match self.suffix.take() {
            None => suffix,
            Some(outer) => format!("{outer}.{suffix}"),
        });
        Ok(())
    }

    /// Where it goes.
    pub(super) fn targets<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a RouteTarget> {
        let narrowed = |target: &&RouteTarget| match &self.destinations {
            None => true,
            Some(names) => names.contains(&target.destination),
        };
        route.to.iter().filter(narrowed)
    }

    /// Bytes that it holds beside the event as it was received.
    pub(super) fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let names = |names: &[String]| names.iter().map(String::len).sum::<usize>();
        self.body.as_ref().map_or(0, Bytes::len)
            + text(&self.content_type)
            + text(&self.event_type)
            + text(&self.suffix)
            + self.set_headers.iter().map(|h| h.name.len() + h.value.len()).sum::<usize>()
            + names(&self.remove_headers)
            + self.attributes.iter().map(|a| a.name.len() + a.value.len()).sum::<usize>()
            + self.destinations.as_deref().map_or(0, names)
    }

    /// What is stored and sent.
    pub(super) fn message(&self) -> Message {
        Message {
            body: self.body.clone(),
            content_type: self.content_type.clone(),
            event_type: self.event_type.clone(),
            set_headers: self.set_headers.clone(),
            remove_headers: self.remove_headers.clone(),
        }
    }
}

/// A header's name in lower case, if a plugin may touch it.
fn checked_name(name: &str) -> Result<String, String> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(format!("\"{name}\" is not a header name"));
    };
    let name = name.as_str();
    if Header::is_reserved(name) {
        return Err(format!("the header \"{name}\" is the gateway's"));
    }
    Ok(name.to_owned())
}

/// An event type that fits into a header.
fn checked_event_type(event_type: Option<String>) -> Result<Option<String>, String> {
    match event_type {
        Some(ty) if ty.is_empty() || ty.len() > 256 || HeaderValue::from_str(&ty).is_err() => {
            Err("the event type is empty, longer than 256 bytes, or has control characters".to_owned())
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OnError, Step};

    fn route() -> Route {
        let target = |name: &str| RouteTarget { destination: name.into(), ..RouteTarget::default() };
        let to = vec![target("a"), target("b")];
        Route { name: "r".into(), from: vec![], types: vec![], steps: vec![], to }
    }

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_step_sees_what_came_compressed_and_a_route_without_steps_leaves_it_so() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, b"{}").unwrap();
        let body = Bytes::from(encoder.finish().unwrap());
        let event = Event {
            id: crate::model::EventId::from_text("evt_1"),
            source: "s".into(),
            event_type: None,
            received_at: crate::model::Millis(0),
            method: "POST".into(),
            path: "/in/s".into(),
            query: None,
            headers: vec![header("content-encoding", "GZIP")],
            body: body.clone(),
            attributes: vec![],
        };
        let step = Step { plugin: "p".into(), config: "null".into(), on_error: OnError::Dead };
        let with_steps = Route { steps: vec![step], ..route() };
        let draft = Draft::of(&event, &with_steps);
        assert_eq!(draft.input(&event).body, "{}".as_bytes());
        assert_eq!(draft.message().remove_headers, ["content-encoding"]);
        assert_eq!(Draft::of(&event, &route()), Draft::default());
        let broken = Event { body: body.slice(..body.len() - 1), ..event.clone() };
        assert_eq!(Draft::of(&broken, &with_steps), Draft::default());
        let unknown = Event { headers: vec![header("content-encoding", "br")], ..event };
        assert_eq!(Draft::of(&unknown, &with_steps), Draft::default());
    }

    #[test]
    fn later_steps_replace_earlier_ones_and_keep_the_rest() {
        let first = PluginMessage {
            body: Some(Bytes::from_static(b"one")),
            set_headers: vec![header("X-A", "1"), header("x-b", "1"), header("content-type", "text/plain")],
            ..PluginMessage::default()
        };
        let second = PluginMessage {
            set_headers: vec![header("x-a", "2")],
            remove_headers: vec!["X-B".into()],
            ..PluginMessage::default()
        };
        let draft = Draft::default().apply(first, &route()).unwrap().apply(second, &route()).unwrap();
        assert_eq!(draft.set_headers, [header("x-a", "2")]);
        assert_eq!(draft.remove_headers, ["x-b"]);
        assert_eq!(draft.body.as_deref(), Some(b"one".as_slice()));
        assert_eq!(draft.content_type.as_deref(), Some("text/plain"));
    }

    #[test]
    fn everything_that_a_step_can_set_has_a_size() {
        let text = |length: usize| Some("x".repeat(length));
        let message = PluginMessage {
            body: Some(Bytes::from_static(b"1")),
            content_type: text(10),
            event_type: text(100),
            set_headers: vec![header("x", &"x".repeat(999))],
            remove_headers: vec!["x".repeat(10_000)],
            attributes: vec![Attribute { name: "x".into(), value: "x".repeat(99_999) }],
            destinations: Some(vec!["a".into()]),
            idempotency_suffix: text(5),
        };
        assert_eq!(Draft::default().size(), 0);
        let draft = Draft::default().apply(message, &route()).unwrap();
        assert_eq!(draft.size(), 111_111 + "a".len() + 5);
    }

    #[test]
    fn what_a_message_may_not_do() {
        let set = |name: &str, value: &str| PluginMessage {
            set_headers: vec![header(name, value)],
            ..PluginMessage::default()
        };
        let suffix =
            |s: &str| PluginMessage { idempotency_suffix: Some(s.into()), ..PluginMessage::default() };
        let cases = [
            (set("Webhook-Id", "x"), "the gateway's"),
            (set("hookloom-source", "x"), "the gateway's"),
            (set("content-length", "1"), "the gateway's"),
            (set("Transfer-Encoding", "chunked"), "the gateway's"),
            (set("x y", "1"), "not a header name"),
            (set("x-a", "1\r\nx-b: 2"), "not one that HTTP allows"),
            (suffix("a.b"), "not of"),
            (suffix(""), "not of"),
            (
                PluginMessage { destinations: Some(vec!["c".into()]), ..PluginMessage::default() },
                "has no destination \"c\"",
            ),
            (PluginMessage { event_type: Some("a\nb".into()), ..PluginMessage::default() }, "event type"),
        ];
        for (message, expected) in cases {
            let error = Draft::default().apply(message, &route()).unwrap_err();
            assert!(error.contains(expected), "{error} / {expected}");
        }
    }

    #[test]
    fn destinations_only_narrow() {
        let to = |names: &[&str]| PluginMessage {
            destinations: Some(names.iter().map(|n| (*n).to_owned()).collect()),
            ..PluginMessage::default()
        };
        let draft = Draft::default().apply(to(&["b"]), &route()).unwrap();
        let names = |draft: &Draft| {
            draft.targets(&route()).map(|target| target.destination.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&draft), ["b"]);
        let draft = draft.apply(to(&["a", "b"]), &route()).unwrap();
        assert_eq!(names(&draft), ["b"]);
    }
}
