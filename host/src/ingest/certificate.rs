//! The certificate that the front door shows. Pure: from PEM texts to what rustls serves.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A chain of certificates and the key of its first one. It never shows the key.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

/// Why texts are no certificate to serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The chain is not PEM, empty, or of something else.
    #[error("no certificate in PEM form is in it{}", said(.0))]
    Chain(String),
    /// The same of the key.
    #[error("no private key in PEM form is in it")]
    Key,
    /// A kind of key that is not supported, or another certificate's.
    #[error("the key does not fit the certificate: {0}")]
    Pair(String),
}

fn said(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl Certificate {
    /// From a chain, the server's own first, and its key; both PEM.
    ///
    /// # Errors
    /// Which of the two cannot be used, and why.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateError::Chain(error.to_string()))?;
        if chain.is_empty() {
            return Err(CertificateError::Chain(String::new()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::Key)?;
        let pair = CertifiedKey::from_der(chain, key, &default_provider());
        Ok(Self(Arc::new(pair.map_err(|error| CertificateError::Pair(error.to_string()))?)))
    }

    /// As rustls takes it.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        self.0.clone()
    }
}

impl PartialEq for Certificate {
    /// The same certificates: each belongs to one key.
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("chain", &self.0.cert.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hookloom_testkit::certs::Authority;

    use super::*;

    #[test]
    fn a_pair_is_taken_and_what_is_none_is_refused() {
        let authority = Authority::new();
        let (pair, other) = (authority.server("a.test"), authority.server("a.test"));
        let parse = |chain: &str, key: &str| Certificate::parse(chain.as_bytes(), key.as_bytes());
        let one = parse(&pair.cert, &pair.key).unwrap();
        assert_eq!(one, parse(&format!("{}{}", pair.cert, pair.key), &pair.key).unwrap());
        assert_ne!(one, parse(&other.cert, &other.key).unwrap());
        assert_eq!(format!("{one:?}"), "Certificate { chain: 1, .. }");
        let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        for (chain, key, expected) in [
            ("", pair.key.as_str(), "no certificate in PEM form is in it"),
            (&pair.key, &pair.key, "no certificate in PEM form is in it"),
            ("-----BEGIN CERTIFICATE-----\n?", &pair.key, "no certificate in PEM form is in it: "),
            (&pair.cert, "", "no private key in PEM form is in it"),
            (&pair.cert, &pair.cert, "no private key in PEM form is in it"),
            (&pair.cert, &other.key, "the key does not fit the certificate: "),
            (broken, &pair.key, "the key does not fit the certificate: "),
        ] {
            let error = parse(chain, key).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
