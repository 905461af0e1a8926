//! Form-encoded pairs as bytes: what is signed is not always UTF-8.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The media type of forms.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Fields that are looked at together before anybody is authenticated.
pub(super) const MAX_PAIRS: usize = 4096;

/// Whether the body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    is_of_type(headers, FORM)
}

/// Whether the body says that it is of that media type.
pub(super) fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let start = value.as_bytes().get(..media_type.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(media_type.as_bytes()))
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

/// All of the pairs; `None` where there are more than [`MAX_PAIRS`].
pub(super) fn all(text: &[u8]) -> Option<Vec<Pair<'_>>> {
    let found: Vec<_> = pairs(text).take(MAX_PAIRS + 1).collect();
    (found.len() <= MAX_PAIRS).then_some(found)
}

/// The body, or all that a form says in one spelling: its pairs in order.
///
/// Whoever repeats a form may spell it anew, and its signature is often of what it says.
pub fn content<'a>(headers: &HeaderMap, body: &'a [u8]) -> Cow<'a, [u8]> {
    let Some(mut pairs) = is_form(headers).then(|| all(body)).flatten() else { return Cow::Borrowed(body) };
    pairs.sort();
    let length = |text: &[u8]| format!("{}:", text.len()).into_bytes();
    let parts = pairs.iter().flat_map(|(name, value)| [name, value]);
    Cow::Owned(parts.flat_map(|text| [length(text), text.to_vec()]).flatten().collect())
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
    fn a_form_says_the_same_in_every_spelling() {
        let form = HeaderMap::from_iter([(CONTENT_TYPE, FORM.parse().unwrap())]);
        let said = |body: &'static str| content(&form, body.as_bytes());
        for (body, expected) in [
            ("b=%5B%5D&a=1", true),
            ("a=1&b=%5b%5d", true),
            ("&&a=1&b=[]&", true),
            ("a=1&b=[]&b=[]", false),
            ("a=1&b=%5B", false),
            ("a=1b&=[]", false),
        ] {
            assert_eq!(said(body) == said("a=1&b=[]"), expected, "{body}");
        }
        assert_eq!(content(&HeaderMap::new(), b"b=2&a=1"), &b"b=2&a=1"[..]);
    }

    #[test]
    fn forms_of_too_many_fields_are_none() {
        let form = |count: usize| vec!["a"; count].join("&");
        assert_eq!(all(form(MAX_PAIRS).as_bytes()).map(|pairs| pairs.len()), Some(MAX_PAIRS));
        assert_eq!(all(form(MAX_PAIRS + 1).as_bytes()), None);
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
