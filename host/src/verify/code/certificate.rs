//! Public keys out of certificates, and RSA signatures made with them.

use std::time::Duration;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use x509_parser::certificate::Validity;
use x509_parser::pem::parse_x509_pem;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::super::documents::{Fetch, Want};
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

const UNREADABLE: &str = "the certificate cannot be read";

/// So long a published certificate is kept: it does not change under its URL.
const KEEP: Duration = Duration::from_hours(24);

/// The certificate at that URL, which a scheme knows.
pub(super) fn published(url: String) -> Want {
    let fetch = Fetch::get(url.as_str());
    Want { name: url, fetch, not_before: None, names_key: true, keep: KEEP, is_usable: is_certificate }
}

/// Whether that is a certificate with a key that can be used, at any time.
pub(super) fn is_certificate(pem: &[u8]) -> bool {
    RsaKey::certified(pem).is_ok()
}

impl RsaKey {
    /// The key of a certificate, if it is good at `now`. Who signed it is not asked: it came
    /// from the provider's own host.
    pub(super) fn of_certificate(pem: &[u8], now: Millis) -> Result<Self, &'static str> {
        let (key, validity) = Self::certified(pem)?;
        let time = ASN1Time::from_timestamp(now.as_secs()).map_err(|_| UNREADABLE)?;
        if !validity.is_valid_at(time) {
            return Err("the certificate has expired or is not good yet");
        }
        Ok(key)
    }

    /// The key of a certificate in PEM, the first where several are in it, and when it is
    /// good.
    fn certified(pem: &[u8]) -> Result<(Self, Validity), &'static str> {
        // A page that has a certificate somewhere in it is none.
        if !pem.trim_ascii_start().starts_with(b"-----BEGIN CERTIFICATE-----") {
            return Err(UNREADABLE);
        }
        let (_, block) = parse_x509_pem(pem).map_err(|_| UNREADABLE)?;
        let certificate = block.parse_x509().map_err(|_| UNREADABLE)?;
        let key = Self::of_info(certificate.public_key())?;
        Ok((key, certificate.validity().clone()))
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
    fn what_is_no_certificate_is_refused() {
        for pem in [
            "",
            "x",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "<pre>-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n</pre>",
        ] {
            let error = RsaKey::of_certificate(pem.as_bytes(), Millis(0)).unwrap_err();
            assert_eq!(error, "the certificate cannot be read", "{pem}");
        }
    }
}
