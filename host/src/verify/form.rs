//! Form-encoded pairs as bytes: what is signed is not always UTF-8.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The media type of forms.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Whether the body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let start = value.as_bytes().get(..FORM.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(FORM.as_bytes()))
    })
}

/// A name and its value.
pub(super) type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// The pairs of a query or of an `application/x-www-form-urlencoded` body, in order, as
/// the URL Standard reads them (§5.1), but without making text of the bytes.
pub(super) fn pairs(text: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let cut = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = cut.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
        (decode(name), decode(value))
    })
}

/// `+` is a space, `%41` an `A`; a `%` without two digits stands for itself.
fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        decoded.push(match (first, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    (high << 4) | low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    Cow::Owned(decoded)
}

/// The value of a hexadecimal digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_bytes() {
        for (text, expected) in [
            ("", &[][..]),
            ("a=1&b=2", &[(&b"a"[..], &b"1"[..]), (b"b", b"2")]),
            ("a=b=c&&d", &[(b"a", b"b=c"), (b"d", b"")]),
            ("a+b=%2B+%e9%FF", &[(b"a b", b"+ \xe9\xff")]),
            ("a=%4&b=%zz%", &[(b"a", b"%4"), (b"b", b"%zz%")]),
            ("=x&y=", &[(b"", b"x"), (b"y", b"")]),
        ] {
            let found: Vec<_> = pairs(text.as_bytes()).collect();
            let expected: Vec<Pair<'_>> =
                expected.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn text_is_read_as_the_url_standard_reads_it() {
        for text in ["a=1&b=%C3%A9+x", "payload=%7B%22k%22%3A%22v%22%7D", "a&=&b==%25", "%41%=%2"] {
            let own: Vec<_> =
                pairs(text.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            let peer: Vec<_> = url::form_urlencoded::parse(text.as_bytes())
                .map(|(name, value)| (name.into_owned().into_bytes(), value.into_owned().into_bytes()))
                .collect();
            assert_eq!(own, peer, "{text}");
        }
    }
}
