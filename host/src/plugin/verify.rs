//! The capability `verify`: whether a request is a webhook of its source.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use tracing::Level;
use wasmtime::component::Instance;
use wasmtime::{AsContextMut, Store};

use super::bindings::v0_1_0::exports::hookloom::plugin::verify as wire;
use super::bindings::v0_1_0::hookloom::plugin::types;
use super::call::Failure;
use super::guest::Guest;
use super::limits::ITEMS;
use super::version::Version;
use crate::model::{Attribute, Header, Millis, StepVerdict};

/// Of the body of a plugin's answer, in bytes.
const RESPONSE_BODY: usize = 64 << 10;
/// Of its headers together, in bytes.
const RESPONSE_HEADERS: usize = 16 << 10;
/// Of an id, a type, or a part of an attribute, in bytes.
const NAME: usize = 256;

/// A request, as the plugin sees it: nothing is masked, because it verifies.
#[derive(Clone, Debug)]
pub struct VerifyInput {
    /// Upper case.
    pub method: String,
    /// As it came, without the query.
    pub path: String,
    /// The part behind `?`, as it came.
    pub query: Option<String>,
    /// Lower-case names, in the order received.
    pub headers: Vec<Header>,
    /// The exact bytes.
    pub body: Bytes,
    /// The URL that the provider was given; empty where none is configured.
    pub public_url: String,
    /// When it is judged.
    pub now: Millis,
}

/// What a plugin says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is an event.
    Accepted(Acceptance),
    /// It is answered so, and nothing is kept.
    Respond(PluginResponse),
    /// It is no request of this provider.
    Malformed(String),
    /// It is not proven who sent it.
    Unauthorized(String),
    /// It cannot be decided now.
    Unavailable(String),
}

/// What a plugin knows of an event that it accepted. Each text has 1 to 256 bytes without
/// control characters (the value of an attribute may be empty); what breaks that is left
/// out, as with schemes of the gateway's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The provider's id.
    pub id: Option<String>,
    /// What happened.
    pub event_type: Option<String>,
    /// Of the first 256, each name once: its last value.
    pub attributes: Vec<Attribute>,
}

/// An answer of a plugin's own, held against what HTTP and the gateway allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginResponse {
    /// 200 to 499.
    pub status: StatusCode,
    /// None that frames the answer, and no cookie.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// At most 64 KiB.
    pub body: Bytes,
}

impl Verification {
    /// The word for metrics and logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Respond(_) => "respond",
            Self::Malformed(_) => "malformed",
            Self::Unauthorized(_) => "unauthorized",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// Calls an instance's `verify`.
pub(super) fn run(
    version: &Version,
    store: &mut Store<Guest>,
    instance: &Instance,
    input: &VerifyInput,
) -> Result<Verification, Failure> {
    let Some(verify) = &version.exports.verify else { return Err(Failure::lacks("verify")) };
    let verify = verify.load(store.as_context_mut(), instance)?;
    let headers = super::judge::headers(&input.headers);
    let request = wire::Request {
        method: &input.method,
        path: &input.path,
        query: input.query.as_deref(),
        headers: &headers,
        body: &input.body,
    };
    let now = u64::try_from(input.now.0).unwrap_or(0);
    Ok(match verify.call_verify(store.as_context_mut(), request, &input.public_url, now)? {
        wire::Verification::Accepted(accepted) => {
            let (acceptance, left_out) = acceptance(accepted);
            if left_out > 0 {
                let message = format!(
                    "of what was accepted, {left_out} of the id, the type and the attributes are left out: longer than {NAME} bytes, empty, with control characters, or beyond {ITEMS} attributes"
                );
                store.data().journal.log(Level::WARN, &message, std::iter::empty());
            }
            Verification::Accepted(acceptance)
        }
        wire::Verification::Respond(response) => Verification::Respond(
            self::response(response).map_err(|reason| Failure::Said(StepVerdict::BadOutput, reason))?,
        ),
        wire::Verification::Malformed(reason) => Verification::Malformed(reason),
        wire::Verification::Unauthorized(reason) => Verification::Unauthorized(reason),
        wire::Verification::Unavailable(reason) => Verification::Unavailable(reason),
    })
}

/// What can be kept of it, and how many parts cannot. Refusing an event for a name that is
/// too long would lose it: its sender has no other.
fn acceptance(wire: wire::Acceptance) -> (Acceptance, usize) {
    let mut left_out = wire.attributes.len().saturating_sub(ITEMS);
    let mut attributes: Vec<Attribute> = Vec::with_capacity(wire.attributes.len().min(ITEMS));
    for types::AttributeResult { name, value } in wire.attributes.into_iter().take(ITEMS) {
        if name.is_empty() || !is_name(&name) || !is_name(&value) {
            left_out += 1;
            continue;
        }
        attributes.retain(|earlier| earlier.name != name);
        attributes.push(Attribute { name, value });
    }
    let mut kept = |text: Option<String>| {
        let sound = text.as_ref().is_none_or(|text| !text.is_empty() && is_name(text));
        left_out += usize::from(!sound);
        text.filter(|_| sound)
    };
    let (id, event_type) = (kept(wire.id), kept(wire.event_type));
    (Acceptance { id, event_type, attributes }, left_out)
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME && !text.chars().any(char::is_control)
}

fn response(wire: wire::Response) -> Result<PluginResponse, String> {
    let status =
        StatusCode::from_u16(wire.status).ok().filter(|status| (200..500).contains(&status.as_u16()));
    let Some(status) = status else {
        return Err(format!("answers with the status {}, and 200 to 499 are possible", wire.status));
    };
    if wire.body.len() > RESPONSE_BODY {
        return Err(format!("answers with {} bytes, and the limit is {RESPONSE_BODY}", wire.body.len()));
    }
    let size = wire.headers.iter().map(|header| header.name.len() + header.value.len()).sum::<usize>();
    if wire.headers.len() > ITEMS || size > RESPONSE_HEADERS {
        return Err(format!(
            "answers with {} headers of {size} bytes, and the limits are {ITEMS} and {RESPONSE_HEADERS}",
            wire.headers.len()
        ));
    }
    let headers = wire.headers.iter().map(|header| self::header(&header.name, &header.value));
    Ok(PluginResponse { status, headers: headers.collect::<Result<_, _>>()?, body: wire.body.into() })
}

/// A header that a plugin may answer with. Nobody logs in at the front door: a cookie
/// would be for whatever else lives under the gateway's name.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(format!("{name:?} is not the name of a header"));
    };
    if Header::is_reserved(parsed.as_str()) || parsed == http::header::SET_COOKIE {
        return Err(format!("the header `{parsed}` is not a plugin's to answer with"));
    }
    match HeaderValue::from_str(value) {
        Ok(value) => Ok((parsed, value)),
        Err(_) => Err(format!("the value of `{parsed}` cannot be sent in a header")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(status: u16, headers: &[(&str, &str)], body: usize) -> wire::Response {
        let header = |(name, value): &(&str, &str)| types::HeaderResult {
            name: (*name).into(),
            value: (*value).into(),
        };
        wire::Response { status, headers: headers.iter().map(header).collect(), body: vec![b'x'; body] }
    }

    #[test]
    fn what_a_plugin_may_answer() {
        let sound = response(wire(299, &[("Content-Type", "text/plain"), ("x-a", "1"), ("x-a", "2")], 1));
        let sound = sound.unwrap();
        assert_eq!((sound.status.as_u16(), sound.headers.len()), (299, 3));
        assert_eq!(sound.headers[0].0, "content-type");
        assert!(response(wire(200, &[], RESPONSE_BODY)).is_ok());
        assert!(response(wire(499, &[], 0)).is_ok());
        let long = "x".repeat(RESPONSE_HEADERS);
        let refused = [
            (wire(199, &[], 0), "200 to 499"),
            (wire(500, &[], 0), "200 to 499"),
            (wire(1, &[], 0), "200 to 499"),
            (wire(200, &[], RESPONSE_BODY + 1), "the limit is 65536"),
            (wire(200, &[("Content-Length", "3")], 0), "`content-length`"),
            (wire(200, &[("transfer-encoding", "chunked")], 0), "`transfer-encoding`"),
            (wire(200, &[("Connection", "close")], 0), "`connection`"),
            (wire(200, &[("Set-Cookie", "a=b")], 0), "`set-cookie`"),
            (wire(200, &[("webhook-id", "1")], 0), "`webhook-id`"),
            (wire(200, &[("a b", "1")], 0), "not the name"),
            (wire(200, &[("x-a", "1\r\nx-b: 2")], 0), "cannot be sent"),
            (wire(200, &[("x-a", &long)], 0), "16384"),
        ];
        for (wire, why) in refused {
            let shown = format!("{} {:?}", wire.status, wire.headers.first());
            let refusal = response(wire).unwrap_err();
            assert!(refusal.contains(why), "{shown}: {refusal}");
        }
    }

    #[test]
    fn what_cannot_be_kept_of_an_acceptance_is_counted() {
        let attribute =
            |name: &str, value: &str| types::AttributeResult { name: name.into(), value: value.into() };
        let mut attributes = vec![attribute("", "x"), attribute("a\nb", "x"), attribute("a", "1")];
        attributes.extend((0..100_000).map(|_| attribute("a", "2")));
        let wire = wire::Acceptance { id: Some(String::new()), event_type: Some("paid".into()), attributes };
        let (kept, left_out) = acceptance(wire);
        let last = Attribute { name: "a".into(), value: "2".into() };
        assert_eq!((kept.id, kept.event_type.as_deref(), kept.attributes), (None, Some("paid"), vec![last]));
        assert_eq!(left_out, 1 + 2 + (100_003 - ITEMS));
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(is_name("") && is_name("é") && is_name(&"x".repeat(NAME)));
        assert!(!is_name(&"x".repeat(NAME + 1)) && !is_name("a\nb") && !is_name("\u{7f}"));
    }
}
