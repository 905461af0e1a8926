#![doc = include_str!("../README.md")]
#![allow(clippy::test_attr_in_doctest, reason = "the guide shows the tests of a plugin")]

// The attributes name the crate from outside; so do its own tests.
#[cfg(test)]
extern crate self as hookloom_sdk;

mod answer;
mod clock;
mod config;
mod decision;
mod error;
mod event;
mod handler;
mod header;
mod json;
mod message;
mod metadata;
mod outcome;
mod plugin;
mod random;
mod request;
mod verification;

pub mod encoding;
pub mod kv;
pub mod log;
pub mod metrics;
pub mod secrets;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_family = "wasm")]
mod contract;
#[cfg(target_family = "wasm")]
mod panic;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use clock::{monotonic_ns, now_ms};
pub use decision::{Decision, Response, as_usual, dead, done, retry, retry_after};
pub use encoding::same_bytes;
pub use error::{Error, Result};
pub use event::Event;
pub use header::{Attribute, Header};
pub use hookloom_sdk_macros::{classify, config, filter, transform, verify};
pub use message::{Message, is_valid_suffix};
pub use metadata::Metadata;
pub use outcome::{Dropped, Outcome, Verdict, drop, pass, replace, split, unchanged};
pub use random::{random_bytes, random_u64};
pub use request::Request;
pub use verification::{
    Acceptance, Reply, Verification, accept, malformed, respond, unauthorized, unavailable,
};
pub use {serde, serde_json};

/// What the macros expand to; no part of the SDK's face.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_family = "wasm")]
    pub use crate::bindings;
    #[cfg(target_family = "wasm")]
    pub use crate::contract::{request, response};
    pub use crate::handler::{Slot, refuse_unread};
    #[cfg(target_family = "wasm")]
    pub use crate::panic::report_panics;
}
