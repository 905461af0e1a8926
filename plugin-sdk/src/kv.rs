//! Durable values, in a namespace of the plugin. By the grant `kv`.
//!
//! ```toml
//! [plugin.first-only]
//! grants = ["kv"]
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use hookloom_sdk::*;
//!
//! fn first_of_the_day(event: &Event) -> Result<Verdict> {
//!     let key = format!("seen/{}", event.source);
//!     match kv::get(&key)? {
//!         // The same event again: in another route, at a retry or in a replay.
//!         Some(first) if first == event.id.as_bytes() => {}
//!         Some(_) => return Ok(drop("seen today")),
//!         None => kv::set_for(&key, &event.id, Duration::from_secs(86_400))?,
//!     }
//!     Ok(pass())
//! }
//! # let event = |id: &str| testing::event("s").id(id).build();
//! # assert_eq!(first_of_the_day(&event("evt_1")), Ok(pass()));
//! # assert_eq!(first_of_the_day(&event("evt_2")), Ok(drop("seen today")));
//! # assert_eq!(first_of_the_day(&event("evt_1")), Ok(pass()));
//! ```
//!
//! The namespace is the plugin's in all of its routes.
//!
//! What a call writes is committed together with the result of its run, or not at all: an
//! error or a trap commits nothing, a drop does. When a value that the call read was
//! changed by another run meanwhile, the run is repeated, so that of two events that race
//! to be the first one wins. `#[verify]` and `#[classify]` functions only read.
//!
//! Keys have 1 to 256 bytes, values at most 64 KiB; a call has 1,000 operations.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value could not be read or written. `?` makes a [`crate::Error`] of it:
/// `misconfigured` where the grant is missing, `retry` where the store did not answer,
/// `other` for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The plugin has not got the grant `kv`, or may only read here.
    AccessDenied,
    /// Too long a key or a value, or too many operations.
    TooLarge,
    /// The store did not answer.
    Unavailable(String),
    /// Anything else: a value that is not what it is read as, for one.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessDenied => f.write_str(
                "kv is not granted: `grants` of the plugin needs \"kv\" (verify and classify only read)",
            ),
            Self::TooLarge => f.write_str(
                "kv: a key has 1 to 256 bytes, a value at most 64 KiB, and a call 1,000 operations",
            ),
            Self::Unavailable(message) | Self::Other(message) => write!(f, "kv: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::AccessDenied => Self::misconfigured(error),
            Error::Unavailable(_) => Self::retry(error),
            Error::TooLarge | Error::Other(_) => Self::other(error),
        }
    }
}

/// The value, or `None` where there is none.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::granted::hookloom::plugin::kv::get(key);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::kv::get(key)
}

/// The value, read as JSON. One that does not fit is [`Error::Other`].
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    let Some(value) = get(key)? else { return Ok(None) };
    serde_json::from_slice(&value)
        .map(Some)
        .map_err(|error| Error::Other(format!("the value of `{key}` is not what is read: {error}")))
}

/// Writes a value, which stays until it is written again or deleted.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    write(key, value.as_ref(), None)
}

/// Writes a value that is forgotten so long after now. Whole milliseconds count.
pub fn set_for(key: &str, value: impl AsRef<[u8]>, ttl: Duration) -> Result<(), Error> {
    write(key, value.as_ref(), Some(millis(ttl)))
}

/// Writes a value as JSON, which stays until it is written again or deleted.
pub fn set_json(key: &str, value: &impl Serialize) -> Result<(), Error> {
    write(key, &to_json(value)?, None)
}

/// Writes a value as JSON that is forgotten so long after now. Whole milliseconds count.
pub fn set_json_for(key: &str, value: &impl Serialize, ttl: Duration) -> Result<(), Error> {
    write(key, &to_json(value)?, Some(millis(ttl)))
}

/// Deletes a value, whether there is one or not.
pub fn delete(key: &str) -> Result<(), Error> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::granted::hookloom::plugin::kv::delete(key);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::kv::delete(key)
}

/// Adds to a decimal integer, 0 where there is none, and returns the sum. A value that is
/// no integer is [`Error::Other`].
pub fn increment(key: &str, delta: i64) -> Result<i64, Error> {
    add(key, delta, None)
}

/// As [`increment`], and the sum is forgotten so long after now. Whole milliseconds count.
pub fn increment_for(key: &str, delta: i64, ttl: Duration) -> Result<i64, Error> {
    add(key, delta, Some(millis(ttl)))
}

fn write(key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::granted::hookloom::plugin::kv::set(key, value, ttl_ms);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::kv::set(key, value, ttl_ms)
}

fn add(key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
    #[cfg(target_family = "wasm")]
    return crate::bindings::granted::hookloom::plugin::kv::increment(key, delta, ttl_ms);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::host::kv::increment(key, delta, ttl_ms)
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Other(format!("the value is no JSON: {error}")))
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_was() {
        set_json("a", &vec![1, 2]).unwrap();
        assert_eq!(get("a").unwrap().as_deref(), Some(&b"[1,2]"[..]));
        assert_eq!(get_json("a"), Ok(Some(vec![1, 2])));
        assert_eq!(get_json::<Vec<u8>>("b"), Ok(None));
        let Err(Error::Other(message)) = get_json::<String>("a") else { panic!("an array is no text") };
        assert!(message.starts_with("the value of `a` is not what is read: invalid type"), "{message}");
    }

    #[test]
    fn each_case_becomes_what_the_gateway_can_act_on() {
        let kind = |error: Error| crate::Error::from(error).kind();
        assert_eq!(kind(Error::AccessDenied), "misconfigured");
        assert_eq!(kind(Error::TooLarge), "other");
        assert_eq!(kind(Error::Unavailable("busy".into())), "retry");
        assert_eq!(kind(Error::Other("x".into())), "other");
        let text = crate::Error::from(Error::AccessDenied).to_string();
        assert!(text.contains("`grants` of the plugin needs \"kv\""), "{text}");
    }
}
