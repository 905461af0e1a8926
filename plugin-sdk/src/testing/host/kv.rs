//! Values in memory, with the limits of the contract.

use crate::kv::Error;
use crate::testing::host::with_host;

const KEY_BYTES: usize = 256;
const VALUE_BYTES: usize = 65_536;

pub(super) struct Value {
    bytes: Vec<u8>,
    /// On the wall clock, in milliseconds; `None`: kept.
    until: Option<u64>,
}

pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    check(key, &[])?;
    Ok(with_host(|host| {
        let value = host.values.get(key)?;
        value.until.is_none_or(|until| host.now_ms < until).then(|| value.bytes.clone())
    }))
}

pub(crate) fn set(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
    check(key, value)?;
    with_host(|host| {
        let until = ttl_ms.map(|ttl| host.now_ms.saturating_add(ttl));
        host.values.insert(key.to_owned(), Value { bytes: value.to_vec(), until });
    });
    Ok(())
}

pub(crate) fn delete(key: &str) -> Result<(), Error> {
    check(key, &[])?;
    with_host(|host| host.values.remove(key));
    Ok(())
}

pub(crate) fn increment(key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
    let before = match get(key)? {
        None => 0,
        Some(bytes) => std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Error::Other(format!("the value of `{key}` is no integer")))?,
    };
    let sum = i64::checked_add(before, delta)
        .ok_or_else(|| Error::Other(format!("the sum of `{key}` has no room in 64 bits")))?;
    set(key, sum.to_string().as_bytes(), ttl_ms)?;
    Ok(sum)
}

fn check(key: &str, value: &[u8]) -> Result<(), Error> {
    if !with_host(|host| host.may("kv")) {
        return Err(Error::AccessDenied);
    }
    if !(1..=KEY_BYTES).contains(&key.len()) || value.len() > VALUE_BYTES {
        return Err(Error::TooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::kv::{self, Error};
    use crate::testing;

    #[test]
    fn a_value_is_there_until_its_time_is_over() {
        kv::set_for("a", "1", Duration::from_millis(10)).unwrap();
        kv::set("b", "2").unwrap();
        testing::advance(Duration::from_millis(9));
        assert_eq!(kv::get("a").unwrap().as_deref(), Some(&b"1"[..]));
        testing::advance(Duration::from_millis(1));
        assert_eq!((kv::get("a"), kv::get("b")), (Ok(None), Ok(Some(b"2".to_vec()))));
        kv::delete("b").unwrap();
        assert_eq!((kv::get("b"), kv::delete("b")), (Ok(None), Ok(())));
    }

    #[test]
    fn a_counter_begins_at_nought_and_knows_a_number() {
        assert_eq!((kv::increment("n", 2), kv::increment("n", -5)), (Ok(2), Ok(-3)));
        kv::increment_for("m", 1, Duration::from_millis(1)).unwrap();
        testing::advance(Duration::from_millis(1));
        assert_eq!(kv::increment("m", 1), Ok(1));
        kv::set("t", "x").unwrap();
        assert!(matches!(kv::increment("t", 1), Err(Error::Other(why)) if why.contains("no integer")));
        kv::set("n", i64::MAX.to_string()).unwrap();
        assert!(matches!(kv::increment("n", 1), Err(Error::Other(why)) if why.contains("64 bits")));
    }

    #[test]
    fn keys_and_values_have_the_sizes_of_the_contract() {
        assert_eq!(
            (kv::set("", ""), kv::get(&"k".repeat(257))),
            (Err(Error::TooLarge), Err(Error::TooLarge))
        );
        assert_eq!(kv::set(&"k".repeat(256), vec![0; 65_536]), Ok(()));
        assert_eq!(kv::set("k", vec![0; 65_537]), Err(Error::TooLarge));
    }

    #[test]
    fn without_the_grant_nothing_is_read_or_written() {
        testing::set_grants(["secrets:A"]);
        assert_eq!((kv::get("a"), kv::set("a", "")), (Err(Error::AccessDenied), Err(Error::AccessDenied)));
        assert_eq!(kv::increment("a", 1), Err(Error::AccessDenied));
        testing::set_grants(["kv"]);
        assert_eq!(kv::get("a"), Ok(None));
    }
}
