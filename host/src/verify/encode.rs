//! Other forms of a URL and of a body that providers sign.

use std::fmt::Write as _;

use super::form::digit;

/// What `HubSpot` decodes in a URL before it signs it, and nothing else (developers.hubspot.com,
/// "Validating requests", version 3).
const HUBSPOT: &[u8; 12] = b":/?@!$'()*,;";

/// The URL with the percent-codes of `HUBSPOT` decoded, in one pass.
pub(super) fn hubspot_url(url: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let code = match (first, behind) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4) | low),
            _ => None,
        };
        match code.filter(|byte| HUBSPOT.contains(byte)) {
            Some(byte) => {
                decoded.push(byte);
                rest = &behind[2..];
            }
            None => decoded.push(*first),
        }
    }
    decoded
}

/// JSON text as PHP writes it, which is what Box signs: each character from U+007F on as
/// `\uXXXX` of its UTF-16 units, and each `/` that has no `\` before it as `\/`
/// (`jsonStringifyWithEscapedUnicode` of box-node-sdk 10). `None` where it is not UTF-8.
pub(super) fn ascii_json(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut units = [0; 2];
    for character in text.chars() {
        match character {
            '/' if !escaped.ends_with('\\') => escaped.push_str("\\/"),
            '\0'..='\u{7e}' => escaped.push(character),
            _ => {
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a text never fails.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    Some(escaped)
}

/// The text with the HTML entities decoded that `WordPress` encodes in secrets
/// (`wp_specialchars_decode` with `ENT_QUOTES`), once: `&amp;lt;` becomes `&lt;`.
pub(super) fn html_decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        let entity = &rest[at..];
        let end = entity.find(';').map_or(0, |end| end + 1);
        if let Some(character) = entity_of(&entity[..end]) {
            decoded.push(character);
            rest = &entity[end..];
        } else {
            decoded.push('&');
            rest = &entity[1..];
        }
    }
    decoded.push_str(rest);
    decoded
}

fn entity_of(entity: &str) -> Option<char> {
    let inner = entity.strip_prefix('&')?.strip_suffix(';')?;
    match inner {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        _ => {}
    }
    let number = inner.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).filter(|character| "&<>\"'".contains(*character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubspot_decodes_twelve_codes() {
        for (url, expected) in [
            ("https://h.test/a?b=c", "https://h.test/a?b=c"),
            ("%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B", ":/?@!$'()*,;"),
            ("%3a%2f%2c", ":/,"),
            ("%20%26%3D%25%23%2B%22%C3%A9", "%20%26%3D%25%23%2B%22%C3%A9"),
            ("%252F%2", "%252F%2"),
            ("%%2F", "%/"),
        ] {
            assert_eq!(hubspot_url(url), expected.as_bytes(), "{url}");
        }
    }

    /// What `jsonStringifyWithEscapedUnicode` of box-node-sdk 10.12.0 makes of them.
    #[test]
    fn json_as_php_writes_it() {
        for (body, expected) in [
            (r#"{"a":"b/c"}"#, r#"{"a":"b\/c"}"#),
            (r#"{"a":"é 😀 \u007f"}"#, r#"{"a":"\u00e9 \ud83d\ude00 \u007f"}"#),
            ("\u{7e}\u{7f}\u{80}", "~\\u007f\\u0080"),
            (r#"{"a":"https:\/\/x\\/"}"#, r#"{"a":"https:\/\/x\\/"}"#),
            ("//", "\\/\\/"),
        ] {
            assert_eq!(ascii_json(body.as_bytes()).as_deref(), Some(expected), "{body}");
        }
        assert_eq!(ascii_json(b"\xff"), None);
    }

    #[test]
    fn entities() {
        for (text, expected) in [
            ("FAKE &amp; test only &lt;woo&#039;s&gt;", "FAKE & test only <woo's>"),
            ("&quot;&#34;&#x22;&#X22;&#x0027;", "\"\"\"\"'"),
            ("&amp;lt;", "&lt;"),
            ("a&b;c&eacute;&#65;&", "a&b;c&eacute;&#65;&"),
            ("&;&#;&#x;&am", "&;&#;&#x;&am"),
        ] {
            assert_eq!(html_decoded(text), expected, "{text}");
        }
    }
}
