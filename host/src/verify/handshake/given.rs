//! What a handshake is given: one value, bounded and printable, because it comes from
//! anybody and goes back into an answer.

use std::borrow::Cow;

use super::super::{Request, Verdict, form};

/// Real challenges have some fifty characters; an echo of any length would be a gift.
pub(super) const MAX: usize = 512;

/// The value of the query under any of these names.
///
/// # Errors
/// [`Verdict::Malformed`] where it is given twice, empty, too long, or has control
/// characters.
pub(super) fn query<'a>(request: &Request<'a>, names: &[&str]) -> Result<Option<Cow<'a, str>>, Verdict> {
    let pairs = form::pairs(request.query.unwrap_or_default().as_bytes());
    let is_wanted = |name: &[u8]| names.iter().any(|wanted| wanted.as_bytes() == name);
    let mut values = pairs.filter(|(name, _)| is_wanted(name)).map(|(_, value)| value);
    let what = names.first().copied().unwrap_or_default();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => checked(what, text(what, value)?).map(Some),
        (Some(_), Some(_)) => Err(malformed(format!("{what} is given twice"))),
    }
}

/// # Errors
/// [`Verdict::Malformed`] for bytes that are no text: an answer could not give them back.
fn text<'a>(what: &str, value: Cow<'a, [u8]>) -> Result<Cow<'a, str>, Verdict> {
    let text = match value {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    text.ok_or_else(|| malformed(format!("{what} is not UTF-8")))
}

/// The value of a header, which is nothing but visible ASCII: so it may be one of an
/// answer, too.
///
/// # Errors
/// [`Verdict::Malformed`] where it is there twice, empty, too long, or has other characters.
pub(super) fn header<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a str>, Verdict> {
    let mut values = request.headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(malformed(format!("{name} is given twice"))),
    };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(format!("{name} has characters that it cannot have")));
    }
    checked(name, text).map(Some)
}

/// A value that may go back to whoever sent it.
///
/// # Errors
/// [`Verdict::Malformed`] where it is empty, too long, or has control characters.
pub(super) fn checked<T: AsRef<str>>(what: &str, value: T) -> Result<T, Verdict> {
    let text = value.as_ref();
    if text.is_empty() {
        return Err(malformed(format!("{what} is empty")));
    }
    if text.len() > MAX {
        return Err(malformed(format!("{what} is longer than {MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(malformed(format!("{what} has control characters")));
    }
    Ok(value)
}

pub(super) fn malformed(reason: impl Into<String>) -> Verdict {
    Verdict::Malformed(reason.into())
}
