//! Durations (`"15s"`), sizes (`"1MiB"`) and rates (`"500/s"`) as the file writes them.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// `"15s"`, `"5m"`, `"24h"`, `"7d"`, `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Span(pub(in crate::config) Duration);

/// Bytes: `"1MiB"`, `"256MiB"`, `"64KB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Size(pub(in crate::config) u64);

/// So many per second: `"500/s"`, `"30/m"`, `"1000/h"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) struct Rate(pub(in crate::config) f64);

/// Beyond it a duration is a slip, and instants leave the calendar.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

impl Span {
    fn parse(text: &str) -> Result<Self, String> {
        let span = humantime::parse_duration(text).map_err(|_| {
            format!("`{text}` is not a duration; write it like \"15s\", \"5m\", \"24h\" or \"7d\"")
        })?;
        if span > LONGEST { Err(format!("`{text}` is longer than ten years")) } else { Ok(Self(span)) }
    }
}

impl Size {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse::<bytesize::ByteSize>()
            .map(|size| Self(size.as_u64()))
            .map_err(|_| format!("`{text}` is not a size; write it like \"64KiB\", \"1MiB\" or \"2GiB\""))
    }

    /// As a length in memory.
    pub(in crate::config) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Rate {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a rate; write it like \"100/s\", \"30/m\" or \"1000/h\"");
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        if count == 0 {
            return Err(wrong());
        }
        Ok(Self(f64::from(count) / seconds))
    }
}

struct TextVisitor<T>(&'static str, fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a duration such as \"15s\"", Self::parse))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a size such as \"1MiB\"", Self::parse))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor("a rate such as \"100/s\"", Self::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(Span::parse("15s"), Ok(Span(Duration::from_secs(15))));
        assert_eq!(Span::parse("7d"), Ok(Span(Duration::from_hours(7 * 24))));
        assert_eq!(Span::parse("1h 30m"), Ok(Span(Duration::from_mins(90))));
        assert!(Span::parse("15").unwrap_err().contains("not a duration"));
    }

    #[test]
    fn sizes() {
        assert_eq!(Size::parse("1MiB"), Ok(Size(1 << 20)));
        assert_eq!(Size::parse("64KB"), Ok(Size(64_000)));
        assert!(Size::parse("much").unwrap_err().contains("not a size"));
    }

    #[test]
    fn rates() {
        assert_eq!(Rate::parse("500/s"), Ok(Rate(500.0)));
        assert_eq!(Rate::parse("30/m"), Ok(Rate(0.5)));
        for wrong in ["0/s", "5", "5/d", "-1/s", "x/s"] {
            assert!(Rate::parse(wrong).unwrap_err().contains("not a rate"), "{wrong}");
        }
    }
}
