//! What plugins give as their reasons, kept short and on one line.

use super::journal;

/// Of a plugin's reason, so much is kept, in bytes.
const BYTES: usize = 1 << 10;

/// A plugin chooses its reasons; the store does not keep novels, and who reads them is not
/// shown control characters. One that was shortened stays as it is.
pub fn shortened(reason: &str) -> String {
    journal::line_within(reason, BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line_however_often_it_is_shortened() {
        let reason = shortened(&format!("a\nb\u{1b}[31m{}", "é".repeat(BYTES)));
        assert!(reason.starts_with("a\\nb\\u{1b}[31mé"), "{reason}");
        assert!(reason.ends_with("é…") && reason.len() <= BYTES + 'é'.len_utf8() + '…'.len_utf8());
        assert_eq!(shortened(&reason), reason);
        assert_eq!(shortened("as it is"), "as it is");
    }
}
