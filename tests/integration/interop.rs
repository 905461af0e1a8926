//! The other side in other people's code: the SDKs of Standard Webhooks verify what the
//! gateway sends, and providers' own SDKs sign what it accepts and judge what it judges.
//!
//! The packages are installed into `target/peers` at the first run. Where that cannot
//! be done, the tests say so on stderr and check nothing.

mod deliveries;
mod packages;
mod providers;
mod sdk;
