//! Forms as the schemes in code read them: all pairs at once, and names that come once.

use super::super::form;
pub(super) use super::super::form::{FORM, Pair, is_form, pairs};
use super::{Verdict, malformed};

/// The pairs in order.
///
/// # Errors
/// Where there are more than anybody sends.
pub(super) fn all(text: &[u8]) -> Result<Vec<Pair<'_>>, Verdict> {
    form::all(text).ok_or_else(|| malformed(format!("there are more than {} fields", form::MAX_PAIRS)))
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
    fn a_name_that_comes_twice_is_refused() {
        let found = all(b"a=1&b=2&a=1").unwrap();
        assert_eq!(single(&found, "b"), Ok(Some(&b"2"[..])));
        assert_eq!(single(&found, "c"), Ok(None));
        let twice = Verdict::Malformed("a is in the form more than once".to_owned());
        assert_eq!(single(&found, "a"), Err(twice));
    }
}
