//! The signed time: how it is read, and how far it may be off.

use std::time::UNIX_EPOCH;

use super::config::Unit;
use super::extract::Extractor;
use crate::model::{Millis, format_rfc3339};

/// Seconds that a signed time may be off where nothing is said: what Standard
/// Webhooks, Stripe and Slack use.
pub(super) const DEFAULT_TOLERANCE: u32 = 300;

/// Where the time is, how it is written and how far it may be off.
#[derive(Clone, Debug)]
pub(super) struct Timestamp {
    pub(super) extractor: Extractor,
    pub(super) unit: Unit,
    /// A string in JSON is no time.
    pub(super) is_number: bool,
    /// Seconds, in both directions, inclusive.
    pub(super) tolerance: u32,
}

/// Milliseconds have so many digits from 1973 on, seconds not before the year 5138.
const MILLISECOND_DIGITS: usize = 12;

impl Timestamp {
    /// Whether that text is a time near enough to `now`; `None` if it is no time.
    pub(super) fn is_fresh(&self, text: &[u8], now: Millis) -> Option<bool> {
        let tolerance = u64::from(self.tolerance);
        let written = self.read(text)?;
        Some(match self.unit {
            Unit::Seconds | Unit::Epoch | Unit::Rfc3339 => {
                now.as_secs().abs_diff(written.as_secs()) <= tolerance
            }
            Unit::Milliseconds => now.0.abs_diff(written.0) <= tolerance * 1000,
        })
    }

    /// The time that the text is, if it is one.
    pub(super) fn read(&self, text: &[u8]) -> Option<Millis> {
        match self.unit {
            Unit::Seconds => digits(text).map(|seconds| Millis(seconds * 1000)),
            Unit::Milliseconds => digits(text).map(Millis),
            Unit::Epoch if text.len() >= MILLISECOND_DIGITS => digits(text).map(Millis),
            Unit::Epoch => digits(text).map(|seconds| Millis(seconds * 1000)),
            Unit::Rfc3339 => rfc3339(text),
        }
    }
}

/// `now` as the sender would write it.
pub(super) fn write(now: Millis, unit: Unit) -> String {
    match unit {
        Unit::Seconds | Unit::Epoch => now.as_secs().to_string(),
        Unit::Milliseconds => now.0.to_string(),
        Unit::Rfc3339 => format_rfc3339(now),
    }
}

/// 1 to 15 digits and nothing else: neither sign nor white space, and no room to
/// overflow.
pub(super) fn digits(text: &[u8]) -> Option<i64> {
    if !(1..=15).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

/// An instant of RFC 3339 with any offset.
fn rfc3339(text: &[u8]) -> Option<Millis> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let (local, offset) = if let Some(local) = text.strip_suffix('Z') {
        (local, 0)
    } else {
        let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
        (local, offset_seconds(offset.as_bytes())?)
    };
    let instant = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let since = i64::try_from(instant.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    Some(Millis(since - offset * 1000))
}

/// `+hh:mm` or `-hh:mm` in seconds.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let [sign, hours @ .., b':', _, _] = text else { return None };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    Some(sign * (digits(hours)? * 3600 + digits(&text[4..])? * 60))
}

#[cfg(test)]
mod tests {
    use super::super::json::Pointers;
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_900);

    fn judge(unit: Unit, text: &str) -> Option<bool> {
        let config = toml::from_str("header = \"t\"").unwrap();
        let extractor = Extractor::compile(&config, "t", &mut Pointers::default()).unwrap();
        Timestamp { extractor, unit, is_number: false, tolerance: 300 }.is_fresh(text.as_bytes(), NOW)
    }

    #[test]
    fn tolerance_is_inclusive_in_both_directions() {
        for (unit, text, expected) in [
            (Unit::Seconds, "1700000000", true),
            (Unit::Seconds, "1699999700", true),
            (Unit::Seconds, "1699999699", false),
            (Unit::Seconds, "1700000300", true),
            (Unit::Seconds, "1700000301", false),
            (Unit::Seconds, "1700000000000", false),
            (Unit::Seconds, "0", false),
            (Unit::Milliseconds, "1699999700900", true),
            (Unit::Milliseconds, "1699999700899", false),
            (Unit::Milliseconds, "1700000300900", true),
            (Unit::Milliseconds, "1700000300901", false),
            (Unit::Epoch, "1699999700", true),
            (Unit::Epoch, "1699999699", false),
            (Unit::Epoch, "1700000300999", true),
            (Unit::Epoch, "1700000301000", false),
            (Unit::Rfc3339, "2023-11-14T22:13:20Z", true),
            (Unit::Rfc3339, "2023-11-14T22:18:20.999999999Z", true),
            (Unit::Rfc3339, "2023-11-14T22:18:21Z", false),
            (Unit::Rfc3339, "2023-11-14T22:08:20.5Z", true),
            (Unit::Rfc3339, "2023-11-15T00:13:20+02:00", true),
            (Unit::Rfc3339, "2023-11-14T15:13:20-07:00", true),
            (Unit::Rfc3339, "2023-11-14T22:13:20-07:00", false),
        ] {
            assert_eq!(judge(unit, text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "now", "-5", "+5", "1700000000abc", " 1700000000", "1.7e9", "1234567890123456", "１７"]
        {
            assert_eq!(judge(Unit::Seconds, text), None, "{text}");
            assert_eq!(judge(Unit::Milliseconds, text), None, "{text}");
            assert_eq!(judge(Unit::Rfc3339, text), None, "{text}");
        }
        for text in [
            "2023-11-14 22:13:20Z",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20+0200",
            "2023-13-14T22:13:20Z",
        ] {
            assert_eq!(judge(Unit::Rfc3339, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for unit in [Unit::Seconds, Unit::Milliseconds, Unit::Rfc3339] {
            assert_eq!(judge(unit, &write(NOW, unit)), Some(true));
        }
    }
}
