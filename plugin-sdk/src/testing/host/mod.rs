//! The gateway's side of the imports, in each test's own thread.

pub(crate) mod kv;
pub(crate) mod secrets;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::log::{Field, Level};

/// What [`now_ms`](crate::now_ms) says until a test sets it: 2026-01-01T00:00Z.
pub const NOW_MS: u64 = 1_767_225_600_000;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// Its text.
    pub message: String,
    /// Its named values.
    pub fields: Vec<Field>,
}

/// A metric's name and its labels, in the order of their names.
type Series = (String, Vec<(String, String)>);

struct Host {
    now_ms: u64,
    monotonic: Duration,
    random: u64,
    lines: Vec<Line>,
    counters: BTreeMap<Series, u64>,
    observations: BTreeMap<Series, Vec<f64>>,
    values: BTreeMap<String, kv::Value>,
    secrets: BTreeMap<String, String>,
    /// `None`: all.
    grants: Option<Vec<String>>,
}

impl Host {
    const fn new() -> Self {
        Self {
            now_ms: NOW_MS,
            monotonic: Duration::ZERO,
            random: 0,
            lines: Vec::new(),
            counters: BTreeMap::new(),
            observations: BTreeMap::new(),
            values: BTreeMap::new(),
            secrets: BTreeMap::new(),
            grants: None,
        }
    }
}

thread_local! {
    static HOST: RefCell<Host> = const { RefCell::new(Host::new()) };
}

fn with_host<T>(act: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| act(&mut host.borrow_mut()))
}

/// Everything as in the beginning, for the next of several fixtures.
pub(crate) fn reset() {
    with_host(|host| *host = Host::new());
}

/// Sets the wall clock, which stands still otherwise.
pub fn set_now_ms(now_ms: u64) {
    with_host(|host| host.now_ms = now_ms);
}

/// Lets time pass, on both clocks: values whose time is over are forgotten.
pub fn advance(time: Duration) {
    with_host(|host| {
        host.now_ms += u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        host.monotonic += time;
    });
}

/// From now on the plugin has these grants alone, as `grants` of the gateway's
/// configuration names them (`"kv"`, `"secrets:KEY"`, `"reveal:KEY"`). Until then it has
/// all that it asks for.
pub fn set_grants<Grant: Into<String>>(grants: impl IntoIterator<Item = Grant>) {
    let grants = grants.into_iter().map(Into::into).collect();
    with_host(|host| host.grants = Some(grants));
}

/// The lines that this test has logged.
pub fn logs() -> Vec<Line> {
    with_host(|host| host.lines.clone())
}

/// What this test has counted under a name, with whatever labels.
pub fn counter(name: &str) -> u64 {
    with_host(|host| host.counters.iter().filter(|((own, _), _)| own == name).map(|(_, sum)| sum).sum())
}

/// What this test has counted under a name with just these labels, in any order.
pub fn counter_with(name: &str, labels: &[(&str, &str)]) -> u64 {
    with_host(|host| host.counters.get(&series(name, labels)).copied().unwrap_or_default())
}

/// What this test has observed under a name, with whatever labels.
pub fn observations(name: &str) -> Vec<f64> {
    with_host(|host| {
        let named = host.observations.iter().filter(|((own, _), _)| own == name);
        named.flat_map(|(_, values)| values.iter().copied()).collect()
    })
}

/// What this test has observed under a name with just these labels, in any order.
pub fn observations_with(name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
    with_host(|host| host.observations.get(&series(name, labels)).cloned().unwrap_or_default())
}

fn series(name: &str, labels: &[(&str, &str)]) -> Series {
    let mut labels: Vec<_> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    labels.sort();
    (name.to_owned(), labels)
}

impl Host {
    fn may(&self, grant: &str) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.iter().any(|own| own == grant))
    }
}

pub(crate) fn now_ms() -> u64 {
    with_host(|host| host.now_ms)
}

pub(crate) fn monotonic_ns() -> u64 {
    with_host(|host| u64::try_from(host.monotonic.as_nanos()).unwrap_or(u64::MAX))
}

/// splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014), from the same seed in every test.
pub(crate) fn random_u64() -> u64 {
    with_host(|host| {
        host.random = host.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (host.random ^ (host.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

pub(crate) fn random_bytes(len: u32) -> Vec<u8> {
    assert!(len <= 65_536, "asked for {len} random bytes at once, and the limit is 65536");
    let len = len as usize;
    let mut bytes: Vec<_> =
        std::iter::repeat_with(random_u64).take(len.div_ceil(8)).flat_map(u64::to_le_bytes).collect();
    bytes.truncate(len);
    bytes
}

pub(crate) fn log(level: Level, message: &str, fields: &[Field]) {
    let line = Line { level, message: message.to_owned(), fields: fields.to_vec() };
    with_host(|host| host.lines.push(line));
}

pub(crate) fn count(name: &str, delta: u64, labels: &[(&str, &str)]) {
    with_host(|host| *host.counters.entry(series(name, labels)).or_default() += delta);
}

pub(crate) fn observe(name: &str, value: f64, labels: &[(&str, &str)]) {
    with_host(|host| host.observations.entry(series(name, labels)).or_default().push(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn time_stands_still_until_it_is_moved() {
        assert_eq!((crate::now_ms(), crate::monotonic_ns()), (NOW_MS, 0));
        set_now_ms(5);
        assert_eq!((crate::now_ms(), crate::monotonic_ns()), (5, 0));
        advance(Duration::from_millis(3));
        assert_eq!((crate::now_ms(), crate::monotonic_ns()), (8, 3_000_000));
    }

    #[test]
    fn chance_is_the_same_in_every_test() {
        // The generator's first two outputs for the seed 0.
        assert_eq!(crate::random_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(crate::random_bytes(3), [0xf4, 0x65, 0xb9]);
    }

    #[test]
    fn metrics_add_up_in_each_series_and_over_them() {
        metrics::count("seen", 2);
        metrics::count_with("seen", 3, &[("by", "a"), ("at", "b")]);
        metrics::count_with("seen", 4, &[("at", "b"), ("by", "a")]);
        assert_eq!((counter("seen"), counter("other")), (9, 0));
        assert_eq!(counter_with("seen", &[("by", "a"), ("at", "b")]), 7);
        assert_eq!((counter_with("seen", &[]), counter_with("seen", &[("by", "a")])), (2, 0));
        metrics::observe("size", 1.5);
        metrics::observe_with("size", 2.5, &[("by", "a")]);
        assert_eq!(observations("size"), [1.5, 2.5]);
        assert_eq!(observations_with("size", &[("by", "a")]), [2.5]);
    }
}
