//! Requests that only want a 2xx, and prove nothing. HEAD and OPTIONS are answered for
//! every source, where requests come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::compare::equal;
use super::super::form::{self, is_form};
use super::super::{Reply, Verdict};
use super::{Asked, mac};

pub(super) fn get(asked: &Asked<'_, '_>) -> Option<Verdict> {
    (asked.request.method == "GET").then(ok)
}

/// The key that Mandrill signs the ping with while a webhook has none of its own.
/// Everybody knows it, so nothing but an empty batch passes.
const MANDRILLS_TEST_KEY: &[u8] = b"test-webhook";

pub(super) fn mandrill(asked: &Asked<'_, '_>) -> Option<Verdict> {
    let request = asked.request;
    let (url, given) = request.public_url.zip(request.headers.get("x-mandrill-signature"))?;
    let mut fields = form::pairs(request.body);
    let (Some((name, batch)), None) = (fields.next(), fields.next()) else { return None };
    if (&*name, &*batch) != (b"mandrill_events", b"[]") {
        return None;
    }
    let due = mac::hmac_sha1(MANDRILLS_TEST_KEY, &[url.as_bytes(), &name, &batch]);
    equal(&STANDARD.decode(given.as_bytes()).ok()?, &due).then(ok)
}

/// `webhook_id=N` and nothing else.
pub(super) fn woocommerce(asked: &Asked<'_, '_>) -> Option<Verdict> {
    let id = asked.request.body.strip_prefix(b"webhook_id=")?;
    let is_id = (1..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit);
    (asked.request.method == "POST" && is_id && is_form(asked.request.headers)).then(ok)
}

fn ok() -> Verdict {
    Verdict::Handshake(Reply::empty(200))
}
