#![doc = include_str!("../README.md")]

// The attributes name the crate from outside; so do its own tests.
#[cfg(test)]
extern crate self as hookloom_sdk;

mod config;
mod error;
mod event;
mod json;
mod message;
mod metadata;
mod outcome;
mod plugin;

pub mod log;
pub mod metrics;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_family = "wasm")]
mod panic;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use error::{Error, Result};
pub use event::{Attribute, Event, Header};
pub use hookloom_sdk_macros::{config, filter, transform};
pub use message::{Message, is_valid_suffix};
pub use metadata::Metadata;
pub use outcome::{Dropped, Outcome, Verdict, drop, pass, replace, split, unchanged};
pub use {serde, serde_json};

/// The wall clock, in milliseconds since 1970-01-01T00:00Z.
///
/// In native tests it stands at [`testing::NOW_MS`] until [`testing::set_now_ms`] moves it.
pub fn now_ms() -> u64 {
    #[cfg(target_family = "wasm")]
    return bindings::lifecycle::hookloom::plugin::clock::now_ms();
    #[cfg(not(target_family = "wasm"))]
    testing::host::now_ms()
}

/// 64 unpredictable bits.
///
/// In native tests: the same sequence in every test.
pub fn random_u64() -> u64 {
    #[cfg(target_family = "wasm")]
    return bindings::lifecycle::hookloom::plugin::random::next_u64();
    #[cfg(not(target_family = "wasm"))]
    testing::host::random_u64()
}

/// What the macros expand to; no part of the SDK's face.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_family = "wasm")]
    pub use crate::bindings;
    #[cfg(target_family = "wasm")]
    pub use crate::panic::report_panics;
    pub use crate::plugin::{Handler, Slot, refuse_unread};
}
