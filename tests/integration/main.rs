//! The integration tests of the gateway: one binary, one module an area.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod admin;
mod cli;
mod crash;
mod deliver;
mod examples;
mod idle;
mod ingest;
mod interop;
mod journey;
mod limits;
mod plugin;
mod reload;
mod scaffold;
mod shutdown;
mod structure;
mod vectors;
