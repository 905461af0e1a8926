//! Handshakes that are answered with a MAC of the challenge, by the key that proves
//! events. Anybody may ask the unsigned ones, so what they sign must never be what an
//! event signs: the characters of a challenge are narrow, and an event that is made of
//! nothing else is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha1::{Digest as _, Sha1};

use super::super::compare::equal;
use super::super::mac::{MacHash, MacKey};
use super::super::{Reply, Verdict};
use super::given::{self, malformed};
use super::{Asked, Found};
use crate::model::Secret;

pub(super) fn zoom(asked: &Asked<'_, '_>) -> Found {
    let [Some("endpoint.url_validation"), token] = asked.values() else { return Ok(None) };
    let token = token.ok_or_else(|| malformed("endpoint.url_validation without a plainToken"))?;
    let token = given::checked("plainToken", token)?;
    let Some(secret) = zooms(asked) else { return Ok(None) };
    let encrypted = hex::encode(hmac_sha256(secret, &[token.as_bytes()]));
    let answer = json!({ "plainToken": token, "encryptedToken": encrypted });
    Ok(Some(Verdict::Handshake(Reply::json(200, &answer))))
}

/// While secrets rotate, Zoom expects an answer by the one that it signed with.
fn zooms<'r>(asked: &Asked<'r, '_>) -> Option<&'r Secret> {
    let header = |name| asked.request.headers.get(name).map_or(&[][..], http::HeaderValue::as_bytes);
    let signature = hex::decode(header("x-zm-signature").strip_prefix(b"v0=").unwrap_or_default());
    let message = [b"v0:", header("x-zm-request-timestamp"), b":", asked.request.body];
    let signed =
        |secret: &&Secret| signature.as_ref().is_ok_and(|made| equal(made, &hmac_sha256(secret, &message)));
    asked.secrets.iter().find(signed).or(asked.secrets.first())
}

/// The first secret answers: X has one consumer secret at a time, and does not say which
/// it expects.
pub(super) fn x_crc(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "GET" {
        return Ok(None);
    }
    let Some(token) = given::query(asked.request, &["crc_token"])? else { return Ok(None) };
    let Some(secret) = asked.secrets.first() else { return Ok(None) };
    if !is_challenge(token.as_bytes()) {
        return Err(malformed("crc_token has characters that it cannot have"));
    }
    let made = STANDARD.encode(hmac_sha256(secret, &[token.as_bytes()]));
    let answer = json!({ "response_token": format!("sha256={made}") });
    Ok(Some(Verdict::Handshake(Reply::json(200, &answer))))
}

pub(super) fn linkedin(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "GET" {
        return Ok(None);
    }
    let Some(code) = given::query(asked.request, &["challengeCode"])? else { return Ok(None) };
    let Some(secret) = asked.secrets.first() else { return Ok(None) };
    // A UUID. Events are signed behind "hmacsha256=", which no such code begins with.
    if !code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(malformed("challengeCode has characters that it cannot have"));
    }
    let made = hex::encode(hmac_sha256(secret, &[code.as_bytes()]));
    let answer = json!({ "challengeCode": code, "challengeResponse": made });
    Ok(Some(Verdict::Handshake(Reply::json(200, &answer))))
}

/// A signature that the handshake gives to anybody who asks for it proves nothing.
pub(super) fn no_answer_of_ours(asked: &Asked<'_, '_>) -> Found {
    let body = asked.request.body;
    if !body.is_empty() && is_challenge(body) {
        return Err(Verdict::Unauthorized("a body like a challenge proves nothing".to_owned()));
    }
    Ok(None)
}

/// Base64 in either alphabet, and digits: what X's tokens are made of. No JSON document
/// that is an event is.
fn is_challenge(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte))
}

pub(super) fn braintree(asked: &Asked<'_, '_>) -> Found {
    if asked.request.method != "GET" {
        return Ok(None);
    }
    let Some(challenge) = given::query(asked.request, &["bt_challenge"])? else { return Ok(None) };
    let Some((public, private)) = asked.public_key.zip(asked.secrets.first()) else { return Ok(None) };
    let answer = braintree_answer(public.expose(), private, &challenge)?;
    Ok(Some(Verdict::Handshake(Reply::text(200, answer))))
}

/// `PUBLIC|MAC`, by the key that is the SHA-1 of the private one. Notifications are
/// signed by the same key, so what is signed here are hexadecimal digits, 20 to 32 of
/// them, as the official SDK has it: those are no notification.
///
/// # Errors
/// [`Verdict::Malformed`] for any other challenge.
pub(super) fn braintree_answer(public: &str, private: &Secret, challenge: &str) -> Result<String, Verdict> {
    let is_hex = challenge.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !is_hex || !(20..=32).contains(&challenge.len()) {
        return Err(malformed("bt_challenge is not 20 to 32 hexadecimal digits"));
    }
    let made = hmac_sha1(&Sha1::digest(private.expose()), &[challenge.as_bytes()]);
    Ok(format!("{public}|{}", hex::encode(made)))
}

fn hmac_sha256(secret: &Secret, pieces: &[&[u8]]) -> Vec<u8> {
    MacKey::new(MacHash::Sha256, secret.expose().as_bytes()).of(pieces)
}

pub(super) fn hmac_sha1(key: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    MacKey::new(MacHash::Sha1, key).of(pieces)
}
