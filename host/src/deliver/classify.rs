//! Which part of an exchange failed, read from the chain of an error's causes.

use std::error::Error;
use std::io;

use crate::model::AttemptError;

use super::connector::ConnectTimeout;
use super::proxy::TunnelError;
use super::resolver::ResolveError;

/// Names what kept a request from being answered, or ended its answer, and tells people
/// what the causes say; `otherwise` where none of them is known. The outermost error is
/// not among them: it names the URL, whose query may hold a secret.
pub(super) fn classify(error: &(dyn Error + 'static), otherwise: AttemptError) -> (AttemptError, String) {
    let causes: Vec<_> = error.source().map(causes).into_iter().flatten().collect();
    let known = causes.iter().enumerate().find_map(|(at, cause)| Some((at, by_type(*cause)?)));
    match known {
        // What stands in front of it says less.
        Some((at, kind)) => (kind, detail(&causes[at..])),
        None => (otherwise, detail(&causes)),
    }
}

fn by_type(cause: &(dyn Error + 'static)) -> Option<AttemptError> {
    if let Some(resolve) = cause.downcast_ref::<ResolveError>() {
        return Some(match resolve {
            ResolveError::NotFound(..) => AttemptError::Dns,
            ResolveError::Refused(..) | ResolveError::Literal(_) => AttemptError::RefusedByGuard,
        });
    }
    if cause.is::<TunnelError>() {
        return Some(AttemptError::Connect);
    }
    if cause.is::<ConnectTimeout>() {
        return Some(AttemptError::Timeout);
    }
    if cause.is::<rustls::Error>() {
        return Some(AttemptError::Tls);
    }
    if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
        return match hyper {
            _ if hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled() => {
                Some(AttemptError::Reset)
            }
            _ if hyper.is_parse_too_large() => Some(AttemptError::TooLarge),
            _ => None,
        };
    }
    if let Some(h2) = cause.downcast_ref::<h2::Error>() {
        return by_frame(h2);
    }
    let io = cause.downcast_ref::<io::Error>()?;
    match io.kind() {
        io::ErrorKind::TimedOut => Some(AttemptError::Timeout),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(AttemptError::Reset),
        // TLS alone says so of a stream; HTTP/2 keeps the kind and loses what it was.
        io::ErrorKind::InvalidData => Some(AttemptError::Tls),
        _ => None,
    }
}

/// What ended a stream of HTTP/2, or its whole connection.
fn by_frame(error: &h2::Error) -> Option<AttemptError> {
    match error.reason() {
        _ if error.is_remote() => Some(AttemptError::Reset),
        // What this side says of a head that is far over its limit. One that is just over
        // it is a protocol error like any other malformed head.
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Some(AttemptError::TooLarge),
        _ => None,
    }
}

/// The error and what caused it. An I/O error that wraps another reports only that
/// one's cause as its own, so what it wraps is visited too.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| inner(*cause))
}

fn inner<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => cause.source(),
    }
}

/// What the causes say, without saying anything twice. None of them names the URL, whose
/// query may hold a secret.
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
