//! Signed tokens (RFC 7515, compact form). Which algorithm one is made with is said by the
//! scheme and never chosen by the token: a token's own word is only compared.

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::super::config::Encoding;
use super::mac::Macs;
use super::{Verdict, unauthorized};
use crate::model::Millis;

/// A token before anything of it is believed.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// The two parts that are signed, with the dot between them.
    pub(super) signed: &'a [u8],
    /// How it says that it is made.
    pub(super) algorithm: String,
    /// Which key it says.
    pub(super) key_id: Option<String>,
    pub(super) signature: Vec<u8>,
    payload: Vec<u8>,
}

#[derive(serde::Deserialize)]
struct JoseHeader {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood (§4.1.11), and none is.
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Exactly three parts of base64url without padding.
    pub(super) fn parse(token: &'a [u8]) -> Result<Self, Verdict> {
        Self::parts(token).ok_or_else(|| unauthorized("the token cannot be read"))
    }

    fn parts(token: &'a [u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let decode = |part| Encoding::Base64url.decode(part);
        let JoseHeader { alg, kid, crit } = serde_json::from_slice(&decode(header)?).ok()?;
        if crit.is_some() {
            return None;
        }
        let signed = &token[..header.len() + 1 + payload.len()];
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        Some(Self { signed, algorithm: alg, key_id: kid, signature, payload })
    }

    /// The error unless the token says that it is made so.
    pub(super) fn must_be(&self, algorithm: &str) -> Result<(), Verdict> {
        if self.algorithm == algorithm {
            return Ok(());
        }
        Err(unauthorized(format!("the token is not made with {algorithm}")))
    }

    /// What the token says. To be asked once its signature is checked, or where nothing is
    /// done with it but to refuse.
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Result<T, Verdict> {
        serde_json::from_slice(&self.payload).map_err(|_| unauthorized("the token lacks a claim that is due"))
    }

    /// Whether any of the keys made it.
    pub(super) fn is_made_by(&self, keys: &Macs) -> bool {
        keys.accept(&[self.signed], &self.signature)
    }

    /// Whether the key at that point of P-256 made it (`ES256`).
    pub(super) fn is_made_by_point(&self, x: &[u8], y: &[u8]) -> bool {
        let point = [&[4], x, y].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(self.signed, &self.signature).is_ok()
    }
}

/// A token with these claims, made with a shared secret.
pub(super) fn made(algorithm: &str, claims: &Value, keys: &Macs) -> String {
    let part = |value: &Value| Encoding::Base64url.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&json!({ "alg": algorithm, "typ": "JWT" })), part(claims));
    let signature = Encoding::Base64url.encode(&keys.sign(&[signed.as_bytes()]));
    format!("{signed}.{signature}")
}

/// Whether what ends at `time` (Unix seconds) is over at `now`, with so many seconds of
/// grace. It is over at that very second (RFC 7519 §4.1.4).
pub(super) const fn is_over(time: i64, now: Millis, grace: i64) -> bool {
    time.saturating_add(grace) <= now.as_secs()
}

/// Whether `time` (Unix seconds) is still to come at `now`, with so many seconds of grace.
pub(super) const fn is_to_come(time: i64, now: Millis, grace: i64) -> bool {
    time.saturating_sub(grace) > now.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        let part = |text: &str| Encoding::Base64url.encode(text.as_bytes());
        format!("{}.{}.{}", part(header), part("{}"), part("s"))
    }

    #[test]
    fn what_is_not_read() {
        let good = token(r#"{"alg":"HS256","kid":"k"}"#);
        let read = Jws::parse(good.as_bytes()).unwrap();
        assert_eq!((read.algorithm.as_str(), read.key_id.as_deref()), ("HS256", Some("k")));
        assert_eq!(read.signed, good.rsplit_once('.').unwrap().0.as_bytes());
        assert_eq!(read.signature, b"s");
        for bad in [
            String::new(),
            "a.b".to_owned(),
            good[1..].to_owned(),
            format!("{good}."),
            format!("{good}="),
            format!(" {good}"),
            token("{}"),
            token("[]"),
            token(r#"{"alg":1}"#),
            token(r#"{"alg":"HS256","alg":"none"}"#),
            token(r#"{"alg":"HS256","crit":["exp"]}"#),
        ] {
            assert!(Jws::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_end_and_begin_at_their_second_and_do_not_overflow() {
        let now = Millis(1_700_000_000_999);
        for (time, over, to_come) in [
            (1_700_000_000, false, false),
            (1_699_999_996, false, false),
            (1_699_999_995, true, false),
            (1_700_000_005, false, false),
            (1_700_000_006, false, true),
            (i64::MAX, false, true),
            (i64::MIN, true, false),
        ] {
            assert_eq!((is_over(time, now, 5), is_to_come(time, now, 5)), (over, to_come), "{time}");
        }
    }
}
