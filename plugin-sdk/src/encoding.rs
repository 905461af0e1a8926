//! Hexadecimal and base64, which signatures are written in.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Two lower-case digits a byte.
pub fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// Two digits a byte, in any case; `None` for anything else.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits.chunks_exact(2).map(|pair| u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()).collect()
}

/// RFC 4648, section 4: the standard alphabet, padded.
pub fn to_base64(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(*group.get(i).unwrap_or(&0)));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 0x3f;
            text.push(if digit <= group.len() { char::from(BASE64[value]) } else { '=' });
        }
    }
    text
}

/// The standard alphabet or the one for URLs, with or without padding; `None` for anything
/// else.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for position in 0..4 {
            bits = bits << 6 | group.get(position).map_or(Some(0), |digit| base64_value(*digit))?;
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

fn base64_value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// Whether two byte strings are the same, in a time that depends on their lengths alone:
/// for signatures and tokens, where `==` would tell how much of a guess was right.
pub fn same_bytes(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    let (a, b) = (a.as_ref(), b.as_ref());
    // The barrier keeps the compiler from leaving the loop at the first difference.
    let differences = a.iter().zip(b).fold(0, |found, (a, b)| std::hint::black_box(found | (a ^ b)));
    a.len() == b.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn base64_of_the_rfcs_vectors() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(to_base64(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(from_base64(text.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(to_base64([0xfb, 0xff]), "+/8=");
        assert_eq!(from_base64("-_8"), Some(vec![0xfb, 0xff]));
        assert_eq!(from_base64("Z"), None);
        assert_eq!(from_base64("Zm 9"), None);
    }

    #[test]
    fn hex_goes_both_ways() {
        assert_eq!(to_hex([0x00, 0x9f, 0xff]), "009fff");
        assert_eq!(from_hex("009fFF"), Some(vec![0x00, 0x9f, 0xff]));
        for wrong in ["0", "0g", "+1", "ä"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_the_same_bytes_are_the_same() {
        assert!(same_bytes("", ""));
        assert!(same_bytes("abc", b"abc"));
        for other in ["abd", "xbc", "ab", "abcd", ""] {
            assert!(!same_bytes("abc", other), "{other}");
        }
    }
}
