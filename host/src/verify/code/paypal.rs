//! `PayPal`: id, time, webhook id and a checksum of the body, signed with the key of a
//! certificate that it publishes (developer.paypal.com/api/rest/webhooks/rest).

use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::{Accepted, Documents, SchemeError, Setup, Verdict};
use super::certificate::{Hash, RsaKey, published};
use super::pinned::pinned;
use super::{Coded, header, no_match, texts, unauthorized, wanted};
use crate::model::Millis;

const CERTIFICATE: &str = "paypal-cert-url";

/// The scheme with the ids of its webhooks.
#[derive(Debug)]
pub(super) struct Paypal(Vec<String>);

impl Paypal {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        texts(setup).map(Self)
    }
}

impl Coded for Paypal {
    fn check(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Result<Accepted, Verdict> {
        if header(reader, "paypal-auth-algo")? != b"SHA256withRSA" {
            return Err(unauthorized("paypal-auth-algo is not SHA256withRSA"));
        }
        let signature = Encoding::Base64.decode(header(reader, "paypal-transmission-sig")?);
        let signature = signature.ok_or_else(|| unauthorized("the signature cannot be decoded"))?;
        let messages =
            self.0.iter().map(|webhook| message(reader, webhook)).collect::<Result<Vec<_>, _>>()?;
        let url = certificate_url(reader)?;
        let certificate = wanted(documents, published(url))?;
        let key = RsaKey::of_certificate(&certificate.body, now).map_err(unauthorized)?;
        if messages.iter().any(|message| key.accepts(Hash::Sha256, message, &signature)) {
            return Ok(Accepted::default());
        }
        Err(no_match())
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let webhook = self.0.first().map(String::as_str).unwrap_or_default();
        message(reader, webhook).map_err(|verdict| verdict.to_string())
    }
}

/// `ID|TIME|WEBHOOK|CRC`, the checksum as an unsigned decimal number.
fn message(reader: &Reader<'_>, webhook: &str) -> Result<Vec<u8>, Verdict> {
    let checksum = crc32fast::hash(reader.request.body).to_string();
    let id = header(reader, "paypal-transmission-id")?;
    let time = header(reader, "paypal-transmission-time")?;
    Ok([id, time, webhook.as_bytes(), checksum.as_bytes()].join(&b'|'))
}

/// Where `PayPal` and its sandbox publish certificates. Other hosts of its domain, and other
/// paths of these, show what their users wrote.
const HOSTS: [&str; 4] =
    ["api.paypal.com", "api.sandbox.paypal.com", "api-m.paypal.com", "api-m.sandbox.paypal.com"];
const FOLDER: &str = "/v1/notifications/certs/";

/// In one spelling and without a query, which would make one certificate many documents.
fn certificate_url(reader: &Reader<'_>) -> Result<String, Verdict> {
    let is_own = |host: &str| HOSTS.contains(&host);
    let text = std::str::from_utf8(header(reader, CERTIFICATE)?).unwrap_or_default();
    let url = pinned(text, CERTIFICATE, is_own)?;
    if url.query().is_some() || !url.path().starts_with(FOLDER) {
        return Err(unauthorized(format!("{CERTIFICATE} is not where PayPal's certificates are")));
    }
    Ok(url.into())
}
