//! Which part of an exchange failed, read from the chain of an error's causes.

use std::error::Error;
use std::io;

use crate::model::AttemptError;

use super::resolver::ResolveError;

/// Names the failure, and tells people what the innermost causes say.
pub(super) fn classify(error: &reqwest::Error) -> (AttemptError, String) {
    let causes: Vec<&(dyn Error + 'static)> = causes(error).collect();
    let kind = causes.iter().find_map(|cause| by_type(*cause));
    let kind = kind.unwrap_or_else(|| match error {
        _ if error.is_timeout() => AttemptError::Timeout,
        _ if error.is_connect() => AttemptError::Connect,
        _ => AttemptError::Other,
    });
    (kind, detail(&causes))
}

fn by_type(cause: &(dyn Error + 'static)) -> Option<AttemptError> {
    if let Some(resolve) = cause.downcast_ref::<ResolveError>() {
        return Some(match resolve {
            ResolveError::NotFound(..) => AttemptError::Dns,
            ResolveError::Refused(..) => AttemptError::RefusedByGuard,
        });
    }
    if cause.is::<rustls::Error>() {
        return Some(AttemptError::Tls);
    }
    if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
        let cut = hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled();
        return cut.then_some(AttemptError::Reset);
    }
    let io = cause.downcast_ref::<io::Error>()?;
    match io.kind() {
        io::ErrorKind::TimedOut => Some(AttemptError::Timeout),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(AttemptError::Reset),
        _ => None,
    }
}

/// The error and what caused it. An I/O error that wraps another reports only that
/// one's cause as its own, so what it wraps is visited too.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| inner(*cause))
}

fn inner<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => cause.source(),
    }
}

/// What the causes say, without saying anything twice. The outermost error is not
/// among them: it names the URL, whose query may hold a secret.
fn detail(causes: &[&(dyn Error + 'static)]) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in causes {
        let text = cause.to_string();
        if said.iter().all(|earlier| !earlier.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { "the request could not be sent".into() } else { said.join(": ") }
}
