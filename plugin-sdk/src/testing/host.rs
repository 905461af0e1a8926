//! The gateway's side of the imports, in each test's own thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

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

struct Host {
    now_ms: u64,
    random: u64,
    lines: Vec<Line>,
    counters: BTreeMap<String, u64>,
    observations: BTreeMap<String, Vec<f64>>,
}

thread_local! {
    static HOST: RefCell<Host> = const {
        RefCell::new(Host {
            now_ms: NOW_MS,
            random: 0,
            lines: Vec::new(),
            counters: BTreeMap::new(),
            observations: BTreeMap::new(),
        })
    };
}

fn with_host<T>(act: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with(|host| act(&mut host.borrow_mut()))
}

/// Sets the clock, which stands still otherwise.
pub fn set_now_ms(now_ms: u64) {
    with_host(|host| host.now_ms = now_ms);
}

/// The lines that this test has logged.
pub fn logs() -> Vec<Line> {
    with_host(|host| host.lines.clone())
}

/// What this test has counted under a name.
pub fn counter(name: &str) -> u64 {
    with_host(|host| host.counters.get(name).copied().unwrap_or_default())
}

/// What this test has observed under a name.
pub fn observations(name: &str) -> Vec<f64> {
    with_host(|host| host.observations.get(name).cloned().unwrap_or_default())
}

pub(crate) fn now_ms() -> u64 {
    with_host(|host| host.now_ms)
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

pub(crate) fn log(level: Level, message: &str, fields: &[Field]) {
    let line = Line { level, message: message.to_owned(), fields: fields.to_vec() };
    with_host(|host| host.lines.push(line));
}

pub(crate) fn count(name: &str, delta: u64) {
    with_host(|host| *host.counters.entry(name.to_owned()).or_default() += delta);
}

pub(crate) fn observe(name: &str, value: f64) {
    with_host(|host| host.observations.entry(name.to_owned()).or_default().push(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_until_it_is_moved() {
        assert_eq!(crate::now_ms(), NOW_MS);
        set_now_ms(5);
        assert_eq!(crate::now_ms(), 5);
    }

    #[test]
    fn chance_is_the_same_in_every_test() {
        // The generator's first two outputs for the seed 0.
        assert_eq!(crate::random_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(crate::random_u64(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn metrics_add_up() {
        crate::metrics::count("seen", 2);
        crate::metrics::count("seen", 3);
        crate::metrics::observe("size", 1.5);
        assert_eq!((counter("seen"), counter("other")), (5, 0));
        assert_eq!(observations("size"), [1.5]);
    }
}
