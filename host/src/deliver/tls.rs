//! Whom a destination's certificate must come from, and what is shown to it.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// A destination's own trust and identity. It never shows its key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Instead of the machine's trusted roots; empty: those.
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
}

/// A certificate for who asks for one, and its key.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

/// Why texts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsSettingsError {
    /// Not PEM, or without what is wanted.
    #[error("no {0} in PEM form is in it")]
    Missing(&'static str),
    /// PEM around something else.
    #[error("it holds something that is no certificate: {0}")]
    Certificate(String),
    /// A kind of key that is not supported, or another certificate's.
    #[error("the key does not fit the certificate: {0}")]
    Key(String),
}

impl TlsSettings {
    /// Trusts the certificates of `pem`, and no others: what is signed by anybody else
    /// is refused, however public.
    pub fn trust_only(&mut self, pem: &[u8]) -> Result<(), TlsSettingsError> {
        let roots = certificates(pem)?;
        let mut store = RootCertStore::empty();
        for root in &roots {
            store.add(root.clone()).map_err(|error| TlsSettingsError::Certificate(error.to_string()))?;
        }
        self.roots = roots;
        Ok(())
    }

    /// Shows the certificate (with what leads to its root) of `chain` to servers that
    /// ask for one; `key` is its private key. Both are PEM.
    pub fn identify(&mut self, chain: &[u8], key: &[u8]) -> Result<(), TlsSettingsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsSettingsError::Missing("private key"))?;
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider())
            .map_err(|error| TlsSettingsError::Key(error.to_string()))?;
        self.identity = Some(Identity { chain, key: Arc::new(key) });
        Ok(())
    }

    /// What a connection is made with.
    pub(super) fn client_config(&self, machine: &MachineRoots) -> Result<ClientConfig, rustls::Error> {
        let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let own = || {
            let mut store = RootCertStore::empty();
            self.roots.iter().try_for_each(|root| store.add(root.clone()))?;
            Ok::<_, rustls::Error>(store)
        };
        let machine = if self.roots.is_empty() { machine.verifier() } else { None };
        let config = match machine {
            Some(verifier) => config.dangerous().with_custom_certificate_verifier(verifier),
            None => config.with_root_certificates(own()?),
        };
        match &self.identity {
            Some(Identity { chain, key }) => config.with_client_auth_cert(chain.clone(), key.clone_key()),
            None => Ok(config.with_no_client_auth()),
        }
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("roots", &self.roots.len())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

/// The machine's trusted roots, read when they are first needed and once for all
/// connections of a configuration.
#[derive(Default)]
pub(super) struct MachineRoots(OnceCell<Option<Arc<Verifier>>>);

impl MachineRoots {
    /// `None` on a machine without any: nobody is trusted there, and http:// still works.
    fn verifier(&self) -> Option<Arc<Verifier>> {
        let read = || match Verifier::new(provider()) {
            Ok(verifier) => Some(Arc::new(verifier)),
            Err(error) => {
                tracing::warn!(%error, "no trusted certificates found: https destinations will fail");
                None
            }
        };
        self.0.get_or_init(read).clone()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsSettingsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsSettingsError::Missing("certificate")),
    }
}
