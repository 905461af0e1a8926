//! How the front door serves: its limits and its certificate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::Context;
use crate::config::TlsFiles;
use crate::config::file::{self, Text};
use crate::config::units::Span;
use crate::ingest::{Certificate, CertificateError};

const MAX_CONNECTIONS: usize = 4096;

pub(super) fn max_connections(context: &mut Context<'_>, written: Option<&Spanned<usize>>) -> usize {
    let Some(written) = written else { return MAX_CONNECTIONS };
    if *written.get_ref() == 0 {
        let message = "without connections nothing is received";
        context.error(written.span(), message, "leave `max_connections` out to have 4096");
    }
    *written.get_ref()
}

pub(super) fn timeout(
    context: &mut Context<'_>,
    written: Option<&Spanned<Span>>,
    default: Duration,
) -> Duration {
    let Some(written) = written else { return default };
    let Span(span) = *written.get_ref();
    if span.is_zero() {
        context.error(written.span(), "in no time nothing arrives", "write it like \"10s\"");
    }
    span
}

/// The certificate, where both of its files are named.
pub(super) fn tls(context: &mut Context<'_>, file: &file::Server) -> Option<TlsFiles> {
    let (chain, key) = match (&file.tls_cert, &file.tls_key) {
        (Some(chain), Some(key)) => (chain, key),
        (Some(alone), None) => {
            context.error(alone.span(), "a certificate needs its key", "set `tls_key`, a PEM file");
            return None;
        }
        (None, Some(alone)) => {
            context.error(alone.span(), "a key needs its certificate", "set `tls_cert`, a PEM file");
            return None;
        }
        (None, None) => return None,
    };
    let (cert, chain_pem) = pem(context, chain)?;
    let (key_file, key_pem) = pem(context, key)?;
    match Certificate::parse(&chain_pem, &key_pem) {
        Ok(certificate) => Some(TlsFiles { cert, key: key_file, certificate }),
        Err(error) => {
            let (place, shown) = match error {
                CertificateError::Chain(_) => (chain, &cert),
                CertificateError::Key | CertificateError::Pair(_) => (key, &key_file),
            };
            context.error(place.span(), format!("{} cannot be served: {error}", shown.display()), "");
            None
        }
    }
}

/// A file and what is in it. `file:` before it, as secrets are written, is fine.
fn pem(context: &mut Context<'_>, path: &Text) -> Option<(PathBuf, Vec<u8>)> {
    let written = path.get_ref().strip_prefix("file:").unwrap_or(path.get_ref());
    let file = context.base.join(Path::new(written));
    match std::fs::read(&file) {
        Ok(pem) => Some((file, pem)),
        Err(error) => {
            context.error(path.span(), format!("{} cannot be read: {error}", file.display()), "");
            None
        }
    }
}
