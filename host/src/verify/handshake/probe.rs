//! Requests that only want a 2xx, and prove nothing. HEAD and OPTIONS are answered for
//! every source, where requests come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::super::compare::equal;
use super::super::form::is_form;
use super::super::{Reply, Verdict};
use super::{Asked, mac};

pub(super) fn get(asked: &Asked<'_>) -> Option<Verdict> {
    (asked.request.method == "GET").then(ok)
}

/// The key that Mandrill signs the ping with while a webhook has none of its own.
/// Everybody knows it, so nothing but an empty batch passes.
const MANDRILLS_TEST_KEY: &[u8] = b"test-webhook";

pub(super) fn mandrill(asked: &Asked<'_>) -> Option<Verdict> {
    let request = asked.request;
    let (url, given) = request.public_url.zip(request.headers.get("x-mandrill-signature"))?;
    let mut fields: Vec<_> = form_urlencoded::parse(request.body).collect();
    fields.sort();
    let is_empty = matches!(&fields[..], [(name, batch)] if name == "mandrill_events" && batch == "[]");
    if !is_empty {
        return None;
    }
    let signed = fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let message: Vec<_> = std::iter::once(url.as_bytes()).chain(signed).collect();
    let due = mac::hmac_sha1(MANDRILLS_TEST_KEY, &message);
    equal(&STANDARD.decode(given.as_bytes()).ok()?, &due).then(ok)
}

/// `webhook_id=N` and nothing else.
pub(super) fn woocommerce(asked: &Asked<'_>) -> Option<Verdict> {
    let id = asked.request.body.strip_prefix(b"webhook_id=")?;
    let is_id = (1..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit);
    (asked.request.method == "POST" && is_id && is_form(asked.request.headers)).then(ok)
}

fn ok() -> Verdict {
    Verdict::Handshake(Reply::empty(200))
}
