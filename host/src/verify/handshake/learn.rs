//! Handshakes that hand over the secret by which events are signed from then on. They
//! are unsigned, as there was no secret before: whether anybody waits for one is decided
//! where windows are known.

use super::super::{Effect, Reply, Verdict};
use super::given;
use super::{Asked, Found};
use crate::model::{Header, Secret};

/// The header that Asana and Clio hand their secret over in, and want back.
const HOOK_SECRET: &str = "x-hook-secret";

/// What is signed is an event, whatever else it carries.
pub(super) fn hook_secret(asked: &Asked<'_, '_>) -> Found {
    let request = asked.request;
    if request.method != "POST" || request.headers.contains_key("x-hook-signature") {
        return Ok(None);
    }
    let Some(secret) = given::header(request, HOOK_SECRET)? else { return Ok(None) };
    let mut reply = learning(secret);
    reply.headers.push(Header { name: HOOK_SECRET.into(), value: secret.to_owned() });
    Ok(Some(Verdict::Handshake(reply)))
}

/// Events have ids; what hands over the token has none.
pub(super) fn notion(asked: &Asked<'_, '_>) -> Found {
    let [Some(token), None] = asked.short_values() else { return Ok(None) };
    let token = given::checked("verification_token", token)?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(given::malformed("verification_token has characters that it cannot have"));
    }
    Ok(Some(Verdict::Handshake(learning(token))))
}

fn learning(secret: &str) -> Reply {
    Reply { effect: Some(Effect::Learn(Secret::from_text(secret))), ..Reply::empty(200) }
}
