//! What a transform returned, held against the contract.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::bindings::v0_1_0::exports::hookloom::plugin::transform::Outcome;
use super::bindings::v0_1_0::hookloom::plugin::types;
use super::call::{Failure, Output, PluginMessage};
use super::limits::{HEADER_BYTES, ITEMS, Limits};
use super::reason::shortened;
use crate::model::{Attribute, Header, StepVerdict};

/// Longest idempotency suffix, in characters.
const SUFFIX: usize = 64;

/// The outcome in the host's words, or why it is none.
pub(super) fn check(outcome: Outcome, limits: &Limits) -> Result<Output, Failure> {
    match outcome {
        Outcome::Unchanged => Ok(Output::Unchanged),
        Outcome::Drop(reason) => Ok(Output::Drop(shortened(&reason))),
        Outcome::Replace(wire) => {
            within(size(&wire), limits)?;
            message(wire).map(Output::Replace).map_err(|reason| bad(&reason))
        }
        Outcome::Split(messages) if messages.is_empty() => Ok(Output::Drop("split into no message".into())),
        Outcome::Split(messages) => split(messages, limits),
    }
}

fn split(wire: Vec<types::Message>, limits: &Limits) -> Result<Output, Failure> {
    if wire.len() > limits.messages {
        return Err(bad(&format!(
            "split into {} messages, and the limit is {}",
            wire.len(),
            limits.messages
        )));
    }
    within(wire.iter().map(size).sum(), limits)?;
    let messages: Vec<_> =
        wire.into_iter().map(message).collect::<Result<_, _>>().map_err(|reason| bad(&reason))?;
    let mut seen = HashSet::new();
    for suffix in messages.iter().filter_map(|m| m.idempotency_suffix.as_deref()) {
        if !seen.insert(suffix) {
            return Err(bad(&format!("two messages have the idempotency suffix `{suffix}`")));
        }
    }
    Ok(Output::Split(messages))
}

fn bad(reason: &str) -> Failure {
    Failure::Said(StepVerdict::BadOutput, shortened(reason))
}

fn within(bytes: usize, limits: &Limits) -> Result<(), Failure> {
    if bytes > limits.output_bytes {
        return Err(bad(&format!("returned {bytes} bytes, and the limit is {}", limits.output_bytes)));
    }
    Ok(())
}

fn size(message: &types::Message) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    message.body.as_ref().map_or(0, Vec::len)
        + text(&message.content_type)
        + text(&message.event_type)
        + text(&message.idempotency_suffix)
        + message.set_headers.iter().map(|h| h.name.len() + h.value.len()).sum::<usize>()
        + message.remove_headers.iter().map(String::len).sum::<usize>()
        + message.attributes.iter().map(|a| a.name.len() + a.value.len()).sum::<usize>()
        + message.destinations.iter().flatten().map(String::len).sum::<usize>()
}

/// A `content-type` among the headers counts as the message's own, which would
/// otherwise be sent twice.
fn message(wire: types::Message) -> Result<PluginMessage, String> {
    let destinations = wire.destinations.as_ref().map_or(0, Vec::len);
    let items = [wire.set_headers.len(), wire.remove_headers.len(), wire.attributes.len(), destinations];
    if items.into_iter().any(|n| n > ITEMS) {
        return Err(format!("a message has more than {ITEMS} headers, attributes or destinations"));
    }
    let mut content_type = wire.content_type;
    let mut set_headers = Vec::with_capacity(wire.set_headers.len());
    for header in wire.set_headers {
        let name = allowed(&header.name)?;
        sendable(&name, &header.value)?;
        if name == "content-type" {
            content_type.get_or_insert(header.value);
        } else {
            set_headers.push(Header { name, value: header.value });
        }
    }
    let remove_headers = wire.remove_headers.iter().map(|name| allowed(name)).collect::<Result<_, _>>()?;
    for (what, text) in [("content-type", &content_type), ("event type", &wire.event_type)] {
        text.as_deref().map_or(Ok(()), |text| sendable(what, text))?;
    }
    let attributes: Vec<_> =
        wire.attributes.into_iter().map(|a| Attribute { name: a.name, value: a.value }).collect();
    if attributes.iter().any(|a| a.name.is_empty()) {
        return Err("an attribute has no name".into());
    }
    if let Some(suffix) = &wire.idempotency_suffix {
        check_suffix(suffix)?;
    }
    Ok(PluginMessage {
        body: wire.body.map(Bytes::from),
        content_type,
        set_headers,
        remove_headers,
        event_type: wire.event_type,
        destinations: wire.destinations,
        attributes,
        idempotency_suffix: wire.idempotency_suffix,
    })
}

/// The name in lower case, where a plugin may set or remove it.
fn allowed(name: &str) -> Result<String, String> {
    within_line("the name of a header", name)?;
    let name = HeaderName::try_from(name).map_err(|_| format!("{name:?} is not the name of a header"))?;
    let name = name.as_str();
    if Header::is_reserved(name) {
        return Err(format!("the header `{name}` belongs to the gateway"));
    }
    Ok(name.to_owned())
}

fn within_line(what: &str, text: &str) -> Result<(), String> {
    if text.len() > HEADER_BYTES {
        return Err(format!("{what} has {} bytes, and the limit is {HEADER_BYTES}", text.len()));
    }
    Ok(())
}

fn sendable(what: &str, value: &str) -> Result<(), String> {
    within_line(&format!("the value of `{what}`"), value)?;
    let value = HeaderValue::try_from(value).map(drop);
    value.map_err(|_| format!("the value of `{what}` cannot be sent in a header"))
}

fn check_suffix(suffix: &str) -> Result<(), String> {
    let fits = (1..=SUFFIX).contains(&suffix.len())
        && suffix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(()) } else { Err(format!("the idempotency suffix {suffix:?} is not [A-Za-z0-9_-]{{1,64}}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> types::Message {
        types::Message {
            body: None,
            content_type: None,
            set_headers: vec![],
            remove_headers: vec![],
            event_type: None,
            destinations: None,
            attributes: vec![],
            idempotency_suffix: None,
        }
    }

    fn with_header(name: &str, value: &str) -> types::Message {
        types::Message {
            set_headers: vec![types::HeaderResult { name: name.into(), value: value.into() }],
            ..empty()
        }
    }

    #[test]
    fn headers_that_plugins_may_not_set_or_remove() {
        for name in [
            "webhook-id",
            "Webhook-Signature",
            "hookloom-x",
            "Host",
            "content-length",
            "connection",
            "a b",
            "",
        ] {
            assert!(message(with_header(name, "v")).is_err(), "set {name}");
            let remove = types::Message { remove_headers: vec![name.into()], ..empty() };
            assert!(message(remove).is_err(), "remove {name}");
        }
        assert!(message(with_header("x-a", "line\nbreak")).is_err());
        let set = message(with_header("X-Own", "ä")).unwrap();
        assert_eq!(set.set_headers, [Header { name: "x-own".into(), value: "ä".into() }]);
    }

    #[test]
    fn a_content_type_among_the_headers_is_the_content_type() {
        let set = message(with_header("Content-Type", "text/plain")).unwrap();
        assert_eq!(set.content_type.as_deref(), Some("text/plain"));
        assert_eq!(set.set_headers, []);
    }

    #[test]
    fn suffixes() {
        for good in ["a", "A-z_9", &"x".repeat(64)] {
            assert_eq!(check_suffix(good), Ok(()));
        }
        for bad in ["", "a.b", "a b", "é", &"x".repeat(65)] {
            assert!(check_suffix(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_count_all_messages_together() {
        let limits = Limits { output_bytes: 10, messages: 3, ..Limits::default() };
        let six = || types::Message { body: Some(vec![0; 6]), ..empty() };
        assert!(check(Outcome::Split(vec![six()]), &limits).is_ok());
        assert!(check(Outcome::Split(vec![six(), six()]), &limits).is_err());
        assert!(check(Outcome::Split(vec![empty(), empty(), empty(), empty()]), &limits).is_err());
        assert!(matches!(check(Outcome::Split(vec![]), &limits), Ok(Output::Drop(_))));
    }
}
