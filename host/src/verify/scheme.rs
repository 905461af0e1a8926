//! A compiled scheme, and the one decision that it takes.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

use super::config::Encoding;
use super::extract::{Extractor, Reader};
use super::handshake::Handshake;
use super::json::Pointers;
use super::key::{Key, Message};
use super::template::Template;
use super::timestamp::Timestamp;
use super::{Accepted, Request, Verdict};
use crate::model::Millis;

/// How one source verifies, with its secrets. It never prints them.
#[derive(Clone, Debug)]
pub struct Scheme {
    pub(super) name: String,
    pub(super) proof: Proof,
    pub(super) id: Vec<Extractor>,
    pub(super) event_type: Vec<Extractor>,
    /// With the slots of its pointers.
    pub(super) handshake: Option<(Handshake, Vec<usize>)>,
    pub(super) json_field: Option<String>,
    pub(super) credentials: Credentials,
    pub(super) pointers: Pointers,
}

#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// `none` was said: anybody is believed.
    None,
    Signed(Signed),
}

#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) require: Vec<(HeaderName, HeaderValue)>,
    pub(super) timestamp: Option<Timestamp>,
    /// Any may match.
    pub(super) templates: Vec<Template>,
    /// Never empty.
    pub(super) groups: Vec<Group>,
}

/// Keys of one kind, and where their signatures are.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) signature: Extractor,
    pub(super) encoding: Encoding,
    pub(super) is_token: bool,
    /// Never empty.
    pub(super) keys: Vec<Key>,
}

/// Parts of a request whose value is a credential: masked before anything is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Header names in lower case.
    pub headers: Vec<String>,
    /// Names in the query string.
    pub query: Vec<String>,
}

/// Longer ids and types are taken as absent.
const MAX_NAME: usize = 256;

impl Scheme {
    /// The preset's name, `custom` or `none`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the scheme is `none`.
    pub const fn is_open(&self) -> bool {
        matches!(self.proof, Proof::None)
    }

    /// What must be masked before a request is stored, exported or shown to a plugin.
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whether events are deduplicated where nothing is said: where their id is known.
    pub const fn default_dedupe(&self) -> bool {
        !self.id.is_empty()
    }

    /// Decides what a request is. Costs one hash of the message for each pair of secret
    /// and template, and one pass over the body where the id or the type is in it.
    pub fn verify(&self, request: &Request<'_>, now: Millis) -> Verdict {
        let reader = self.reader(request);
        if let Proof::Signed(signed) = &self.proof
            && let Err(refusal) = signed.check(&reader, now)
        {
            return refusal;
        }
        if let Some((handshake, slots)) = &self.handshake {
            let values: Vec<_> = slots.iter().map(|slot| reader.json(*slot)).collect();
            if let Some(verdict) = handshake.answer(&values) {
                return verdict;
            }
        }
        Verdict::Accepted(Accepted { id: self.id_of(&reader), event_type: self.type_of(&reader) })
    }

    pub(super) fn reader<'a>(&'a self, request: &'a Request<'a>) -> Reader<'a> {
        Reader::new(request, &self.pointers, self.json_field.as_deref())
    }

    /// All parts joined by dots: an id that lacks a part could be another event's.
    fn id_of(&self, reader: &Reader<'_>) -> Option<String> {
        let parts = self.id.iter().map(|part| part.first(reader));
        name(parts.collect::<Option<Vec<_>>>()?)
    }

    /// The parts that are there, joined by dots; nothing without the first.
    fn type_of(&self, reader: &Reader<'_>) -> Option<String> {
        let (first, rest) = self.event_type.split_first()?;
        let mut parts = vec![first.first(reader)?];
        parts.extend(rest.iter().filter_map(|part| part.first(reader)));
        name(parts)
    }
}

impl Signed {
    fn check(&self, reader: &Reader<'_>, now: Millis) -> Result<(), Verdict> {
        for (name, value) in &self.require {
            if reader.request.headers.get(name) != Some(value) {
                return Err(unauthorized(format!("header {name} is missing or not the expected one")));
            }
        }
        let signatures = self.signatures(reader)?;
        let time = self.fresh_time(reader, now)?;
        let mut missing = None;
        for (group, signatures) in self.groups.iter().zip(&signatures).filter(|(_, found)| !found.is_empty())
        {
            for key in &group.keys {
                if group.is_token {
                    if key.is_token(signatures) {
                        return Ok(());
                    }
                    continue;
                }
                for template in &self.templates {
                    match key.accepts(Message { template, reader, timestamp: &time }, signatures) {
                        Ok(true) => return Ok(()),
                        Ok(false) => {}
                        Err(what) => missing = Some(what),
                    }
                }
            }
        }
        Err(match missing {
            Some(what) => unauthorized(format!("{what} is missing")),
            None => unauthorized("the signature does not match"),
        })
    }

    /// The decoded signatures for each group; an error if there are none at all.
    fn signatures(&self, reader: &Reader<'_>) -> Result<Vec<Vec<Vec<u8>>>, Verdict> {
        let mut is_there = false;
        let mut found = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let most = group.keys.iter().map(Key::max_signatures).min().unwrap_or(0);
            let mut signatures = Vec::new();
            group.signature.each(reader, &mut |item| {
                is_there = true;
                signatures.extend(group.encoding.decode(&item));
                signatures.len() < most
            });
            found.push(signatures);
        }
        if found.iter().any(|signatures| !signatures.is_empty()) {
            return Ok(found);
        }
        if is_there {
            return Err(unauthorized("the signature cannot be decoded"));
        }
        if self.groups.iter().any(|group| group.signature.is_foiled(reader)) {
            return Err(malformed("the body is not JSON"));
        }
        Err(unauthorized("the signature is missing"))
    }

    /// The time as it was written, if it is near enough to `now`; empty where the
    /// scheme has none.
    fn fresh_time<'r>(&self, reader: &'r Reader<'_>, now: Millis) -> Result<Cow<'r, [u8]>, Verdict> {
        let Some(timestamp) = &self.timestamp else { return Ok(Cow::Borrowed(&[])) };
        let Some(text) = timestamp.extractor.first(reader) else {
            return Err(if timestamp.extractor.is_foiled(reader) {
                malformed("the body is not JSON")
            } else {
                unauthorized("the timestamp is missing")
            });
        };
        match timestamp.is_fresh(&text, now) {
            None => Err(malformed("the timestamp cannot be read")),
            Some(false) => {
                Err(unauthorized(format!("the timestamp is more than {} s off", timestamp.tolerance)))
            }
            Some(true) => Ok(text),
        }
    }
}

/// Parts as one name, if it is one that can be stored, matched and printed.
fn name(parts: Vec<Cow<'_, [u8]>>) -> Option<String> {
    let bytes = match <[_; 1]>::try_from(parts) {
        Ok([one]) => one.into_owned(),
        Err(several) => several.join(&b'.'),
    };
    let text = String::from_utf8(bytes).ok()?;
    (!text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)).then_some(text)
}

fn unauthorized(reason: impl Into<String>) -> Verdict {
    Verdict::Unauthorized(reason.into())
}

fn malformed(reason: impl Into<String>) -> Verdict {
    Verdict::Malformed(reason.into())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use http::HeaderMap;
    use sha2::{Digest as _, Sha256};

    use super::super::VerifyConfig;
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);

    fn compile(scheme: Option<&str>, verify: &str, secrets: &[&str]) -> Scheme {
        let verify: VerifyConfig = toml::from_str(verify).unwrap();
        Scheme::compile(scheme, Some(&verify), secrets, true).unwrap()
    }

    fn judge(scheme: &Scheme, headers: &[(&str, &str)], body: &[u8]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
        }
        let request = Request {
            method: "POST",
            path: "/in/x",
            query: Some("key=s%20t"),
            headers: &map,
            body,
            public_url: Some("https://h.test/in/x"),
        };
        scheme.verify(&request, NOW)
    }

    fn mac(key: &[u8], message: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(message.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn reason(verdict: Verdict) -> String {
        match verdict {
            Verdict::Unauthorized(reason) => format!("401 {reason}"),
            Verdict::Malformed(reason) => format!("400 {reason}"),
            other => other.to_string(),
        }
    }

    /// The example of the documentation.
    const INHOUSE: &str = r#"
        algorithm = "hmac-sha256"
        encoding  = "hex"
        signature = { header = "x-acme-signature", split = ",", prefix = "v1=" }
        timestamp = { header = "x-acme-signature", split = ",", prefix = "t=", unit = "s", tolerance = 300 }
        message   = "{timestamp}.{body}"
        id        = { header = "x-acme-delivery" }
        type      = { json = "/type" }
    "#;

    #[test]
    fn the_generic_example() {
        let scheme = compile(None, INHOUSE, &["old", "new"]);
        let body = r#"{"type":"order.paid"}"#;
        let signed = |time: &str, key: &[u8]| {
            format!("t={time},v1={}", hex::encode(mac(key, &format!("{time}.{body}"))))
        };
        let good = signed("1700000000", b"new");
        let accepted = "accepted: id d-1, type order.paid";
        for (signature, expected) in [
            (good.as_str(), accepted),
            (&signed("1699999700", b"old"), accepted),
            (&format!("{good},v1=00"), accepted),
            (&good.replace(',', " , "), accepted),
            (&signed("1699999699", b"new"), "401 the timestamp is more than 300 s off"),
            (&signed("soon", b"new"), "400 the timestamp cannot be read"),
            (&signed("1700000000", b"other"), "401 the signature does not match"),
            (&good.replace("t=17", "t=16"), "401 the timestamp is more than 300 s off"),
            (&good[13..], "401 the timestamp is missing"),
            ("t=1700000000", "401 the signature is missing"),
            ("t=1700000000,v1=xyz", "401 the signature cannot be decoded"),
        ] {
            let headers = [("x-acme-signature", signature), ("x-acme-delivery", "d-1")];
            assert_eq!(reason(judge(&scheme, &headers, body.as_bytes())), expected, "{signature}");
        }
    }

    #[test]
    fn a_header_of_separators_costs_one_look() {
        let scheme = compile(Some("stripe"), "", &["whsec_secret"]);
        for (value, expected) in [
            (",".repeat(400_000), "401 the signature is missing"),
            ("v1=zz,".repeat(70_000), "401 the signature cannot be decoded"),
        ] {
            assert_eq!(reason(judge(&scheme, &[("stripe-signature", &value)], b"{}")), expected);
        }
    }

    #[test]
    fn a_public_key_is_no_hmac_key() {
        let public = "aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=";
        let prefixed = format!("whpk_{public}");
        let forged = |key: &[u8]| STANDARD.encode(mac(key, "m.1700000000.{}"));
        for name in ["standard-webhooks", "standard-webhooks-v1a"] {
            let scheme = compile(Some(name), "", &[&prefixed]);
            for key in [STANDARD.decode(public).unwrap(), public.into(), prefixed.clone().into_bytes()] {
                for version in ["v1", "v1a"] {
                    let signature = format!("{version},{}", forged(&key));
                    let headers = [
                        ("webhook-id", "m"),
                        ("webhook-timestamp", "1700000000"),
                        ("webhook-signature", signature.as_str()),
                    ];
                    let verdict = judge(&scheme, &headers, b"{}");
                    assert!(matches!(verdict, Verdict::Unauthorized(_)), "{name} {version}: {verdict}");
                }
            }
        }
    }

    #[test]
    fn tokens() {
        let verify = |place: &str| format!("algorithm = \"token\"\nbody_unsigned = true\n{place}");
        let header = compile(None, &verify("signature = { header = \"X-Token\" }"), &["a", "b, c"]);
        let query = compile(None, &verify("signature = { query = \"key\" }"), &["s t"]);
        let bearer = compile(
            None,
            &verify("signature = { header = \"authorization\", prefix = \"Bearer \" }"),
            &["a"],
        );
        let basic = "signature = { header = \"authorization\", prefix = \"Basic \" }\nencoding = \"base64\"";
        let basic = compile(None, &verify(basic), &["user:pass"]);
        let accepted = "accepted: id -, type -";
        let wrong = "401 the signature does not match";
        for (scheme, headers, expected) in [
            (&header, &[("x-token", "a")][..], accepted),
            (&header, &[("x-token", "b, c")], accepted),
            (&header, &[("x-token", "b")], wrong),
            (&header, &[("x-token", "aa")], wrong),
            (&header, &[("x-token", "A")], wrong),
            (&header, &[("x-token", "")], "401 the signature is missing"),
            (&header, &[], "401 the signature is missing"),
            (&query, &[], accepted),
            (&bearer, &[("authorization", "Bearer a")], accepted),
            (&bearer, &[("authorization", "bearer a")], accepted),
            (&bearer, &[("authorization", "a")], "401 the signature is missing"),
            (&basic, &[("authorization", "Basic dXNlcjpwYXNz")], accepted),
            (&basic, &[("authorization", "Basic dXNlcjpwYXNx")], wrong),
            (&basic, &[("authorization", "Basic user:pass")], "401 the signature cannot be decoded"),
        ] {
            assert_eq!(reason(judge(scheme, headers, b"x")), expected, "{headers:?}");
        }
    }

    #[test]
    fn any_template_may_match_and_plain_hashes_take_the_secret() {
        let verify = "algorithm = \"sha256\"\nsignature = { header = \"s\" }\n\
                      message = [\"{secret}{header:x-a}{body}\", \"{secret}{method}{url}{body}\"]\n\
                      require = { x-version = \"2\" }";
        let scheme = compile(None, verify, &["k"]);
        let first = hex::encode(Sha256::digest("kab"));
        let second = hex::encode(Sha256::digest("kPOSThttps://h.test/in/xb"));
        let accepted = "accepted: id -, type -";
        for (headers, expected) in [
            (&[("s", first.as_str()), ("x-a", "a"), ("x-version", "2")][..], accepted),
            (&[("s", &second), ("x-version", "2")], accepted),
            (&[("s", &first), ("x-version", "2")], "401 header x-a is missing"),
            (&[("s", &second)], "401 header x-version is missing or not the expected one"),
            (
                &[("s", &second), ("x-version", "1")],
                "401 header x-version is missing or not the expected one",
            ),
        ] {
            assert_eq!(reason(judge(&scheme, headers, b"b")), expected);
        }
    }

    #[test]
    fn proof_inside_the_body() {
        let verify = "signature = { json = \"/sig\" }\nbody_unsigned = true\n\
                      timestamp = { json = \"/at\" }\nmessage = \"{timestamp}{json:/token}\"";
        let scheme = compile(None, verify, &["k"]);
        let signature = hex::encode(mac(b"k", "1700000000t"));
        let good = format!(r#"{{"sig":"{signature}","at":1700000000,"token":"t"}}"#);
        for (body, expected) in [
            (good.as_str(), "accepted: id -, type -"),
            (&good.replace("\"t\"", "\"u\""), "401 the signature does not match"),
            (&good.replace("\"t\"", "[]"), "401 /token in the body is missing"),
            ("{}", "401 the signature is missing"),
            ("not json", "400 the body is not JSON"),
        ] {
            assert_eq!(reason(judge(&scheme, &[], body.as_bytes())), expected, "{body}");
        }
    }

    #[test]
    fn the_time_may_be_inside_a_signed_body() {
        let verify =
            "signature = { header = \"s\" }\ntimestamp = { json = \"/at\", unit = \"ms\", tolerance = 60 }";
        let scheme = compile(None, verify, &["k"]);
        for (body, expected) in [
            (r#"{"at":1699999940000}"#, "accepted: id -, type -"),
            (r#"{"at":1699999939999}"#, "401 the timestamp is more than 60 s off"),
            (r#"{"at":1.5}"#, "400 the timestamp cannot be read"),
            ("{}", "401 the timestamp is missing"),
            ("", "400 the body is not JSON"),
        ] {
            let signature = hex::encode(mac(b"k", body));
            assert_eq!(reason(judge(&scheme, &[("s", &signature)], body.as_bytes())), expected, "{body}");
        }
    }

    #[test]
    fn ids_and_types() {
        let long = "x".repeat(MAX_NAME + 1);
        let fits = "x".repeat(MAX_NAME);
        for (verify, headers, body, expected) in [
            ("id = { header = \"i\" }", &[("i", "a")][..], "", "accepted: id a, type -"),
            ("id = { header = \"i\" }", &[("i", "")], "", "accepted: id -, type -"),
            ("id = { header = \"i\" }", &[("i", &long)], "", "accepted: id -, type -"),
            ("id = { header = \"i\" }", &[("i", &fits)], "", &format!("accepted: id {fits}, type -")),
            ("id = { json = \"/i\" }", &[], "no json", "accepted: id -, type -"),
            ("id = { json = \"/i\" }", &[], r#"{"i":5}"#, "accepted: id 5, type -"),
            ("id = { json = \"/i\" }", &[], r#"{"i":"a\nb"}"#, "accepted: id -, type -"),
            (
                "id = [{ header = \"i\" }, { json = \"/n\" }]",
                &[("i", "a")],
                r#"{"n":1}"#,
                "accepted: id a.1, type -",
            ),
            ("id = [{ header = \"i\" }, { json = \"/n\" }]", &[("i", "a")], "{}", "accepted: id -, type -"),
            ("type = [{ header = \"t\" }, { json = \"/a\" }]", &[("t", "a")], "{}", "accepted: id -, type a"),
            (
                "type = [{ header = \"t\" }, { json = \"/a\" }]",
                &[("t", "a")],
                r#"{"a":"b"}"#,
                "accepted: id -, type a.b",
            ),
            ("type = [{ header = \"t\" }, { json = \"/a\" }]", &[], r#"{"a":"b"}"#, "accepted: id -, type -"),
            ("type = { json = [\"/e/t\", \"/t\"] }", &[], r#"{"t":"b","e":{}}"#, "accepted: id -, type b"),
            (
                "type = { json = [\"/e/t\", \"/t\"] }",
                &[],
                r#"{"t":"b","e":{"t":"c"}}"#,
                "accepted: id -, type c",
            ),
            ("type = { json = \"/t\" }", &[], "{\"t\":\"a\u{7f}\"}", "accepted: id -, type -"),
        ] {
            let scheme = compile(Some("none"), verify, &[]);
            assert!(scheme.is_open());
            assert_eq!(
                judge(&scheme, headers, body.as_bytes()).to_string(),
                expected,
                "{verify} {headers:?} {body}"
            );
        }
    }

    #[test]
    fn form_encoded_deliveries_keep_their_type() {
        let scheme = compile(Some("github"), "", &["k"]);
        let body = "payload=%7B%22action%22%3A%22opened%22%7D";
        let signature = format!("sha256={}", hex::encode(mac(b"k", body)));
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-github-event", "issues"),
            ("x-github-delivery", "d"),
            ("x-hub-signature-256", signature.as_str()),
        ];
        assert_eq!(
            judge(&scheme, &headers, body.as_bytes()).to_string(),
            "accepted: id d, type issues.opened"
        );
    }

    #[test]
    fn a_preset_with_overrides() {
        let verify = "id = { json = \"/delivery\" }\nsignature = { header = \"x-my-signature\" }";
        let scheme = compile(Some("github"), verify, &["k"]);
        let body = r#"{"delivery":"d","action":"opened"}"#;
        let signature = hex::encode(mac(b"k", body));
        let headers = [("x-my-signature", signature.as_str()), ("x-github-event", "issues")];
        assert_eq!(
            judge(&scheme, &headers, body.as_bytes()).to_string(),
            "accepted: id d, type issues.opened"
        );
    }

    #[test]
    fn only_so_many_signatures_are_tried() {
        let scheme = compile(Some("stripe"), "", &["k"]);
        let good = hex::encode(mac(b"k", "1700000000.{}"));
        for (before, is_accepted) in [(99, true), (100, false)] {
            let wrong = format!("v1={},", "0".repeat(64)).repeat(before);
            let headers = [("stripe-signature", format!("t=1700000000,{wrong}v1={good}"))];
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let verdict = judge(&scheme, &headers, b"{}");
            assert_eq!(matches!(verdict, Verdict::Accepted(_)), is_accepted, "after {before}: {verdict}");
        }
    }
}
