//! The one comparison of what must not leak through the time that it takes: signatures,
//! tokens, and the token of the admin side.

use subtle::ConstantTimeEq as _;

/// Whether both are the same bytes. The time it takes depends on their lengths, so these
/// may leak, but not on where they differ: where even a length is a secret, compare hashes.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Whether any of `given` is `expected`. Stops at the first that is: which one it was is
/// the sender's own knowledge.
pub(super) fn any_equal(expected: &[u8], given: &[Vec<u8>]) -> bool {
    given.iter().any(|given| equal(expected, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_equal() {
        for (a, b, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("", "a", false),
            ("a", "", false),
            ("ab", "a", false),
            ("ab", "aB", false),
            ("bb", "ab", false),
            ("ab", "ab\0", false),
        ] {
            assert_eq!(equal(a.as_bytes(), b.as_bytes()), expected, "{a:?} {b:?}");
            assert_eq!(any_equal(a.as_bytes(), &[b"?".to_vec(), b.into()]), expected, "{a:?} {b:?}");
        }
        assert!(!any_equal(b"", &[]));
    }
}
