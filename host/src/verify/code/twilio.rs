//! Twilio: the URL that it called and the sorted form, or a hash of any other body in that
//! URL (twilio.com/docs/usage/webhooks/webhooks-security, webhook-shared-keys).
//!
//! Which algorithm signs is said by a header that nobody signs. An account's token signs
//! with SHA-1 whatever the header says; with a shared key the header is believed, unless
//! `pin_algorithm` settles it.

use sha2::{Digest as _, Sha256};

use super::super::compare::equal;
use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::mac::MacHash;
use super::super::sign::{Made, Outgoing, SignError};
use super::super::{Accepted, Documents, Request, SchemeError, Setup, Verdict};
use super::form::{self, FORM, Pair};
use super::mac::Macs;
use super::{Coded, header, made_header, needs_public_url, no_match, registered, unauthorized};
use crate::model::Millis;

const SIGNATURE: &str = "x-twilio-signature";
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
const BODY_HASH: &str = "bodySHA256";

/// The scheme with its keys, for each algorithm.
#[derive(Debug)]
pub(super) struct Twilio {
    sha1: Macs,
    sha256: Macs,
    choice: Choice,
}

/// Who says which algorithm signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Pinned(Algorithm),
    Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Twilio's own name.
    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "HMAC_SHA1",
            Self::Sha256 => "HMAC_SHA256",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256].into_iter().find(|own| own.name() == name)
    }
}

impl Twilio {
    /// Signed with the account's token.
    pub(super) fn with_token(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        Self::new(setup, Choice::Pinned(Algorithm::Sha1))
    }

    /// Signed with a key made for webhooks.
    pub(super) fn with_shared_key(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        Self::new(setup, Choice::Header)
    }

    fn new(setup: &Setup<'_>, otherwise: Choice) -> Result<Self, SchemeError> {
        needs_public_url(setup)?;
        let choice = match setup.extras.pin_algorithm {
            None => otherwise,
            Some(name) => Choice::Pinned(Algorithm::named(name).ok_or_else(|| {
                let reason = format!("is {name:?}; it is \"HMAC_SHA1\" or \"HMAC_SHA256\"");
                SchemeError::new("pin_algorithm", reason)
            })?),
        };
        let sha1 = Macs::of_text(setup, MacHash::Sha1)?;
        Ok(Self { sha1, sha256: Macs::of_text(setup, MacHash::Sha256)?, choice })
    }

    const fn keys(&self, algorithm: Algorithm) -> &Macs {
        match algorithm {
            Algorithm::Sha1 => &self.sha1,
            Algorithm::Sha256 => &self.sha256,
        }
    }

    fn algorithm(&self, reader: &Reader<'_>) -> Result<Algorithm, Verdict> {
        let named = match reader.request.headers.get(SETTINGS) {
            None => Algorithm::Sha1,
            Some(_) => in_settings(header(reader, SETTINGS)?)?,
        };
        match self.choice {
            Choice::Pinned(algorithm) => Ok(algorithm),
            Choice::Header => Ok(named),
        }
    }
}

/// The algorithm that `algorithm=NAME` names among settings that commas or semicolons part.
fn in_settings(value: &[u8]) -> Result<Algorithm, Verdict> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let mut parts = text.split([',', ';', '&']).map(str::trim);
    match parts.find_map(|part| part.strip_prefix("algorithm=")) {
        None => Ok(Algorithm::Sha1),
        Some(name) => Algorithm::named(name)
            .ok_or_else(|| unauthorized(format!("header {SETTINGS} names an algorithm that is not known"))),
    }
}

impl Coded for Twilio {
    fn check(&self, reader: &Reader<'_>, _now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let signature = Encoding::Base64.decode(header(reader, SIGNATURE)?);
        let signature = signature.ok_or_else(|| unauthorized("the signature cannot be decoded"))?;
        let keys = self.keys(self.algorithm(reader)?);
        let (url, fields) = signed_parts(reader.request)?;
        let urls = registered::with_and_without_port(&url);
        if !urls.iter().any(|url| keys.accept(&[url.as_bytes(), &fields], &signature)) {
            return Err(no_match());
        }
        Ok(Accepted { id: id(reader.request), event_type: None })
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let (url, fields) = signed_parts(reader.request).map_err(|verdict| verdict.to_string())?;
        Ok([url.as_bytes(), &fields].concat())
    }

    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let url = outgoing.url.ok_or_else(|| SignError::Missing("the public URL".to_owned()))?;
        let algorithm = match self.choice {
            Choice::Pinned(algorithm) => algorithm,
            Choice::Header => Algorithm::Sha256,
        };
        let mut made = Made::default();
        let is_json = matches!(outgoing.body.trim_ascii_start().first(), Some(b'{' | b'['));
        let (url, fields) = if is_json {
            let query = format!("{BODY_HASH}={}", hex::encode(Sha256::digest(outgoing.body)));
            let joint = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{joint}{query}");
            made.query = Some(query);
            made.headers.push(made_header("content-type", "application/json"));
            (url, Vec::new())
        } else {
            made.headers.push(made_header("content-type", FORM));
            (url.to_owned(), sorted(form::pairs(outgoing.body).collect()))
        };
        let signature = self.keys(algorithm).sign(&[url.as_bytes(), &fields]);
        made.headers.push(made_header(SIGNATURE, Encoding::Base64.encode(&signature)));
        made.headers.push(made_header("i-twilio-idempotency-token", outgoing.id));
        if algorithm == Algorithm::Sha256 {
            made.headers.push(made_header(SETTINGS, format!("algorithm={}", algorithm.name())));
        }
        Ok(made)
    }
}

/// The URL that was called and what of the body is signed beside it.
fn signed_parts(request: &Request<'_>) -> Result<(String, Vec<u8>), Verdict> {
    let url = registered::called(request).ok_or_else(|| unauthorized("the registered URL is not known"))?;
    if let Some(hash) = body_hash(&url)? {
        // The hash is part of the URL, and the URL is signed.
        if !equal(&Sha256::digest(request.body), &hash) {
            return Err(unauthorized(format!("{BODY_HASH} is not the body's")));
        }
        return Ok((url, Vec::new()));
    }
    if request.body.is_empty() {
        return Ok((url, Vec::new()));
    }
    if !form::is_form(request.headers) {
        return Err(unauthorized(format!(
            "a body that is no form is signed by {BODY_HASH} in the query alone"
        )));
    }
    Ok((url, sorted(form::all(request.body)?)))
}

fn body_hash(url: &str) -> Result<Option<Vec<u8>>, Verdict> {
    let (_, query) = registered::split(url);
    let pairs = form::all(query.unwrap_or_default().as_bytes())?;
    let Some(hash) = form::single(&pairs, BODY_HASH)? else { return Ok(None) };
    let hash = Encoding::Hex.decode(hash);
    hash.map(Some).ok_or_else(|| unauthorized(format!("{BODY_HASH} is not hexadecimal")))
}

/// By name and then by value in byte order; equal ones once.
fn in_order(mut pairs: Vec<Pair<'_>>) -> Vec<Pair<'_>> {
    pairs.sort();
    pairs.dedup();
    pairs
}

/// Name and value of every field, in order.
fn sorted(pairs: Vec<Pair<'_>>) -> Vec<u8> {
    in_order(pairs)
        .iter()
        .flat_map(|(name, value)| [name.as_ref(), value.as_ref()])
        .flatten()
        .copied()
        .collect()
}

/// A message is named by its id and status. A call's status alone names nothing, because
/// each step of a call comes with the same one; its callbacks are numbered.
fn id(request: &Request<'_>) -> Option<String> {
    let query = request.query.unwrap_or_default().as_bytes();
    // What is signed is each pair once.
    let fields = in_order(form::all(request.body).ok()?);
    let pairs = [fields, form::all(query).ok()?].concat();
    let value = |name: &str| {
        let found = form::single(&pairs, name).ok()??;
        let text = std::str::from_utf8(found).ok()?;
        (!text.is_empty() && text.len() <= 64 && !text.chars().any(char::is_control)).then_some(text)
    };
    if let (Some(sid), Some(status)) = (value("MessageSid"), value("MessageStatus").or(value("SmsStatus"))) {
        return Some(format!("{sid}.{status}"));
    }
    Some(format!("{}.{}.{}", value("CallSid")?, value("CallStatus")?, value("SequenceNumber")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        for (value, expected) in [
            ("algorithm=HMAC_SHA256", Some(Algorithm::Sha256)),
            ("key=x, algorithm=HMAC_SHA1", Some(Algorithm::Sha1)),
            ("key=x;algorithm=HMAC_SHA256;v=1", Some(Algorithm::Sha256)),
            ("key=x", Some(Algorithm::Sha1)),
            ("algorithm=none", None),
            ("algorithm=hmac_sha256", None),
        ] {
            assert_eq!(in_settings(value.as_bytes()).ok(), expected, "{value}");
        }
    }

    #[test]
    fn what_a_pin_may_be() {
        for (pin, expected) in [("HMAC_SHA1", true), ("HMAC_SHA256", true), ("MD5", false), ("", false)] {
            let setup = Setup { has_public_url: true, ..Setup::preset("twilio", &["s"]) };
            let setup = Setup {
                extras: super::super::super::Extras { pin_algorithm: Some(pin), ..setup.extras },
                ..setup
            };
            assert_eq!(Twilio::with_token(&setup).is_ok(), expected, "{pin}");
        }
    }
}
