//! TLS of the front door: HTTP/1.1 over TLS 1.2 and 1.3, with a certificate that is
//! replaced while connections go on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;
use crate::ingest::Certificate;
use crate::lifecycle::Shutdown;

/// How often the files are looked at: who renews a certificate sends no signal.
const LOOK: Duration = Duration::from_secs(2);
/// From a change until the files are read: the chain and the key are two files.
const SETTLE: Duration = Duration::from_millis(200);

/// The certificate in force, and where it comes from.
///
/// Only [`Certificates::watch`] replaces it, with what it has just read. A configuration is
/// loaded long before it is in force (its plugins are compiled meanwhile): the certificate
/// that was read with it may be an old one by then.
#[derive(Debug)]
pub(super) struct Certificates {
    serving: ArcSwap<CertifiedKey>,
    files: Mutex<Files>,
    /// Rung when they may be others.
    moved: Notify,
}

/// Where the chain and its key are.
#[derive(Clone, Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl From<&TlsFiles> for Files {
    fn from(TlsFiles { cert, key, .. }: &TlsFiles) -> Self {
        Self { cert: cert.clone(), key: key.clone() }
    }
}

/// The texts of the files when they were last read.
type Texts = (Vec<u8>, Vec<u8>);

impl Certificates {
    pub(super) fn new(files: &TlsFiles) -> Arc<Self> {
        let serving = ArcSwap::new(files.certificate.certified());
        Arc::new(Self { serving, files: Mutex::new(files.into()), moved: Notify::new() })
    }

    /// What connections are accepted with, whatever certificate is in force then.
    ///
    /// # Errors
    /// None that is known: what rustls was built with has these versions.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Takes the certificate from the files that a configuration in force names, as they are
    /// now, and looks at them at once.
    pub(super) fn follow(&self, files: &TlsFiles) {
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files.into();
        self.moved.notify_one();
    }

    /// Looks at the files for ever. What is broken is not served: the certificate before
    /// it stays.
    pub(super) async fn watch(self: Arc<Self>, shutdown: Shutdown) {
        let look = async {
            // Since the start read them they may have changed.
            let mut known = None;
            loop {
                let found = Some(self.read().await);
                if found != known {
                    tokio::time::sleep(SETTLE).await;
                    if Some(self.read().await) != found {
                        continue;
                    }
                    if let Some(texts) = &found {
                        self.serve(texts);
                    }
                    known = found;
                }
                let moved = self.moved.notified();
                let _ = tokio::time::timeout(LOOK, moved).await;
            }
        };
        // Nothing is lost with it: the next start reads the files.
        let _ = shutdown.soft.run_until_cancelled(look).await;
    }

    async fn read(&self) -> Result<Texts, String> {
        let Files { cert, key } = self.files();
        Ok((read(&cert).await?, read(&key).await?))
    }

    fn serve(&self, texts: &Result<Texts, String>) {
        let Files { cert, key } = self.files();
        let parsed = texts
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|(chain, key)| Certificate::parse(chain, key).map_err(|error| error.to_string()));
        match parsed {
            // The same one, read again.
            Ok(certificate) if certificate.certified().cert == self.serving.load().cert => {}
            Ok(certificate) => {
                self.serving.store(certificate.certified());
                tracing::info!(file = %cert.display(), "a new certificate is served");
            }
            Err(reason) => tracing::error!(
                cert = %cert.display(), key = %key.display(), reason,
                "the new certificate cannot be served; the one before it stays in force"
            ),
        }
    }

    fn files(&self) -> Files {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(file).await.map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.serving.load_full())
    }
}

#[cfg(test)]
mod tests {
    use hookloom_testkit::certs::{Authority, Pair};
    use hookloom_testkit::wait::eventually;
    use tempfile::TempDir;

    use super::*;

    fn put(folder: &TempDir, name: &str, pair: &Pair) -> TlsFiles {
        let [cert, key] = ["cert", "key"].map(|kind| folder.path().join(format!("{name}.{kind}")));
        std::fs::write(&cert, &pair.cert).unwrap();
        std::fs::write(&key, &pair.key).unwrap();
        let certificate = Certificate::parse(pair.cert.as_bytes(), pair.key.as_bytes()).unwrap();
        TlsFiles { cert, key, certificate }
    }

    async fn shows(certificates: &Certificates, files: &TlsFiles) {
        eventually("the certificate of the files is served", async || {
            let serves = certificates.serving.load().cert == files.certificate.certified().cert;
            if serves { Ok(()) } else { Err("another one".to_owned()) }
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_configuration_was_loaded_with_does_not_replace_what_the_files_hold_now() {
        let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
        let pair = || authority.server("hooks.test");
        let loaded = put(&folder, "one", &pair());
        let certificates = Certificates::new(&loaded);
        // Already renewed when the watch begins.
        let renewed = put(&folder, "one", &pair());
        let shutdown = Shutdown::new();
        let watch = tokio::spawn(certificates.clone().watch(shutdown.clone()));
        shows(&certificates, &renewed).await;
        certificates.follow(&loaded);
        shows(&certificates, &renewed).await;
        let moved = put(&folder, "two", &pair());
        certificates.follow(&moved);
        shows(&certificates, &moved).await;
        let renewed = put(&folder, "two", &pair());
        shows(&certificates, &renewed).await;
        shutdown.soft.cancel();
        watch.await.unwrap();
    }
}
