//! Braintree: a form with a payload and pairs of public key and signature
//! (developer.paypal.com/braintree/docs/guides/webhooks/parse).

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use super::super::config::Encoding;
use super::super::extract::Reader;
use super::super::mac::MacHash;
use super::super::sign::{Made, Outgoing, SignError};
use super::super::{Accepted, Documents, SchemeError, Setup, Verdict};
use super::form::{self, FORM};
use super::mac::Macs;
use super::{Coded, extra, made_header, no_match, unauthorized};
use crate::model::Millis;

const SIGNATURE: &str = "bt_signature";
const PAYLOAD: &str = "bt_payload";

/// The scheme with its keys.
#[derive(Debug)]
pub(super) struct Braintree {
    public_key: String,
    keys: Macs,
}

impl Braintree {
    pub(super) fn new(setup: &Setup<'_>) -> Result<Self, SchemeError> {
        let remedy = "say the API key's public half, which names the signatures that are ours";
        let public_key = extra(setup.extras.public_key, "public_key", remedy)?.to_owned();
        let derive = |secret: &str| Ok(Sha1::digest(secret).to_vec());
        Ok(Self { public_key, keys: Macs::derived(setup, MacHash::Sha1, derive)? })
    }

    /// The signatures that are made for our key.
    fn ours(&self, pairs: &[u8]) -> Vec<Vec<u8>> {
        let ours = |pair: &[u8]| {
            let behind = pair.trim_ascii().strip_prefix(self.public_key.as_bytes())?.strip_prefix(b"|")?;
            Encoding::Hex.decode(behind)
        };
        pairs.split(|byte| *byte == b'&').filter_map(ours).take(16).collect()
    }
}

impl Coded for Braintree {
    fn check(&self, reader: &Reader<'_>, _now: Millis, _documents: &Documents) -> Result<Accepted, Verdict> {
        let pairs = form::all(reader.request.body)?;
        let missing = |name: &str| unauthorized(format!("{name} is missing in the form"));
        let signatures = form::single(&pairs, SIGNATURE)?.ok_or_else(|| missing(SIGNATURE))?;
        let payload = form::single(&pairs, PAYLOAD)?.ok_or_else(|| missing(PAYLOAD))?;
        let signatures = self.ours(signatures);
        if signatures.is_empty() {
            return Err(unauthorized("no signature is made for the configured public_key"));
        }
        // Some senders sign the line break that base64 ends with and send none.
        let is_signed = |signature: &Vec<u8>| {
            self.keys.accept(&[payload], signature) || self.keys.accept(&[payload, b"\n"], signature)
        };
        if !signatures.iter().any(is_signed) {
            return Err(no_match());
        }
        // Anybody may have a challenge signed by the same key, and its digits are base64: only
        // XML is a notification.
        let xml = xml(payload).ok_or_else(|| Verdict::Malformed(format!("{PAYLOAD} is no XML in base64")))?;
        // Nothing else of the form is signed.
        let id = hex::encode(Sha256::digest(payload.trim_ascii_end()));
        Ok(Accepted { id: Some(id), event_type: kind(&xml) })
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let pairs = form::all(reader.request.body).map_err(|verdict| verdict.to_string())?;
        let payload = form::single(&pairs, PAYLOAD).map_err(|verdict| verdict.to_string())?;
        payload.map(<[u8]>::to_owned).ok_or_else(|| format!("{PAYLOAD} is missing in the form"))
    }

    /// The body is the notification's XML, which goes into the payload.
    fn sign(&self, outgoing: &Outgoing<'_>) -> Result<Made, SignError> {
        let payload = format!("{}\n", Encoding::Base64.encode(outgoing.body));
        let signature = hex::encode(self.keys.sign(&[payload.as_bytes()]));
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(SIGNATURE, &format!("{}|{signature}", self.public_key))
            .append_pair(PAYLOAD, &payload)
            .finish();
        let headers = vec![made_header("content-type", FORM)];
        Ok(Made { headers, body: Some(body.into_bytes()), query: None })
    }
}

/// The XML that the payload holds in base64, in lines.
fn xml(payload: &[u8]) -> Option<String> {
    let packed: Vec<u8> = payload.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let xml = String::from_utf8(Encoding::Base64.decode(&packed)?).ok()?;
    xml.trim_start().starts_with('<').then_some(xml)
}

/// What happened: the element `kind`.
fn kind(xml: &str) -> Option<String> {
    let (_, behind) = xml.split_once("<kind>")?;
    let (kind, _) = behind.split_once("</kind>")?;
    let kind = kind.trim();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!kind.is_empty() && kind.len() <= 128 && kind.bytes().all(is_word)).then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (xml, expected) in [
            ("<n><kind>check</kind></n>", Some("check")),
            ("<n><kind> a_b </kind><kind>c</kind></n>", Some("a_b")),
            ("<n><kind></kind></n>", None),
            ("<n><kind>a b</kind></n>", None),
            ("<n><kind>a</n>", None),
            ("no xml", None),
        ] {
            assert_eq!(kind(xml).as_deref(), expected, "{xml}");
        }
        assert_eq!(xml(b"<kind>plain</kind>"), None);
        assert_eq!(xml(b"20f9f8ed05f77439fe9d3c1a5b7c8d90"), None, "a challenge");
    }
}
