//! Outbound signatures as Standard Webhooks 1.0.0 defines them. Pure.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::Millis;

/// Shorter secrets can be guessed from a signature and are refused.
pub const MIN_SECRET_BYTES: usize = 16;

/// The specification asks for 24 to 64 bytes; a shorter secret works and is advised
/// against. A longer one is hashed by HMAC first and gains nothing.
pub const ADVISED_SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that signs deliveries. It never shows what it holds.
#[derive(Clone)]
pub struct SigningKey(Kind);

#[derive(Clone)]
enum Kind {
    /// `v1`: HMAC-SHA256, with the key already mixed in.
    Hmac { keyed: Hmac<Sha256>, length: usize },
    /// `v1a`: Ed25519.
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// Why a text is no signing secret. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// Neither form.
    #[error("a signing secret begins with whsec_ (HMAC-SHA256) or whsk_ (Ed25519)")]
    Prefix,
    /// A public key, which receivers use.
    #[error("whpk_ is a public key; sign with the private whsk_")]
    Public,
    /// The part behind the prefix is not base64.
    #[error("what follows {0} is not base64")]
    Base64(&'static str),
    /// Too few bytes to be secret.
    #[error("the secret has {0} bytes; at least {MIN_SECRET_BYTES} are needed, 24 to 64 are advised")]
    Short(usize),
    /// Neither a seed nor a key pair.
    #[error("an Ed25519 key has 32 bytes (the seed) or 64 (private and public), not {0}")]
    Length(usize),
    /// The two halves do not belong together.
    #[error("the public half of the Ed25519 key does not belong to the private one")]
    Pair,
}

impl SigningKey {
    /// `whsec_` and base64 of at least 16 bytes, or `whsk_` and base64 of an Ed25519
    /// seed (32 bytes) or of private and public key in a row (64 bytes).
    pub fn parse(text: &str) -> Result<Self, SigningKeyError> {
        if let Some(encoded) = text.strip_prefix("whsec_") {
            let secret = decode(encoded).ok_or(SigningKeyError::Base64("whsec_"))?;
            if secret.len() < MIN_SECRET_BYTES {
                return Err(SigningKeyError::Short(secret.len()));
            }
            let keyed = Hmac::new_from_slice(&secret).map_err(|_| SigningKeyError::Short(secret.len()))?;
            Ok(Self(Kind::Hmac { keyed, length: secret.len() }))
        } else if let Some(encoded) = text.strip_prefix("whsk_") {
            let bytes = decode(encoded).ok_or(SigningKeyError::Base64("whsk_"))?;
            Ok(Self(Kind::Ed25519(Box::new(ed25519(&bytes)?))))
        } else if text.starts_with("whpk_") {
            Err(SigningKeyError::Public)
        } else {
            Err(SigningKeyError::Prefix)
        }
    }

    /// Whether the secret is as long as the specification asks for.
    pub fn has_advised_length(&self) -> bool {
        match &self.0 {
            Kind::Hmac { length, .. } => ADVISED_SECRET_BYTES.contains(length),
            Kind::Ed25519(_) => true,
        }
    }

    /// One item of the signature header.
    fn append(&self, header: &mut String, prefix: &[u8], body: &[u8]) {
        match &self.0 {
            Kind::Hmac { keyed, .. } => {
                let mut mac = keyed.clone();
                mac.update(prefix);
                mac.update(body);
                header.push_str("v1,");
                STANDARD.encode_string(mac.finalize().into_bytes(), header);
            }
            Kind::Ed25519(key) => {
                header.push_str("v1a,");
                STANDARD.encode_string(key.multipart_sign(&[prefix, body]).to_bytes(), header);
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Hmac { .. } => "SigningKey(whsec_***)",
            Kind::Ed25519(_) => "SigningKey(whsk_***)",
        })
    }
}

/// The value of `webhook-signature`: one signature for each key, in their order, over
/// `id.timestamp.body`. Empty without keys.
pub fn sign(keys: &[SigningKey], id: &str, at: Millis, body: &[u8]) -> String {
    let prefix = format!("{id}.{}.", at.as_secs());
    let mut header = String::with_capacity(keys.len() * 48);
    for key in keys {
        if !header.is_empty() {
            header.push(' ');
        }
        key.append(&mut header, prefix.as_bytes(), body);
    }
    header
}

fn ed25519(bytes: &[u8]) -> Result<ed25519_dalek::SigningKey, SigningKeyError> {
    if let Ok(seed) = <&[u8; 32]>::try_from(bytes) {
        return Ok(ed25519_dalek::SigningKey::from_bytes(seed));
    }
    let pair = <&[u8; 64]>::try_from(bytes).map_err(|_| SigningKeyError::Length(bytes.len()))?;
    ed25519_dalek::SigningKey::from_keypair_bytes(pair).map_err(|_| SigningKeyError::Pair)
}

/// Standard base64; the padding may be missing, as some generators leave it out.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier as _};

    use super::*;

    fn whsec(bytes: usize) -> String {
        format!("whsec_{}", STANDARD.encode(vec![7; bytes]))
    }

    #[test]
    fn the_published_vector() {
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Millis(1_614_265_330_999);
        let header = sign(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn ed25519_signs_the_same_content_from_either_encoding() {
        let pair = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
        let seed = SigningKey::parse(&format!("whsk_{}", STANDARD.encode(pair.as_bytes()))).unwrap();
        let both = SigningKey::parse(&format!("whsk_{}", STANDARD.encode(pair.to_keypair_bytes()))).unwrap();
        let header = sign(&[seed], "msg_1", Millis(5_000), b"body");
        assert_eq!(header, sign(&[both], "msg_1", Millis(5_000), b"body"));
        let signature = STANDARD.decode(header.strip_prefix("v1a,").unwrap()).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        assert!(pair.verifying_key().verify(b"msg_1.5.body", &signature).is_ok());
    }

    #[test]
    fn every_key_signs_in_order() {
        let keys: Vec<_> = [24, 32].map(|n| SigningKey::parse(&whsec(n)).unwrap()).into();
        let one = |key: &SigningKey| sign(std::slice::from_ref(key), "msg_1", Millis(0), b"");
        assert_eq!(sign(&keys, "msg_1", Millis(0), b""), format!("{} {}", one(&keys[0]), one(&keys[1])));
        assert_eq!(sign(&[], "msg_1", Millis(0), b""), "");
    }

    #[test]
    fn what_is_no_secret_is_refused_by_name() {
        let pair = [[9; 32], [1; 32]].concat();
        let table = [
            ("hunter2".into(), SigningKeyError::Prefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), SigningKeyError::Prefix),
            ("whsec_*".into(), SigningKeyError::Base64("whsec_")),
            ("whsk_*".into(), SigningKeyError::Base64("whsk_")),
            (whsec(0), SigningKeyError::Short(0)),
            (whsec(15), SigningKeyError::Short(15)),
            (format!("whsk_{}", STANDARD.encode([1; 31])), SigningKeyError::Length(31)),
            (format!("whsk_{}", STANDARD.encode(pair)), SigningKeyError::Pair),
            (format!("whpk_{}", STANDARD.encode([1; 32])), SigningKeyError::Public),
        ];
        for (text, expected) in table {
            assert_eq!(SigningKey::parse(&text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn lengths_and_padding() {
        for (length, advised) in [(16, false), (23, false), (24, true), (64, true), (65, false)] {
            let padded = whsec(length);
            let key = SigningKey::parse(&padded).unwrap();
            assert_eq!(key.has_advised_length(), advised, "{length}");
            assert!(SigningKey::parse(padded.trim_end_matches('=')).is_ok(), "{length}");
        }
    }

    #[test]
    fn a_key_never_shows_itself() {
        let key = SigningKey::parse(&whsec(24)).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(whsec_***)");
    }
}
