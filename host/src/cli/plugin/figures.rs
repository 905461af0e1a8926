//! Sizes and times for people, and what many times have in common.

use std::time::Duration;

/// Bytes, with the unit that leaves few digits.
pub(super) fn bytes(count: u64) -> String {
    bytesize::ByteSize(count).to_string()
}

/// A short time: `12.3 µs`, `4.56 ms`, `1.20 s`.
pub(super) fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..1e3 => format!("{micros:.1} µs"),
        1e3..1e6 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// The median of many times, the one that 99 of 100 keep within, and both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) median: Duration,
    pub(super) p99: Duration,
    pub(super) least: Duration,
    pub(super) most: Duration,
}

impl Spread {
    /// Of these times; `None` when there are none.
    pub(super) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let (least, most) = (*times.first()?, *times.last()?);
        let at = |percent: usize| times[(times.len() * percent).div_ceil(100).saturating_sub(1)];
        Some(Self { median: at(50), p99: at(99), least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_leaves_few_digits() {
        let micros = Duration::from_micros;
        assert_eq!(time(Duration::from_nanos(12_340)), "12.3 µs");
        assert_eq!(time(micros(4_560)), "4.56 ms");
        assert_eq!(time(micros(1_200_000)), "1.20 s");
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let spread = Spread::of((1..=200).rev().map(Duration::from_micros).collect()).unwrap();
        let micros = [spread.least, spread.median, spread.p99, spread.most].map(|time| time.as_micros());
        assert_eq!(micros, [1, 100, 198, 200]);
        let one = Spread::of(vec![Duration::from_micros(7)]).unwrap();
        assert_eq!((one.median, one.p99), (one.least, one.most));
        assert_eq!(Spread::of(vec![]), None);
    }
}
