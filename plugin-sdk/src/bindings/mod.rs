//! What is generated from the contract: the imports, and each exported interface as a
//! world of its own, so that a plugin can export any set of them. The linker merges the
//! worlds that a plugin's `plugin!` names, and leaves out the imports that it never calls.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    unused_qualifications,
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "generated from wit/ by tests/bindings"
)]

#[rustfmt::skip]
pub mod classify;
#[rustfmt::skip]
pub mod filter;
#[rustfmt::skip]
pub mod free;
#[rustfmt::skip]
pub mod granted;
#[rustfmt::skip]
pub mod lifecycle;
#[rustfmt::skip]
pub mod transform;
#[rustfmt::skip]
pub mod verify;
