//! `Retry-After`, in seconds or as an HTTP date (RFC 9110 §10.2.3).

use std::time::Duration;

use crate::model::Millis;

/// How long the answer asks to wait from `now`; `None` when it is neither form. A date
/// that has passed asks for no wait.
pub(super) fn parse(value: &str, now: Millis) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More seconds than fit are still a very long wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(now.until(Millis::from(date)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_neither() {
        // Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7.
        let date = Millis(784_111_777_000);
        let minute_before = Millis(date.0 - 60_000);
        let minute = Some(Duration::from_mins(1));
        let table = [
            ("120", date, Some(Duration::from_mins(2))),
            (" 0 ", date, Some(Duration::ZERO)),
            ("99999999999999999999999", date, Some(Duration::from_secs(u64::MAX))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", minute_before, minute),
            ("Sunday, 06-Nov-94 08:49:37 GMT", minute_before, minute),
            ("Sun Nov  6 08:49:37 1994", minute_before, minute),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Millis(date.0 + 1), Some(Duration::ZERO)),
            ("", date, None),
            ("-1", date, None),
            ("+1", date, None),
            ("1.5", date, None),
            ("soon", date, None),
        ];
        for (value, now, expected) in table {
            assert_eq!(parse(value, now), expected, "{value:?}");
        }
    }
}
