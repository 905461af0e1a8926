//! Plaid: a token with a hash of the body, made with a key that its API tells to clients
//! (plaid.com/docs/api/webhooks/webhook-verification).

use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::compare::equal;
use super::super::config::Encoding;
use super::super::documents::Fetch;
use super::super::extract::Reader;
use super::super::{Accepted, Documents, SchemeError, Setup, Verdict, Want};
use super::jws::Jws;
use super::{Coded, each_secret, header, made_header, no_match, unauthorized, wanted};
use crate::model::Millis;

const TOKEN: &str = "plaid-verification";
const ALGORITHM: &str = "ES256";
const KEYS: &str = "/webhook_verification_key/get";
const HOST: &str = "https://production.plaid.com";

/// A key does not change, but it may be ended: from then on it is good for as long at most.
const KEEP: Duration = Duration::from_hours(1);
/// Ids of keys are UUIDs; an id is sent to Plaid before anything is proven.
const MAX_KEY_ID: usize = 128;

/// The scheme with what Plaid's API is asked with. It never prints.
pub(super) struct Plaid {
    client_id: String,
    secret: String,
    /// Seconds that the token's time may be off.
    tolerance: u32,
}

#[derive(serde::Deserialize)]
struct Claims {
    iat: i64,
    request_body_sha256: String,
}

#[derive(serde::Deserialize)]
struct KeyAnswer {
    key: Key,
}

/// A key as Plaid's API tells it (RFC 7517, with the second at which it ended).
#[derive(serde::Deserialize)]
struct Key {
    alg: String,
    kty: String,
    crv: String,
    kid: String,
    x: String,
    y: String,
    expired_at: Option<i64>,
}

impl Key {
    fn coordinates(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let coordinate =
            |text: &str| Encoding::Base64url.decode(text.as_bytes()).filter(|bytes| bytes.len() == 32);
        coordinate(&self.x).zip(coordinate(&self.y))
    }
}

impl std::fmt::Debug for Plaid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plaid(***)")
    }
}

impl Plaid {
    /// Several secrets are checked, and the first is what Plaid's API is asked with: any
    /// that is good gets the same keys.
    pub(super) fn new(setup: &Setup<'_>, tolerance: u32) -> Result<Self, SchemeError> {
        let all = each_secret(setup, |secret| {
            let (client_id, secret) = secret.split_once(':').unwrap_or_default();
            if client_id.is_empty() || secret.is_empty() {
                return Err("is not \"client id:secret\" of Plaid's API".to_owned());
            }
            Ok(Self { client_id: client_id.to_owned(), secret: secret.to_owned(), tolerance })
        })?;
        all.into_iter().next().ok_or_else(|| SchemeError::new("secrets", "are missing"))
    }

    fn want(&self, key_id: &str) -> Want {
        let body = json!({ "client_id": self.client_id, "secret": self.secret, "key_id": key_id });
        let fetch = Fetch {
            method: "POST",
            url: format!("{HOST}{KEYS}"),
            headers: vec![made_header("content-type", "application/json")],
            body: body.to_string().into_bytes(),
        };
        let name = format!("plaid:{KEYS}?key_id={key_id}");
        Want { name, fetch, not_before: None, names_key: true, keep: KEEP, is_usable: is_key }
    }
}

impl Coded for Plaid {
    fn check(&self, reader: &Reader<'_>, now: Millis, documents: &Documents) -> Result<Accepted, Verdict> {
        let token = Jws::parse(header(reader, TOKEN)?)?;
        token.must_be(ALGORITHM)?;
        // Asked first because it costs nothing, and tells strangers nothing that they do not
        // know of their own request. It keeps nobody away: whoever makes a token up can have
        // all of this right, so how often Plaid is asked for keys that it may not have is
        // bounded by who fetches.
        let claims: Claims = token.claims()?;
        if now.as_secs().abs_diff(claims.iat) > u64::from(self.tolerance) {
            return Err(unauthorized(format!("the token is more than {} s off", self.tolerance)));
        }
        let hash = Encoding::Hex.decode(claims.request_body_sha256.as_bytes()).unwrap_or_default();
        if !equal(&Sha256::digest(reader.request.body), &hash) {
            return Err(unauthorized("the token is for another body"));
        }
        let key_id = token.key_id.as_deref().filter(|id| is_key_id(id));
        let key_id = key_id.ok_or_else(|| unauthorized("the token names no key"))?;
        let document = wanted(documents, self.want(key_id))?;
        let (x, y) = point(&document.body, key_id, now)?;
        if !token.is_made_by_point(&x, &y) {
            return Err(no_match());
        }
        // Plaid names no event, and says the same of an item again and again in the same
        // bytes: only with the time are they one and the same webhook.
        let id = format!("{}.{}", claims.iat, hex::encode(hash));
        Ok(Accepted { id: Some(id), event_type: None })
    }

    fn signed_bytes(&self, reader: &Reader<'_>) -> Result<Vec<u8>, String> {
        let token = header(reader, TOKEN).and_then(Jws::parse).map_err(|verdict| verdict.to_string())?;
        Ok(token.signed.to_owned())
    }
}

/// Where on P-256 the key is, if the answer is that key and it has not ended.
fn point(answer: &[u8], key_id: &str, now: Millis) -> Result<(Vec<u8>, Vec<u8>), Verdict> {
    let unreadable = || unauthorized("the key that signed cannot be read");
    let key = read(answer).ok_or_else(unreadable)?;
    if key.kid != key_id || key.alg != ALGORITHM || key.kty != "EC" || key.crv != "P-256" {
        return Err(unauthorized("the key that signed is of another kind"));
    }
    if key.expired_at.is_some_and(|end| end <= now.as_secs()) {
        return Err(unauthorized("the key that signed has ended"));
    }
    key.coordinates().ok_or_else(unreadable)
}

fn read(answer: &[u8]) -> Option<Key> {
    serde_json::from_slice(answer).ok().map(|KeyAnswer { key }| key)
}

/// Whether that is a key, of whatever kind and also one that has ended.
fn is_key(answer: &[u8]) -> bool {
    read(answer).is_some_and(|key| key.coordinates().is_some())
}

fn is_key_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_KEY_ID).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_used() {
        let now = Millis(1_700_000_000_000);
        let coordinate = Encoding::Base64url.encode(&[7; 32]);
        let answer = |from: &str, to: &str| {
            let text = format!(
                r#"{{"key":{{"alg":"ES256","kty":"EC","crv":"P-256","kid":"k","x":"{coordinate}","y":"{coordinate}","expired_at":null}}}}"#
            );
            assert!(text.contains(from), "{from}");
            point(text.replacen(from, to, 1).as_bytes(), "k", now).is_ok()
        };
        for (from, to, expected) in [
            ("", "", true),
            (",\"expired_at\":null", "", true),
            ("null", "1700000001", true),
            ("null", "1700000000", false),
            ("null", "0", false),
            ("ES256", "HS256", false),
            ("\"EC\"", "\"oct\"", false),
            ("P-256", "P-384", false),
            ("\"k\"", "\"l\"", false),
            ("\"key\"", "\"keys\"", false),
            ("\"x\":\"", "\"x\":\"AA", false),
        ] {
            assert_eq!(answer(from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn what_is_kept_is_a_key_of_any_kind() {
        let coordinate = Encoding::Base64url.encode(&[7; 32]);
        let answer = |alg: &str, x: &str| {
            format!(
                r#"{{"key":{{"alg":"{alg}","kty":"EC","crv":"P-256","kid":"k","x":"{x}","y":"{coordinate}","expired_at":1}}}}"#
            )
        };
        for (text, expected) in [
            (answer("ES256", &coordinate), true),
            (answer("other", &coordinate), true),
            (answer("ES256", "AA"), false),
            (r#"{"error_code":"INTERNAL_SERVER_ERROR"}"#.to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_key(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn ids_of_keys() {
        for (id, expected) in [
            ("bfbd5111-8e33", true),
            ("A_z", true),
            ("", false),
            ("a/b", false),
            ("a?b", false),
            ("é", false),
        ] {
            assert_eq!(is_key_id(id), expected, "{id}");
        }
        assert!(!is_key_id(&"k".repeat(MAX_KEY_ID + 1)));
    }
}
