//! What the tests of the gateway share.

pub mod gateway;
pub mod guests;
pub mod raw;
pub mod receiver;
pub mod sender;
pub mod wait;
