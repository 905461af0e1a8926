//! A scheme the other way round: the headers that its provider would send.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::extract::{Extractor, Place};
use super::key::{Message, Unmakeable};
use super::scheme::{Proof, Scheme};
use super::{Request, timestamp};
use crate::model::{Header, Millis};

/// A request that a provider is about to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Upper case.
    pub method: &'a str,
    /// The URL as the provider knows it.
    pub url: Option<&'a str>,
    /// The exact bytes. Where the scheme's id, type or time is in the body, they are
    /// the caller's to put there.
    pub body: &'a [u8],
    /// The provider's id of the event.
    pub id: &'a str,
    /// What happened, as the scheme would read it: of `issues.opened`, GitHub's header
    /// gets `issues`.
    pub event_type: Option<&'a str>,
    /// When it is sent.
    pub now: Millis,
}

/// Why no provider's request can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Only the sender has the key that signs.
    #[error("the source has a public key, and only the sender has the key that signs")]
    PublicKey,
    /// The signature or a signed part is not in a header.
    #[error("the scheme reads {0}, which is not a header that could be added")]
    NotAHeader(String),
    /// A part of the signed message is not known.
    #[error("the scheme signs {0}, which is not there")]
    Missing(String),
    /// A value cannot be in a header.
    #[error("the value for header {0} cannot be sent")]
    BadValue(String),
}

impl Scheme {
    /// The headers that this source's provider would add to that request, signed with
    /// the first secret. Nothing for the scheme `none` beyond id and type.
    pub fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Vec<Header>, SignError> {
        let mut draft = Draft::default();
        if let [id] = &self.id[..] {
            draft.add_if_header(id, outgoing.id);
        }
        if let Some(event_type) = outgoing.event_type {
            self.add_type(&mut draft, event_type);
        }
        let Proof::Signed(signed) = &self.proof else { return Ok(draft.headers()) };
        for (name, value) in &signed.require {
            draft.set(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
        if let Some(time) = &signed.timestamp {
            draft.add_if_header(&time.extractor, &timestamp::write(outgoing.now, time.unit));
        }
        let headers = draft.map()?;
        let request = Request {
            method: outgoing.method,
            path: "/",
            query: None,
            headers: &headers,
            body: outgoing.body,
            public_url: outgoing.url,
        };
        let reader = self.reader(&request);
        let time = match &signed.timestamp {
            Some(time) => {
                let found = time.extractor.first(&reader);
                found.ok_or_else(|| SignError::Missing(time.extractor.to_string()))?
            }
            None => (&[]).into(),
        };
        let group = &signed.groups[0];
        let message = Message { template: &signed.templates[0], reader: &reader, timestamp: &time };
        let signature = group.keys[0].sign(message).map_err(|error| match error {
            Unmakeable::PublicKey => SignError::PublicKey,
            Unmakeable::Missing(what) => SignError::Missing(what),
        })?;
        if !draft.add_if_header(&group.signature, &group.encoding.encode(&signature)) {
            return Err(SignError::NotAHeader(group.signature.to_string()));
        }
        draft.map()?;
        Ok(draft.headers())
    }

    /// Deals the words of a type out to the headers that its parts are read from; the
    /// last part takes all that is left.
    fn add_type(&self, draft: &mut Draft, event_type: &str) {
        let mut rest = Some(event_type);
        for (place, part) in self.event_type.iter().enumerate() {
            let Some(text) = rest else { return };
            let is_last = place + 1 == self.event_type.len();
            let word;
            (word, rest) = match text.split_once('.') {
                Some((word, behind)) if !is_last => (word, Some(behind)),
                _ => (text, None),
            };
            draft.add_if_header(part, word);
        }
    }
}

/// Headers as they grow: a name with its items and what joins them.
#[derive(Default)]
struct Draft(Vec<(String, String, Vec<String>)>);

impl Draft {
    /// Adds an item where the extractor would find it; says whether that is a header.
    fn add_if_header(&mut self, extractor: &Extractor, text: &str) -> bool {
        let Place::Header(names) = &extractor.place else { return false };
        let Some(name) = names.first() else { return false };
        let item = format!("{}{text}", extractor.cut.prefix);
        let joined_by = extractor.cut.split.as_deref().unwrap_or(",");
        let name = name.example();
        let place = extractor.cut.index.unwrap_or(usize::MAX);
        match self.0.iter_mut().find(|(own, ..)| *own == name) {
            Some((_, _, items)) => items.insert(place.min(items.len()), item),
            None => self.0.push((name, joined_by.to_owned(), vec![item])),
        }
        true
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), String::new(), vec![value.to_owned()]));
    }

    fn headers(&self) -> Vec<Header> {
        let header = |(name, joined_by, items): &(String, String, Vec<String>)| Header {
            name: name.clone(),
            value: items.join(joined_by),
        };
        self.0.iter().map(header).collect()
    }

    fn map(&self) -> Result<HeaderMap, SignError> {
        let pair = |header: Header| {
            let parsed =
                HeaderName::try_from(&header.name).ok().zip(HeaderValue::try_from(&header.value).ok());
            parsed.ok_or(SignError::BadValue(header.name))
        };
        self.headers().into_iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Verdict, VerifyConfig, preset_names};
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);
    const OWN_KEY: &str = "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn compile(scheme: Option<&str>, verify: &str, secret: &str) -> Scheme {
        let verify: VerifyConfig = toml::from_str(verify).unwrap();
        Scheme::compile(scheme, Some(&verify), &[secret], true).unwrap()
    }

    /// Every preset with a secret that signs, the asymmetric variant too.
    fn schemes() -> Vec<Scheme> {
        let symmetric = preset_names().filter(|name| *name != "standard-webhooks-v1a");
        let mut schemes: Vec<_> =
            symmetric.map(|name| compile(Some(name), "", "c2VjcmV0LXNlY3JldA==")).collect();
        schemes.push(compile(Some("standard-webhooks"), "", OWN_KEY));
        schemes.push(compile(Some("standard-webhooks-v1a"), "", OWN_KEY));
        schemes
    }

    fn outgoing(body: &[u8]) -> Outgoing<'_> {
        Outgoing {
            method: "POST",
            url: Some("https://h.test/in"),
            body,
            id: "id-1",
            event_type: Some("a.b"),
            now: NOW,
        }
    }

    fn verify(scheme: &Scheme, headers: &[Header], body: &[u8]) -> Option<Verdict> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(HeaderName::try_from(&header.name).ok()?, HeaderValue::try_from(&header.value).ok()?);
        }
        let request = Request {
            method: "POST",
            path: "/in",
            query: None,
            headers: &map,
            body,
            public_url: Some("https://h.test/in"),
        };
        Some(scheme.verify(&request, NOW))
    }

    fn accepts(scheme: &Scheme, headers: &[Header], body: &[u8]) -> bool {
        matches!(verify(scheme, headers, body), Some(Verdict::Accepted(_)))
    }

    proptest! {
        #[test]
        fn what_is_signed_is_accepted_and_any_other_body_is_not(
            body in proptest::collection::vec(any::<u8>(), 1..200),
            place in any::<prop::sample::Index>(),
            flip in 1_u8..,
        ) {
            for scheme in schemes() {
                let headers = scheme.sign(&outgoing(&body)).unwrap();
                prop_assert!(accepts(&scheme, &headers, &body), "{}", scheme.name());
                let mut other = body.clone();
                other[place.index(body.len())] ^= flip;
                prop_assert!(!accepts(&scheme, &headers, &other), "{}", scheme.name());
            }
        }

        #[test]
        fn any_other_signed_header_is_refused(place in any::<prop::sample::Index>(), with in 0x20_u8..0x7f) {
            let body = br#"{"id":"id-1","type":"a.b"}"#;
            for scheme in schemes() {
                let good = scheme.sign(&outgoing(body)).unwrap();
                for at in (0..good.len()).filter(|at| is_signed(&good[*at].name)) {
                    let mut headers = good.clone();
                    let value = &mut headers[at].value;
                    let index = place.index(value.len());
                    let was = value.as_bytes()[index];
                    // Hexadecimal digits have no case.
                    prop_assume!(!was.eq_ignore_ascii_case(&with));
                    value.replace_range(index..=index, &char::from(with).to_string());
                    prop_assert!(!accepts(&scheme, &headers, body), "{}: {:?}", scheme.name(), headers[at]);
                }
            }
        }
    }

    fn is_signed(header: &str) -> bool {
        let standard = header.starts_with("webhook-") || header.starts_with("svix-");
        standard || header.contains("signature") || header.contains("hmac") || header.contains("timestamp")
    }

    #[test]
    fn what_is_added_looks_as_the_provider_writes_it() {
        let names = |name: &str| -> Vec<_> {
            let scheme = compile(Some(name), "", "c2VjcmV0");
            scheme.sign(&outgoing(b"{}")).unwrap().into_iter().map(|header| header.name).collect()
        };
        assert_eq!(names("github"), ["x-github-delivery", "x-github-event", "x-hub-signature-256"]);
        assert_eq!(names("stripe"), ["stripe-signature"]);
        assert_eq!(names("shopify"), ["x-shopify-webhook-id", "x-shopify-topic", "x-shopify-hmac-sha256"]);
        assert_eq!(names("slack"), ["x-slack-request-timestamp", "x-slack-signature"]);
        assert_eq!(names("standard-webhooks"), ["webhook-id", "webhook-timestamp", "webhook-signature"]);
    }

    #[test]
    fn ids_and_types_come_back() {
        for (name, body, event_type, expected) in [
            ("github", r#"{"action":"opened"}"#, "issues.opened", "accepted: id id-1, type issues.opened"),
            ("github", "{}", "push", "accepted: id id-1, type push"),
            ("shopify", "{}", "orders/create", "accepted: id id-1, type orders/create"),
            ("shopify", "{}", "a.b.c", "accepted: id id-1, type a.b.c"),
            ("stripe", r#"{"id":"evt","type":"a.b.c"}"#, "ignored", "accepted: id evt, type a.b.c"),
        ] {
            let scheme = compile(Some(name), "", "secret");
            let outgoing = Outgoing { event_type: Some(event_type), ..outgoing(body.as_bytes()) };
            let headers = scheme.sign(&outgoing).unwrap();
            assert_eq!(verify(&scheme, &headers, body.as_bytes()).unwrap().to_string(), expected, "{name}");
        }
    }

    #[test]
    fn generic_schemes() {
        let token = "algorithm = \"token\"\nbody_unsigned = true\n";
        for verify in [
            format!("{token}signature = {{ header = \"authorization\", prefix = \"Bearer \" }}"),
            format!(
                "{token}encoding = \"base64\"\nsignature = {{ header = \"authorization\", prefix = \"Basic \" }}"
            ),
            "signature = { header = \"s\" }\nmessage = \"{method}{url}{body}\"\nalgorithm = \"hmac-sha512\""
                .to_owned(),
            "signature = { header = \"s-*\" }\nalgorithm = \"hmac-sha1\"\nencoding = \"base64url\""
                .to_owned(),
            "signature = { header = \"s\" }\nalgorithm = \"sha256\"\nmessage = \"{secret}{body}\"".to_owned(),
            "signature = { header = \"s\" }\ntimestamp = { header = \"t\", unit = \"rfc3339\" }\n\
             message = \"{body}{timestamp}\"\nrequire = { x-version = \"1\" }"
                .to_owned(),
            "signature = { header = \"s\", split = \",\" }\n\
             timestamp = { header = \"s\", split = \",\", index = 0, unit = \"ms\" }\n\
             message = \"{timestamp}.{body}\""
                .to_owned(),
        ] {
            let scheme = compile(None, &verify, "user:pass");
            let headers = scheme.sign(&outgoing(b"body")).unwrap();
            assert!(accepts(&scheme, &headers, b"body"), "{verify}: {headers:?}");
        }
    }

    #[test]
    fn what_cannot_be_signed() {
        let public =
            compile(Some("standard-webhooks"), "", "whpk_aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=");
        assert_eq!(public.sign(&outgoing(b"")), Err(SignError::PublicKey));
        let in_body = compile(None, "signature = { json = \"/sig\" }", "k");
        assert_eq!(in_body.sign(&outgoing(b"{}")), Err(SignError::NotAHeader("/sig in the body".to_owned())));
        let other = compile(None, "signature = { header = \"s\" }\nmessage = \"{header:x-a}{body}\"", "k");
        assert_eq!(other.sign(&outgoing(b"{}")), Err(SignError::Missing("header x-a".to_owned())));
        let github = compile(Some("github"), "", "k");
        let bad = Outgoing { id: "a\nb", ..outgoing(b"") };
        assert_eq!(github.sign(&bad), Err(SignError::BadValue("x-github-delivery".to_owned())));
    }
}
