//! Forms as the schemes in code read them: all pairs at once, and names that come once.

pub(super) use super::super::form::{FORM, Pair, is_form};
use super::{Verdict, malformed};

/// The pairs in order.
pub(super) fn pairs(text: &[u8]) -> Vec<Pair<'_>> {
    super::super::form::pairs(text).collect()
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
