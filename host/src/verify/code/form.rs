//! Form-encoded text as bytes: what a provider signs need not be UTF-8.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::{Verdict, malformed};

/// The media type of forms.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A name and its value, decoded.
pub(super) type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Whether the body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let start = value.as_bytes().get(..FORM.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(FORM.as_bytes()))
    })
}

/// The pairs in order.
pub(super) fn pairs(text: &[u8]) -> Vec<Pair<'_>> {
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let pair = |part| {
        let (name, value) = cut(part);
        (decode(name), decode(value))
    };
    parts.map(pair).collect()
}

/// The value of that name.
///
/// # Errors
/// Where it is there twice: of two, the next reader may take the other one.
pub(super) fn single<'p>(pairs: &'p [Pair<'_>], name: &str) -> Result<Option<&'p [u8]>, Verdict> {
    let mut values = pairs.iter().filter(|(own, _)| **own == *name.as_bytes()).map(|(_, value)| &**value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(malformed(format!("{name} is in the form more than once"))),
        (value, None) => Ok(value),
    }
}

fn cut(part: &[u8]) -> (&[u8], &[u8]) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (&part[..at], &part[at + 1..]),
        None => (part, &[]),
    }
}

/// `+` is a space and `%XX` a byte; a percent sign that begins no such code is itself
/// (URL standard, application/x-www-form-urlencoded parsing).
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        match code.as_deref() {
            Some([byte]) => {
                decoded.push(*byte);
                rest = &behind[2..];
            }
            _ => decoded.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_bytes() {
        type Bytes = &'static [u8];
        let table: [(Bytes, &[(Bytes, Bytes)]); 6] = [
            (b"", &[]),
            (b"a=1&b=2", &[(b"a", b"1"), (b"b", b"2")]),
            (b"&a&&b=", &[(b"a", b""), (b"b", b"")]),
            (b"a+b=%2B+x=y", &[(b"a b", b"+ x=y")]),
            (b"n=%ff%00%4", &[(b"n", b"\xff\0%4")]),
            (b"n=%zz%C3%A9", &[(b"n", b"%zz\xc3\xa9")]),
        ];
        for (text, expected) in table {
            let found = pairs(text);
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let found = pairs(b"a=1&b=2&a=1");
        assert_eq!(single(&found, "b"), Ok(Some(&b"2"[..])));
        assert_eq!(single(&found, "c"), Ok(None));
        let twice = Verdict::Malformed("a is in the form more than once".to_owned());
        assert_eq!(single(&found, "a"), Err(twice));
    }
}
