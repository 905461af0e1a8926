//! Instants as the store and the wire write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00Z: what is stored, compared and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Whole seconds since 1970, as signatures write them.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant and so much more; saturates instead of wrapping.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(delay))
    }

    /// This instant and so much less; saturates instead of wrapping.
    #[must_use]
    pub fn before(self, delay: Duration) -> Self {
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(delay))
    }

    /// How long until `later`; zero when that has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Millis {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// `2026-01-31T12:00:00.123Z`, as the admin API shows instants.
pub fn format_rfc3339(at: Millis) -> String {
    // The last instant with a year of four digits, which is what the format has.
    const LAST: u64 = 253_402_300_799_999;
    let since = Duration::from_millis(u64::try_from(at.0).unwrap_or(0).min(LAST));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// An instant of RFC 3339, in UTC (`…Z`) or with an offset (`…+02:00`).
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(time.into());
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let number =
        |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let (hours, minutes): (u64, u64) = (number(hours)?, number(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset_by = Duration::from_secs((hours * 60 + minutes) * 60);
    let local: Millis = humantime::parse_rfc3339(&format!("{local}Z")).ok()?.into();
    match offset.as_bytes().first() {
        Some(b'+') => Some(local.before(offset_by)),
        Some(b'-') => Some(local.after(offset_by)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_and_never_goes_negative() {
        assert_eq!(Millis(i64::MAX).after(Duration::from_secs(1)), Millis(i64::MAX));
        assert_eq!(Millis(5).until(Millis(3)), Duration::ZERO);
        assert_eq!(Millis(1_500).until(Millis(2_000)), Duration::from_millis(500));
        assert_eq!(Millis(1_999).as_secs(), 1);
    }

    #[test]
    fn instants_are_shown_in_utc() {
        assert_eq!(format_rfc3339(Millis(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
        assert_eq!(format_rfc3339(Millis(i64::MAX)), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn instants_are_read_in_any_zone() {
        let table = [
            ("2023-11-14T22:13:20.123Z", Some(1_700_000_000_123)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-15T00:13:20+02:00", Some(1_700_000_000_000)),
            ("2023-11-14T16:43:20-05:30", Some(1_700_000_000_000)),
            ("2023-11-14T22:13:20", None),
            ("2023-11-14T22:13:20+24:00", None),
            ("2023-11-14T22:13:20+0200", None),
            ("2023-11-14T22:13:20+0+:00", None),
            ("2023-11-14T22:13:20ü02:00", None),
            ("2023-11-14", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_rfc3339(text), expected.map(Millis), "{text}");
        }
    }
}
