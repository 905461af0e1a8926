//! Keys: what a configured secret becomes, and the signatures it makes and takes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::compare::{any_equal, equal};
use super::config::{Algorithm, Encoding, SecretKind};
use super::extract::Reader;
use super::mac::{MacHash, MacKey};
use super::public::{self, PublicKey};
use super::secret::{self, SECRET_BASE64};
use super::template::{Filling, Template};

/// A configured secret, ready for use: HMAC keys are hashed once, here. It never
/// prints.
#[derive(Clone)]
pub(super) enum Key {
    Hmac(MacKey),
    /// The secret that is part of the hashed message.
    Sha256(Vec<u8>),
    Ed25519 {
        public: VerifyingKey,
        /// Only where the sender's own key is configured.
        own: Option<SigningKey>,
    },
    /// ECDSA or RSA.
    Public(PublicKey),
    Token(Vec<u8>),
}

/// A message before it is rendered, so that it can be fed to a hash piece by piece.
#[derive(Clone, Copy)]
pub(super) struct Message<'r, 'a> {
    pub(super) template: &'r Template,
    pub(super) reader: &'r Reader<'a>,
    pub(super) timestamp: &'r [u8],
}

/// Why no signature can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unmakeable {
    /// Only the sender has the key.
    PublicKey,
    /// That part of the message is not there.
    Missing(String),
}

impl Key {
    /// The error says what is wrong with the secret, without quoting it.
    pub(super) fn new(algorithm: Algorithm, kind: SecretKind, secret: &str) -> Result<Self, String> {
        if secret.is_empty() {
            return Err("is empty".to_owned());
        }
        if algorithm == Algorithm::Ed25519 {
            return Self::ed25519(kind, secret);
        }
        if algorithm.takes_public_key() {
            return PublicKey::new(algorithm, secret).map(Self::Public);
        }
        let refused = || {
            format!(
                "is one key of a pair, and everybody may know the public one: it cannot be a secret for {}",
                algorithm.as_str()
            )
        };
        if public::is_of_a_pair(secret) {
            return Err(refused());
        }
        let key = secret::decode(kind, secret)?;
        Ok(match algorithm {
            Algorithm::HmacSha1 => Self::Hmac(MacKey::new(MacHash::Sha1, &key)),
            Algorithm::HmacSha256 => Self::Hmac(MacKey::new(MacHash::Sha256, &key)),
            Algorithm::HmacSha512 => Self::Hmac(MacKey::new(MacHash::Sha512, &key)),
            Algorithm::Sha256 => Self::Sha256(key),
            Algorithm::Token => Self::Token(key),
            // Made above.
            Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 | Algorithm::RsaSha256 | Algorithm::RsaSha1 => {
                return Err(refused());
            }
        })
    }

    fn ed25519(kind: SecretKind, secret: &str) -> Result<Self, String> {
        if let (SecretKind::Whpk, Some(own)) = (kind, secret.strip_prefix("whsk_")) {
            let bytes = SECRET_BASE64.decode(own).map_err(|_| "is not base64 behind whsk_")?;
            let seed = bytes.get(..32).filter(|_| matches!(bytes.len(), 32 | 64));
            let seed =
                seed.and_then(|seed| seed.try_into().ok()).ok_or("is not an Ed25519 key behind whsk_")?;
            let own = SigningKey::from_bytes(seed);
            return Ok(Self::Ed25519 { public: own.verifying_key(), own: Some(own) });
        }
        if secret.starts_with("whsec_") {
            return Err("is a shared secret (whsec_), but ed25519 needs a public key".to_owned());
        }
        let bytes = match kind {
            SecretKind::Spki => public::ed25519(secret)?,
            _ => secret::decode(kind, secret)?,
        };
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| "is not an Ed25519 public key: 32 bytes are due".to_owned())?;
        let public = VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak());
        public
            .map(|public| Self::Ed25519 { public, own: None })
            .ok_or_else(|| "is not an Ed25519 public key".to_owned())
    }

    /// How many signatures of one request are tried: checking a public-key signature
    /// costs a hundred times what a comparison does.
    pub(super) const fn max_signatures(&self) -> usize {
        match self {
            Self::Ed25519 { .. } | Self::Public(_) => 16,
            _ => 100,
        }
    }

    /// Whether any of the signatures is this key's for the message; the error names
    /// the part of the message that is missing.
    pub(super) fn accepts(&self, message: Message<'_, '_>, signatures: &[Vec<u8>]) -> Result<bool, String> {
        match self {
            Self::Hmac(key) => Ok(any_equal(&mac(key, message)?, signatures)),
            Self::Sha256(secret) => {
                Ok(is_text(&message.to_bytes()?) && any_equal(&hash(secret, message)?.finalize(), signatures))
            }
            Self::Ed25519 { public, .. } => {
                let message = message.to_bytes()?;
                Ok(signatures
                    .iter()
                    .filter_map(|signature| Signature::from_slice(signature).ok())
                    .any(|signature| public.verify_strict(&message, &signature).is_ok()))
            }
            Self::Public(key) => {
                let message = message.to_bytes()?;
                Ok(signatures.iter().any(|signature| key.verifies(&message, signature)))
            }
            Self::Token(_) => Ok(self.is_token(signatures)),
        }
    }

    /// Whether any of the tokens is this one. Hashes are compared, so that not even
    /// the length shows in the time it takes.
    pub(super) fn is_token(&self, tokens: &[Vec<u8>]) -> bool {
        let Self::Token(secret) = self else { return false };
        let secret = Sha256::digest(secret);
        tokens.iter().any(|token| equal(&Sha256::digest(token), &secret))
    }

    /// The signature of the message, or the token.
    pub(super) fn sign(&self, message: Message<'_, '_>) -> Result<Vec<u8>, Unmakeable> {
        let made = match self {
            Self::Hmac(key) => mac(key, message),
            Self::Sha256(secret) => hash(secret, message).map(|hash| hash.finalize().to_vec()),
            Self::Ed25519 { own, .. } => {
                let own = own.as_ref().ok_or(Unmakeable::PublicKey)?;
                message.to_bytes().map(|message| own.sign(&message).to_bytes().to_vec())
            }
            Self::Public(_) => return Err(Unmakeable::PublicKey),
            Self::Token(secret) => Ok(secret.clone()),
        };
        made.map_err(Unmakeable::Missing)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(key) => return key.fmt(f),
            Self::Sha256(_) => "Sha256(***)",
            Self::Ed25519 { .. } => "Ed25519(***)",
            Self::Public(_) => "Public(***)",
            Self::Token(_) => "Token(***)",
        })
    }
}

impl Message<'_, '_> {
    fn render(&self, secret: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        self.template.render(self.reader, Filling { timestamp: self.timestamp, secret }, take)
    }

    fn to_bytes(self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::with_capacity(self.reader.request.body.len() + 128);
        self.render(&[], &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }
}

impl Encoding {
    /// Strict: what is not exactly this encoding is nothing.
    pub(super) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64url => URL_SAFE_NO_PAD.decode(text).ok(),
            Self::Text => Some(text.to_owned()),
        }
    }

    /// As the provider would write it; bytes that are not UTF-8 only occur in `Text`.
    pub(super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64url => URL_SAFE_NO_PAD.encode(bytes),
            Self::Text => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

fn mac(key: &MacKey, message: Message<'_, '_>) -> Result<Vec<u8>, String> {
    key.of_fed(|take| message.render(&[], take))
}

/// Whoever has seen one hash of a secret and what is behind it can make that of the same
/// with padding and more behind it. SHA-256 pads with 0x80 (FIPS 180-4, §5.1.1), and no
/// text goes on with that: so of text alone, a hash proves something.
fn is_text(message: &[u8]) -> bool {
    std::str::from_utf8(message).is_ok()
}

fn hash(secret: &[u8], message: Message<'_, '_>) -> Result<Sha256, String> {
    let mut hash = Sha256::new();
    message.render(secret, &mut |piece| hash.update(piece))?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_that_are_refused() {
        use Algorithm::{Ed25519, HmacSha256, Token};
        use SecretKind::{Base64, Hex, Utf8, Whpk, Whsec};
        let weak = format!("whpk_{}", STANDARD.encode([0; 32]));
        for (algorithm, kind, secret, expected) in [
            (HmacSha256, Utf8, "", "is empty"),
            (HmacSha256, Hex, "xyz", "is not hexadecimal"),
            (HmacSha256, Base64, "a b", "is not base64"),
            (HmacSha256, Whsec, "whsec_!", "is not base64 behind whsec_"),
            (HmacSha256, Whsec, "whsec_", "is empty once it is decoded"),
            (HmacSha256, Whsec, "whpk_aG+I", "is one key of a pair"),
            (HmacSha256, Utf8, "whpk_aG+I", "is one key of a pair"),
            (HmacSha256, Utf8, "-----BEGIN PUBLIC KEY-----", "is one key of a pair"),
            (Token, Utf8, "whpk_aG+I", "it cannot be a secret for token"),
            (Ed25519, Whpk, "whsec_RkFLRQ==", "is a shared secret (whsec_)"),
            (Ed25519, Whpk, "whpk_RkFLRQ==", "32 bytes are due"),
            (Ed25519, Whpk, "whsk_RkFLRQ==", "is not an Ed25519 key behind whsk_"),
            (Ed25519, Whpk, &weak, "is not an Ed25519 public key"),
            (Ed25519, Hex, "whsk_RkFLRQ==", "is not hexadecimal"),
        ] {
            let error = Key::new(algorithm, kind, secret).unwrap_err();
            assert!(error.contains(expected), "{algorithm:?} {kind:?} {secret}: {error}");
            assert!(secret.len() < 7 || !error.contains(secret), "quotes the secret: {error}");
        }
    }

    #[test]
    fn keys_never_print() {
        for algorithm in [Algorithm::HmacSha1, Algorithm::HmacSha256, Algorithm::Sha256, Algorithm::Token] {
            let shown = format!("{:?}", Key::new(algorithm, SecretKind::Utf8, "hunter2").unwrap());
            assert!(shown.ends_with("(***)"), "{shown}");
        }
    }

    #[test]
    fn encodings_are_strict() {
        for (encoding, text, expected) in [
            (Encoding::Hex, "4aFF", Some(&[0x4a, 0xff][..])),
            (Encoding::Hex, "4aF", None),
            (Encoding::Base64, "+/8=", Some(&[0xfb, 0xff])),
            (Encoding::Base64, "+/8", None),
            (Encoding::Base64, "-_8=", None),
            (Encoding::Base64, "+/9=", None),
            (Encoding::Base64, " +/8=", None),
            (Encoding::Base64url, "-_8", Some(&[0xfb, 0xff])),
            (Encoding::Base64url, "-_8=", None),
            (Encoding::Text, "a b", Some(b"a b")),
        ] {
            assert_eq!(encoding.decode(text.as_bytes()).as_deref(), expected, "{encoding:?} {text}");
        }
    }
}
