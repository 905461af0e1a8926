//! Plivo, third version of its signature: the URL rebuilt from its sorted query and form,
//! and a nonce (plivo.com/docs/voice/concepts/signature-validation).

use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::mac::MacHash;
use super::super::sign::{Made, Outgoing, SignError};
use super::super::{Accepted, Documents, Request, SchemeError, Setup, Verdict};
use super::form::{self, FORM};
use super::mac::Macs;
use super::{Coded, header, made_header, malformed, needs_public_url, no_match, registered, unauthorized};
use crate::model::Millis;

const SIGNATURE: &str = "x-plivo-signature-v3";
const NONCE: &str = "x-plivo-signature-v3-nonce";

/// Signatures of one request that are looked at.
const MAX_SIGNATURES: usize = 16;

/// The scheme with its keys.
#[derive(Debug)]
pub(super) struct PlivoV3(Macs);

impl PlivoV3 {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        needs_public_url(setup)?;
        Macs::of_text(setup, MacHash::Sha256).map(Self)
    }
}

impl Coded for PlivoV3 {
    fn check(&self, reader: &Reader<'_>, _now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let list = header(reader, SIGNATURE)?;
        let decode = |item: &[u8]| Encoding::Base64.decode(item.trim_ascii());
        let signatures: Vec<_> =
            list.split(|byte| *byte == b',').filter_map(decode).take(MAX_SIGNATURES).collect();
        if signatures.is_empty() {
            return Err(unauthorized("the signature cannot be decoded"));
        }
        let nonce = nonce(reader)?;
        let url = rebuilt(reader.request)?;
        if signatures.iter().any(|signature| self.0.accept(&[&url, b".", nonce], signature)) {
            return Ok(Accepted::default());
        }
        Err(no_match())
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let show = |verdict: Verdict| verdict.to_string();
        let nonce = header(reader, NONCE).map_err(show)?;
        Ok([&rebuilt(reader.request).map_err(show)?, &b"."[..], nonce].concat())
    }

    /// The id is the nonce.
    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let url = outgoing.url.ok_or_else(|| SignError::Missing("the public URL".to_owned()))?;
        let fields = if outgoing.method == "GET" { &[][..] } else { outgoing.body };
        let url = joined(url, fields).map_err(|verdict| SignError::Missing(verdict.to_string()))?;
        let signature = self.0.sign(&[&url, b".", outgoing.id.as_bytes()]);
        let headers = vec![
            made_header("content-type", FORM),
            made_header(NONCE, outgoing.id),
            made_header(SIGNATURE, Encoding::Base64.encode(&signature)),
        ];
        Ok(Made { headers, ..Made::default() })
    }
}

/// The nonce, which is the id: nothing that could be the end of a form instead.
fn nonce<'a>(reader: &Reader<'a>) -> Result<&'a [u8], Verdict> {
    let nonce = header(reader, NONCE)?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    if nonce.len() > 256 || !nonce.iter().all(is_plain) {
        return Err(malformed(format!("{NONCE} has characters that it cannot have")));
    }
    Ok(nonce)
}

/// What of a request is signed before the nonce.
fn rebuilt(request: &Request<'_>) -> Result<Vec<u8>, Verdict> {
    let url = registered::called(request).ok_or_else(|| unauthorized("the registered URL is not known"))?;
    if request.body.is_empty() {
        return joined(&url, &[]);
    }
    // Of a GET only the query is signed, and of a POST the query and the form.
    if request.method == "GET" || !form::is_form(request.headers) {
        return Err(unauthorized("a body that is not the form of a POST is not signed"));
    }
    joined(&url, request.body)
}

/// `URL?a=1&b=2.c3d4`: query and fields by name and then by value. The question mark is
/// there with fields alone, too, and the dot between both with both alone.
fn joined(url: &str, fields: &[u8]) -> Result<Vec<u8>, Verdict> {
    let (base, query) = registered::split(url);
    let mut query = form::all(query.unwrap_or_default().as_bytes())?;
    let mut fields = form::all(fields)?;
    query.sort();
    fields.sort();
    let mut text = base.as_bytes().to_owned();
    if !query.is_empty() || !fields.is_empty() {
        text.push(b'?');
    }
    let pairs: Vec<_> =
        query.iter().map(|(name, value)| [name.as_ref(), b"=", value.as_ref()].concat()).collect();
    text.extend(pairs.join(&b'&'));
    if !query.is_empty() && !fields.is_empty() {
        text.push(b'.');
    }
    text.extend(fields.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]).flatten());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuilt_urls() {
        for (url, fields, expected) in [
            ("https://h/p", "", "https://h/p"),
            ("https://h/p?b=2&a=1", "", "https://h/p?a=1&b=2"),
            ("https://h/p?a=2&a=1&a=%20", "", "https://h/p?a= &a=1&a=2"),
            ("https://h/p", "d=4&c=3", "https://h/p?c3d4"),
            ("https://h/p?b=2&a=1", "d=4&c=3&c=1", "https://h/p?a=1&b=2.c1c3d4"),
            ("https://h/p?", "c=", "https://h/p?c"),
        ] {
            let found = joined(url, fields.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), expected, "{url} {fields}");
        }
    }
}
