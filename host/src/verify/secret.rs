//! From the text of a configured secret to the bytes of a key.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use unicode_normalization::UnicodeNormalization as _;

use super::config::SecretKind;
use super::encode;

/// Base64 as people copy secrets: padding may be lost.
pub(super) const SECRET_BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of the key, never none; the error says what is wrong, without quoting it.
pub(super) fn decode(kind: SecretKind, secret: &str) -> Result<Vec<u8>, String> {
    let (decoded, otherwise) = match kind {
        SecretKind::Utf8 => (Some(secret.as_bytes().to_owned()), ""),
        SecretKind::Nfkd => (Some(secret.nfkd().collect::<String>().into_bytes()), ""),
        SecretKind::Html => (Some(encode::html_decoded(secret).into_bytes()), ""),
        SecretKind::Hex => (hex::decode(secret).ok(), "is not hexadecimal"),
        SecretKind::Base64 => (SECRET_BASE64.decode(secret).ok(), "is not base64"),
        SecretKind::Whsec => {
            let text = secret.strip_prefix("whsec_").unwrap_or(secret);
            (SECRET_BASE64.decode(text).ok(), "is not base64 behind whsec_")
        }
        SecretKind::Whpk => {
            let text = secret.strip_prefix("whpk_").unwrap_or(secret);
            (SECRET_BASE64.decode(text).ok(), "is not base64 behind whpk_")
        }
        SecretKind::Spki => (None, "is said to be a public key (spki), which this algorithm does not take"),
    };
    let key = decoded.ok_or_else(|| otherwise.to_owned())?;
    if key.is_empty() { Err("is empty once it is decoded".to_owned()) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NFKD by Python's `unicodedata`.
    #[test]
    fn kinds() {
        for (kind, secret, expected) in [
            (SecretKind::Utf8, "whsec_YQ==", Ok(&b"whsec_YQ=="[..])),
            (SecretKind::Whsec, "whsec_YQ==", Ok(b"a")),
            (SecretKind::Whsec, "YQ", Ok(b"a")),
            (SecretKind::Base64, "whsec_YQ==", Err("is not base64")),
            (SecretKind::Hex, "4aFF", Ok(b"\x4a\xff")),
            (SecretKind::Nfkd, "s\u{e9}cr\u{e8}t \u{fb01}\u{2460}", Ok(b"se\xcc\x81cre\xcc\x80t fi1")),
            (SecretKind::Html, "a&amp;b", Ok(b"a&b")),
            (SecretKind::Spki, "YQ==", Err("is said to be a public key")),
        ] {
            let found = decode(kind, secret);
            match expected {
                Ok(key) => assert_eq!(found.as_deref(), Ok(key), "{kind:?} {secret}"),
                Err(reason) => assert!(found.clone().unwrap_err().starts_with(reason), "{kind:?}: {found:?}"),
            }
        }
    }
}
