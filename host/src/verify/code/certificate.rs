//! Public keys out of certificates and PEM, and RSA signatures made with them.

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::super::config::Encoding;
use crate::model::Millis;

/// Which hash an RSA signature (PKCS#1 v1.5) is made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

/// An RSA public key: the bytes of its `RSAPublicKey` (RFC 8017 §A.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RsaKey(Vec<u8>);

/// `rsaEncryption` (RFC 8017 §A.1).
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";

impl RsaKey {
    /// The key of a certificate in PEM, the first where several are in it, if it is good at
    /// `now`. Who signed it is not asked: it came from the provider's own host.
    pub(super) fn of_certificate(pem: &[u8], now: Millis) -> Result<Self, &'static str> {
        const UNREADABLE: &str = "the certificate cannot be read";
        // A page that has a certificate somewhere in it is none.
        if !pem.trim_ascii_start().starts_with(b"-----BEGIN CERTIFICATE-----") {
            return Err(UNREADABLE);
        }
        let (_, block) = parse_x509_pem(pem).map_err(|_| UNREADABLE)?;
        let certificate = block.parse_x509().map_err(|_| UNREADABLE)?;
        let time = ASN1Time::from_timestamp(now.as_secs()).map_err(|_| UNREADABLE)?;
        if !certificate.validity().is_valid_at(time) {
            return Err("the certificate has expired or is not good yet");
        }
        Self::of_info(certificate.public_key())
    }

    /// A public key in PEM (`BEGIN PUBLIC KEY`), or the base64 that is in it.
    pub(super) fn of_text(text: &str) -> Result<Self, &'static str> {
        const UNREADABLE: &str = "is not a public key in PEM";
        let der = if text.contains("-----BEGIN") {
            let (_, block) = parse_x509_pem(text.as_bytes()).map_err(|_| UNREADABLE)?;
            if block.label != "PUBLIC KEY" {
                return Err("holds no BEGIN PUBLIC KEY block");
            }
            block.contents
        } else {
            let text: String = text.split_ascii_whitespace().collect();
            Encoding::Base64.decode(text.as_bytes()).ok_or(UNREADABLE)?
        };
        let (rest, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| UNREADABLE)?;
        if rest.is_empty() { Self::of_info(&info) } else { Err(UNREADABLE) }
    }

    fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, &'static str> {
        if info.algorithm.algorithm.to_id_string() != RSA_ENCRYPTION {
            return Err("is not an RSA key");
        }
        Ok(Self(info.subject_public_key.data.to_vec()))
    }

    /// Whether this key made that signature. Keys of fewer than 2048 bits made none.
    pub(super) fn accepts(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = match hash {
            Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        for (text, expected) in [
            ("", "is not a public key in PEM"),
            ("hunter2", "is not a public key in PEM"),
            ("AAAA", "is not a public key in PEM"),
            ("-----BEGIN PUBLIC KEY-----\n%\n-----END PUBLIC KEY-----\n", "is not a public key in PEM"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "holds no BEGIN PUBLIC KEY block",
            ),
            // A key on P-256 (RFC 5480).
            (
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElczAinQAoExRwT4xO9tn7tjYFV3HmJCmIqICB+qF21ij1kVMKiZ5xVw4\
                 m+qE5QzwAk9VPy5jb8ObcGjEvY+7CA==",
                "is not an RSA key",
            ),
        ] {
            assert_eq!(RsaKey::of_text(text).unwrap_err(), expected, "{text}");
        }
        assert_eq!(RsaKey::of_certificate(b"x", Millis(0)).unwrap_err(), "the certificate cannot be read");
    }
}
