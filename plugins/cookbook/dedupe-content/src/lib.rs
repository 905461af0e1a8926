//! Drops an event that says the same as one before, for providers that send a change
//! several times under ids of its own. (The same *id* twice is the gateway's `dedupe`.)
//!
//! ```toml
//! [plugin.dedupe-content]
//! grants = ["kv"]
//!
//! steps = [{ plugin = "dedupe-content", config = { ignore = ["id", "sent_at"], hours = 24 } }]
//! ```
//!
//! `ignore` are keys of the body that do not count. What is kept is the id of the first: the
//! plugin has one `kv` for all routes, and the same event comes again in another route, at a
//! retry and when it is replayed. Of two that race, one is the first: what
//! `kv` wrote is committed with the run, and the run whose reading was overtaken is repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use hookloom_sdk::serde_json::Value;
use hookloom_sdk::*;

#[config]
struct Config {
    #[serde(default)]
    ignore: Vec<String>,
    hours: u32,
}

#[filter]
fn dedupe_content(event: &Event, config: &Config) -> Result<Verdict> {
    let mut body: Value = event.json()?;
    if let Value::Object(object) = &mut body {
        object.retain(|key, _| !config.ignore.contains(key));
    }
    let key = format!("{}/{:032x}", event.source, fnv1a(sorted(body).to_string().as_bytes()));
    match kv::get(&key)? {
        Some(first) if first == event.id.as_bytes() => {}
        Some(first) => return Ok(drop(format!("says the same as {}", String::from_utf8_lossy(&first)))),
        None => kv::set_for(&key, &event.id, Duration::from_secs(u64::from(config.hours) * 3600))?,
    }
    Ok(pass())
}

/// The same with its keys in alphabetical order, so that the sender's does not matter.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let keys: BTreeMap<_, _> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(keys.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// The 128-bit hash of Fowler, Noll and Vo. Senders are verified, so nobody forges one.
fn fnv1a(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_dropped_until_the_time_is_over() {
        let config = Config { ignore: vec!["id".into()], hours: 1 };
        let send =
            |id: &str, text: &str| dedupe_content(&testing::event("s").id(id).body(text).build(), &config);
        assert_eq!(send("evt_1", r#"{"id":1,"a":1,"b":2}"#), Ok(pass()));
        assert_eq!(send("evt_2", r#"{"b":2,"id":2,"a":1}"#), Ok(drop("says the same as evt_1")));
        assert_eq!(send("evt_3", r#"{"b":3}"#), Ok(pass()));
        assert_eq!(send("evt_1", r#"{"id":1,"a":1,"b":2}"#), Ok(pass()), "another route, or a replay");
        testing::advance(Duration::from_hours(1));
        assert_eq!(send("evt_4", r#"{"a":1,"b":2}"#), Ok(pass()));
    }

    #[test]
    fn fixtures() {
        testing::run_fixtures("fixtures", dedupe_content);
    }
}
