//! Passes a share of the events: a staging system that wants one in a hundred.
//!
//! ```toml
//! steps = [{ plugin = "sample", config = { percent = 1 } }]
//! ```
//!
//! Which ones is decided by the event's id alone. So a retry or a replay is decided like
//! the first time, and every plugin of this kind picks the same events: what passes 1 %
//! passes 5 % as well. Neither body nor headers are read, so that events come without them.

use hookloom_sdk::*;

#[config]
struct Config {
    /// 0 to 100, with a fraction if need be.
    percent: f64,
}

#[filter(body = false, headers = [""; 0])]
fn sample(event: &Event, config: &Config) -> Result<Verdict> {
    if !(0.0..=100.0).contains(&config.percent) {
        return Err(Error::misconfigured(format!("{} percent", config.percent)));
    }
    if place(&event.id) < config.percent {
        return Ok(pass());
    }
    Ok(drop("not of the sample"))
}

/// Where among a hundred an id falls, by the 64-bit hash of Fowler, Noll and Vo (FNV-1a)
/// and a last stir, without which ids that differ in the end alone stay close.
fn place(id: &str) -> f64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let stirred = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    f64::from(u32::try_from(stirred >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_passes_and_the_same_events_each_time() {
        let passed = |percent| {
            let event = |i: u32| testing::event("s").id(format!("evt_{i}")).build();
            let passes = |i: &u32| sample(&event(*i), &Config { percent }) == Ok(pass());
            (0..10_000).filter(passes).collect::<Vec<_>>()
        };
        let (few, more) = (passed(1.0), passed(5.0));
        assert!((60..140).contains(&few.len()) && (400..600).contains(&more.len()));
        assert!(few.iter().all(|i| more.contains(i)));
        assert_eq!((passed(0.0).len(), passed(100.0).len()), (0, 10_000));
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", sample);
    }
}
